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


def correct_by_depth(records: Sequence[MaskRecord], image: Image, depth: DepthMap) -> list[MaskRecord]:
    """Correct masks of a picture; an empty one stays as it is."""
    cues, grey = find_cues(depth), cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
    return [_corrected(record, cues, grey) if record.area else record for record in records]


def _corrected(record: MaskRecord, cues: DepthCues, grey: np.ndarray) -> MaskRecord:
    drawn = decode(record.rle)
    failing = float(((cues.holes | cues.rough) & drawn).sum() / drawn.sum())
    mask, how = _look(drawn, failing, record, cues, grey)
    step = ProcessingStep(name=STEP, parameters={"how": how, "failing": round(failing, 3)})
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


__all__ = ["STEP", "correct_by_depth", "depth_of_picture"]
