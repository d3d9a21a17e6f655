"""`SamAutomaticMaskGenerator`: Meta's arguments and records over `predict.everything`.

Source: segment_anything.SamAutomaticMaskGenerator. Attributes are read when `generate` is called: scripts may set them.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, UInt8

from maskwright.compat.predictor import SamPredictor
from maskwright.compat.sam import Sam
from maskwright.core import Image
from maskwright.core.errors import SettingError
from maskwright.masks import decode, runs, to_coco
from maskwright.predict.everything import Candidate, find_candidates
from maskwright.predict.everything_settings import EverythingSettings

if TYPE_CHECKING:
    from maskwright.models.registry import Network

_OUTPUT_MODES = ("binary_mask", "uncompressed_rle", "coco_rle")


class SamAutomaticMaskGenerator:
    """Finds every mask of an image from a grid of points. `EverythingSettings` explains the arguments.

    Raises:
        SettingError: an argument has a value that it cannot have.
    """

    def __init__(
        self,
        model: "Sam | Network",
        points_per_side: int | None = 32,
        points_per_batch: int = 64,
        pred_iou_thresh: float = 0.88,
        stability_score_thresh: float = 0.95,
        stability_score_offset: float = 1.0,
        box_nms_thresh: float = 0.7,
        crop_n_layers: int = 0,
        crop_nms_thresh: float = 0.7,
        crop_overlap_ratio: float = 512 / 1500,
        crop_n_points_downscale_factor: int = 1,
        point_grids: list[Float[np.ndarray, "_n 2"]] | None = None,
        min_mask_region_area: int = 0,
        output_mode: str = "binary_mask",
    ) -> None:
        if output_mode not in _OUTPUT_MODES:
            raise SettingError(f"output_mode must be one of {', '.join(_OUTPUT_MODES)}, got {output_mode!r}")
        settings = EverythingSettings(
            points_per_side=points_per_side,
            points_per_batch=points_per_batch,
            pred_iou_thresh=pred_iou_thresh,
            stability_score_thresh=stability_score_thresh,
            stability_score_offset=stability_score_offset,
            box_nms_thresh=box_nms_thresh,
            crop_n_layers=crop_n_layers,
            crop_nms_thresh=crop_nms_thresh,
            crop_overlap_ratio=crop_overlap_ratio,
            crop_n_points_downscale_factor=crop_n_points_downscale_factor,
            point_grids=point_grids,
            min_mask_region_area=min_mask_region_area,
        )
        self.predictor = SamPredictor(model)
        self.point_grids = [settings.point_grid(layer) for layer in range(crop_n_layers + 1)]
        self.points_per_batch = points_per_batch
        self.pred_iou_thresh = pred_iou_thresh
        self.stability_score_thresh = stability_score_thresh
        self.stability_score_offset = stability_score_offset
        self.box_nms_thresh = box_nms_thresh
        self.crop_n_layers = crop_n_layers
        self.crop_nms_thresh = crop_nms_thresh
        self.crop_overlap_ratio = crop_overlap_ratio
        self.crop_n_points_downscale_factor = crop_n_points_downscale_factor
        self.min_mask_region_area = min_mask_region_area
        self.output_mode = output_mode

    def generate(self, image: UInt8[np.ndarray, "H W 3"], multimask_output: bool = True) -> list[dict[str, Any]]:
        """Find the masks of an RGB image; `multimask_output` (HQ-SAM's) off takes one candidate a point.

        A record holds segmentation, area, bbox (XYWH), predicted_iou, point_coords, stability_score, crop_box (XYWH).
        """
        network = self.predictor.model.network
        found = find_candidates(network, Image(image), self._settings(), multimask=multimask_output)
        return [self._record(candidate) for candidate in found]

    def _settings(self) -> EverythingSettings:
        return EverythingSettings(
            points_per_side=None,
            point_grids=self.point_grids,
            points_per_batch=self.points_per_batch,
            pred_iou_thresh=self.pred_iou_thresh,
            stability_score_thresh=self.stability_score_thresh,
            stability_score_offset=self.stability_score_offset,
            box_nms_thresh=self.box_nms_thresh,
            crop_n_layers=self.crop_n_layers,
            crop_nms_thresh=self.crop_nms_thresh,
            crop_overlap_ratio=self.crop_overlap_ratio,
            min_mask_region_area=self.min_mask_region_area,
        )

    def _record(self, candidate: Candidate) -> dict[str, Any]:
        return {
            "segmentation": self._segmentation(candidate),
            "area": candidate.area,
            "bbox": _xywh(candidate.box),
            "predicted_iou": candidate.predicted_iou,
            "point_coords": [list(candidate.point_xy)],
            "stability_score": candidate.stability,
            "crop_box": _xywh(candidate.crop_box),
        }

    def _segmentation(self, candidate: Candidate) -> Any:
        if self.output_mode == "binary_mask":
            return decode(candidate.rle)
        if self.output_mode == "coco_rle":
            return to_coco(candidate.rle)
        return {"size": list(candidate.rle.size_hw), "counts": runs(candidate.rle).tolist()}


def _xywh(box: tuple[int, int, int, int]) -> list[int]:
    x1, y1, x2, y2 = box
    return [x1, y1, x2 - x1, y2 - y1]


__all__ = ["SamAutomaticMaskGenerator"]
