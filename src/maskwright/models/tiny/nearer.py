"""A second look for words: things of a picture and of its enlarged parts, ranked together.

A small thing is some cells in the whole picture's frame and many in that of a part. A part adds what it shows whole:
what its border cuts is left to the whole picture, and so are tables, walls, floors and robots.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from maskwright.models.text_protocol import WordsFound
from maskwright.models.tiny.answering import Ranking, chosen, evidence, rank_masks, same_things, thing_evidence
from maskwright.models.tiny.finding import REGIONS
from maskwright.models.tiny.text import Drawn, Things
from maskwright.models.tiny.vocabulary import ANYTHING, phrase_words

GRID_STRIDE = 2  # masks are compared on a grid of the whole frame with cells of so many pixels
_BORDER = 1  # cells of a part's logits along its border
_MOST_THINGS = 24  # for one phrase
_REGION_WORDS = tuple(phrase_words(region) for region in REGIONS)
_LEAST_CHANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenThings:
    """Things of the whole picture or of a part of it; `on_whole` are their masks on a grid of the whole frame."""

    things: Things
    on_whole: Bool[Tensor, "Q g g"]


def as_seen(
    things: Things, side: int, place_xyxy: tuple[float, float, float, float], extent_wh: tuple[float, float]
) -> SeenThings:
    """Lay masks of a frame of `side` pixels onto the grid; see `Part` for what says where they lie."""
    x1, y1, x2, y2 = place_xyxy
    cells = side // GRID_STRIDE
    at = (torch.arange(cells, device=things.logits.device) + 0.5) * GRID_STRIDE
    x, y = (at - x1) / (x2 - x1), (at - y1) / (y2 - y1)  # 0..1 inside the part
    grid = torch.stack(
        [
            (x * (2 * extent_wh[0] / side) - 1).expand(cells, cells),
            (y * (2 * extent_wh[1] / side) - 1)[:, None].expand(cells, cells),
        ],
        -1,
    )
    is_inside = ((y >= 0) & (y < 1))[:, None] & ((x >= 0) & (x < 1))
    moved = F.grid_sample(things.logits[None], grid[None], mode="bilinear", padding_mode="border", align_corners=False)
    return SeenThings(things=things, on_whole=(moved[0] > 0) & is_inside)


def shown_whole(
    drawn: Drawn, side: int, place_xyxy: tuple[float, float, float, float], extent_wh: tuple[float, float],
    whole_wh: tuple[float, float],
) -> Drawn:  # fmt: skip
    """Keep the masks that a part's border does not cut, unless the picture ends there too."""
    masks = drawn.logits > 0
    cells = side / masks.shape[-1]
    columns, rows = (max(1, round(extent / cells)) for extent in extent_wh)
    x1, y1, x2, y2 = place_xyxy
    cut = torch.zeros(len(masks), dtype=torch.bool, device=masks.device)
    if y1 > 0.5:
        cut |= masks[:, :_BORDER, :columns].flatten(1).any(1)
    if x1 > 0.5:
        cut |= masks[:, :rows, :_BORDER].flatten(1).any(1)
    if y2 < whole_wh[1] - 0.5:
        cut |= masks[:, rows - _BORDER : rows, :columns].flatten(1).any(1)
    if x2 < whole_wh[0] - 0.5:
        cut |= masks[:, :rows, columns - _BORDER : columns].flatten(1).any(1)
    return Drawn(logits=drawn.logits[~cut], numbers=drawn.numbers[~cut])


def rank_seen(seen: Sequence[SeenThings], text: Int[Tensor, "N k"]) -> Ranking:
    """Score the masks of all looks for phrases, the whole picture's first."""
    return rank_masks(
        torch.cat([one.things.words for one in seen]),
        torch.cat([one.things.quality for one in seen]),
        same_things(torch.cat([one.on_whole for one in seen])),
        text,
    )


def answer_seen(seen: Sequence[SeenThings], text: Int[Tensor, "N k"], belief: Float[Tensor, " E"]) -> list[WordsFound]:
    """Answer phrases from several looks."""
    pieces = _pieces(seen)
    if not pieces:
        return [WordsFound(pieces=(), belief=0.0)] * len(text)
    ranking = rank_seen(seen, text)
    found = []
    for phrase in range(len(text)):
        kept = chosen(ranking, phrase)
        surety = torch.sigmoid(evidence(ranking, phrase, kept) @ belief)
        found.append(WordsFound(pieces=tuple(pieces[i] for i in kept), belief=float(surety)))
    return found


def each_seen(
    seen: Sequence[SeenThings], text: Int[Tensor, "N k"], belief: Float[Tensor, " T"]
) -> list[list[WordsFound]]:
    """Give all things that each phrase may hold of, the likeliest first, each once."""
    pieces = _pieces(seen)
    if not pieces:
        return [[] for _ in text]
    ranking = rank_seen(seen, text)
    asked_for = chances_of_objects(torch.cat([one.things.words for one in seen]), text)
    ordered = replace(ranking, scores=ranking.scores + asked_for.log())
    return [
        [
            WordsFound(
                pieces=(pieces[i],),
                belief=float(torch.sigmoid(thing_evidence(ranking, phrase, i) @ belief) * asked_for[phrase, i]),
            )
            for i in things_apart(ordered, phrase)
        ]
        for phrase in range(len(text))
    ]


def chances_of_objects(words: Float[Tensor, "Q W"], text: Int[Tensor, "N k"]) -> Float[Tensor, "N Q"]:
    """How likely each mask is what is meant by "object" where a phrase says that, and 1 where it does not.

    All that is there is an object to the reader; who asks for the leftmost one means no wall, and no arm.
    """
    of_regions = torch.stack([F.logsigmoid(words[:, list(region)]).sum(1).exp() for region in _REGION_WORDS]).amax(0)
    is_any = torch.isin(text, torch.tensor(sorted(ANYTHING), device=text.device)).any(1, keepdim=True)
    return torch.where(is_any, (1 - of_regions).clamp(min=_LEAST_CHANCE), 1.0)


def things_apart(ranking: Ranking, phrase: int) -> list[int]:
    """Order masks by how well a phrase holds of them; of those that show the same thing the best."""
    kept: list[int] = []
    for i in ranking.scores[phrase].argsort(descending=True).tolist():
        if len(kept) < _MOST_THINGS and not ranking.same[i, kept].any():
            kept.append(i)
    return kept


def _pieces(seen: Sequence[SeenThings]) -> list[tuple[int, Tensor]]:
    return [(look, logits) for look, one in enumerate(seen) for logits in one.things.logits]


__all__ = [
    "GRID_STRIDE",
    "SeenThings",
    "answer_seen",
    "as_seen",
    "each_seen",
    "rank_seen",
    "shown_whole",
    "things_apart",
]
