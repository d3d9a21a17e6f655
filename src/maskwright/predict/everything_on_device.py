"""`find_on_device`: the candidates of a crop, found where the model runs, for a GPU that is never kept waiting.

Steps of points are decoded one after the other; what the CPU has to know of a step (predicted IoU, pixel counts, boxes)
arrives while the next one runs. Masks are counted at full size and stay low-resolution logits until suppression has
chosen among them, so only survivors become RLE. The decisions and their order are those of `everything`'s batches.

Memory on the device: two steps of the decoder, the full-size logits of a few dozen masks, and the low-resolution logits
of the stable candidates, 256 KB each for SAM.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from maskwright.masks.logits_kernel import Canvas, DrawnMask
from maskwright.models.protocol import DecodedSome, DecodesInSteps
from maskwright.nn.arriving import Arriving
from maskwright.predict.candidates import (
    Candidate,
    Crop,
    InclusiveBox,
    are_good,
    clicks_at,
    inclusive_box,
    is_cut_off,
    is_stable,
    surviving,
)
from maskwright.predict.everything_settings import EverythingSettings
from maskwright.predict.masks_on_device import count_on_device, draw_on_device
from maskwright.predict.records import known_agreement

# Launching a step takes some 10 ms whatever its size; with fewer points a GPU would wait for it. Four batches of 64
# points take 8 GB of SAM in fp32, so they are taken where twice that is free.
_BATCHES_A_STEP, _FREE_BYTES = 4, 16 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """A mask that passed the filters: row `row` of the logits of step `step`."""

    step: int
    row: int
    point: int
    box: InclusiveBox
    predicted_iou: float
    stability: float
    agreement: float


def find_on_device(
    model: DecodesInSteps, crop: Crop, settings: EverythingSettings, advance: Callable[[int], None]
) -> list[Candidate]:
    """Find the candidates of a crop that pass the filters and survive suppression, best first."""
    frame = crop.embedding.frame

    def keep(predicted_iou: Float[Tensor, "N M"]) -> Tensor:
        advance(len(predicted_iou))
        return are_good(predicted_iou, settings.pred_iou_thresh)

    logits: list[Float[Tensor, "q h w"]] = []
    counted: list[_Counted] = []
    with torch.no_grad():
        prompts = clicks_at(crop.points_xy, frame, model.device)
        steps = model.decode_in_steps(
            crop.embedding.features,
            prompts,
            keep=keep,
            per_step=batches_a_step(model.device) * settings.points_per_batch,
        )
        before: tuple[DecodedSome, Arriving, Arriving] | None = None
        for some in steps:
            table = count_on_device(
                some.logits, frame, model.mask_threshold, stability_offset=settings.stability_score_offset
            )
            begun = (some, Arriving(table), Arriving(some.agreement))
            if before is not None:
                _take(before, crop, settings, logits, counted)
            before = begun
        if before is not None:
            _take(before, crop, settings, logits, counted)
        scores = [one.predicted_iou for one in counted]
        kept = [counted[i] for i in surviving([one.box for one in counted], scores, settings.box_nms_thresh)]
        canvas = Canvas(size_hw=crop.size_hw, x=crop.box[0], y=crop.box[1])
        drawn = draw_on_device(_gather(logits, kept), frame, model.mask_threshold, canvas=canvas) if kept else []
    return [_candidate(one, mask, crop) for one, mask in zip(kept, drawn, strict=True)]


def batches_a_step(device: torch.device) -> int:
    """Say how many batches of points a step may have, by the memory that is free."""
    if device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by PyTorch, for what comes
    return _BATCHES_A_STEP if free + kept >= _FREE_BYTES else 1


def _take(
    step: tuple[DecodedSome, Arriving, Arriving],
    crop: Crop,
    settings: EverythingSettings,
    logits: list[Float[Tensor, "q h w"]],
    counted: list[_Counted],
) -> None:
    """Add the masks of a step that are stable and not cut off, and their logits; the rest goes."""
    some, table, agreement = step
    x, y = crop.box[:2]
    rows: list[int] = []
    columns = (table.get(), some.predicted_iou, some.prompt_index, agreement.get())
    for i, ((area, inner, outer, x1, y1, x2, y2), predicted_iou, point, agreed) in enumerate(
        zip(*(one.tolist() for one in columns), strict=True)
    ):
        stability = float(np.float32(inner) / np.float32(outer)) if outer else float("nan")
        box = inclusive_box((x1 + x, y1 + y, x2 + x, y2 + y), area, crop.box)
        if not is_stable(stability, settings) or is_cut_off(box, crop.box, crop.size_hw):
            continue
        counted.append(
            _Counted(
                step=len(logits),
                row=len(rows),
                point=point,
                box=box,
                predicted_iou=predicted_iou,
                stability=stability,
                agreement=agreed,
            )
        )
        rows.append(i)
    logits.append(some.logits[_indices(rows, some.logits.device)])


def _gather(logits: list[Float[Tensor, "q h w"]], kept: list[_Counted]) -> Float[Tensor, "Q h w"]:
    """Take the logits of some masks, in their order, without a copy of all the others."""
    by_step = sorted(range(len(kept)), key=lambda i: kept[i].step)
    taken = [
        one[_indices([kept[i].row for i in by_step if kept[i].step == step], one.device)]
        for step, one in enumerate(logits)
    ]
    order = np.argsort(by_step).tolist()
    return torch.cat(taken)[_indices(order, logits[0].device)]


def _indices(numbers: list[int], device: torch.device) -> Int[Tensor, " n"]:
    return torch.tensor(numbers, dtype=torch.long).to(device)


def _candidate(one: _Counted, mask: DrawnMask, crop: Crop) -> Candidate:
    return Candidate(
        rle=mask.rle,
        area=mask.area,
        box=inclusive_box(mask.box_xyxy, mask.area, crop.box),
        predicted_iou=one.predicted_iou,
        stability=one.stability,
        agreement=known_agreement(one.agreement),
        point_xy=crop.point_in_image(one.point),
        crop_box=crop.box,
    )


__all__ = ["batches_a_step", "find_on_device"]
