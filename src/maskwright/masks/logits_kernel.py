"""Mask logits to RLE without a picture in between: SAM's two bilinear steps, thresholded, column by column.

SAM enlarges low-resolution logits to its frame, crops the padding away and resizes to the image, both times bilinearly.
Every pixel of the image is then a convex combination of the few logits it touches; where all of these lie on one side
of the threshold, so does the pixel. Only pixels between logits of different sides are interpolated, in the order of
float32 operations that torch uses on CPU, so that the mask is the one that torch's full-size logits would give.

Import this module lazily: it costs the import of numba, and the first call loads compiled code from numba's cache.
Logits must be finite. What it does not know: models, torch, records.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from jaxtyping import Float, Float32, Int, Int32, Int64, UInt8
from numba import types
from numba.extending import intrinsic

from maskwright.core.compiled import compiled
from maskwright.core.rle import RLE
from maskwright.core.shapes import BoxXYXY, SizeHW

# Above, between and below three thresholds are classes 0 to 3; a group of logits that disagree, or that rounding could
# carry over a threshold, is mixed.
_MIXED = 4

# What the kernel tallies up on its way; the box has exclusive right and bottom edges.
_NUM_RUNS, _AREA, _X1, _Y1, _X2, _Y2, _INNER, _OUTER = range(8)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AxisMap:
    """One axis of the way from logits to the image: two taps per frame pixel, two taps per image pixel.

    `lowest` and `highest` are the first and the last logit that an image pixel touches; `first_pixel[a]` is the first
    pixel that touches no logit before a, `end_pixel[b]` one past the last that touches none after b.
    """

    frame_taps: Int32[np.ndarray, "2 _frame"]
    frame_weights: Float32[np.ndarray, "2 _frame"]
    image_taps: Int32[np.ndarray, "2 _image"]
    image_weights: Float32[np.ndarray, "2 _image"]
    lowest: Int32[np.ndarray, " _image"]
    highest: Int32[np.ndarray, " _image"]
    first_pixel: Int32[np.ndarray, " _logits"]
    end_pixel: Int32[np.ndarray, " _logits"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogitsMap:
    """The way from square logits of `logits_side` through a frame of `side`, cropped to `input_hw`, to `size_hw`."""

    size_hw: SizeHW
    rows: AxisMap
    columns: AxisMap

    @classmethod
    def of(cls, *, logits_side: int, side: int, input_hw: SizeHW, size_hw: SizeHW) -> "LogitsMap":
        """Make the map, or take the one made before: the images of a camera share it."""
        return _logits_map(logits_side, side, input_hw, size_hw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """Where the mask is put: a picture of `size_hw`, the map's picture with its top left corner at `(x, y)` in it."""

    size_hw: SizeHW
    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMask:
    """A mask of the canvas, and how many pixels lie above the higher and the lower of its outer thresholds."""

    rle: RLE
    area: int
    box_xyxy: BoxXYXY
    num_inner: int
    num_outer: int

    @property
    def stability(self) -> float:
        """IoU of the masks at the outer thresholds, in float32 as the reference has it; NaN where both are empty."""
        if not self.num_outer:
            return float("nan")
        return float(np.float32(self.num_inner) / np.float32(self.num_outer))


def draw_mask(
    logits: Float[np.ndarray, "h w"],
    way: LogitsMap,
    *,
    threshold: float = 0.0,
    stability_offset: float = 0.0,
    canvas: Canvas | None = None,
    one_of_three: bool = False,
) -> DrawnMask:
    """Draw the mask of all pixels whose logit is above `threshold`.

    `one_of_three` takes the order of operations that torch uses for tensors of three channels, which is another than
    for one: set it when the reference would have resized the logits as one candidate of three.
    """
    canvas = canvas or Canvas(size_hw=way.size_hw)
    height, width = canvas.size_hw
    r, c = way.rows, way.columns
    starts, ends, tally = _draw(
        np.ascontiguousarray(logits, np.float32),
        (r.frame_taps, r.frame_weights, r.image_taps, r.image_weights, r.lowest, r.highest, r.first_pixel, r.end_pixel),
        (c.frame_taps, c.frame_weights, c.image_taps, c.image_weights, c.lowest, c.highest, c.first_pixel, c.end_pixel),
        np.array([threshold - stability_offset, threshold, threshold + stability_offset], np.float32),
        height,
        canvas.x,
        canvas.y,
        one_of_three,
    )
    counts = _compress(starts, ends, height * width).tobytes()
    _, area, x1, y1, x2, y2, num_inner, num_outer = tally.tolist()
    return DrawnMask(
        rle=RLE(size_hw=(height, width), counts=counts),
        area=area,
        box_xyxy=(float(x1), float(y1), float(x2), float(y2)),
        num_inner=num_inner,
        num_outer=num_outer,
    )


def rle_from_edges(edges: Int[np.ndarray, " E"], size_hw: SizeHW) -> RLE:
    """Write a mask whose pixels, column by column, begin and stop being set at `edges` in turn."""
    total = size_hw[0] * size_hw[1]
    whole = edges.astype(np.int64) if len(edges) % 2 == 0 else np.append(edges, total).astype(np.int64)
    starts, ends = np.ascontiguousarray(whole[0::2]), np.ascontiguousarray(whole[1::2])
    return RLE(size_hw=size_hw, counts=_compress(starts, ends, total).tobytes())


@lru_cache(maxsize=32)
def _logits_map(logits_side: int, side: int, input_hw: SizeHW, size_hw: SizeHW) -> LogitsMap:
    rows, columns = (_axis_map(logits_side, side, input_hw[i], size_hw[i]) for i in (0, 1))
    return LogitsMap(size_hw=size_hw, rows=rows, columns=columns)


def _axis_map(num_logits: int, side: int, num_cropped: int, num_pixels: int) -> AxisMap:
    frame_taps, frame_weights = _bilinear_taps(num_logits, side)
    image_taps, image_weights = _bilinear_taps(num_cropped, num_pixels)
    lowest = frame_taps[0, image_taps[0]]
    highest = frame_taps[1, image_taps[1]]
    logit = np.arange(highest[-1] + 1)
    return AxisMap(
        frame_taps=np.ascontiguousarray(frame_taps[:, :num_cropped]),
        frame_weights=np.ascontiguousarray(frame_weights[:, :num_cropped]),
        image_taps=image_taps,
        image_weights=image_weights,
        lowest=lowest,
        highest=highest,
        first_pixel=np.searchsorted(lowest, logit, "left").astype(np.int32),
        end_pixel=np.searchsorted(highest, logit, "right").astype(np.int32),
    )


def _bilinear_taps(num_in: int, num_out: int) -> tuple[Int32[np.ndarray, "2 _out"], Float32[np.ndarray, "2 _out"]]:
    """The two taps of each output and their weights, rounded as torch's CPU kernels round them (half-pixel centres)."""
    scale = np.float32(num_in) / np.float32(num_out)
    centre = np.arange(num_out, dtype=np.float32) + np.float32(0.5)
    # One rounding for multiply and subtract: torch is compiled to a fused multiply-add here.
    position = np.maximum((centre.astype(np.float64) * np.float64(scale) - 0.5).astype(np.float32), np.float32(0))
    tap = np.minimum(position.astype(np.int32), num_in - 1)
    after = np.clip(position - tap.astype(np.float32), np.float32(0), np.float32(1))
    taps = np.stack([tap, np.minimum(tap + 1, num_in - 1)]).astype(np.int32)
    return taps, np.stack([np.float32(1) - after, after])


def _fma_signature(typing_context: Any, a: Any, b: Any, c: Any) -> tuple[Any, Any]:
    signature = types.float32(types.float32, types.float32, types.float32)
    return signature, lambda context, builder, signature, args: builder.fma(*args)


# a * b + c with one rounding, which is how torch's kernels are compiled.
_fma: Any = intrinsic(_fma_signature)


@numba.njit(inline="always")
def _blend(a, b, c, d, u0, u1, v0, v1, one_of_three):
    """Interpolate between (a b) above (c d), with row weights u and column weights v, in torch's order."""
    if one_of_three:
        return _fma(u1 * v1, d, _fma(u1 * v0, c, _fma(u0 * v0, a, (u0 * v1) * b)))
    return _fma(u0, _fma(v0, a, v1 * b), u1 * _fma(v0, c, v1 * d))


@compiled
def _classify(
    logits: Float32[np.ndarray, "h w"], thresholds: Float32[np.ndarray, " 3"], num_rows: int, num_columns: int
):
    """Classify the logits that the image touches, transposed, and find each column's rows that are not of class 0."""
    classes = np.empty((num_columns, num_rows), np.uint8)
    columns = np.empty((num_columns, num_rows), np.float32)
    # Two interpolations round at most about eight times, each by 2**-24 of the smallest logit's size.
    margin = np.maximum(np.abs(thresholds) * np.float32(1e-6), np.float32(1e-30))
    above, below = thresholds + margin, thresholds - margin
    for y in range(num_rows):
        for x in range(num_columns):
            v = logits[y, x]
            columns[x, y] = v
            surely = np.uint8(v > above[0]) + np.uint8(v > above[1]) + np.uint8(v > above[2])
            perhaps = np.uint8(v > below[0]) + np.uint8(v > below[1]) + np.uint8(v > below[2])
            classes[x, y] = surely if surely == perhaps else _MIXED
    first = np.full(num_columns, num_rows, np.int32)
    last = np.full(num_columns, -1, np.int32)
    for x in range(num_columns):
        for y in range(num_rows):
            if classes[x, y]:
                first[x] = y
                break
        for y in range(num_rows - 1, first[x] - 1, -1):
            if classes[x, y]:
                last[x] = y
                break
    return classes, columns, first, last


@compiled
def _cut(classes, agreed, left, right, first, last, first_pixel, end_pixel, num_pixels, segments):
    """Cut a pixel column into segments (start, end, class) by the logit columns `left` to `right`; class 0 is left out.

    Rows of logits before `first` and after `last` are of class 0. Returns the number of segments.
    """
    num_rows = classes.shape[1]
    for row in range(first, last + 1):
        agreed[row] = classes[left, row]
    for column in range(left + 1, right + 1):
        for row in range(first, last + 1):
            agreed[row] = agreed[row] if classes[column, row] == agreed[row] else _MIXED
    n = 0
    done = 0
    row = 0
    while row < num_rows:
        kind, end = np.uint8(0), num_rows
        if row < first:
            end = first
        elif row <= last:
            kind, end = agreed[row], row + 1
            while end <= last and agreed[end] == kind:
                end += 1
        if kind != _MIXED:
            y1, y2 = first_pixel[row], end_pixel[end - 1]
            if y1 < y2:
                if done < y1:
                    segments[n, 0], segments[n, 1], segments[n, 2] = done, y1, _MIXED
                    n += 1
                if kind:
                    segments[n, 0], segments[n, 1], segments[n, 2] = y1, y2, kind
                    n += 1
                done = y2
        row = end
    if done < num_pixels:
        segments[n, 0], segments[n, 1], segments[n, 2] = done, num_pixels, _MIXED
        n += 1
    return n


@compiled
def _enlarge(columns, rows, x_taps, x_weights, column, segments, num_segments, out, one_of_three):
    """Interpolate one column of the frame, at the rows that mixed segments need."""
    taps, weights, image_taps, _, _, _, _, _ = rows
    left, right = columns[x_taps[0, column]], columns[x_taps[1, column]]
    v0, v1 = x_weights[0, column], x_weights[1, column]
    for s in range(num_segments):
        if segments[s, 2] == _MIXED:
            for y in range(image_taps[0, segments[s, 0]], image_taps[1, segments[s, 1] - 1] + 1):
                i, j = taps[0, y], taps[1, y]
                u0, u1 = weights[0, y], weights[1, y]
                out[y] = _blend(left[i], right[i], left[j], right[j], u0, u1, v0, v1, one_of_three)


@compiled
def _add_run(starts, ends, tally, column, base, start, stop):
    """Add the run of pixels from `start` to `stop` of a column; it may go on where the last run ended."""
    n = tally[_NUM_RUNS]
    if n and ends[n - 1] == base + start:
        ends[n - 1] = base + stop
    else:
        starts[n], ends[n] = base + start, base + stop
        tally[_NUM_RUNS] = n + 1
    tally[_AREA] += stop - start
    tally[_X1], tally[_X2] = min(tally[_X1], column), column + 1
    tally[_Y1], tally[_Y2] = min(tally[_Y1], start), max(tally[_Y2], stop)


@compiled
def _add_pixels(starts, ends, tally, column, base, start, stop, pixels, thresholds):
    """Count interpolated pixels and add the runs of those above the middle threshold."""
    low, threshold, high = thresholds[0], thresholds[1], thresholds[2]
    inner = outer = 0
    for y in range(start, stop):
        inner += pixels[y] > high
        outer += pixels[y] > low
    tally[_INNER] += inner
    tally[_OUTER] += outer
    y = start
    while y < stop:
        while y < stop and not pixels[y] > threshold:
            y += 1
        if y < stop:
            run = y
            while y < stop and pixels[y] > threshold:
                y += 1
            _add_run(starts, ends, tally, column, base, run, y)


@compiled
def _draw(logits, rows, columns, thresholds, canvas_height, x_offset, y_offset, one_of_three):
    """Walk the image column by column; return the runs as starts and ends, and the tally."""
    _, _, y_taps, y_weights, _, y_highest, first_pixel, end_pixel = rows
    x_frame_taps, x_frame_weights, x_taps, x_weights, x_lowest, x_highest, _, _ = columns
    height, width = y_taps.shape[1], x_taps.shape[1]
    classes, values, first, last = _classify(logits, thresholds, y_highest[-1] + 1, x_highest[-1] + 1)
    segments = np.empty((2 * classes.shape[1] + 2, 3), np.int32)
    agreed = np.empty(classes.shape[1], np.uint8)
    frame_columns = np.empty((2, rows[0].shape[1]), np.float32)  # column c is kept in slot c % 2
    kept = np.empty(2, np.int64)
    pixels = np.empty(height, np.float32)
    starts = np.empty(4096 + height, np.int64)
    ends = np.empty(4096 + height, np.int64)
    tally = np.array([0, 0, width, height, 0, 0, 0, 0], np.int64)
    x = 0
    while x < width:
        # Neighbouring pixel columns that touch the same logit columns share their segments.
        left, right = x_lowest[x], x_highest[x]
        end = x + 1
        while end < width and x_lowest[end] == left and x_highest[end] == right:
            end += 1
        top, bottom = first[left : right + 1].min(), last[left : right + 1].max()
        if top > bottom:
            x = end
            continue
        num_segments = _cut(classes, agreed, left, right, top, bottom, first_pixel, end_pixel, height, segments)
        kept[:] = -1
        for column in range(x, end):
            if tally[_NUM_RUNS] + height > len(starts):
                starts = np.concatenate((starts, np.empty_like(starts)))
                ends = np.concatenate((ends, np.empty_like(ends)))
            c0, c1 = x_taps[0, column], x_taps[1, column]
            for c in (c0, c1):
                if kept[c & 1] != c:
                    kept[c & 1] = c
                    into = frame_columns[c & 1]
                    _enlarge(values, rows, x_frame_taps, x_frame_weights, c, segments, num_segments, into, one_of_three)
            f0, f1 = frame_columns[c0 & 1], frame_columns[c1 & 1]
            v0, v1 = x_weights[0, column], x_weights[1, column]
            base = np.int64(column + x_offset) * canvas_height + y_offset
            for s in range(num_segments):
                start, stop, kind = segments[s, 0], segments[s, 1], segments[s, 2]
                if kind == _MIXED:
                    for y in range(start, stop):
                        i, j = y_taps[0, y], y_taps[1, y]
                        u0, u1 = y_weights[0, y], y_weights[1, y]
                        pixels[y] = _blend(f0[i], f1[i], f0[j], f1[j], u0, u1, v0, v1, one_of_three)
                    _add_pixels(starts, ends, tally, column, base, start, stop, pixels, thresholds)
                    continue
                tally[_OUTER] += stop - start
                if kind == 3:
                    tally[_INNER] += stop - start
                if kind >= 2:
                    _add_run(starts, ends, tally, column, base, start, stop)
        x = end
    if tally[_AREA]:
        tally[_X1] += x_offset
        tally[_X2] += x_offset
        tally[_Y1] += y_offset
        tally[_Y2] += y_offset
    else:
        tally[_X1 : _Y2 + 1] = 0
    num_runs = tally[_NUM_RUNS]
    return starts[:num_runs], ends[:num_runs], tally


@compiled
def _compress(starts: Int64[np.ndarray, " n"], ends: Int64[np.ndarray, " n"], total: int) -> UInt8[np.ndarray, " c"]:
    """Write runs as COCO's compressed counts: five bits a character, as differences to the count two before."""
    n = len(starts)
    out = np.empty(8 * (2 * n + 1), np.uint8)
    length = 0
    position = before_last = last = np.int64(0)
    for k in range(2 * n + 1):
        edge = total if k == 2 * n else (ends[k >> 1] if k & 1 else starts[k >> 1])
        count = edge - position
        if k == 2 * n and n and not count:
            break
        value = count - before_last if k > 2 else count
        more = True
        while more:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            out[length] = bits + (48 + 0x20 if more else 48)
            length += 1
        position, before_last, last = edge, last, count
    return out[:length]


__all__ = ["AxisMap", "Canvas", "DrawnMask", "LogitsMap", "draw_mask", "rle_from_edges"]
