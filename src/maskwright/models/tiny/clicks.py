"""What clicks promise, applied to `tiny`'s answers: a click is right about its pixel and its like close by.

A network this small forgets clicks when there are several, and paints whatever has the clicked thing's colour, however
far away. So the logits are bent where a click is not honoured, as far as pixels near it have its colour, and islands
that no click lies on are dropped. It also redraws everything at each correction: after a few clicks half of the earlier
logits is kept. SAM's own decoder is left to itself; this belongs to `tiny` alone. Constants were chosen on real
pictures: docs/log.md, "what a click promises" and "what earlier clicks made".
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from maskwright.models.protocol import Decoded, FramePrompts
from maskwright.models.tiny.clicks_on_cpu import DAMPING, LEAST_REACH, MARGIN, REACH, SHADE, SUNK, bend, sink_islands
from maskwright.nn.flood import flood

# The share of earlier logits in a correction, from how many clicks on (first answers are often wrong altogether), and
# how large they count at most.
_KEPT, _KEPT_FROM, _MOST_KEPT = 0.5, 4, 6.0
_ROWS_A_TIME = 128  # on a GPU, where each step costs its launches
_NEGATIVE, _POSITIVE, _TOP_LEFT = 0, 1, 2


def keep_clicks(decoded: Decoded, prompts: FramePrompts, shades: Float[Tensor, "_N h w 3"], side: int) -> Decoded:
    """Bend logits so that every click is honoured, and keep the islands that lie under positive ones.

    Where prompts come with an earlier answer, what it made of earlier clicks is kept in part. `shades` are the frame's
    colours in the cells of the logits, of one image or one for each prompt; `side` is the frame's, in pixels. Prompts
    without clicks come back as they were; where there is a box, islands stay.
    """
    is_click = _is_click(prompts)
    N, M, h, w = decoded.logits.shape
    if not N * M or not is_click.any():
        return decoded
    rows = torch.arange(N, device=is_click.device).repeat_interleave(M)
    logits = decoded.logits.flatten(0, 1).float().clone()  # Q h w
    if prompts.mask_logits is not None:
        earlier = prompts.mask_logits[rows, 0].clamp(-_MOST_KEPT, _MOST_KEPT)
        share = torch.where(is_click.sum(1)[rows] >= _KEPT_FROM, _KEPT, 0.0)
        logits = torch.lerp(logits, earlier.float(), share[:, None, None])
    if logits.device.type == "cpu" and not logits.requires_grad:
        kept = _kept_on_cpu(logits.view(N, M, h, w), prompts, shades, side)
    else:
        kept = _kept_in_torch(logits, rows, prompts, shades, side).view(N, M, h, w)
    return Decoded(logits=kept, predicted_iou=decoded.predicted_iou)


def _kept_in_torch(
    logits: Float[Tensor, "Q h w"],
    rows: Int[Tensor, " Q"],
    prompts: FramePrompts,
    shades: Float[Tensor, "_N h w 3"],
    side: int,
) -> Float[Tensor, "Q h w"]:
    """Bend and sink many answers at once; `rows` says whose each is. It changes `logits`."""
    is_click = _is_click(prompts)
    at = _cells(prompts, logits.shape[-1], side)[rows]  # Q K
    lacking = _lacking(logits, at, prompts.labels[rows], is_click[rows])
    for some in lacking.ne(0).any(1).nonzero()[:, 0].split(_ROWS_A_TIME):
        own = shades if len(shades) == 1 else shades[rows[some]]
        logits[some] += _bump(logits[some], at[some], is_click[rows[some]], lacking[some], own)
    has_box = (prompts.labels == _TOP_LEFT).any(1, keepdim=True)
    seeds = ((prompts.labels == _POSITIVE) & ~has_box)[rows]
    return _clicked_islands(logits, at, seeds)


def _kept_on_cpu(
    logits: Float[Tensor, "N M h w"], prompts: FramePrompts, shades: Float[Tensor, "_N h w 3"], side: int
) -> Float[Tensor, "N M h w"]:
    """Do the same prompt by prompt; it changes `logits` too."""
    answers, colours = logits.numpy(), shades.detach().float().numpy()
    at, labels = _cells(prompts, logits.shape[-1], side).numpy(), prompts.labels.numpy()
    for n in range(len(answers)):
        is_click = (labels[n] == _NEGATIVE) | (labels[n] == _POSITIVE)
        cells, is_positive = at[n, is_click], labels[n, is_click] == _POSITIVE
        if not len(cells):
            continue
        bend(answers[n], cells, is_positive, colours[n if len(colours) > 1 else 0])
        if not (labels[n] == _TOP_LEFT).any():
            for answer in answers[n]:
                sink_islands(answer, cells[is_positive])
    return logits


def shades_of(pixels: Float[Tensor, "B 3 S S"], stride: int = 4) -> Float[Tensor, "B h w 3"]:
    """Mean colours of a frame's cells."""
    return F.avg_pool2d(pixels, stride).permute(0, 2, 3, 1).contiguous()


def corrects(prompts: FramePrompts, side: int) -> Bool[Tensor, " N"]:
    """Tell which prompts end with a click that their earlier answer does not know, so that they correct it.

    An answer that knows a click honours it by the margin; half of that allows for logits that were moved.
    """
    assert prompts.mask_logits is not None
    is_click = _is_click(prompts)
    if not is_click.shape[1]:
        return is_click.any(1)
    newest = is_click.int().cumsum(1).argmax(1, keepdim=True)
    at = _cells(prompts, prompts.mask_logits.shape[-1], side)
    lacking = _lacking(prompts.mask_logits[:, 0], at, prompts.labels, is_click)
    return lacking.gather(1, newest)[:, 0].abs() > MARGIN / 2


def _is_click(prompts: FramePrompts) -> Bool[Tensor, "N K"]:
    return (prompts.labels == _NEGATIVE) | (prompts.labels == _POSITIVE)


def _cells(prompts: FramePrompts, num_cells: int, side: int) -> Int[Tensor, "N K"]:
    """Number the cells that points lie in, row by row."""
    xy = (prompts.points * (num_cells / side)).long().clamp(0, num_cells - 1)
    return xy[..., 1] * num_cells + xy[..., 0]


def _lacking(
    logits: Float[Tensor, "Q h w"], at: Int[Tensor, "Q K"], labels: Int[Tensor, "Q K"], is_click: Bool[Tensor, "Q K"]
) -> Float[Tensor, "Q K"]:
    """What each click's pixel lacks to be on its side by the margin, with the sign of the side."""
    sign = torch.where(labels == _POSITIVE, 1.0, -1.0)
    return (MARGIN - sign * logits.flatten(1).gather(1, at)).clamp(min=0) * sign * is_click


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
    reach = (REACH * (logits > 0).flatten(1).sum(1).float().sqrt()).clamp(min=LEAST_REACH)[:, None, None]
    y, x = torch.arange(h, device=at.device), torch.arange(w, device=at.device)
    away_x = (x - (at % w)[..., None]).square() / (2 * reach**2)  # R K w
    away_y = (y - (at // w)[..., None]).square() / (2 * reach**2)
    colours = shades.flatten(1, 2).expand(len(at), -1, -1)  # R hw 3
    own = colours.gather(1, at[..., None].expand(-1, -1, 3))  # R K 3
    unlike = colours.square().sum(-1)[:, None] + own.square().sum(-1)[..., None] - 2 * own @ colours.transpose(1, 2)
    away = (away_y[..., None] + away_x[:, :, None]).flatten(2) + unlike.clamp(min=0) / (2 * SHADE**2)
    # exp(-80) moves no logit; numbers far below it take a CPU twice as long.
    kernel = (-away.clamp(max=80)).exp() * is_click[..., None]  # R K hw
    between = kernel.gather(2, at[:, None].expand(-1, at.shape[1], -1)) * is_click[:, None]  # R K K
    damped = between + torch.diag_embed(torch.where(is_click, DAMPING, 1.0))
    weights, _ = torch.linalg.solve_ex(damped, lacking)  # damped, so there is no error to wait for
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
    return torch.where(gone, logits.neg().clamp(max=SUNK), logits)


__all__ = ["corrects", "keep_clicks", "shades_of"]
