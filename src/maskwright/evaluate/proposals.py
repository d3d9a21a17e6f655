"""Everything-mode as a proposer: how much of what is there do its masks cover?

AR@1000 is SAM's measure: the share of true objects that one of at most 1000 masks, best first by predicted IoU, covers
with an IoU of 0.50, 0.55, ... 0.95, averaged. Every point of a grid of 32 x 32 gives its three masks, and of masks
whose boxes overlap by more than 0.9 one stays. A mask may cover several objects, unlike in COCO's matching, which
makes a difference only where true masks nearly coincide.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from maskwright.core import MaskRecord
from maskwright.evaluate.dataset import TrueObject
from maskwright.masks import box_nms, iou_matrix
from maskwright.predict.everything_settings import EverythingSettings

MOST_MASKS = 1000
_NMS_IOU = 0.9
_THRESHOLDS = np.arange(0.50, 0.96, 0.05)

# Nothing is filtered and nothing suppressed: what is kept is decided here, twice from one run.
ALL_MASKS = EverythingSettings(points_per_side=32, pred_iou_thresh=0.0, stability_score_thresh=0.0, box_nms_thresh=1.0)


def best_proposals(masks: Sequence[MaskRecord]) -> list[MaskRecord]:
    """Take at most 1000 masks, best first by predicted IoU."""
    return _suppress(masks, _NMS_IOU)[:MOST_MASKS]


def kept_masks(masks: Sequence[MaskRecord], settings: EverythingSettings) -> list[MaskRecord]:
    """Take the masks that everything-mode keeps with these thresholds."""
    good = [
        mask
        for mask in masks
        if (mask.scores.predicted_iou or 0) > settings.pred_iou_thresh
        and (mask.scores.stability or 0) >= settings.stability_score_thresh
    ]
    return _suppress(good, settings.box_nms_thresh)


def best_overlaps(objects: Sequence[TrueObject], masks: Sequence[MaskRecord]) -> list[float]:
    """Find for each object the IoU of the mask that covers it best; 0 where there is no mask."""
    if not masks:
        return [0.0] * len(objects)
    overlaps = iou_matrix([one.mask for one in objects], [mask.rle for mask in masks])
    return [float(best) for best in overlaps.max(axis=1)]


def average_recall(ious: Float[np.ndarray, " N"] | Sequence[float]) -> float:
    """Average, over IoU 0.50, 0.55, ... 0.95, the share of objects whose best mask reaches it."""
    best = np.asarray(ious, np.float64)
    return float(np.mean([(best >= threshold - 1e-9).mean() for threshold in _THRESHOLDS]))


def _suppress(masks: Sequence[MaskRecord], iou_threshold: float) -> list[MaskRecord]:
    if not masks:
        return []
    boxes = np.array([mask.box_xyxy for mask in masks], np.float64)
    scores = np.array([mask.scores.predicted_iou or 0.0 for mask in masks])
    return [masks[i] for i in box_nms(boxes, scores, iou_threshold=iou_threshold)]


__all__ = ["ALL_MASKS", "MOST_MASKS", "average_recall", "best_overlaps", "best_proposals", "kept_masks"]
