"""Meta's `segment_anything` API over maskwright: change the import, keep the script. See docs/guides/compat.md."""

from maskwright.compat.automatic_mask_generator import SamAutomaticMaskGenerator
from maskwright.compat.build_sam import (
    build_sam,
    build_sam_tiny,
    build_sam_vit_b,
    build_sam_vit_h,
    build_sam_vit_l,
    build_sam_vit_t,
    sam_model_registry,
)
from maskwright.compat.predictor import SamPredictor
from maskwright.compat.sam import Sam
from maskwright.compat.transforms import ResizeLongestSide

__all__ = [
    "ResizeLongestSide",
    "Sam",
    "SamAutomaticMaskGenerator",
    "SamPredictor",
    "build_sam",
    "build_sam_tiny",
    "build_sam_vit_b",
    "build_sam_vit_h",
    "build_sam_vit_l",
    "build_sam_vit_t",
    "sam_model_registry",
]
