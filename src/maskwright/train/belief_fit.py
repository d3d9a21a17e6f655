"""How far to believe answers to phrases: fitted on how often they are right, about what is there and what is not."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from maskwright.models.tiny.answering import chosen, evidence, rank_masks
from maskwright.models.tiny.text import TextPath
from maskwright.train.dice import Dice
from maskwright.train.thing_table import PictureThings
from maskwright.train.words import Phrase, absent_phrase, names_in, phrases_about

_ABSENT_A_PICTURE = 4
_STEPS = 300
_RIGHT = 0.5


def fit_belief(path: TextPath, pictures: Sequence[PictureThings]) -> None:
    """Set the path's belief by logistic regression on answers to all phrases about some pictures."""
    names = names_in(picture.words for picture in pictures)
    rows = [row for i, picture in enumerate(pictures) for row in answers_to(path, picture, names, Dice(i))]
    if not rows:
        return
    said, right = torch.stack([row for row, _ in rows]), torch.tensor([float(is_right) for _, is_right in rows])
    weights = torch.tensor([1.0, 0.0, 0.0, 1.0], requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(said @ weights, right) + 1e-3 * weights.square().sum()
        value.backward()
        return value

    optimizer.step(loss)  # pyright: ignore[reportArgumentType]
    path.belief.copy_(weights.detach())


def answers_to(
    path: TextPath, picture: PictureThings, names: list[tuple[int, ...]], dice: Dice
) -> list[tuple[Float[Tensor, " E"], bool]]:
    """Answer all phrases about a picture, and some about what is not there: what spoke for it, whether it was right."""
    found = picture.is_found
    if not found.any():
        return []
    with torch.no_grad():
        words, quality = path.reader(picture.numbers[found].float())
    phrases = [phrase for _, phrase in phrases_about(picture.words)]
    phrases += [absent_phrase(dice, picture.words, names) for _ in range(_ABSENT_A_PICTURE)]
    rows = []
    for phrase in phrases:
        ranking = rank_masks(words, quality, picture.same[found][:, found], torch.tensor([phrase.words]))
        kept = chosen(ranking, 0)
        rows.append((evidence(ranking, 0, kept), overlap_of(picture, found, kept, phrase) >= _RIGHT))
    return rows


def overlap_of(picture: PictureThings, found: Bool[Tensor, " Q"], kept: list[int], phrase: Phrase) -> float:
    """IoU of an answer with what the phrase means, of masks that hardly overlap."""
    meant, unsure = torch.tensor(phrase.meant), torch.tensor(phrase.unsure)
    shared, pixels = picture.shared[found][kept].sum(0), picture.pixels[found][kept].sum()
    common = shared[meant].sum()
    return float(common / (pixels - shared[unsure].sum() + picture.object_pixels[meant].sum() - common).clamp(min=1))


__all__ = ["answers_to", "fit_belief", "overlap_of"]
