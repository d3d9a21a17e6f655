"""Glass, film and metal: what bends, tints and reflects light, from the relief of an outline.

The relief is guessed from the outline alone: thin at the rim, thick inside, facing outwards. A network has to learn
that glass shows what is behind it displaced and that its own light is at its edges; that needs no true optics.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from maskwright.train.assets import AssetPack
from maskwright.train.dice import to_device
from maskwright.train.looks import Gloss
from maskwright.train.skins import columns


def relief(alpha: Float[Tensor, "N 1 t t"], u: Tensor, v: Tensor) -> Float[Tensor, "N 3 t t"]:
    """Guess thickness (0 at the rim, 1 inside) and the two slopes of a solid from its outline."""
    side = alpha.shape[-1]
    small = F.avg_pool2d(alpha, 4)
    cells = small.shape[-1]
    height = small
    for size in (3, 7, 15):
        size = min(size, cells - 1 + cells % 2)
        height = height + F.avg_pool2d(F.pad(small, (size // 2,) * 4), size, 1)
    height = height / 4
    padded = F.pad(height, (1, 1, 1, 1), mode="replicate")
    slope_x = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    slope_y = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    shape = torch.cat([(2.2 * height - 1.2).clamp(0, 1), -2.5 * slope_x, -2.5 * slope_y], 1)
    shape = F.interpolate(shape, size=(side, side), mode="bilinear")
    shape[:, 1] += 0.35 * u.clamp(-1.5, 1.5)
    shape[:, 2] += 0.35 * v.clamp(-1.5, 1.5)
    return shape


def forge(
    pack: AssetPack, rgb: Float[Tensor, "N 3 t t"], shape: Float[Tensor, "N 3 t t"], glosses: Sequence[Gloss]
) -> Float[Tensor, "N 3 t t"]:
    """Make objects of metal: a photograph is mirrored, the own pattern stays as darker and lighter places."""
    tint, mirror = _tints(glosses, rgb.device), _column([g.mirror for g in glosses], rgb.device)
    mirrored = ((_reflections(pack, shape, glosses) - 0.5) * 1.4 + 0.5).clamp(0, 1.2) * tint
    own = rgb.mean(1, keepdim=True)
    own = own / own.mean((2, 3), keepdim=True).clamp(min=0.1)
    steel = mirrored * mirror + 0.5 * tint * (1 - mirror)
    return (steel * (0.35 + 0.65 * own) + _spots(shape, glosses)).clamp(0, 1.5)


def see_through(
    pack: AssetPack,
    under: Float[Tensor, "N 3 t t"],
    rgb: Float[Tensor, "N 3 t t"],
    shape: Float[Tensor, "N 3 t t"],
    glosses: Sequence[Gloss],
    is_film: Sequence[bool],
) -> Float[Tensor, "N 3 t t"]:
    """Show what is behind clear objects: bent and tinted by glass, veiled by film, dark and bright at the rim."""
    t = under.shape[-1]
    film = _column([float(flag) for flag in is_film], under.device)
    bend, rim, detail, liquid = (
        column[:, None] for column in columns([(g.bend, g.rim, g.detail, g.liquid) for g in glosses], under.device)
    )
    axis = (torch.arange(t, device=under.device) + 0.5) / t * 2 - 1
    base = torch.stack([axis[None, :].expand(t, t), axis[:, None].expand(t, t)])
    moved = base + 0.4 * bend * (1 - film) * shape[:, 1:]  # N 2 t t
    behind = F.grid_sample(under, moved.permute(0, 2, 3, 1), padding_mode="reflection", align_corners=False)
    tint, thick = _tints(glosses, under.device), shape[:, :1]
    behind = behind * (1 - (1 - tint) * (0.35 + 0.65 * thick))
    filled = (base[1] > liquid).float() * (1 - film)
    behind = behind * (1 - filled * (1 - tint * 0.9))
    edge = (1 - thick) ** 2
    behind = behind * (1 - 0.75 * rim * edge)
    lit = _reflections(pack, shape, glosses) * (_column([g.mirror for g in glosses], under.device) + 0.45 * rim * edge)
    veil = (detail * (1 - rgb.mean(1, keepdim=True).clamp(0, 1))) * (1 - film) + film * (detail + 0.4 * rim * edge)
    behind = torch.lerp(behind, rgb, veil.clamp(0, 1))
    return (behind + (1 - 0.7 * film) * (0.6 * lit + _spots(shape, glosses))).clamp(0, 1.5)


def _column(values: Sequence[float], device: torch.device) -> Float[Tensor, "N 1 1 1"]:
    return columns([(value,) for value in values], device)[0][:, None]


def _tints(glosses: Sequence[Gloss], device: torch.device) -> Float[Tensor, "N 3 1 1"]:
    return to_device(torch.tensor([g.tint for g in glosses]), device)[:, :, None, None]


def _reflections(pack: AssetPack, shape: Tensor, glosses: Sequence[Gloss]) -> Float[Tensor, "N 3 t t"]:
    """Mirror a photograph: where a surface faces decides which place of it is seen."""
    pool = to_device(torch.tensor([g.reflection for g in glosses]), shape.device)
    dx, dy = columns([(g.light_x, g.light_y) for g in glosses], shape.device)
    grid = torch.stack([0.9 * shape[:, 1] + dx, 0.9 * shape[:, 2] + dy], -1)
    photos = pack.small_materials[pool].float()
    return F.grid_sample(photos, grid, padding_mode="reflection", align_corners=False).div_(255)


def _spots(shape: Tensor, glosses: Sequence[Gloss]) -> Float[Tensor, "N 1 t t"]:
    """Mirror a lamp: a small bright spot where the surface faces it."""
    rows = [(g.light_x, g.light_y, g.shine, g.sharpness) for g in glosses]
    x, y, shine, sharpness = columns(rows, shape.device)
    far = (shape[:, 1] - 0.6 * x) ** 2 + (shape[:, 2] - 0.6 * y) ** 2
    return (shine * torch.exp(-sharpness * far))[:, None]


__all__ = ["forge", "relief", "see_through"]
