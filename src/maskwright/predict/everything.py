"""`everything`: every mask of a picture, from a grid of points. SAM's automatic mask generator.

Source: Kirillov et al., "Segment Anything" (2023), and the authors' code, whose decisions and order of results are
kept. Done otherwise, with the same outcome: masks below the IoU threshold are never drawn, and masks become RLE
straight from their low-resolution logits. Crops without pixels are left out where the reference fails. `everything`
drops copies of masks that are one pixel wide or high, which the reference repeats; `find_candidates` has them.

Boxes in here have inclusive edges, as in the reference, because its overlap and edge rules compute with them; records
get the core's exclusive ones.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import numpy as np
import torch

from maskwright.core import (
    RLE,
    FrameRef,
    Image,
    MaskRecord,
    PointPrompt,
    ProcessingStep,
    Provenance,
    Scores,
    new_id,
)
from maskwright.core.errors import ModelError
from maskwright.masks import area as mask_area
from maskwright.masks import box_xyxy
from maskwright.masks.cleanup import DropIslands, FillHoles, remove_small_regions
from maskwright.models.protocol import DecodedSome, DecodesInSteps, Features, FramePrompts, Model
from maskwright.predict.cache import EmbeddingCache
from maskwright.predict.candidates import (
    Candidate,
    Crop,
    are_good,
    box_area,
    clicks_at,
    inclusive_box,
    is_cut_off,
    is_stable,
    suppress,
)
from maskwright.predict.embedding import ImageEmbedding, embed, model_ref
from maskwright.predict.everything_settings import CropBox, EverythingSettings, preset_for
from maskwright.predict.records import known_agreement, utc_now
from maskwright.predict.upscale import masks_from_logits

Progress = Callable[[int, int], None]


def everything(
    model: Model,
    image: Image,
    *,
    settings: EverythingSettings | None = None,
    embedding: ImageEmbedding | None = None,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
    frame: FrameRef | None = None,
    actor: str | None = None,
    licence: str | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> list[MaskRecord]:
    """Find every mask of an image that the settings let through: the model's balanced preset when they are left out.

    `embedding` saves encoding the whole image again; crops are encoded as they come. `progress` is called with the
    number of points done and their total. Memory holds one batch of low-resolution logits and the RLEs found so far;
    a GPU holds the logits of all masks of a crop that pass the filters.

    Raises:
        ModelError: the embedding was made by another model, or of another image.
    """
    settings = settings or preset_for(model.card)
    steps = _cleanup_steps(settings.min_mask_region_area)
    found = find_candidates(model, image, settings, embedding=embedding, cache=cache, progress=progress)
    if settings.box_nms_thresh < 1:
        found = _without_copies_of_slivers(found)
    ref, created_at = model_ref(model), clock()
    return [
        MaskRecord(
            id=new_id(),
            image_digest=image.digest,
            rle=candidate.rle,
            box_xyxy=_exclusive(candidate),
            area=candidate.area,
            frame=frame,
            scores=Scores(
                predicted_iou=candidate.predicted_iou,
                stability=candidate.stability,
                agreement=candidate.agreement,
            ),
            provenance=Provenance(
                method="sam_refined" if steps else "sam_raw",
                created_at=created_at,
                model=ref,
                prompt=PointPrompt([candidate.point_xy]),
                steps=steps,
                actor=actor,
                licence=licence,
            ),
        )
        for candidate in found
    ]


def find_candidates(
    model: Model,
    image: Image,
    settings: EverythingSettings,
    *,
    embedding: ImageEmbedding | None = None,
    cache: EmbeddingCache | None = None,
    progress: Progress | None = None,
    multimask: bool = True,
) -> list[Candidate]:
    """Find the masks of an image in the reference's order; `multimask` off asks for one candidate a point."""
    _check_embedding(model, image, embedding)
    crops = settings.crops(image.size_hw)
    grids = [settings.point_grid(layer) for _, layer in crops]
    advance = _counter(progress, sum(len(grid) for grid in grids))
    found: list[Candidate] = []
    for (crop_box, layer), grid in zip(crops, grids, strict=True):
        crop_embedding = embedding if layer == 0 and embedding else embed(model, _crop(image, crop_box), cache=cache)
        points = grid * np.array(crop_embedding.size_hw[::-1])
        crop = Crop(embedding=crop_embedding, points_xy=points, box=crop_box, size_hw=image.size_hw)
        if multimask and model.device.type == "cuda" and isinstance(model, DecodesInSteps):
            found += _find_on_device(model, crop, settings, advance)
        else:
            found += _find_in_batches(model, crop, settings, advance, multimask=multimask)
    if len(crops) > 1:
        # Smaller crops see more detail. Float32, because crops of nearly equal area tie in the reference.
        scores = [float(np.float32(1) / np.float32(box_area(candidate.crop_box))) for candidate in found]
        found = suppress(found, scores, settings.crop_nms_thresh)
    if settings.min_mask_region_area > 0:
        threshold = max(settings.box_nms_thresh, settings.crop_nms_thresh)
        found = _clean_up(found, settings.min_mask_region_area, threshold)
    return found


def _check_embedding(model: Model, image: Image, embedding: ImageEmbedding | None) -> None:
    if embedding is None:
        return
    if embedding.model != model_ref(model):
        raise ModelError(f"the embedding was made by {embedding.model.name}, not by {model.card.name}. Leave it out.")
    if embedding.image_digest != image.digest:
        raise ModelError("the embedding is of another image than the one given. Leave it out, or embed this image.")


def _counter(progress: Progress | None, total: int) -> Callable[[int], None]:
    done = 0

    def advance(num_points: int) -> None:
        nonlocal done
        done += num_points
        if progress is not None:
            progress(done, total)

    return advance


def _crop(image: Image, crop_box: CropBox) -> Image:
    x1, y1, x2, y2 = crop_box
    if (y2 - y1, x2 - x1) == image.size_hw:
        return image
    return Image(np.ascontiguousarray(image.pixels[y1:y2, x1:x2]))


def _find_on_device(
    model: DecodesInSteps, crop: Crop, settings: EverythingSettings, advance: Callable[[int], None]
) -> list[Candidate]:
    from maskwright.predict.everything_on_device import find_on_device  # needs numba, like all that draws

    return find_on_device(model, crop, settings, advance)


def _find_in_batches(
    model: Model, crop: Crop, settings: EverythingSettings, advance: Callable[[int], None], *, multimask: bool
) -> list[Candidate]:
    found: list[Candidate] = []
    for start in range(0, len(crop.points_xy), settings.points_per_batch):
        points_xy = crop.points_xy[start : start + settings.points_per_batch]
        found += _process_batch(model, replace(crop, points_xy=points_xy), settings, multimask=multimask)
        advance(len(points_xy))
    return suppress(found, [candidate.predicted_iou for candidate in found], settings.box_nms_thresh)


def _process_batch(model: Model, crop: Crop, settings: EverythingSettings, *, multimask: bool) -> list[Candidate]:
    """Decode some points of a crop and keep the masks that are good, stable and not cut off."""
    frame = crop.embedding.frame
    with torch.no_grad():
        prompts = clicks_at(crop.points_xy, frame, model.device)
        decoded, num_candidates = _decode(
            model, crop.embedding.features, prompts, settings.pred_iou_thresh, multimask=multimask
        )
    drawn = masks_from_logits(
        decoded.logits,
        frame,
        model.mask_threshold,
        stability_offset=settings.stability_score_offset,
        one_of_three=num_candidates == 3,
        canvas_hw=crop.size_hw,
        offset_xy=crop.box[:2],
    )
    candidates: list[Candidate] = []
    columns = (decoded.predicted_iou, decoded.agreement, decoded.prompt_index)
    for mask, predicted_iou, agreement, i in zip(drawn, *(one.tolist() for one in columns), strict=True):
        box = inclusive_box(mask.box_xyxy, mask.area, crop.box)
        if is_stable(mask.stability, settings) and not is_cut_off(box, crop.box, crop.size_hw):
            candidates.append(
                Candidate(
                    rle=mask.rle,
                    area=mask.area,
                    box=box,
                    predicted_iou=predicted_iou,
                    stability=mask.stability,
                    agreement=known_agreement(agreement),
                    point_xy=crop.point_in_image(i),
                    crop_box=crop.box,
                )
            )
    return candidates


def _decode(
    model: Model, features: Features, prompts: FramePrompts, pred_iou_thresh: float, *, multimask: bool
) -> tuple[DecodedSome, int]:
    """Decode the masks above the IoU threshold, and say how many candidates each point had."""
    num_candidates = 1

    def keep(predicted_iou: torch.Tensor) -> torch.Tensor:
        nonlocal num_candidates
        num_candidates = predicted_iou.shape[1]
        return are_good(predicted_iou, pred_iou_thresh)

    if multimask:
        some = model.decode_some(features, prompts, keep=keep)
        return some, num_candidates
    decoded = model.decode(features, prompts, multimask=False)
    rows, masks = keep(decoded.predicted_iou).nonzero(as_tuple=True)
    some = DecodedSome(
        logits=decoded.logits[rows, masks],
        predicted_iou=decoded.predicted_iou[rows, masks],
        prompt_index=rows,
        mask_index=masks,
        agreement=torch.full(rows.shape, torch.nan, device=rows.device),
    )
    return some, num_candidates


def _without_copies_of_slivers(candidates: list[Candidate]) -> list[Candidate]:
    """Keep one of equal masks that are one pixel wide or high.

    Their inclusive boxes have no area and so no IoU: suppression keeps all of them, 1,500 in a picture of one pixel.
    """
    seen: set[RLE] = set()
    kept: list[Candidate] = []
    for candidate in candidates:
        if not box_area(candidate.box):
            if candidate.rle in seen:
                continue
            seen.add(candidate.rle)
        kept.append(candidate)
    return kept


def _clean_up(candidates: list[Candidate], min_area: int, iou_threshold: float) -> list[Candidate]:
    """Fill small holes and drop small islands, then drop new duplicates, preferring masks that did not change."""
    cleaned: list[Candidate] = []
    scores: list[float] = []
    for candidate in candidates:
        rle, had_holes = remove_small_regions(candidate.rle, min_area, "holes")
        rle, had_islands = remove_small_regions(rle, min_area, "islands")
        is_changed = had_holes or had_islands
        cleaned.append(_with_mask(candidate, rle) if is_changed else candidate)
        scores.append(float(not is_changed))
    return suppress(cleaned, scores, iou_threshold)


def _cleanup_steps(min_area: int) -> tuple[ProcessingStep, ...]:
    """What `_clean_up` does to a mask, as steps that can be applied again."""
    if min_area <= 0:
        return ()
    holes = FillHoles(max_area=min_area - 1, connectivity=8, with_edge=True)
    return holes.as_processing(), DropIslands(min_area=min_area, connectivity=8).as_processing()


def _with_mask(candidate: Candidate, rle: RLE) -> Candidate:
    x1, y1, x2, y2 = (int(edge) for edge in box_xyxy(rle))
    return replace(candidate, rle=rle, area=mask_area(rle), box=(x1, y1, x2 - 1, y2 - 1))


def _exclusive(candidate: Candidate) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = candidate.box
    return (float(x1), float(y1), float(x2 + 1), float(y2 + 1)) if candidate.area else (0.0, 0.0, 0.0, 0.0)


__all__ = ["Candidate", "Progress", "everything", "find_candidates"]
