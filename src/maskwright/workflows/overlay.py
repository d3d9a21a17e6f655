"""Overlay pictures: masks, prompts and scores drawn over a photograph for a person to judge.

Each mask gets a tint, an antialiased outline from its signed distance, and a colour far from its neighbours' (equal
steps of the golden angle in OKLCH). Large masks are drawn first, so that small ones stay visible. Line widths grow with
the picture. Memory and time follow the masks' boxes, never masks times picture.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from maskwright.core import BoxPrompt, BoxXYXY, Image, MaskRecord, PointPrompt, SizeHW, prompt_parts
from maskwright.masks import crop, decode

RGB = tuple[int, int, int]
# Where a label belongs: x of the middle of the mask, and where the mask begins and ends above and below it.
Anchor = tuple[float, float, float]
Place = tuple[float, float, float, float]

_GOLDEN_ANGLE_DEG = 137.508
_FIRST_HUE_DEG = 252.0  # blue: far from the green and red of the clicks
_ON_OBJECT: RGB = (46, 204, 64)
_NOT_ON_OBJECT: RGB = (240, 52, 52)
_WHITE: RGB = (255, 255, 255)
_FILL = 0.45
_SUBPIXEL_BITS = 4


def draw_overlay(
    image: Image,
    records: Sequence[MaskRecord],
    *,
    with_prompts: bool = True,
    with_labels: bool = True,
    max_side: int = 4096,
) -> UInt8[np.ndarray, "H W 3"]:
    """Draw records over their image; a picture longer than `max_side` is shrunk to it first.

    The colour of a record depends on its place in `records` only, so the same call gives the same picture.
    """
    canvas, scale = _shrink(image.pixels, max_side)
    width = line_width((canvas.shape[0], canvas.shape[1]))
    colours = distinct_colours(len(records))
    largest_first = sorted(range(len(records)), key=lambda i: -records[i].area)
    anchors = _tint(canvas, records, largest_first, scale, colours)
    for i in largest_first:
        _draw_outline(canvas, records[i], scale, colours[i], width)
    if with_prompts:
        for record in records:
            _draw_prompt(canvas, record, scale, width)
    if with_labels:
        labels = [(label_text(records[i]), anchors[i], colours[i]) for i in sorted(anchors)]
        _draw_labels(canvas, [label for label in labels if label[0]], width)
    return canvas


def line_width(size_hw: SizeHW) -> float:
    """Width of an outline in pixels: 1.5 on a thumbnail, about 5 on a 12-megapixel photograph."""
    return max(1.5, math.hypot(*size_hw) / 900)


def distinct_colours(count: int) -> list[RGB]:
    """Make colours of which any few neighbours look different: hue by the golden angle, three levels of lightness."""
    lightness, chroma = (0.64, 0.60, 0.78), (0.20, 0.20, 0.15)
    return [_from_oklch(lightness[i % 3], chroma[i % 3], _FIRST_HUE_DEG + i * _GOLDEN_ANGLE_DEG) for i in range(count)]


def _from_oklch(lightness: float, chroma: float, hue_deg: float) -> RGB:
    """Convert OKLCH to sRGB, giving up chroma until the colour exists. Source: Ottosson, OKLab (2020)."""
    hue = math.radians(hue_deg)
    while True:
        a, b = chroma * math.cos(hue), chroma * math.sin(hue)
        l, m, s = (  # noqa: E741
            (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3,
            (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3,
            (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3,
        )
        linear = (
            4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
            -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
            -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
        )
        if all(-0.001 <= value <= 1.001 for value in linear) or chroma < 0.01:
            red, green, blue = (_encode_srgb(value) for value in linear)
            return red, green, blue
        chroma *= 0.95


def _encode_srgb(value: float) -> int:
    value = min(max(value, 0.0), 1.0)
    return round(255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055))


def _shrink(pixels: UInt8[np.ndarray, "H W 3"], max_side: int) -> tuple[UInt8[np.ndarray, "h w 3"], float]:
    scale = min(1.0, max_side / max(pixels.shape[:2]))
    if scale == 1.0:
        return pixels.copy(), scale
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), scale


def _tint(
    canvas: UInt8[np.ndarray, "H W 3"],
    records: Sequence[MaskRecord],
    order: Sequence[int],
    scale: float,
    colours: Sequence[RGB],
) -> dict[int, Anchor]:
    """Tint each pixel once, with the colour of the last mask in `order` that covers it; tell where labels belong.

    Tints that pile up would hide the picture where many masks overlap.
    """
    owner = np.full(canvas.shape[:2], -1, np.int32)
    anchors: dict[int, Anchor] = {}
    for i in order:
        placed = _mask_on_canvas(canvas.shape[:2], records[i], scale, margin=0)
        if placed is None:
            continue
        mask, left, top = placed
        owner[top : top + mask.shape[0], left : left + mask.shape[1]][mask] = i
        anchor = _anchor(mask, left, top)
        if anchor is not None:
            anchors[i] = anchor
    covered = owner >= 0
    if covered.any():
        ink = np.array(colours, np.float32)[owner[covered]]
        canvas[covered] = np.rint(canvas[covered] * (1 - _FILL) + ink * _FILL).astype(np.uint8)
    return anchors


def _draw_outline(
    canvas: UInt8[np.ndarray, "H W 3"], record: MaskRecord, scale: float, colour: RGB, width: float
) -> None:
    margin = math.ceil(2 * width) + 2
    placed = _mask_on_canvas(canvas.shape[:2], record, scale, margin)
    if placed is None:
        return
    mask, left, top = placed
    distance = _signed_distance(mask)
    region = canvas[top : top + mask.shape[0], left : left + mask.shape[1]]
    edge = np.array(_brighter(colour), np.float32)
    halo = np.clip(1.6 * width + 0.5 - np.abs(distance), 0, 1) * 0.45
    outline = np.clip(width / 2 + 0.5 - np.abs(distance), 0, 1)
    blended = region.astype(np.float32)
    for share, colour_rgb in ((halo, np.zeros(3, np.float32)), (outline, edge)):
        blended += share[:, :, None] * (colour_rgb - blended)
    region[:] = np.rint(blended).astype(np.uint8)


def _anchor(mask: Bool[np.ndarray, "h w"], left: int, top: int) -> Anchor | None:
    """Find the middle column of the mask (half of its area on either side): specks far away do not move it."""
    columns = np.cumsum(mask.sum(0))
    if not columns[-1]:
        return None
    middle = int(np.searchsorted(columns, columns[-1] / 2))
    rows = np.flatnonzero(mask[:, middle])
    return (left + middle, top + float(rows[0]), top + float(rows[-1])) if rows.size else None


def _mask_on_canvas(
    canvas_hw: tuple[int, ...], record: MaskRecord, scale: float, margin: int
) -> tuple[Bool[np.ndarray, "h w"], int, int] | None:
    """Decode the mask inside its box with a margin, at the canvas' scale; with the box' left and top on the canvas."""
    if record.area == 0:
        return None
    height, width = record.rle.size_hw
    reach = math.ceil(margin / scale)
    x1, y1, x2, y2 = (round(value) for value in record.box_xyxy)
    box = (max(0, x1 - reach), max(0, y1 - reach), min(width, x2 + reach), min(height, y2 + reach))
    mask = decode(crop(record.rle, box))
    left, top = round(box[0] * scale), round(box[1] * scale)
    if scale != 1.0:
        size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
        mask = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    mask = mask[: canvas_hw[0] - top, : canvas_hw[1] - left]
    return (mask, left, top) if mask.size else None


def _signed_distance(mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Distance to the mask's edge in pixels, positive inside; the picture's border is no edge."""
    solid = mask.astype(np.uint8)
    within = cv2.distanceTransform(solid, cv2.DIST_L2, cv2.DIST_MASK_5)
    without = cv2.distanceTransform(1 - solid, cv2.DIST_L2, cv2.DIST_MASK_5)
    distance = np.where(mask, within - 0.5, 0.5 - without).clip(-1e4, 1e4).astype(np.float32)
    return cv2.GaussianBlur(distance, (0, 0), 0.9)  # takes the pixel staircase out of the outline


def _brighter(colour: RGB) -> RGB:
    red, green, blue = (round(value + 0.35 * (255 - value)) for value in colour)
    return red, green, blue


def _draw_prompt(canvas: UInt8[np.ndarray, "H W 3"], record: MaskRecord, scale: float, width: float) -> None:
    if record.provenance.prompt is None:
        return
    for part in prompt_parts(record.provenance.prompt):
        match part:
            case PointPrompt(points_xy, labels):
                for point, label in zip(points_xy, labels or (), strict=True):
                    _draw_click(canvas, point, scale, width, _ON_OBJECT if label else _NOT_ON_OBJECT)
            case BoxPrompt((x1, y1, x2, y2)):
                _draw_box(canvas, (x1, y1, x2, y2), scale, width)
            case _:
                pass


def _draw_click(
    canvas: UInt8[np.ndarray, "H W 3"], point_xy: tuple[float, float], scale: float, width: float, colour: RGB
) -> None:
    # A pixel's centre is at + 0.5 in the picture and at the whole number for OpenCV.
    center = _fixed(point_xy[0] * scale - 0.5 * scale, point_xy[1] * scale - 0.5 * scale)
    for radius, ink in ((4.6, (0, 0, 0)), (4.2, _WHITE), (2.9, colour)):
        reach = round(max(2.0, radius * width) * 2**_SUBPIXEL_BITS)
        cv2.circle(canvas, center, reach, ink, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_box(canvas: UInt8[np.ndarray, "H W 3"], box_xyxy: BoxXYXY, scale: float, width: float) -> None:
    x1, y1, x2, y2 = (value * scale for value in box_xyxy)
    for ink, thickness in (((0, 0, 0), 1.9 * width), (_WHITE, 0.8 * width)):
        corners = _fixed(x1, y1), _fixed(x2 - 1, y2 - 1)
        cv2.rectangle(canvas, *corners, ink, max(1, round(thickness)), cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed(x: float, y: float) -> tuple[int, int]:
    limit = 2**20  # a box may reach far outside the picture; OpenCV's fixed point may not
    step = 2**_SUBPIXEL_BITS
    return round(min(max(x, -limit), limit) * step), round(min(max(y, -limit), limit) * step)


def _draw_labels(canvas: UInt8[np.ndarray, "H W 3"], labels: Sequence[tuple[str, Anchor, RGB]], width: float) -> None:
    height = round(9.5 * width + 4)
    if not labels or min(canvas.shape[:2]) < 6 * height:
        return
    picture = PillowImage.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=height)
    taken: list[Place] = []
    for text, anchor, colour in labels:
        left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
        pad = 0.45 * (bottom - top)
        size_wh = (right - left + 2 * pad, bottom - top + 2 * pad)
        place = _place_label(size_wh, anchor, (canvas.shape[0], canvas.shape[1]), taken)
        taken.append(place)
        draw.rounded_rectangle(place, radius=size_wh[1] / 3, fill=_darker(colour))
        draw.text(((place[0] + place[2]) / 2, (place[1] + place[3]) / 2), text, fill=_WHITE, font=font, anchor="mm")
    canvas[:] = np.asarray(picture)


def label_text(record: MaskRecord) -> str:
    """What stands beside a mask: its label and its predicted IoU, as far as it has them."""
    score = record.scores.predicted_iou
    return " ".join(part for part in (record.label, None if score is None else f"{score:.2f}") if part)


def _place_label(size_wh: tuple[float, float], anchor: Anchor, canvas_hw: SizeHW, taken: Sequence[Place]) -> Place:
    """Find room for a label: above the mask, else below, else inside; else over its middle, all within the picture."""
    width, height = size_wh
    x, top, bottom = anchor
    left = min(max(x - width / 2, 0.0), max(0.0, canvas_hw[1] - width))
    room = max(0.0, canvas_hw[0] - height)
    wanted = (top - 1.3 * height, bottom + 0.3 * height, top + 0.3 * height, (top + bottom - height) / 2)
    places = [(left, y, left + width, y + height) for y in (min(max(y, 0.0), room) for y in wanted)]
    free = (place for place in places if not any(_overlap(place, other) for other in taken))
    return next(free, places[-1])


def _overlap(one: Place, other: Place) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _darker(colour: RGB) -> RGB:
    red, green, blue = (round(value * 0.55) for value in colour)
    return red, green, blue


__all__ = ["RGB", "distinct_colours", "draw_overlay", "label_text", "line_width"]
