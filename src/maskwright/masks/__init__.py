"""Mask algebra on numpy: run lengths, polygons with holes, boxes, suppression, cleanup and metrics. No torch.

The reference implementation: torch twins in `nn` and the compiled kernels are tested against it. One job per file;
`_engine` is the only one that knows the library underneath.
"""

from maskwright.masks.algebra import (
    area,
    areas,
    box_xyxy,
    boxes_xyxy,
    complement,
    difference,
    intersection,
    iou_matrix,
    is_empty,
    union,
)
from maskwright.masks.boxes import box_areas, box_iou, clip_boxes, xywh_from_xyxy, xyxy_from_xywh
from maskwright.masks.cleanup import (
    CleanupStep,
    Close,
    ConvexHull,
    DropIslands,
    FillHoles,
    KeepLargest,
    Open,
    SmoothBoundary,
    clean,
    format_steps,
    parse_steps,
    remove_small_regions,
    step_from_processing,
)
from maskwright.masks.coco import from_coco, to_coco
from maskwright.masks.coco_polygons import CocoPolygons, from_coco_polygons, polygons_from_coco, to_coco_polygons
from maskwright.masks.components import holes, islands
from maskwright.masks.hull import convex_hull
from maskwright.masks.metrics import (
    Agreement,
    boundary_agreement,
    boundary_iou,
    dice,
    iou,
    pixel_agreement,
    stability_score,
)
from maskwright.masks.morphology import closing, dilate, erode, opening
from maskwright.masks.nms import box_nms, mask_nms
from maskwright.masks.outlines import from_shapely, is_valid, make_valid, simplify, smooth, to_shapely
from maskwright.masks.placement import crop, paste, resize, shift
from maskwright.masks.polygons import Island, Polygons, fill, trace
from maskwright.masks.rle import decode, decode_batch, empty_mask, encode, encode_batch, from_runs, full_mask, runs

__all__ = [
    "Agreement",
    "CleanupStep",
    "Close",
    "CocoPolygons",
    "ConvexHull",
    "DropIslands",
    "FillHoles",
    "Island",
    "KeepLargest",
    "Open",
    "Polygons",
    "SmoothBoundary",
    "area",
    "areas",
    "boundary_agreement",
    "boundary_iou",
    "box_areas",
    "box_iou",
    "box_nms",
    "box_xyxy",
    "boxes_xyxy",
    "clean",
    "clip_boxes",
    "closing",
    "complement",
    "convex_hull",
    "crop",
    "decode",
    "decode_batch",
    "dice",
    "difference",
    "dilate",
    "empty_mask",
    "encode",
    "encode_batch",
    "erode",
    "fill",
    "format_steps",
    "from_coco",
    "from_coco_polygons",
    "from_runs",
    "from_shapely",
    "full_mask",
    "holes",
    "intersection",
    "iou",
    "iou_matrix",
    "is_empty",
    "is_valid",
    "islands",
    "make_valid",
    "mask_nms",
    "opening",
    "parse_steps",
    "paste",
    "pixel_agreement",
    "polygons_from_coco",
    "remove_small_regions",
    "resize",
    "runs",
    "shift",
    "simplify",
    "smooth",
    "stability_score",
    "step_from_processing",
    "to_coco",
    "to_coco_polygons",
    "to_shapely",
    "trace",
    "union",
    "xywh_from_xyxy",
    "xyxy_from_xywh",
]
