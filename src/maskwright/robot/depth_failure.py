"""How a depth sensor fails, played on true depth: for trying and scoring what is made of depth where none can be had.

The model, after what RGB-D cameras do to glass (Sajjan et al. 2020, ClearGrasp, section 3: missing depth, and the
depth of what is behind):

- Glass: each thing is dealt patches, smooth and a quarter of its size: 50 % give no depth, 38 % that of what is behind,
  bent by up to some 1 %, and 12 % its own, in the mean; each thing's shares are drawn around these (Dirichlet, 6).
- Holes of glass spill to one side, by up to 15 % of its size, and their borders are off by some 1.5 pixels: windows
  are matched, not pixels.
- Mirrors: up to 35 % of each gives no depth, in patches.
- What one of the two eyes does not see gives none, nor what is nearer or farther than the sensor's range.
- At steps, 60 % of the pixels fly between both surfaces and 15 % give none.
- Disparity has noise of 0.06 pixel and is rounded to 1/16; depth is rounded to millimetres; 0.2 % of all pixels drop.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt16

from maskwright.robot.depth_maps import StereoCamera

SHARES = (0.50, 0.38, 0.12)  # of glass: no depth, that of what is behind, its own
_SPREAD_OF_SHARES = 6.0
_SPILL, _BORDER_PX, _BENT = 0.15, 1.5, 0.01
_MIRROR_HOLES = 0.35
_FLIES, _BREAKS, _STEP = 0.60, 0.15, 0.03
_NOISE_PX, _LEVELS, _DROPS = 0.06, 16, 0.002
_NEAR_M, _FAR_M = 0.15, 4.0
# At a wrist sits a camera for short ranges: two eyes 18 mm apart.
SHORT_RANGE = StereoCamera(focal_px=600, baseline_m=0.0183)
_SHORT_RANGE_M, _SHORT_NEAR_M = 0.4, 0.07


def camera_for(true_m: Float[np.ndarray, "H W"]) -> StereoCamera:
    """The camera that one would take for a scene: of short range where half of it is nearer than 40 cm."""
    return SHORT_RANGE if np.median(true_m) < _SHORT_RANGE_M else StereoCamera()


def fail_like_a_sensor(
    true_m: Float[np.ndarray, "H W"],
    masks: Int[np.ndarray, "H W"],
    *,
    glass: Sequence[int],
    mirrors: Sequence[int] = (),
    rng: np.random.Generator,
    shares: tuple[float, float, float] = SHARES,
) -> UInt16[np.ndarray, "H W"]:
    """Give what a sensor would have seen, in millimetres, 0 for no depth; `glass` and `mirrors` are indices of masks.

    Things behind glass are taken for what lies around it, so `true_m` may hold the glass itself.
    """
    true = true_m.astype(np.float32)
    camera = camera_for(true)
    seen, holes = _glass(true, masks, glass, rng, shares)
    for index in mirrors:
        ranks = _ranked(masks == index, 8, 8, rng)
        holes |= ranks < rng.uniform(0, _MIRROR_HOLES)
    holes |= _in_shadow(true, camera.shift)
    seen, broken = _at_steps(seen, rng)
    disparity = camera.shift / seen + rng.normal(0, _NOISE_PX, seen.shape)
    seen = camera.shift / np.maximum(np.round(disparity * _LEVELS) / _LEVELS, 1e-3)
    near = _SHORT_NEAR_M if camera is SHORT_RANGE else _NEAR_M
    holes |= broken | (seen < near) | (seen > _FAR_M) | (rng.random(seen.shape) < _DROPS)
    return np.where(holes, 0, np.clip(np.round(seen * 1000), 0, 65535)).astype(np.uint16)


def _glass(
    true: Float[np.ndarray, "H W"],
    masks: Int[np.ndarray, "H W"],
    glass: Sequence[int],
    rng: np.random.Generator,
    shares: tuple[float, float, float],
) -> tuple[Float[np.ndarray, "H W"], Bool[np.ndarray, "H W"]]:
    """Deal out what each glass gives."""
    seen, holes = true.copy(), np.zeros(true.shape, bool)
    if not glass:
        return seen, holes
    behind = np.maximum(_without(true, np.isin(masks, glass)), true)
    for index in glass:
        mask = masks == index
        if not mask.any():
            continue
        size = float(np.sqrt(mask.sum()))
        none, through, _ = rng.dirichlet(_SPREAD_OF_SHARES * np.array(shares) + 1e-3)
        ranks = _ranked(mask, 4, 10, rng)
        passed = (ranks >= none) & (ranks < none + through)
        seen[passed] = (behind * (1 + _BENT * _smooth(true.shape, size / 6, rng)))[passed]
        spill = int(rng.uniform(0, _SPILL) * size)
        kernel = np.ones((1, 2 * spill + 1), np.uint8)
        kernel[:, spill + 1 :] = 0  # to the right of what failed
        holes |= cv2.dilate((ranks < none).astype(np.uint8), kernel) > 0
    outside, inside = (cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 3) for part in (~holes, holes))
    return seen, outside - inside < _BORDER_PX * _smooth(true.shape, 8, rng)


def _ranked(mask: Bool[np.ndarray, "H W"], coarse: float, fine: float, rng: np.random.Generator) -> np.ndarray:
    """Ranks of 0 to 1 within a mask that vary in patches of a share of its size; 2 outside."""
    size = float(np.sqrt(max(1, mask.sum())))
    field = _smooth(mask.shape, max(6, size / coarse), rng) + 0.4 * _smooth(mask.shape, max(3, size / fine), rng)
    ranks = np.full(mask.shape, 2.0)
    values = field[mask]
    ranks[mask] = (values.argsort().argsort() + 0.5) / max(1, len(values))
    return ranks


def _smooth(size_hw: tuple[int, ...], scale: float, rng: np.random.Generator) -> Float[np.ndarray, "H W"]:
    """Normal noise that varies over `scale` pixels."""
    height, width = size_hw
    cells = int(height / max(1.0, scale)) + 2, int(width / max(1.0, scale)) + 2
    return cv2.resize(rng.normal(size=cells).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)


def _without(true: Float[np.ndarray, "H W"], glass: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "H W"]:
    """What would be seen without the glass: nearness of what lies around, drawn smoothly across."""
    known = cv2.dilate(glass.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    if not known.any():
        return true
    first: np.ndarray = np.where(known, 1 / np.maximum(true, 0.05), 0).astype(np.float32)
    levels: list[tuple[np.ndarray, np.ndarray]] = [(first, known.astype(np.float32))]
    while min(levels[-1][0].shape) > 2:
        levels.append((cv2.pyrDown(levels[-1][0]), cv2.pyrDown(levels[-1][1])))
    drawn = levels[-1][0] / np.maximum(levels[-1][1], 1e-6)
    for values, weights in levels[-2::-1]:
        above = cv2.pyrUp(drawn, dstsize=(values.shape[1], values.shape[0]))
        drawn = np.where(weights > 1e-3, (values + 1e-3 * above) / (weights + 1e-3), above)
    drawn = np.where(known, first, drawn)
    for side in (31, 15, 7, 3):
        for _ in range(6):
            drawn[~known] = cv2.blur(drawn, (side, side))[~known]
    return 1 / np.maximum(drawn, 1e-3)


def _in_shadow(true: Float[np.ndarray, "H W"], shift: float) -> Bool[np.ndarray, "H W"]:
    """What the other eye does not see, because something to its right hides it there."""
    place = np.arange(true.shape[1]) - shift / np.maximum(true, 1e-3)
    first = np.minimum.accumulate(place[:, ::-1], 1)[:, ::-1]
    after = np.pad(first[:, 1:], ((0, 0), (0, 1)), constant_values=np.inf)
    return place > after + 0.5


def _at_steps(
    seen: Float[np.ndarray, "H W"], rng: np.random.Generator
) -> tuple[Float[np.ndarray, "H W"], Bool[np.ndarray, "H W"]]:
    """Let pixels beside steps fly between both surfaces, or break."""
    kernel = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(seen, kernel), cv2.dilate(seen, kernel)
    is_step, dice, between = high - low > _STEP * low, rng.random(seen.shape), rng.random(seen.shape)
    flown = np.where(is_step & (dice < _FLIES), low * between + high * (1 - between), seen)
    return flown.astype(np.float32), is_step & (dice > 1 - _BREAKS)


__all__ = ["SHARES", "SHORT_RANGE", "camera_for", "fail_like_a_sensor"]
