"""The palette of the text path: shades that masks' colours are counted by, from the pixels of things."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from maskwright.models.tiny.reading import NUM_SHADES, oklab
from maskwright.models.tiny.text import SHADES
from maskwright.train.dice import Dice
from maskwright.train.feature_store import FeatureStore

_PIXELS_A_THING, _MOST_PICTURES, _ROUNDS = 12, 120, 30


def fit_palette(stores: Sequence[FeatureStore], dice: Dice) -> Float[Tensor, "P 3"]:
    """Find the shades around which the pixels of things gather, each thing with as many pixels (k-means in Oklab)."""
    pixels = torch.cat([one for store in stores for one in _pixels_of(store, dice)])
    centres = pixels[dice.integers(len(pixels), NUM_SHADES)]
    for _ in range(_ROUNDS):
        which = torch.cdist(pixels, centres).argmin(1)
        total = torch.zeros_like(centres).index_add(0, which, pixels)
        count = torch.bincount(which, minlength=NUM_SHADES)[:, None]
        centres = torch.where(count > 0, total / count.clamp(min=1), centres)
    return centres


def _pixels_of(store: FeatureStore, dice: Dice) -> list[Float[Tensor, "S 3"]]:
    found = []
    for picture in range(0, len(store), max(1, len(store) // _MOST_PICTURES)):
        labels = store.index_maps[picture, ::2, ::2]
        shades = store.features([picture]).extra[SHADES][0]
        for thing in range(1, len(store.words[picture]) + 1):
            rows, columns = np.nonzero(labels == thing)
            if len(rows):
                some = dice.integers(len(rows), _PIXELS_A_THING).numpy()
                found.append(oklab(shades[rows[some], columns[some]]))
    return found


__all__ = ["fit_palette"]
