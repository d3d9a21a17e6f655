"""What a user could take instead of a network: fill the box, or OpenCV's GrabCut (Rother et al. 2004) from a box
or clicks.

A weak baseline would flatter every model, so GrabCut gets the hints that did best on pictures the project may look at;
each constant says what it was chosen from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from maskwright.core import BoxPrompt, BoxXYXY, Image, MaskRecord, PointPrompt, Prompt, SizeHW, prompt_parts
from maskwright.core.errors import SettingError, UnsupportedPrompt
from maskwright.evaluate.segmenter import Answer, Segmenter
from maskwright.masks import encode
from maskwright.predict.everything_settings import EverythingSettings

# Chosen one after the other by mIoU on 80 pictures of COCO, so the figures behind different constants had different
# values of the others. All together: 0.78 by a box, 0.43 by a click. GrabCut without any of it: 0.63 and 0.23.
_SIDE = 320  # pixels that GrabCut sees at most; 480 gives 0.771 for 0.769 by a box and 0.400 for 0.405 by a click
_ITERATIONS = 2  # by a box 1, 2, 5: 0.771, 0.769, 0.768; by a click 1, 2, 3, 5, 8: all 0.40; 5 takes twice as long
_CONTEXT = 0.25  # what is shown around the box, of its longer side: 0.780; 0.5: 0.769, 1: 0.773, all: 0.75
# GrabCut loses one object in five altogether. A user sees that and keeps the box when less than this share is left of
# it: 0.642 without, 0.767 at 0.05, 0.780 at 0.2, 0.773 at 0.3. An ellipse of sure object in the box's middle: 0.75.
_LEAST_SHARE = 0.2
# Clicks, in units of the picture's shorter side: surely object within `_SURE` of the first (0.01: 0.33, 0.02: 0.41,
# 0.04: 0.43, 0.06: 0.43), perhaps within `_REACH` of any (0.15: 0.35, 0.20: 0.41, 0.25: 0.39, 0.30: 0.38), surely not
# beyond: "perhaps not" there, as we had it first, gives 0.26. Later clicks are corrections and mark smaller discs.
# Large objects lose by this reach: panes of glass get 0.07 by one click.
_REACH, _SURE, _CORRECTION = 0.20, 0.04, 0.02


class BoxFill:
    """The box itself; a click is answered with a disc."""

    name = "box-fill"
    can = frozenset({"box", "click"})
    keeps = None

    def open(self, image: Image) -> "_BaselineSession":
        """Nothing to prepare."""
        return _BaselineSession(self.name, image.size_hw, None)


class GrabCut:
    """Colour models of inside and outside and a minimal cut, started from a box or from clicks."""

    name = "grabcut"
    can = frozenset({"box", "click"})
    keeps = None

    def open(self, image: Image) -> "_BaselineSession":
        """Turn the picture to OpenCV's channel order."""
        return _BaselineSession(self.name, image.size_hw, np.ascontiguousarray(image.pixels[..., ::-1]))


# By the names that a user gives; made when they are asked for.
BASELINES: dict[str, type[BoxFill] | type[GrabCut]] = {"grabcut": GrabCut, "box-fill": BoxFill}


def open_baselines(names: Sequence[str]) -> list[Segmenter]:
    """Make baselines by their names.

    Raises:
        SettingError: a name is unknown.
    """
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise SettingError(f"baselines are some of {', '.join(BASELINES)}; got {', '.join(unknown)}")
    return [BASELINES[name]() for name in names]


@dataclass(frozen=True, slots=True)
class _Hints:
    """What prompts say about one object, in image pixels."""

    box_xyxy: BoxXYXY | None
    on_xy: tuple[tuple[float, float], ...]
    off_xy: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class _BaselineSession:
    name: str
    size_hw: SizeHW
    bgr: UInt8[np.ndarray, "H W 3"] | None

    def answer(self, prompts: Sequence[Prompt], previous: Sequence[Answer] | None = None) -> list[Answer]:
        del previous  # the clicks themselves say all
        found = [_read(self.name, prompt) for prompt in prompts]
        masks = [_draw(self.size_hw, hints) if self.bgr is None else _cut(self.bgr, hints) for hints in found]
        return [Answer(mask=encode(mask)) for mask in masks]

    def everything(self, settings: EverythingSettings) -> list[MaskRecord]:
        raise UnsupportedPrompt(f"{self.name} takes a box or clicks; it finds nothing by itself")


def _read(name: str, prompt: Prompt) -> _Hints:
    box: BoxXYXY | None = None
    on: list[tuple[float, float]] = []
    off: list[tuple[float, float]] = []
    for part in prompt_parts(prompt):
        match part:
            case BoxPrompt(box_xyxy=(x1, y1, x2, y2)):
                box = x1, y1, x2, y2
            case PointPrompt(points_xy=points, labels=labels):
                for point, label in zip(points, labels or (), strict=True):
                    (on if label else off).append(point)
            case _:
                raise UnsupportedPrompt(f"{name} takes a box or clicks, got {type(part).__name__}")
    return _Hints(box, tuple(on), tuple(off))


def _draw(size_hw: SizeHW, hints: _Hints) -> Bool[np.ndarray, "H W"]:
    """Fill the box, or the discs that clicks may mean; a click that is not on the object takes a small disc away."""
    canvas = np.zeros(size_hw, np.uint8)
    if hints.box_xyxy is not None:
        _fill_box(canvas, hints.box_xyxy, 1)
    else:
        _fill_discs(canvas, hints.on_xy, _REACH, 1)
    _fill_discs(canvas, hints.off_xy, _SURE, 0)
    return canvas.astype(bool)


def _cut(bgr: UInt8[np.ndarray, "H W 3"], hints: _Hints) -> Bool[np.ndarray, "H W"]:
    """Run GrabCut on the part of the picture that matters, at most 320 pixels long, and enlarge its answer."""
    height, width = bgr.shape[:2]
    left, top, right, bottom = _window(bgr.shape[:2], hints)
    part = bgr[top:bottom, left:right]
    scale = min(1.0, _SIDE / max(part.shape[:2]))
    size_wh = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    small = cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA) if scale < 1 else part.copy()
    unit = min(height, width) * scale  # discs are in units of the picture, not of the part
    moved = _move(hints, (left, top), (size_wh[0] / part.shape[1], size_wh[1] / part.shape[0]))
    inside = _grab(small, _trimap((small.shape[0], small.shape[1]), moved, unit))
    inside = _settle(inside, moved)
    mask = np.zeros((height, width), bool)
    enlarged = cv2.resize(inside.astype(np.float32), part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    mask[top:bottom, left:right] = enlarged > 0.5
    return mask


def _window(size_hw: tuple[int, ...], hints: _Hints) -> tuple[int, int, int, int]:
    height, width = size_hw
    if hints.box_xyxy is None:
        return 0, 0, width, height
    x1, y1, x2, y2 = hints.box_xyxy
    margin = max(8.0, _CONTEXT * max(x2 - x1, y2 - y1))
    left, top = max(0, int(x1 - margin)), max(0, int(y1 - margin))
    return left, top, min(width, int(x2 + margin) + 1), min(height, int(y2 + margin) + 1)


def _move(hints: _Hints, corner_xy: tuple[int, int], scale_xy: tuple[float, float]) -> _Hints:
    def moved(xy: tuple[float, float]) -> tuple[float, float]:
        return (xy[0] - corner_xy[0]) * scale_xy[0], (xy[1] - corner_xy[1]) * scale_xy[1]

    box = hints.box_xyxy
    return _Hints(
        None if box is None else (*moved(box[:2]), *moved(box[2:])),
        tuple(moved(xy) for xy in hints.on_xy),
        tuple(moved(xy) for xy in hints.off_xy),
    )


def _trimap(size_hw: SizeHW, hints: _Hints, unit: float) -> UInt8[np.ndarray, "h w"]:
    """Mark each pixel as surely or perhaps in or out of the object."""
    marks = np.full(size_hw, cv2.GC_BGD, np.uint8)
    if hints.box_xyxy is not None:
        _fill_box(marks, hints.box_xyxy, cv2.GC_PR_FGD)
        _fill_discs(marks, hints.on_xy, _CORRECTION, cv2.GC_FGD, unit=unit)
    else:
        _fill_discs(marks, hints.on_xy, _REACH, cv2.GC_PR_FGD, unit=unit)
        _fill_discs(marks, hints.on_xy[:1], _SURE, cv2.GC_FGD, unit=unit)
        _fill_discs(marks, hints.on_xy[1:], _CORRECTION, cv2.GC_FGD, unit=unit)
    _fill_discs(marks, hints.off_xy, _CORRECTION, cv2.GC_BGD, unit=unit)
    return marks


def _grab(bgr: UInt8[np.ndarray, "h w 3"], marks: UInt8[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Run GrabCut from marks; marks without any outside or object are their own answer."""
    inside = (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
    if inside.all() or not inside.any():
        return inside
    cv2.setRNGSeed(0)
    outside_colours, inside_colours = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(bgr, marks, (0, 0, 1, 1), outside_colours, inside_colours, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)


def _settle(inside: Bool[np.ndarray, "h w"], hints: _Hints) -> Bool[np.ndarray, "h w"]:
    """Keep what a user would: the box when nearly nothing is left of it, and only regions that were clicked on."""
    if hints.box_xyxy is not None:
        box = np.zeros(inside.shape, np.uint8)
        _fill_box(box, hints.box_xyxy, 1)
        return inside if inside.sum() >= _LEAST_SHARE * box.sum() else box.astype(bool)
    _, regions = cv2.connectedComponents(inside.astype(np.uint8))
    rows = [min(max(int(y), 0), inside.shape[0] - 1) for _, y in hints.on_xy]
    columns = [min(max(int(x), 0), inside.shape[1] - 1) for x, _ in hints.on_xy]
    clicked = set(regions[rows, columns].tolist()) - {0}
    return np.isin(regions, list(clicked)) if clicked else inside


def _fill_box(canvas: UInt8[np.ndarray, "h w"], box_xyxy: BoxXYXY, value: int) -> None:
    x1, y1, x2, y2 = (max(0, round(edge)) for edge in box_xyxy)
    canvas[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)] = value


def _fill_discs(
    canvas: UInt8[np.ndarray, "h w"],
    points_xy: Sequence[tuple[float, float]],
    radius: float,
    value: int,
    *,
    unit: float | None = None,
) -> None:
    """Fill discs around points, at least a pixel wide; `radius` is in units of `unit`, the canvas' shorter side."""
    reach = radius * (min(canvas.shape) if unit is None else unit)
    for px, py in points_xy:
        top, left = max(0, int(py - reach - 1)), max(0, int(px - reach - 1))
        part = canvas[top : int(py + reach + 2), left : int(px + reach + 2)]
        y, x = np.mgrid[: part.shape[0], : part.shape[1]] + 0.5
        part[np.hypot(x + left - px, y + top - py) < max(reach, 0.8)] = value


__all__ = ["BASELINES", "BoxFill", "GrabCut", "open_baselines"]
