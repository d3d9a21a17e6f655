"""What clicks promise, applied to `tiny`'s answers: a click is right about its pixel and its like close by.

A network this small forgets clicks when there are several, and paints whatever has the clicked thing's colour, however
far away. So the logits are bent where a click is not honoured, as far as pixels near it have its colour, and islands
that no click lies on are dropped. SAM's own decoder is left to itself; this belongs to `tiny` alone. Constants were
chosen on real pictures: docs/log.md, "what a click promises".
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from maskwright.models.protocol import Decoded, FramePrompts
from maskwright.nn.flood import flood

_MARGIN = 2.0  # the logit that a click's own pixel has at least, on its side
_REACH, _LEAST_REACH = 0.25, 1.5  # how far it goes: in sides of the mask, and at least in cells
_SHADE = 0.5  # how alike colours have to be; the frame's range is 2
_DAMPING = 0.05  # of the equations: clicks that lie on each other must not blow up
_SUNK = -1.0  # the highest logit of an island that was dropped
_ROWS_A_TIME = 8
_NEGATIVE, _POSITIVE, _TOP_LEFT = 0, 1, 2


def keep_clicks(decoded: Decoded, prompts: FramePrompts, shades: Float[Tensor, "_N h w 3"], side: int) -> Decoded:
    """Bend logits so that every click is honoured, and keep the islands that lie under positive ones.

    `shades` are the frame's colours in the cells of the logits, of one image or one for each prompt; `side` is the
    frame's, in pixels. Prompts without clicks come back as they were; where there is a box, islands stay.
    """
    is_click = (prompts.labels == _NEGATIVE) | (prompts.labels == _POSITIVE)
    N, M, h, w = decoded.logits.shape
    if not N * M or not is_click.any():
        return decoded
    xy = (prompts.points * (h / side)).long().clamp(0, h - 1)
    rows = torch.arange(N, device=xy.device).repeat_interleave(M)
    at = (xy[..., 1] * w + xy[..., 0])[rows]  # Q K
    logits = decoded.logits.flatten(0, 1).float().clone()  # Q h w
    lacking = _lacking(logits, at, prompts.labels[rows], is_click[rows])
    for some in lacking.ne(0).any(1).nonzero()[:, 0].split(_ROWS_A_TIME):
        own = shades if len(shades) == 1 else shades[rows[some]]
        logits[some] += _bump(logits[some], at[some], is_click[rows[some]], lacking[some], own)
    has_box = (prompts.labels == _TOP_LEFT).any(1, keepdim=True)
    seeds = ((prompts.labels == _POSITIVE) & ~has_box)[rows]
    return Decoded(logits=_clicked_islands(logits, at, seeds).view(N, M, h, w), predicted_iou=decoded.predicted_iou)


def shades_of(pixels: Float[Tensor, "B 3 S S"], stride: int = 4) -> Float[Tensor, "B h w 3"]:
    """Mean colours of a frame's cells."""
    return F.avg_pool2d(pixels, stride).permute(0, 2, 3, 1).contiguous()


def _lacking(
    logits: Float[Tensor, "Q h w"], at: Int[Tensor, "Q K"], labels: Int[Tensor, "Q K"], is_click: Bool[Tensor, "Q K"]
) -> Float[Tensor, "Q K"]:
    """What each click's pixel lacks to be on its side by the margin, with the sign of the side."""
    sign = torch.where(labels == _POSITIVE, 1.0, -1.0)
    return (_MARGIN - sign * logits.flatten(1).gather(1, at)).clamp(min=0) * sign * is_click


def _bump(
    logits: Float[Tensor, "R h w"],
    at: Int[Tensor, "R K"],
    is_click: Bool[Tensor, "R K"],
    lacking: Float[Tensor, "R K"],
    shades: Float[Tensor, "_R h w 3"],
) -> Float[Tensor, "R h w"]:
    """A smooth surface that has the value each click lacks, around it, where the colour is alike.

    Kriging: the clicks' kernels, weighted so that together they give each click its value.
    """
    h, w = logits.shape[1:]
    reach = (_REACH * (logits > 0).flatten(1).sum(1).float().sqrt()).clamp(min=_LEAST_REACH)[:, None, None]
    y, x = torch.arange(h, device=at.device), torch.arange(w, device=at.device)
    away_x = (x - (at % w)[..., None]).square() / (2 * reach**2)  # R K w
    away_y = (y - (at // w)[..., None]).square() / (2 * reach**2)
    colours = shades.flatten(1, 2).expand(len(at), -1, -1)  # R hw 3
    own = colours.gather(1, at[..., None].expand(-1, -1, 3))  # R K 3
    unlike = colours.square().sum(-1)[:, None] + own.square().sum(-1)[..., None] - 2 * own @ colours.transpose(1, 2)
    away = (away_y[..., None] + away_x[:, :, None]).flatten(2) + unlike.clamp(min=0) / (2 * _SHADE**2)
    kernel = (-away).exp() * is_click[..., None]  # R K hw
    between = kernel.gather(2, at[:, None].expand(-1, at.shape[1], -1)) * is_click[:, None]  # R K K
    damped = between + torch.diag_embed(torch.where(is_click, _DAMPING, 1.0))
    weights = torch.linalg.solve(damped, lacking)
    return torch.einsum("rk,rkp->rp", weights, kernel).unflatten(1, (h, w))


def _clicked_islands(
    logits: Float[Tensor, "Q h w"], at: Int[Tensor, "Q K"], is_seed: Bool[Tensor, "Q K"]
) -> Float[Tensor, "Q h w"]:
    """Sink the islands that no positive click lies on; masks without such clicks stay as they are."""
    if not is_seed.any():
        return logits
    # Added and not set: padding lies in the first cell, and must not take away the click that lies there too.
    count = torch.zeros_like(logits).flatten(1).scatter_add(1, at, is_seed.to(logits.dtype))
    seeds = count.view(logits.shape) > 0
    masks = logits > 0
    kept = flood(masks, seeds)
    gone = masks & ~kept & kept.flatten(1).any(1)[:, None, None]
    return torch.where(gone, logits.neg().clamp(max=_SUNK), logits)


__all__ = ["keep_clicks", "shades_of"]
