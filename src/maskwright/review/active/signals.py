"""What one mask, or one beside the mask before it, tells of how much it needs a person: small pure functions.

Each gives a number that grows with the need, mostly 0 to 1, or None where what it takes was not stored. Numbers of
different functions are not comparable; `ranking` makes ranks of them.
"""

from maskwright.core.rle import RLE
from maskwright.core.shapes import BoxXYXY
from maskwright.core.track import TrackSource
from maskwright.masks import crop, iou, is_empty, paste


def doubt(predicted_iou: float | None) -> float | None:
    """How unsure the model is by its own estimate: 1 minus predicted IoU.

    Source: least confidence, Lewis and Gale, "A Sequential Algorithm for Training Text Classifiers" (1994), on the IoU
    head of Kirillov et al., "Segment Anything" (2023).
    """
    return None if predicted_iou is None else max(0.0, 1 - predicted_iou)


def instability(stability: float | None) -> float | None:
    """How much the mask changes with its threshold: 1 minus SAM's stability score.

    Source: Kirillov et al., "Segment Anything" (2023), the automatic mask generator.
    """
    return None if stability is None else max(0.0, 1 - stability)


def mismatch(predicted_iou: float | None, stability: float | None) -> float | None:
    """How far predicted IoU and stability are apart: where two estimates of one quality differ, one is wrong.

    Source: variance of estimates, Seung et al., "Query by Committee" (1992), with SAM's two scores as the committee.
    """
    return None if predicted_iou is None or stability is None else abs(predicted_iou - stability)


def ambiguity(agreement: float | None) -> float | None:
    """How much the candidates that the model made of the prompt differ: 1 minus the mean IoU of each two.

    Source: SAM's three masks of an ambiguous prompt, Kirillov et al. (2023), as a committee: Seung et al., "Query by
    Committee" (1992).
    """
    return None if agreement is None else 1 - agreement


def confidence_fall(confidence: float | None, before: float | None) -> float | None:
    """How unsure a tracker is, and how much it was surer on the frame before: 1 minus confidence, plus half its fall.

    Source: Vondrick and Ramanan, "Video Annotation and Tracking with Active Learning" (2011), who ask people where the
    track is least sure.
    """
    if confidence is None:
        return None
    return 1 - confidence + 0.5 * max(0.0, (confidence if before is None else before) - confidence)


def size_jump(pixels: int, before: int | None) -> float | None:
    """What share of the larger of two areas, of this frame and of the one before, the smaller lacks.

    Source: the temporal consistency that video segmentation is scored by, Perazzi et al., "DAVIS" (2016).
    """
    return None if before is None else 1 - (min(pixels, before) + 1) / (max(pixels, before) + 1)


def shape_jump(rle: RLE, before: RLE | None, box: BoxXYXY, box_before: BoxXYXY | None) -> float | None:
    """How unlike two outlines of one object are when laid upon each other: 1 minus IoU of the two in their boxes.

    Boxes are laid corner upon corner, so what moved as a whole counts as unchanged. None where either shows nothing.

    Source: shape stability T, Perazzi et al., "DAVIS" (2016); IoU of aligned masks stands for their contours' distance.
    """
    if before is None or box_before is None or is_empty(rle) or is_empty(before):
        return None
    width = max(box[2] - box[0], box_before[2] - box_before[0])
    height = max(box[3] - box[1], box_before[3] - box_before[1])
    here, there = (_laid(one, at, (int(width), int(height))) for one, at in ((rle, box), (before, box_before)))
    return 1 - iou(here, there)


def _laid(rle: RLE, box: BoxXYXY, size: tuple[int, int]) -> RLE:
    x1, y1, x2, y2 = (int(edge) for edge in box)
    width, height = size
    return paste(crop(rle, (x1, y1, x2, y2)), (height, width), at_xy=(0, 0))


def moved(box: BoxXYXY, before: BoxXYXY | None) -> float | None:
    """How far an object's centre went since the frame before, in its own sizes, up to 1.

    Source: as `size_jump`; a jump by more than its size is rarely motion, and often another object.
    """
    if before is None:
        return None
    size = max(box[2] - box[0], box[3] - box[1], before[2] - before[0], before[3] - before[1], 1.0)
    dx, dy = ((box[i] + box[i + 2] - before[i] - before[i + 2]) / 2 for i in (0, 1))
    return min(1.0, (dx * dx + dy * dy) ** 0.5 / size)


def flow_against_model(source: TrackSource | None, before: TrackSource | None) -> float | None:
    """Whether flow and model disagreed: 1 where flow alone carried the mask, as the model's own answer was refused.

    It is 0.5 where it goes on being carried, since the disagreement itself was before; None without a tracker.

    Source: forward motion against appearance, as in Kalal et al., "Forward-Backward Error" (2010).
    """
    if source is None:
        return None
    return 0.0 if source != "carried" else 0.5 if before == "carried" else 1.0


__all__ = [
    "ambiguity",
    "confidence_fall",
    "doubt",
    "flow_against_model",
    "instability",
    "mismatch",
    "moved",
    "shape_jump",
    "size_jump",
]
