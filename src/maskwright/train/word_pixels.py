"""What single pixels say about words: the cheap first part of training the text path.

A few pixels of every object, with all that the encoder knows there, are taken out of the feature stores once. On these
the reader's projections and the vocabulary learn by themselves, as if the reader had no blocks: many times as many
objects a second as through whole pictures. The blocks begin as nothing and are learned afterwards.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float16, Int
from torch import Tensor

from maskwright.models.tiny.text import TextPath
from maskwright.train.dice import Dice
from maskwright.train.feature_store import FeatureStore
from maskwright.train.text_step import sample_pixels, word_tables, words_held_loss

_BATCH = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class WordPixels:
    """P pixels: the maps of their cell, the finer maps there, and the row of the word tables that is theirs."""

    cell: tuple[Float16[Tensor, "P C"], ...]
    fine: tuple[Float16[Tensor, "P C"], ...]
    owner: Int[Tensor, " P"]
    holds: Bool[Tensor, "O W"]
    is_known: Bool[Tensor, "O W"]

    def __len__(self) -> int:
        return len(self.owner)


def gather_pixels(dice: Dice, stores: Sequence[FeatureStore]) -> WordPixels:
    """Take pixels of every object of every picture: about 20 MB for a hundred pictures."""
    cells, fines, owners, tables = [], [], [], []
    num_owners = 0
    for store in stores:
        for picture in range(len(store)):
            sampled = sample_pixels(dice, store, [picture])
            cell, fine = _maps_at(store, picture, sampled.pixel)
            table = word_tables(store.words[picture])
            cells.append(cell)
            fines.append(fine)
            owners.append(sampled.owner + num_owners)
            tables.append(table)
            num_owners += table.shape[1]
    holds, known = torch.cat(tables, 1)
    return WordPixels(
        cell=tuple(torch.cat(maps) for maps in zip(*cells, strict=True)),
        fine=tuple(torch.cat(maps) for maps in zip(*fines, strict=True)),
        owner=torch.cat(owners),
        holds=holds,
        is_known=known,
    )


def _maps_at(
    store: FeatureStore, picture: int, pixel: Int[Tensor, " P"]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The embedding, the finer maps' means and the trunk's map in the cells of pixels; the finer maps at pixels."""
    features = store.features([picture])
    skip8, skip4, trunk = (tensor[0] for tensor in features.extra[:3])
    embedding = features.image_embedding[0].flatten(1).T
    means = (skip8.unflatten(0, (-1, 4)).mean(1), skip4.unflatten(0, (-1, 16)).mean(1))
    cell = pixel // 16
    return (
        tuple(x[cell].half() for x in (embedding, *means, trunk)),
        (skip8[pixel // 4].half(), skip4[pixel].half()),
    )


def pixel_loss(path: TextPath, pixels: WordPixels, chosen: Int[Tensor, " S"]) -> Tensor:
    """Loss of all words at some pixels, read without the reader's blocks."""
    reader, places = path.reader, path.places.weight
    embedding, mean8, mean4, trunk = (x[chosen].float() for x in pixels.cell)
    skip8, skip4 = (x[chosen].float() for x in pixels.fine)
    cells = reader.cells(embedding) + reader.skip8(mean8) + reader.skip4(mean4)
    cells = reader.norm(cells + reader.trunk(reader.trunk_norm(trunk)))
    logits = F.linear(cells, places, path.place_bias.weight[:, 0])
    logits = logits + skip8 @ path.to_skip8(places).T + skip4 @ path.to_skip4(places).T
    owner = pixels.owner[chosen]
    return words_held_loss(logits, pixels.holds[owner].float(), pixels.is_known[owner])


def learn_words(path: TextPath, pixels: WordPixels, *, learning_rate: float, seconds: float) -> float:
    """Train projections and vocabulary on pixels until the time is over; returns the mean loss of the last steps."""
    optimizer = torch.optim.AdamW(path.parameters(), lr=learning_rate, weight_decay=0.05, betas=(0.9, 0.98))
    began, last = time.monotonic(), 0.0
    while (progress := (time.monotonic() - began) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * (1.02 - progress)
        loss = pixel_loss(path, pixels, torch.randint(len(pixels), (_BATCH,)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        last += 0.05 * (float(loss.detach()) - last) if last else float(loss.detach())
    return last


__all__ = ["WordPixels", "gather_pixels", "learn_words", "pixel_loss"]
