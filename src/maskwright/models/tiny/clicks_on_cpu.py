"""The rules of `clicks` in numpy and OpenCV: on a CPU a few answers are done before torch has set out.

The same sums: colours are compared once for all candidates of a prompt, and islands are flooded from the clicks. The
numbers that both go by are here.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64

MARGIN = 2.0  # the logit that a click's own pixel has at least, on its side
REACH, LEAST_REACH = 0.25, 1.5  # how far it goes: in sides of the mask, and at least in cells
SHADE = 0.5  # how alike colours have to be; the frame's range is 2
DAMPING = 0.05  # of the equations: clicks that lie on each other must not blow up
SUNK = -1.0  # the highest logit of an island that was dropped
# A factor below this moves no logit; products of three such stay numbers that a CPU is quick with.
_NOTHING = np.float32(1e-12)


def bend(
    rows: Float32[np.ndarray, "M h w"],
    cells: Int64[np.ndarray, " k"],
    is_positive: Bool[np.ndarray, " k"],
    colours: Float32[np.ndarray, "h w 3"],
) -> None:
    """Add to each answer, in place, a smooth surface that has at each click what the click lacks there.

    Kriging, as in `clicks`; `cells` are numbered row by row.
    """
    M, h, w = rows.shape
    signs = np.where(is_positive, 1.0, -1.0)
    lacking = np.maximum(MARGIN - signs * rows.reshape(M, -1)[:, cells], 0) * signs
    if not lacking.any():
        return
    y, x = cells // w, cells % w
    alike = _alike(colours, y, x)
    for row, lacks in zip(rows, lacking, strict=True):
        if not lacks.any():
            continue
        far = max(REACH * np.sqrt(np.count_nonzero(row > 0)), LEAST_REACH)
        down, across = _near(h, y, far), _near(w, x, far)
        between = down[:, y] * across[:, x] * alike[:, y, x]
        weights = np.linalg.solve(between + DAMPING * np.eye(len(cells)), lacks).astype(np.float32)
        for k in range(len(cells)):
            row += (weights[k] * down[k])[:, None] * across[k] * alike[k]


def _alike(
    colours: Float32[np.ndarray, "h w 3"], y: Int64[np.ndarray, " k"], x: Int64[np.ndarray, " k"]
) -> Float32[np.ndarray, "k h w"]:
    """How alike in colour to each click every cell is."""
    red, green, blue = (np.square(colours[..., c] - colours[y, x, c][:, None, None]) for c in range(3))
    return _gaussian(red + green + blue, SHADE)


def _near(num: int, at: Int64[np.ndarray, " k"], reach: float) -> Float32[np.ndarray, "k num"]:
    """How near to each click every row or column of cells is."""
    return _gaussian(np.square(np.arange(num) - at[:, None]).astype(np.float32), reach)


def _gaussian(squares: Float32[np.ndarray, "*n"], width: float) -> Float32[np.ndarray, "*n"]:
    found = np.exp(squares * np.float32(-1 / (2 * width**2)))
    found[found < _NOTHING] = 0
    return found


def sink_islands(row: Float32[np.ndarray, "h w"], cells: Int64[np.ndarray, " k"]) -> None:
    """Sink, in place, what no path of neighbours joins to one of the cells; nothing where none lies in the mask."""
    w = row.shape[1]
    mask = (row > 0).view(np.uint8)
    for cell in cells.tolist():
        if mask[cell // w, cell % w] == 1:
            cv2.floodFill(mask, None, (cell % w, cell // w), 2, flags=4)
    if (mask == 2).any():
        gone = mask == 1
        row[gone] = np.minimum(-row[gone], SUNK)


__all__ = ["bend", "sink_islands"]
