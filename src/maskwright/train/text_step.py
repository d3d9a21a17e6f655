"""One step of training the text path behind a frozen encoder: where every word holds, at some pixels of each object.

Words are learned of single pixels, since clicks are laid by them, and of objects, since masks are chosen by those.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from maskwright.models.sam.mask_decoder import to_picture
from maskwright.models.tiny.text import ReadPicture, TextPath
from maskwright.models.tiny.vocabulary import WORDS
from maskwright.train.dice import Dice
from maskwright.train.feature_store import FeatureStore
from maskwright.train.words import ANYTHING, COLOUR_WORDS, MATERIAL_WORDS, Words

_OBJECT_PIXELS, _UNNAMED_PIXELS = 24, 96
# A word that holds weighs more than one that does not: where mug and cup are equally likely, both are shown.
_PRESENT_WEIGHT = 2.0
_WORDS_WEIGHT = 0.1
_MOST_OBJECTS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledPixels:
    """S pixels of stride 4: their picture, their place in cell order, whose
    they are (0: nobody's), which words hold there and which are known."""

    row: Int[Tensor, " S"]
    pixel: Int[Tensor, " S"]
    owner: Int[Tensor, " S"]
    holds: Float[Tensor, "S W"]
    is_known: Bool[Tensor, "S W"]


def words_loss(dice: Dice, path: TextPath, store: FeatureStore, pictures: list[int]) -> Tensor:
    """Learn where every word of the vocabulary holds, at some pixels of each object.

    Whole maps of the words of a picture cost fifty times as much and teach less: most of their pixels are alike, and
    large objects outvote small ones.
    """
    sampled = sample_pixels(dice, store, pictures)
    logits = pixel_logits(path, path.reader(store.features(pictures)), sampled)
    of_pixels = words_held_loss(logits, sampled.holds, sampled.is_known)
    return of_pixels + words_held_loss(*by_object(sampled, logits))


def by_object(
    sampled: SampledPixels, logits: Float[Tensor, "S W"]
) -> tuple[Float[Tensor, "O W"], Float[Tensor, "O W"], Bool[Tensor, "O W"]]:
    """Mean logits of each object's pixels, and what holds of it: what decides which object a phrase means."""
    key = sampled.row * _MOST_OBJECTS + sampled.owner
    objects, which, count = key.unique(return_inverse=True, return_counts=True)
    mean = logits.new_zeros(len(objects), logits.shape[1]).index_add(0, which, logits) / count[:, None]
    first = torch.zeros(len(objects), dtype=torch.long).scatter(0, which, torch.arange(len(which)))
    return mean, sampled.holds[first], sampled.is_known[first]


def words_held_loss(
    logits: Float[Tensor, "S W"], holds: Float[Tensor, "S W"], is_known: Bool[Tensor, "S W"]
) -> Float[Tensor, ""]:
    """Cross-entropy of every word at every pixel, where it is known."""
    weight = torch.full_like(logits[:1], _PRESENT_WEIGHT)
    loss = F.binary_cross_entropy_with_logits(logits, holds, reduction="none", pos_weight=weight)
    return _WORDS_WEIGHT * (loss * is_known).sum(1).mean()


def pixel_logits(path: TextPath, read: ReadPicture, sampled: SampledPixels) -> Float[Tensor, "S W"]:
    """Say how much each word of the vocabulary holds at some pixels: `TextPath.word_logits`, for few pixels."""
    skip8, skip4 = read.skips
    row, pixel, places = sampled.row, sampled.pixel, path.places.weight
    coarse = read.cells[row, pixel // 16] @ places.T + path.place_bias.weight[:, 0]
    middle = skip8[row, pixel // 4] @ path.to_skip8(places).T
    return coarse + middle + skip4[row, pixel] @ path.to_skip4(places).T


def sample_pixels(dice: Dice, store: FeatureStore, pictures: list[int]) -> SampledPixels:
    """Take pixels of stride 4 from every object, and more from what has no name."""
    rows, pixels, owners, holds, known = [], [], [], [], []
    side = store.index_maps.shape[1] // 2
    in_cell_order = to_picture(torch.arange(side * side).float()[None])[0].flatten().long().numpy()
    for row, picture in enumerate(pictures):
        labels = store.index_maps[picture, ::2, ::2].ravel().astype(np.int64)
        shuffled = np.random.default_rng(dice.below(2**32)).permutation(labels.size)
        shuffled = shuffled[np.argsort(labels[shuffled], kind="stable")]
        starts = np.searchsorted(labels[shuffled], np.arange(len(store.words[picture]) + 2))
        rank = np.arange(labels.size) - starts[labels[shuffled]]
        chosen = shuffled[rank < np.where(labels[shuffled] == 0, _UNNAMED_PIXELS, _OBJECT_PIXELS)]
        tables = word_tables(store.words[picture])
        rows.append(torch.full((len(chosen),), row))
        pixels.append(torch.from_numpy(in_cell_order[chosen]))
        owner = torch.from_numpy(labels[chosen])
        owners.append(owner)
        holds.append(tables[0][owner])
        known.append(tables[1][owner])
    return SampledPixels(
        row=torch.cat(rows),
        pixel=torch.cat(pixels),
        owner=torch.cat(owners),
        holds=torch.cat(holds).float(),
        is_known=torch.cat(known),
    )


def word_tables(objects: tuple[Words, ...]) -> Bool[Tensor, "2 O1 W"]:
    """For each object from 1 and each word: whether it holds, and whether that is known; 0 is what has no name."""
    holds = torch.zeros(len(objects) + 1, len(WORDS), dtype=torch.bool)
    known = torch.ones_like(holds)
    for position, words in enumerate(objects, 1):
        holds[position, [*words, *ANYTHING]] = True
        for group in (COLOUR_WORDS, MATERIAL_WORDS):
            known[position, group] = any(word in group for word in words)
    return torch.stack([holds, known])


__all__ = [
    "SampledPixels",
    "by_object",
    "pixel_logits",
    "sample_pixels",
    "word_tables",
    "words_held_loss",
    "words_loss",
]
