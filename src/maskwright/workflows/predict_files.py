"""From a picture file to its masks on disk: one function for prompts, one for everything.

The place where `datasets` (reading), `predict` (masks) and the output files meet. A model is loaded once by the caller
and passed in; so is the embedding cache.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from maskwright.core import Image, MaskRecord, Prompt
from maskwright.core.errors import SettingError
from maskwright.core.settings import CACHE, CACHE_BYTES
from maskwright.masks import CleanupStep, area, box_xyxy, clean
from maskwright.models import Model
from maskwright.predict import EmbeddingCache, embed, look_closer, predict, to_records
from maskwright.predict.everything import everything
from maskwright.predict.everything_settings import EverythingSettings
from maskwright.workflows.depth_masks import correct_by_depth, depth_of_picture
from maskwright.workflows.outputs import SavedFiles, save_everything, save_prompted
from maskwright.workflows.pictures import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """The masks of one picture, where they were written, and how long the model took."""

    picture: Picture
    image: Image
    records: tuple[MaskRecord, ...]
    files: SavedFiles | None
    seconds: float


def open_cache() -> EmbeddingCache:
    """Open the embedding cache of this user's settings."""
    return EmbeddingCache(memory_bytes=256 << 20, directory=CACHE.get() / "embeddings", disk_bytes=CACHE_BYTES.get())


def predict_file(
    model: Model,
    picture: Picture,
    prompts: Sequence[Prompt],
    *,
    labels: Sequence[str | None] | None = None,
    num_masks: int = 1,
    closer: bool | None = None,
    min_belief: float | None = None,
    cleanup: Sequence[CleanupStep] = (),
    depth: Path | None = None,
    cache: EmbeddingCache | None = None,
    out: Path | None = None,
) -> Annotated:
    """Predict the masks of prompts on one picture, and write them to the folder `out` if there is one.

    `closer` asks again about small objects on a crop (`look_closer`); None does what the model's card says, where one
    mask for each object is asked. Words that the model gives no sure answer to have an empty mask, see `predict` for
    `min_belief`. `depth` is that of the picture, or a folder of such, by which masks are corrected before the cleanup.

    Raises:
        ImageError: the picture or its depth cannot be read, or they differ in size.
        InputError: there is no depth of the picture.
        PromptError, UnsupportedPrompt: a prompt does not fit the picture or the model.
        SettingError: `num_masks` is out of range or goes with `closer`, or the folder cannot be written.
    """
    if closer is None:
        closer = model.card.looks_closer and num_masks == 1
    if closer and num_masks > 1:
        raise SettingError(f"a closer look gives one mask for each object, got num_masks={num_masks}. Leave one out.")
    image = picture.read()
    measured = None if depth is None else depth_of_picture(picture, image, depth)
    started = time.perf_counter()
    embedding = embed(model, image, cache=cache)
    batch = predict(model, embedding, prompts, num_masks=num_masks, min_belief=min_belief)
    records = to_records(batch, labels=labels)
    if closer:
        near = look_closer(model, image, records, cache=cache, embedding=embedding, min_belief=min_belief)
        records = list(near)
    if measured is not None:
        records = correct_by_depth(records, image, measured)
    records = [cleaned(record, cleanup) for record in records]
    seconds = time.perf_counter() - started
    files = None if out is None else save_prompted(out, picture, image, records, num_masks=num_masks)
    return Annotated(picture=picture, image=image, records=tuple(records), files=files, seconds=seconds)


def everything_file(
    model: Model,
    picture: Picture,
    *,
    settings: EverythingSettings,
    cleanup: Sequence[CleanupStep] = (),
    cache: EmbeddingCache | None = None,
    progress: Callable[[int, int], None] | None = None,
    out: Path | None = None,
) -> Annotated:
    """Find every mask of one picture, and write them to the folder `out` if there is one.

    `cleanup` steps are applied to each mask that was found; a mask that they empty is left out.

    Raises:
        ImageError: the picture cannot be read.
        SettingError: the folder cannot be written.
    """
    image = picture.read()
    started = time.perf_counter()
    found = everything(model, image, settings=settings, cache=cache, progress=progress)
    records = [record for record in (cleaned(record, cleanup) for record in found) if record.area]
    seconds = time.perf_counter() - started
    files = None if out is None else save_everything(out, picture, image, records)
    return Annotated(picture=picture, image=image, records=tuple(records), files=files, seconds=seconds)


def cleaned(record: MaskRecord, steps: Sequence[CleanupStep]) -> MaskRecord:
    """Apply cleanup steps to a record and write them into its provenance."""
    if not steps:
        return record
    rle = clean(record.rle, steps)
    applied = (*record.provenance.steps, *(step.as_processing() for step in steps))
    return replace(
        record,
        rle=rle,
        area=area(rle),
        box_xyxy=box_xyxy(rle),
        provenance=replace(record.provenance, method="sam_refined", steps=applied),
    )


__all__ = ["Annotated", "cleaned", "everything_file", "open_cache", "predict_file"]
