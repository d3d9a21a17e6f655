"""The rules of `clicks` in numpy and OpenCV: on a CPU a few answers are done before torch has set out.

The same sums: colours are compared once for all candidates of a prompt, and islands are flooded from the clicks.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64

# A factor below this moves no logit; products of three such stay numbers that a CPU is quick with.
_NOTHING = np.float32(1e-12)


def bend(
    rows: Float32[np.ndarray, "M h w"],
    cells: Int64[np.ndarray, " k"],
    is_positive: Bool[np.ndarray, " k"],
    colours: Float32[np.ndarray, "h w 3"],
    *,
    margin: float,
    reach: float,
    least_reach: float,
    shade: float,
    damping: float,
) -> None:
    """Add to each answer, in place, a smooth surface that has at each click what the click lacks there.

    Kriging, as in `clicks`; `cells` are numbered row by row.
    """
    M, h, w = rows.shape
    signs = np.where(is_positive, 1.0, -1.0)
    lacking = np.maximum(margin - signs * rows.reshape(M, -1)[:, cells], 0) * signs
    if not lacking.any():
        return
    y, x = cells // w, cells % w
    alike = _alike(colours, y, x, shade)
    for row, lacks in zip(rows, lacking, strict=True):
        if not lacks.any():
            continue
        far = max(reach * np.sqrt(np.count_nonzero(row > 0)), least_reach)
        down, across = _near(h, y, far), _near(w, x, far)
        between = down[:, y] * across[:, x] * alike[:, y, x]
        weights = np.linalg.solve(between + damping * np.eye(len(cells)), lacks).astype(np.float32)
        for k in range(len(cells)):
            row += (weights[k] * down[k])[:, None] * across[k] * alike[k]


def _alike(
    colours: Float32[np.ndarray, "h w 3"], y: Int64[np.ndarray, " k"], x: Int64[np.ndarray, " k"], shade: float
) -> Float32[np.ndarray, "k h w"]:
    """How alike in colour to each click every cell is."""
    red, green, blue = (np.square(colours[..., c] - colours[y, x, c][:, None, None]) for c in range(3))
    return _gaussian(red + green + blue, shade)


def _near(num: int, at: Int64[np.ndarray, " k"], reach: float) -> Float32[np.ndarray, "k num"]:
    """How near to each click every row or column of cells is."""
    return _gaussian(np.square(np.arange(num) - at[:, None]).astype(np.float32), reach)


def _gaussian(squares: Float32[np.ndarray, "*n"], width: float) -> Float32[np.ndarray, "*n"]:
    found = np.exp(squares * np.float32(-1 / (2 * width**2)))
    found[found < _NOTHING] = 0
    return found


def sink_islands(row: Float32[np.ndarray, "h w"], cells: Int64[np.ndarray, " k"], sunk: float) -> None:
    """Sink, in place, what no path of neighbours joins to one of the cells; nothing where none lies in the mask."""
    w = row.shape[1]
    mask = (row > 0).view(np.uint8)
    for cell in cells.tolist():
        if mask[cell // w, cell % w] == 1:
            cv2.floodFill(mask, None, (cell % w, cell // w), 2, flags=4)
    if (mask == 2).any():
        gone = mask == 1
        row[gone] = np.minimum(-row[gone], sunk)


__all__ = ["bend", "sink_islands"]
