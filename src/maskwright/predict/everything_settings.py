"""`EverythingSettings`: what the automatic mask generator samples, keeps and cleans, with presets.

Field names and defaults are those of SAM's `SamAutomaticMaskGenerator`, so that settings found elsewhere mean the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from maskwright.core.errors import SettingError
from maskwright.core.shapes import SizeHW
from maskwright.models.cards import ModelCard

PointGrid = tuple[tuple[float, float], ...]
CropBox = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EverythingSettings:
    """What to sample, what to keep, what to clean up.

    A grid of `points_per_side`^2 points is laid over the image, and with `crop_n_layers` over 4, 16, ... overlapping
    crops of it, thinned by `crop_n_points_downscale_factor` from layer to layer; `point_grids` gives one grid for each
    layer instead, in units of the crop's size. A mask is kept when its predicted IoU is above `pred_iou_thresh` and its
    stability (IoU of the masks at the threshold plus and minus `stability_score_offset`) at least
    `stability_score_thresh`; 0 turns either filter off. Of masks whose boxes overlap by more than `box_nms_thresh`
    within a crop, or `crop_nms_thresh` between crops, one is kept. Holes and islands below `min_mask_region_area`
    pixels go.

    Raises:
        SettingError: a value is out of its range.
    """

    points_per_side: int | None = 32
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    point_grids: Sequence[Float[np.ndarray, "_n 2"]] | tuple[PointGrid, ...] | None = None
    min_mask_region_area: int = 0

    def __post_init__(self) -> None:
        _check(self)
        if self.point_grids is not None:
            object.__setattr__(self, "point_grids", tuple(_as_grid(grid) for grid in self.point_grids))

    def point_grid(self, layer: int) -> Float[np.ndarray, "_n 2"]:
        """The points of a crop layer, in units of the crop's size, row by row."""
        if self.point_grids is not None:
            return np.array(self.point_grids[layer], np.float64).reshape(-1, 2)
        assert self.points_per_side is not None
        return even_grid(int(self.points_per_side / self.crop_n_points_downscale_factor**layer))

    def crops(self, size_hw: SizeHW) -> list[tuple[CropBox, int]]:
        """List the crops (x1, y1, x2, y2) of an image with their layer; the first is the whole image.

        Crops of a small image may be empty; those are left out, where the reference fails.
        """
        height, width = size_hw
        found: list[tuple[CropBox, int]] = [((0, 0, width, height), 0)]
        for layer in range(1, self.crop_n_layers + 1):
            count = 2**layer
            overlap = int(self.crop_overlap_ratio * min(height, width) * (2 / count))
            crop_w, crop_h = (math.ceil((overlap * (count - 1) + side) / count) for side in (width, height))
            lefts, tops = ([(side - overlap) * i for i in range(count)] for side in (crop_w, crop_h))
            boxes = [(x, y, min(x + crop_w, width), min(y + crop_h, height)) for x in lefts for y in tops]
            found += [(box, layer) for box in boxes if box[0] < box[2] and box[1] < box[3]]
        return found


def even_grid(points_per_side: int) -> Float[np.ndarray, "_n 2"]:
    """Lay `points_per_side`^2 points evenly over the unit square, half a step from its edges, row by row."""
    if points_per_side < 1:
        return np.zeros((0, 2))
    half_step = 1 / (2 * points_per_side)
    along = np.linspace(half_step, 1 - half_step, points_per_side)
    x, y = np.meshgrid(along, along)
    return np.stack([x, y], axis=-1).reshape(-1, 2)


def _check(settings: EverythingSettings) -> None:
    if (settings.points_per_side is None) == (settings.point_grids is None):
        raise SettingError("pass either points_per_side or point_grids, and None for the other")
    least = {"points_per_batch": 1, "crop_n_layers": 0, "crop_n_points_downscale_factor": 1, "min_mask_region_area": 0}
    if settings.points_per_side is not None:
        least["points_per_side"] = 1
    for name, minimum in least.items():
        if getattr(settings, name) < minimum:
            raise SettingError(f"{name} must be at least {minimum}, got {getattr(settings, name)}")
    for name in ("box_nms_thresh", "crop_nms_thresh", "crop_overlap_ratio"):
        if not 0 <= getattr(settings, name) <= 1:
            raise SettingError(f"{name} must lie between 0 and 1, got {getattr(settings, name)}")
    for name in ("pred_iou_thresh", "stability_score_thresh", "stability_score_offset"):
        if not math.isfinite(getattr(settings, name)):
            raise SettingError(f"{name} must be a finite number, got {getattr(settings, name)}")
    if settings.point_grids is not None and len(settings.point_grids) <= settings.crop_n_layers:
        needed = settings.crop_n_layers + 1
        raise SettingError(f"point_grids needs one grid for each of {needed} layers, got {len(settings.point_grids)}")


def _as_grid(grid: Float[np.ndarray, "_n 2"] | PointGrid) -> PointGrid:
    points = np.asarray(grid, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise SettingError(f"a point grid must be an (N, 2) array of x, y between 0 and 1, got shape {points.shape}")
    return tuple((float(x), float(y)) for x, y in points)


FAST = EverythingSettings(points_per_side=16)
BALANCED = EverythingSettings()
THOROUGH = EverythingSettings(crop_n_layers=1, crop_n_points_downscale_factor=2, min_mask_region_area=100)

PRESETS = {"fast": FAST, "balanced": BALANCED, "thorough": THOROUGH}


def preset_for(card: ModelCard, name: str = "balanced") -> EverythingSettings:
    """Take a preset with the thresholds that suit a model.

    Raises:
        SettingError: there is no preset of that name.
    """
    if name not in PRESETS:
        raise SettingError(f"a preset is one of {', '.join(PRESETS)}; got {name!r}")
    return replace(PRESETS[name], pred_iou_thresh=card.keep_predicted_iou, stability_score_thresh=card.keep_stability)


__all__ = [
    "BALANCED",
    "FAST",
    "PRESETS",
    "THOROUGH",
    "CropBox",
    "EverythingSettings",
    "PointGrid",
    "even_grid",
    "preset_for",
]
