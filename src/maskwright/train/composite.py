"""Laying drawn objects over each other, back to front: shadows, camouflage, glass, what stays visible.

On a CPU each object touches only its own window; on a GPU the objects of one layer of all pictures go together, since
there a launch costs more than the pixels. The arithmetic is the same functions for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from maskwright.train.assets import AssetPack
from maskwright.train.gloss import see_through
from maskwright.train.objects import Drawing
from maskwright.train.plan import Slot
from maskwright.train.skins import columns

# Wires thinner than this many pixels may cover no half-size pixel by half, and their masks would break up; what they
# cover counts for more, at most three times (with two, a slanted wire of one pixel falls into three pieces).
_THIN, _MOST_GAIN = 4.0, 3.0
_SHADOW_STRIDE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Canvas:
    """What is painted so far, changed in place: pictures, and at half the side what is visible and its parts.

    `covered` is how much an object would show were it alone.
    """

    pictures: Float[Tensor, "B 3 S S"]
    visible: Float[Tensor, "B O s s"]
    parts: UInt8[Tensor, "B O s s"]
    covered: Float[Tensor, "B O s s"]


def lay_objects(pack: AssetPack, canvas: Canvas, drawings: Sequence[Sequence[Drawing]], first: Sequence[int]) -> None:
    """Lay the drawings of each picture over it, from layer `first` of that picture upwards."""
    lay = lay_in_windows if canvas.pictures.device.type == "cpu" else lay_in_frames
    lay(pack, canvas, drawings, first)


def lay_in_windows(
    pack: AssetPack, canvas: Canvas, drawings: Sequence[Sequence[Drawing]], first: Sequence[int]
) -> None:
    """Lay one drawing after the other, touching no more than its window: a CPU's way."""
    for index, own in enumerate(drawings):
        for layer, drawing in enumerate(own, first[index]):
            _lay_in_window(pack, canvas, index, layer, drawing)


def lay_in_frames(pack: AssetPack, canvas: Canvas, drawings: Sequence[Sequence[Drawing]], first: Sequence[int]) -> None:
    """Lay the drawings of one layer of all pictures at once: a GPU's way."""
    for step in range(max((len(own) for own in drawings), default=0)):
        chosen = [(index, first[index] + step, own[step]) for index, own in enumerate(drawings) if step < len(own)]
        _lay_frames(pack, canvas, chosen)


def _lay_in_window(pack: AssetPack, canvas: Canvas, index: int, layer: int, drawing: Drawing) -> None:
    side, t, slot = canvas.pictures.shape[-1], drawing.side, drawing.slot
    if slot.shadow.strength or slot.shadow.caustic:
        margin = _shadow_margin(slot, side)
        top, left = max(0, drawing.top - margin), max(0, drawing.left - margin)
        bottom, right = (min(side, start + t + margin) for start in (drawing.top, drawing.left))
        pads = (drawing.left - left, right - drawing.left - t, drawing.top - top, bottom - drawing.top - t)
        light = shadows(F.pad(drawing.alpha[None], pads), [slot], side)
        canvas.pictures[index, :, top:bottom, left:right] *= light[0]
    rows, columns_ = slice(drawing.top, drawing.top + t), slice(drawing.left, drawing.left + t)
    under = canvas.pictures[index : index + 1, :, rows, columns_]
    shape = None if drawing.shape is None else drawing.shape[None]
    under.copy_(laid_over(pack, under, drawing.rgb[None], drawing.alpha[None], shape, [slot]))
    rows, columns_ = (slice(start // 2, (start + t) // 2) for start in (drawing.top, drawing.left))
    cover = _cover(drawing.alpha[None], [slot], side)[0, 0]
    canvas.visible[index, :layer, rows, columns_] *= 1 - cover
    canvas.visible[index, layer, rows, columns_] = cover
    canvas.covered[index, layer, rows, columns_] = cover
    canvas.parts[index, layer, rows, columns_] = drawing.parts


def _lay_frames(pack: AssetPack, canvas: Canvas, chosen: Sequence[tuple[int, int, Drawing]]) -> None:
    """Lay one object over each of some pictures, as full frames."""
    side, device, N = canvas.pictures.shape[-1], canvas.pictures.device, len(chosen)
    pictures, layers = (torch.tensor([row[axis] for row in chosen], device=device) for axis in (0, 1))
    slots = [drawing.slot for _, _, drawing in chosen]
    rgb, shape = (torch.zeros(N, 3, side, side, device=device) for _ in range(2))
    alpha = torch.zeros(N, 1, side, side, device=device)
    for row, (index, layer, drawing) in enumerate(chosen):
        rows, columns_ = (slice(start, start + drawing.side) for start in (drawing.top, drawing.left))
        rgb[row, :, rows, columns_], alpha[row, :, rows, columns_] = drawing.rgb, drawing.alpha
        if drawing.shape is not None:
            shape[row, :, rows, columns_] = drawing.shape
        rows, columns_ = (slice(start // 2, (start + drawing.side) // 2) for start in (drawing.top, drawing.left))
        canvas.parts[index, layer, rows, columns_] = drawing.parts
    under = canvas.pictures[pictures] * shadows(alpha, slots, side)
    canvas.pictures[pictures] = laid_over(pack, under, rgb, alpha, shape, slots)
    cover = _cover(alpha, slots, side)
    canvas.visible[pictures] *= 1 - cover  # layers above are still empty
    canvas.visible[pictures, layers] = cover[:, 0]
    canvas.covered[pictures, layers] = cover[:, 0]


def laid_over(
    pack: AssetPack,
    under: Float[Tensor, "N 3 h w"],
    rgb: Float[Tensor, "N 3 h w"],
    alpha: Float[Tensor, "N 1 h w"],
    shape: Float[Tensor, "N 3 h w"] | None,
    slots: Sequence[Slot],
) -> Float[Tensor, "N 3 h w"]:
    """Lay objects over what is behind them; clear ones show it, and some take its mean colour."""
    if any(slot.camouflage for slot in slots):
        rgb = _camouflaged(rgb, alpha, under, [slot.camouflage for slot in slots])
    clear = [index for index, slot in enumerate(slots) if slot.gloss and slot.look in ("glass", "film")]
    if clear and shape is not None:
        at = torch.tensor(clear, device=rgb.device)
        glosses = [gloss for gloss in (slots[index].gloss for index in clear) if gloss]
        films = [slots[index].look == "film" for index in clear]
        rgb = rgb.clone()
        rgb[at] = see_through(pack, under[at], rgb[at], shape[at], glosses, films)
    return torch.lerp(under, rgb, alpha)


def _camouflaged(rgb: Tensor, alpha: Tensor, under: Tensor, amounts: Sequence[float]) -> Float[Tensor, "N 3 h w"]:
    """Give some objects the mean colour of what is behind them."""
    area = alpha.sum((2, 3), keepdim=True).clamp(min=1)
    behind = (under * alpha).sum((2, 3), keepdim=True) / area
    own = (rgb * alpha).sum((2, 3), keepdim=True) / area
    (amount,) = columns([(amount,) for amount in amounts], rgb.device)
    return rgb + amount[:, None] * (behind - own)


def _shadow_margin(slot: Slot, side: int) -> int:
    """How far beyond a tile its shadow may reach, a multiple of the shadow's stride."""
    reach = max(abs(slot.shadow.dx), abs(slot.shadow.dy)) * _shadow_size(slot, side)
    return (int(reach) // _SHADOW_STRIDE + 3) * _SHADOW_STRIDE


def _shadow_size(slot: Slot, side: int) -> float:
    """Pixels that a shadow's offset is a share of: the object's half-size, bounded; a wire lies on the ground."""
    return min(0.02 if slot.kind == "wire" else slot.pose.size, 0.25) * side / 2


def shadows(alpha: Float[Tensor, "N 1 h w"], slots: Sequence[Slot], side: int) -> Float[Tensor, "N 1 h w"]:
    """How much light is left beside objects: less by a blurred, moved copy of each outline."""
    N, _, height, width = alpha.shape
    small = F.avg_pool2d(alpha, _SHADOW_STRIDE)
    soft = F.avg_pool2d(F.pad(small, (2,) * 4), 5, 1)
    sizes = [_shadow_size(slot, side) for slot in slots]
    rows = [
        (s.softness, 2 * s.dx * size / width, 2 * s.dy * size / height, s.strength, s.caustic)
        for s, size in zip((slot.shadow for slot in slots), sizes, strict=True)
    ]
    softness, dx, dy, strength, caustic = columns(rows, alpha.device)
    small = torch.lerp(small, soft, softness[:, None])
    theta = torch.zeros(N, 2, 3, device=alpha.device)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, 0, 2], theta[:, 1, 2] = 1, 1, -dx[:, 0, 0], -dy[:, 0, 0]
    grid = F.affine_grid(theta, [N, 1, *small.shape[2:]], align_corners=False)
    moved = F.grid_sample(small, grid, align_corners=False)
    light = 1 - strength[:, None] * moved
    if any(slot.shadow.caustic for slot in slots):
        middle = F.avg_pool2d(F.pad(moved, (3,) * 4), 7, 1) ** 4
        light = light + caustic[:, None] * middle
    return F.interpolate(light, size=(height, width), mode="bilinear")


def _cover(alpha: Float[Tensor, "N 1 h w"], slots: Sequence[Slot], side: int) -> Float[Tensor, "N 1 h2 w2"]:
    cover = F.avg_pool2d(alpha, 2)
    gains = [_gain(slot.width * side / 2) if slot.kind == "wire" else 1.0 for slot in slots]
    if max(gains) > 1:
        (gain,) = columns([(gain,) for gain in gains], alpha.device)
        cover = (cover * gain[:, None]).clamp(max=1)
    return cover


def _gain(width_px: float) -> float:
    return min(_MOST_GAIN, max(1.0, _THIN / max(width_px, 1.0)))


def hidden_shares(
    visible: Float[Tensor, "B O s s"], covered: Float[Tensor, "B O s s"], inside: Float[Tensor, "B 1 s s"]
) -> Float[Tensor, "B O"]:
    """Tell how much of each object within its picture others hide; glass hides what it stands before."""
    return 1 - (visible * inside).sum((2, 3)) / (covered * inside).sum((2, 3)).clamp(min=1e-3)


__all__ = ["Canvas", "hidden_shares", "laid_over", "lay_in_frames", "lay_in_windows", "lay_objects", "shadows"]
