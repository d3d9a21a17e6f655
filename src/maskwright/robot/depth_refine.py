"""Masks that depth has a word in: split along steps, repaired where surfaces go on or end, redrawn where depth fails.

What is opaque is repaired by its surfaces. Of what gives no sound depth, glass and mirrors, a small network weighs the
model's mask against the holes and the surfaces around (`depth_evidence`), and the picture's edges draw the outline.
Knows one picture's masks and depth, no model.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from maskwright.core.errors import MaskError
from maskwright.core.shapes import BoxXYXY
from maskwright.robot.depth_cues import DepthCues, filled
from maskwright.robot.depth_evidence import NAMES, Evidence, gather

_FAILS = 0.05  # share of a box without sound depth from which on what is in it is taken for see-through
_MINE, _NOT_MINE = 0.70, 0.15  # shares of a surface within a mask, above and below which it is all or none of it
_MOST_CHANGE = 0.25  # of a mask's area; where depth wants more, one of the two is about something else
_RADIUS, _EDGE = 2, 1e-3  # of the guided filter: pixels, and the variance of grey that counts as an edge
_WEIGHTS = Path(__file__).with_name("depth_weights.json")

How = Literal["kept", "repaired", "redrawn"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refined:
    """A mask after depth, how it came about, and which share of its box has no sound depth."""

    mask: Bool[np.ndarray, "H W"]
    how: How
    failing: float


def refine_with_depth(
    mask: Bool[np.ndarray, "H W"] | Float[np.ndarray, "H W"],
    cues: DepthCues,
    *,
    box: BoxXYXY | None = None,
    grey: UInt8[np.ndarray, "H W"] | None = None,
) -> Refined:
    """Redraw a mask where depth fails in its box, repair it by its surfaces elsewhere.

    `mask` may be logits of the picture's size. `box` is the prompt's, if there was one: nothing is drawn outside it.
    With `grey` outlines follow the picture's edges. An empty mask stays empty.

    Raises:
        MaskError: mask or picture are of another size than the depth.
    """
    drawn = mask if mask.dtype == bool else mask > 0
    for what, pixels in (("the mask", drawn), ("the picture", grey)):
        if pixels is not None and pixels.shape != cues.holes.shape:
            raise MaskError(f"{what} must be of the depth's size, {cues.holes.shape} (h, w), got {pixels.shape}")
    if not drawn.any():
        return Refined(mask=drawn, how="kept", failing=0.0)
    evidence = gather(drawn, cues, box or _box_of(drawn))
    if evidence.failing >= _FAILS:
        redrawn = np.zeros_like(drawn)
        redrawn[evidence.window] = _redraw(evidence, None if grey is None else grey[evidence.window])
        if redrawn.any():
            return Refined(mask=redrawn, how="redrawn", failing=evidence.failing)
    repaired = repair_with_depth(drawn, cues)
    how: How = "kept" if np.array_equal(repaired, drawn) else "repaired"
    return Refined(mask=repaired, how=how, failing=evidence.failing)


def repair_with_depth(mask: Bool[np.ndarray, "H W"], cues: DepthCues) -> Bool[np.ndarray, "H W"]:
    """Fill surfaces of which most lies in the mask, and take away what it has of surfaces that lie elsewhere.

    Where that would change more than a quarter of the mask, it is given back as it is.
    """
    inside = np.bincount(cues.parts[mask], minlength=len(cues.part_sizes))
    share = inside / np.maximum(1, cues.part_sizes)
    share[0] = 0.5  # what is on no surface stays as it is
    of_pixel = share[cues.parts]
    repaired = (mask | (of_pixel >= _MINE)) & ~(of_pixel <= _NOT_MINE)
    changed = np.count_nonzero(repaired != mask)
    return repaired if 0 < changed <= _MOST_CHANGE * np.count_nonzero(mask) else mask


def split_by_depth(
    mask: Bool[np.ndarray, "H W"], cues: DepthCues, *, least_share: float = 0.1
) -> list[Bool[np.ndarray, "H W"]]:
    """Cut a mask along the depth steps in it, the largest piece first; one piece where none divides it.

    Pieces below `least_share` of the mask, and pixels without depth, go to the piece that is nearest in the picture.
    """
    flat = (mask & (cues.parts > 0)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(flat, connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    large = [i for i in np.argsort(-areas).tolist() if areas[i] >= max(1, least_share * np.count_nonzero(mask))]
    if len(large) < 2:
        return [mask]
    away = [cv2.distanceTransform((labels != i).astype(np.uint8), cv2.DIST_L2, 5) for i in large]
    nearest = np.argmin(away, axis=0)
    pieces = [mask & (nearest == i) for i in range(len(large))]
    return sorted(pieces, key=lambda piece: -np.count_nonzero(piece))


def _box_of(mask: Bool[np.ndarray, "H W"]) -> BoxXYXY:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _redraw(evidence: Evidence, grey: UInt8[np.ndarray, "h w"] | None) -> Bool[np.ndarray, "h w"]:
    network = _network()
    hidden = np.tanh(evidence.measures @ network.hidden.T + network.hidden_bias)
    belief = 1 / (1 + np.exp(-(hidden @ network.out + network.out_bias)))
    if grey is not None:
        belief = _guided(belief.astype(np.float32), grey)
    return filled((belief > 0.5) & evidence.in_box)


def _guided(belief: Float[np.ndarray, "h w"], grey: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Smooth a belief but across edges of the picture: the guided filter of He et al. (2010)."""
    guide = grey.astype(np.float32) / 255

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(values, -1, (2 * _RADIUS + 1, 2 * _RADIUS + 1))

    mean_guide, mean_belief = mean(guide), mean(belief)
    slope = (mean(guide * belief) - mean_guide * mean_belief) / (mean(guide * guide) - mean_guide**2 + _EDGE)
    return mean(slope) * guide + mean(mean_belief - slope * mean_guide)


@dataclass(frozen=True, slots=True, eq=False)
class _Network:
    hidden: Float[np.ndarray, "K F"]
    hidden_bias: Float[np.ndarray, " K"]
    out: Float[np.ndarray, " K"]
    out_bias: float


@lru_cache(maxsize=1)
def _network() -> _Network:
    content: dict[str, Any] = json.loads(_WEIGHTS.read_text(encoding="utf-8"))
    assert content["inputs"] == list(NAMES), "depth_weights.json was fitted to other measures"
    hidden, bias, out = (np.array(content[name]) for name in ("hidden", "hidden_bias", "out"))
    return _Network(hidden, bias, out, float(content["out_bias"]))


__all__ = ["How", "Refined", "refine_with_depth", "repair_with_depth", "split_by_depth"]
