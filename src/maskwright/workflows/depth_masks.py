"""Masks of a picture corrected by its depth, with what was done in their provenance.

Of opaque things the surfaces correct the outline. Where a quarter of a mask gives no sound depth, as glass and mirrors
do, it is redrawn if the model doubts it, and kept if not: its surfaces say nothing there, and a redrawn mask is worse
than one that the model is sure of.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from maskwright.core import BoxPrompt, Image, MaskRecord, ProcessingStep
from maskwright.core.errors import ImageError, InputError
from maskwright.datasets.depth import read_depth
from maskwright.masks import area, box_xyxy, decode, encode
from maskwright.robot.depth_cues import DepthCues, find_cues
from maskwright.robot.depth_maps import DepthMap, depth_map
from maskwright.robot.depth_refine import How, refine_with_depth, repair_with_depth
from maskwright.robot.hard_masks import FLAGS, HardFlag, hard_flags
from maskwright.workflows.pictures import Picture

STEP = "depth"
_SEE_THROUGH, _DOUBT = 0.25, 0.8
_ENDINGS = (".png", ".tiff", ".tif")


def depth_of_picture(picture: Picture, image: Image, depth: Path) -> DepthMap:
    """Read the depth of a picture from a file, or from a folder of depth maps named as pictures.

    Raises:
        InputError: there is none.
        ImageError: it is damaged, or of another size than the picture.
    """
    name = Path(picture.stem).name
    file = depth
    if depth.is_dir():
        file = next((f for ending in _ENDINGS if (f := depth / f"{name}{ending}").is_file()), depth)
    if not file.is_file():
        wanted = f"{name}.png or {name}.tiff in a folder" if depth.is_dir() else "a PNG or TIFF, or a folder of them"
        raise InputError(f"expected the depth of {picture.given} as {wanted}, found none: {depth}")
    try:
        return depth_map(read_depth(file), size_hw=image.size_hw, unit="m")
    except ImageError as error:
        raise ImageError(f"{error}: {file}" if str(file) not in str(error) else str(error)) from None


def own_depth(image: Image) -> DepthMap | None:
    """The depth that a frame has itself; None where it has none, or no reading anywhere.

    Raises:
        ImageError: it cannot be metres.
    """
    if image.depth_m is None or not np.isfinite(image.depth_m).any():
        return None
    return depth_map(image.depth_m, size_hw=image.size_hw, unit="m")


def correct_by_depth(
    records: Sequence[MaskRecord], image: Image, depth: DepthMap, *, with_flags: bool = False
) -> list[MaskRecord]:
    """Correct masks of a picture; an empty one stays as it is.

    `with_flags` writes what is hard about a mask (`hard_masks`) beside what was done to it: each flag and its number.
    """
    cues, grey = find_cues(depth), cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    return [_corrected(record, cues, grey, with_flags) if record.area else record for record in records]


def flags_in(record: MaskRecord) -> tuple[HardFlag, ...]:
    """The flags that `correct_by_depth` wrote into the provenance of a mask."""
    found = next((step for step in reversed(record.provenance.steps) if step.name == STEP), None)
    values = {} if found is None else found.parameters
    return tuple(HardFlag(name=name, value=float(values[name])) for name in FLAGS if name in values)


def _corrected(record: MaskRecord, cues: DepthCues, grey: np.ndarray, with_flags: bool) -> MaskRecord:
    drawn = decode(record.rle)
    failing = float(((cues.holes | cues.rough) & drawn).sum() / drawn.sum())
    mask, how = _look(drawn, failing, record, cues, grey)
    flags = hard_flags(mask, cues) if with_flags else ()
    told = {flag.name: round(flag.value, 3) for flag in flags}
    step = ProcessingStep(name=STEP, parameters={"how": how, "failing": round(failing, 3), **told})
    provenance = replace(record.provenance, steps=(*record.provenance.steps, step))
    if how == "kept":
        return replace(record, provenance=provenance)
    rle = encode(mask)
    return replace(
        record,
        rle=rle,
        area=area(rle),
        box_xyxy=box_xyxy(rle),
        provenance=replace(provenance, method="sam_refined"),
    )


def _look(
    drawn: np.ndarray, failing: float, record: MaskRecord, cues: DepthCues, grey: np.ndarray
) -> tuple[np.ndarray, How]:
    if failing < _SEE_THROUGH:
        repaired = repair_with_depth(drawn, cues)
        return (repaired, "repaired") if not np.array_equal(repaired, drawn) else (drawn, "kept")
    believed = record.scores.predicted_iou
    if believed is None or believed >= _DOUBT:
        return drawn, "kept"
    prompt = record.provenance.prompt
    box = None
    if isinstance(prompt, BoxPrompt):
        x1, y1, x2, y2 = prompt.box_xyxy
        box = (x1, y1, x2, y2)
    refined = refine_with_depth(drawn, cues, box=box, grey=grey)
    return refined.mask, refined.how


__all__ = ["STEP", "correct_by_depth", "depth_of_picture", "flags_in", "own_depth"]
