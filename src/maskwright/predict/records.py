"""`to_records`: logits of the model's frame become masks of the image. The only place where tensors become numpy."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import torch

from maskwright.core import FrameRef, MaskRecord, Provenance, Scores, new_id
from maskwright.core.errors import SettingError
from maskwright.masks import CleanupStep, area, box_xyxy, clean
from maskwright.predict.predict import MaskBatch
from maskwright.predict.upscale import MASKS_FOR_GPU, masks_from_logits


def utc_now() -> datetime:
    """The present moment, with its time zone."""
    return datetime.now(UTC)


def to_records(
    batch: MaskBatch,
    *,
    labels: Sequence[str | None] | None = None,
    cleanup: Sequence[CleanupStep] = (),
    parent: str | None = None,
    frame: FrameRef | None = None,
    actor: str | None = None,
    licence: str | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> list[MaskRecord]:
    """Turn every candidate into a record: those of the first prompt, best first, then those of the next.

    `labels` gives one label for each prompt. `cleanup` steps are applied in order and written into the provenance.

    Raises:
        SettingError: there are not as many labels as prompts.
    """
    if labels is not None and len(labels) != len(batch):
        raise SettingError(f"expected one label for each of {len(batch)} prompts, got {len(labels)}")
    N, M = batch.predicted_iou.shape
    if N * M < MASKS_FOR_GPU:  # moved first, because each small step on a GPU takes longer than here
        logits, predicted_iou, agreement = (x.cpu() for x in (batch.logits, batch.predicted_iou, batch.agreement))
        batch = replace(batch, logits=logits, predicted_iou=predicted_iou, agreement=agreement)
    numbers = torch.cat([batch.predicted_iou.flatten(), batch.stability.flatten(), batch.agreement]).tolist()
    scores, stability, agreement = numbers[: N * M], numbers[N * M : 2 * N * M], numbers[2 * N * M :]
    drawn = masks_from_logits(batch.logits.flatten(0, 1), batch.frame, batch.threshold)
    created_at = clock()
    records: list[MaskRecord] = []
    for i in range(N * M):
        mask = drawn[i]
        rle = clean(mask.rle, cleanup)
        provenance = Provenance(
            method="sam_refined" if cleanup or batch.is_refined else "sam_raw",
            created_at=created_at,
            model=batch.model,
            prompt=batch.prompts[i // M],
            steps=tuple(step.as_processing() for step in cleanup),
            actor=actor,
            licence=licence,
        )
        record = MaskRecord(
            id=new_id(),
            image_digest=batch.image_digest,
            rle=rle,
            box_xyxy=box_xyxy(rle) if cleanup else mask.box_xyxy,
            area=area(rle) if cleanup else mask.area,
            provenance=provenance,
            frame=frame,
            label=None if labels is None else labels[i // M],
            parent=parent,
            scores=Scores(
                predicted_iou=scores[i], stability=stability[i], agreement=known_agreement(agreement[i // M])
            ),
        )
        records.append(record)
    return records


def known_agreement(value: float) -> float | None:
    """None where there was nothing to agree."""
    return None if math.isnan(value) else value


__all__ = ["known_agreement", "to_records", "utc_now"]
