"""Label Studio's words for our values: its labelling interface, regions of smart tools as prompts, masks as regions.

Its coordinates are percent of the picture's width and height. What a smart tool has drawn so far speaks of one object:
keypoints, positive or not, and at most one rectangle, the last.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from maskwright.core import BoxPrompt, CombinedPrompt, MaskRecord, PointPrompt, Prompt, SizeHW
from maskwright.core.errors import RequestError
from maskwright.datasets.brush_rle import encode_brush
from maskwright.masks import is_empty, simplify, smooth, trace
from maskwright.serve.wire_label_studio import RegionIn

_LONGEST_CONFIG = 1 << 20
_DECLARATION = re.compile(r"<!(?!--|\[CDATA\[)")  # such as entities, which could grow without end
# In the order in which they are preferred: a brush keeps every pixel.
_CONTROLS = ("brushlabels", "brush", "polygonlabels", "polygon")
_EPSILON = 0.5  # pixels that a polygon may be off


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """What a labelling interface says of masks: the tag that they belong to, the picture's tag, and its field."""

    control: str
    from_name: str
    to_name: str
    field: str


def read_interface(config: str) -> Interface:
    """Find the tags that masks go to.

    Raises:
        RequestError: it is no labelling interface, or has none.
    """
    if len(config) > _LONGEST_CONFIG or _DECLARATION.search(config):
        raise RequestError("label_config must be a labelling interface without declarations")
    try:
        tags = list(ElementTree.fromstring(config).iter())
    except (ElementTree.ParseError, ValueError) as error:
        raise RequestError(f"label_config is not XML ({error})") from error
    pictures = {tag.get("name"): tag.get("value", "") for tag in tags if tag.tag.lower() == "image"}
    for control in _CONTROLS:
        for tag in tags:
            if tag.tag.lower() == control and tag.get("toName") in pictures and tag.get("name"):
                to_name = tag.get("toName")
                field = pictures[to_name].removeprefix("$")
                return Interface(control=control, from_name=tag.get("name", ""), to_name=str(to_name), field=field)
    raise RequestError("label_config has no BrushLabels, Brush, PolygonLabels or Polygon for an Image")


def read_prompt(regions: Sequence[RegionIn], size_hw: SizeHW) -> Prompt:
    """Turn what was drawn into a prompt, in pixels.

    Raises:
        RequestError: it is neither keypoint nor rectangle, or turned.
    """
    height, width = size_hw
    points: list[tuple[float, float]] = []
    labels: list[int] = []
    box: BoxPrompt | None = None
    for region in regions:
        if region.image_rotation or region.value.rotation:
            raise RequestError("a picture or rectangle that is turned is not read. Turn it back in Label Studio")
        x, y = region.value.x * width / 100, region.value.y * height / 100
        match region.type.removesuffix("labels"):
            case "keypoint":
                points.append((x, y))
                labels.append(int(region.is_positive is not False))
            case "rectangle":
                box = BoxPrompt((x, y, x + region.value.width * width / 100, y + region.value.height * height / 100))
            case _:
                told = f"expected what smart keypoints and rectangles draw, got {region.type[:40]!r}"
                raise RequestError(f'{told}. Give smart="true" to KeyPointLabels and RectangleLabels alone')
    parts = [*([box] if box else []), *([PointPrompt(points, labels)] if points else [])]
    return parts[0] if len(parts) == 1 else CombinedPrompt(parts)


def label_of(regions: Sequence[RegionIn]) -> str | None:
    """The label that was chosen when the last region was drawn."""
    return next((region.label for region in reversed(regions) if region.label is not None), None)


def prediction_of(record: MaskRecord, interface: Interface, label: str | None, version: str) -> dict[str, Any]:
    """Write a mask as a prediction of Label Studio's. Costs the mask's pixels."""
    score = record.scores.predicted_iou or 0.0
    values = [] if is_empty(record.rle) else _values(record, interface.control)
    kind = interface.control
    regions = [
        {
            "id": f"{record.id}-{i}" if i else record.id,
            "from_name": interface.from_name,
            "to_name": interface.to_name,
            "type": kind,
            "original_width": record.rle.size_hw[1],
            "original_height": record.rle.size_hw[0],
            "image_rotation": 0,
            "value": {**value, kind: [label]} if kind.endswith("labels") and label is not None else value,
            "score": score,
            "readonly": False,
        }
        for i, value in enumerate(values)
    ]
    return {"result": regions, "score": score, "model_version": version}


def _values(record: MaskRecord, control: str) -> list[dict[str, Any]]:
    if control.startswith("brush"):
        return [{"format": "rle", "rle": encode_brush(record.rle)}]
    height, width = record.rle.size_hw
    outlines = simplify(smooth(trace(record.rle), 1), _EPSILON)
    return [
        {"points": [[100 * x / width, 100 * y / height] for x, y in island.exterior.tolist()], "closed": True}
        for island in outlines.islands
    ]


__all__ = ["Interface", "label_of", "prediction_of", "read_interface", "read_prompt"]
