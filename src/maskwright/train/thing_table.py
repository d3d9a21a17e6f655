"""What the text path's reader learns from: masks of stored scenes, described in numbers, and what is known of each.

Masks are those that the text path itself will find, good ones and halves of things alike, and the true ones. They are
described once, so that learning to read them costs nothing but the reader.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float16
from torch import Tensor

from maskwright.models.tiny import TinySam
from maskwright.models.tiny.answering import same_things
from maskwright.models.tiny.text import Drawn, drawing_numbers
from maskwright.models.tiny.vocabulary import WORDS
from maskwright.train.feature_store import FeatureStore
from maskwright.train.words import ANYTHING, COLOUR_WORDS, MATERIAL_WORDS, Phrase, Words

# A mask is of an object from this IoU on, or lies on it with this share of itself: then its words count less.
_OF_OBJECT, _ON_OBJECT, _ON_WEIGHT = 0.4, 0.6, 0.4
_RIGHT, _UNSURE = 0.5, 0.3
_LEAST_PIXELS = 10  # of stride 4; true masks below it are not learned from
# What the reader is told of a true mask's drawing: as of a sure box.
_TRUE_BELIEF = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureThings:
    """Masks of one picture: numbers for the reader, pixels shared with each object, pixels of masks and objects.

    `holds` and `is_known` are of each mask and word; `weight` is how much they count. `is_found` tells the masks that
    were found from the true ones, `same` which show the same thing.
    """

    words: tuple[Words, ...]
    numbers: Float16[Tensor, "Q F"]
    shared: Float[Tensor, "Q O"]
    pixels: Float[Tensor, " Q"]
    object_pixels: Float[Tensor, " O"]
    holds: Bool[Tensor, "Q W"]
    is_known: Bool[Tensor, "Q W"]
    weight: Float[Tensor, " Q"]
    is_found: Bool[Tensor, " Q"]
    same: Bool[Tensor, "Q Q"]

    @property
    def overlap(self) -> Float[Tensor, "Q O"]:
        """IoU of each mask with each object."""
        return self.shared / (self.pixels[:, None] + self.object_pixels - self.shared).clamp(min=1)

    def right_for(self, phrase: Phrase) -> tuple[Bool[Tensor, " Q"], Bool[Tensor, " Q"]]:
        """Which masks answer a phrase: one thing that it means, or all of them; and of which that is unknown."""
        meant, unsure = torch.tensor(phrase.meant), torch.tensor(phrase.unsure)
        of_meant = self.shared[:, meant].sum(1)
        of_others = self.pixels - self.shared[:, unsure].sum(1)
        whole = of_meant / (of_others + self.object_pixels[meant].sum() - of_meant).clamp(min=1)
        overlap = self.overlap
        right = ((overlap * meant) >= _RIGHT).any(1) | ((whole >= _RIGHT) & meant.any())
        return right, ((overlap * unsure) >= _UNSURE).any(1) & ~right


def describe_picture(model: TinySam, store: FeatureStore, picture: int) -> PictureThings:
    """Find and describe the masks of a picture, or of a part as a second look does; takes a second on a core."""
    assert model.text_path is not None
    features = store.features([picture])
    labels = torch.from_numpy(store.index_maps[picture, ::2, ::2].astype(np.int64))
    objects = F.one_hot(labels, len(store.words[picture]) + 1).permute(2, 0, 1)[1:]  # O h w
    large = objects[objects.flatten(1).sum(1) >= _LEAST_PIXELS]
    with torch.no_grad():
        drawn = model.draw_things(features, is_part=store.is_of_parts)
        sure = torch.ones(len(large))
        true = Drawn(logits=torch.where(large > 0, 1.0, -1.0), numbers=drawing_numbers(_TRUE_BELIEF * sure, sure))
        both = Drawn(logits=torch.cat([drawn.logits, true.logits]), numbers=torch.cat([drawn.numbers, true.numbers]))
        numbers = model.text_path.numbers(features, both)
    return _labelled(store.words[picture], numbers, both.logits > 0, objects, len(drawn.logits))


def _labelled(
    words: tuple[Words, ...], numbers: Tensor, masks: Tensor, objects: Tensor, num_found: int
) -> PictureThings:
    holds, known = word_tables(words)
    flat, of_objects = masks.flatten(1).float(), objects.flatten(1).float()
    shared, pixels, object_pixels = flat @ of_objects.T, flat.sum(1), of_objects.sum(1)
    overlap = shared / (pixels[:, None] + object_pixels - shared).clamp(min=1)
    share = shared / pixels[:, None].clamp(min=1)
    nobody = torch.zeros(len(pixels), dtype=torch.long)
    is_of, is_on = (nobody.bool(), nobody.bool())
    owner = nobody
    if len(words):
        is_of, is_on = overlap.amax(1) >= _OF_OBJECT, share.amax(1) >= _ON_OBJECT
        owner = torch.where(is_of, overlap.argmax(1) + 1, torch.where(is_on, share.argmax(1) + 1, nobody))
    return PictureThings(
        words=words,
        numbers=numbers.half(),
        shared=shared,
        pixels=pixels,
        object_pixels=object_pixels,
        holds=holds[owner],
        is_known=known[owner],
        weight=is_of.float() + (is_on & ~is_of) * _ON_WEIGHT,
        is_found=torch.arange(len(pixels)) < num_found,
        same=same_things(masks),
    )


def word_tables(objects: tuple[Words, ...]) -> Bool[Tensor, "2 O1 W"]:
    """For each object from 1 and each word: whether it holds, and whether that is known; nothing is known of 0."""
    holds = torch.zeros(len(objects) + 1, len(WORDS), dtype=torch.bool)
    known = torch.ones_like(holds)
    known[0] = False
    for position, words in enumerate(objects, 1):
        holds[position, [*words, *ANYTHING]] = True
        for group in (COLOUR_WORDS, MATERIAL_WORDS):
            known[position, group] = any(word in group for word in words)
    return torch.stack([holds, known])


__all__ = ["PictureThings", "describe_picture", "word_tables"]
