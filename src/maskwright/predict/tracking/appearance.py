"""What objects look like: a linear model of likeness for all of them, in the space of the image embedding.

Each cell of a frame is a vector: the embedding there, and its colours. An object's likeness is Fisher's linear
discriminant between its cells and all cells, scaled so that the object's own mean is 1 and everybody's is -1. All
objects share one matrix of second moments, so that learning of a frame costs the same for one object or sixteen, and
all that is kept is that matrix twice: of the keyframes, which stay, and of what was seen lately, which fades.

Source: discriminative target models of video object segmentation (Robinson et al. 2020, "Learning fast and robust
target models"), here in closed form.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from maskwright.core import SizeHW
from maskwright.predict.embedding import ImageEmbedding

_RIDGE = 0.01  # of the mean variance
_LAB_SCALE = np.array([50, 40, 40], np.float32)
_LAB_CENTRE = np.array([1, 0, 0], np.float32)


def cells_of(
    embedding: ImageEmbedding, pixels: UInt8[np.ndarray, "H W 3"], cells_hw: SizeHW
) -> Float[Tensor, "cells D"]:
    """Describe the cells of a frame, row by row: embedding, colours and their products, and a 1."""
    features = embedding.features.image_embedding.float().cpu()
    learnt = F.grid_sample(features, _places(embedding, cells_hw), padding_mode="border", align_corners=False)
    colours = torch.from_numpy(_colours(pixels, cells_hw))
    one = torch.ones(len(colours), 1)
    return torch.cat([learnt[0].flatten(1).T, colours, one], 1)


def _places(embedding: ImageEmbedding, cells_hw: SizeHW) -> Float[Tensor, "1 h w 2"]:
    """Where the cells' centres lie in the embedding, which may be padded below and on the right."""
    side = embedding.frame.spec.logits_side
    shares = [
        (torch.arange(count) + 0.5) / count * (extent / side) * 2 - 1
        for count, extent in zip(cells_hw, embedding.frame.logits_hw, strict=True)
    ]
    return torch.stack(torch.meshgrid(shares[1], shares[0], indexing="xy"), -1)[None]


def _colours(pixels: UInt8[np.ndarray, "H W 3"], cells_hw: SizeHW) -> Float[np.ndarray, "cells 9"]:
    small = cv2.resize(pixels, cells_hw[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = (cv2.cvtColor(small, cv2.COLOR_RGB2LAB) / _LAB_SCALE - _LAB_CENTRE).reshape(-1, 3)
    products = lab[:, [0, 0, 1]] * lab[:, [1, 2, 2]]
    return np.concatenate([lab, lab**2, products], 1)


@dataclass(slots=True)
class _Seen:
    """Sums over an object's cells, of keyframes and of lately: of the vectors, and of the shares that it covered."""

    key_sum: Tensor
    key_share: float
    late_sum: Tensor
    late_share: float


class Appearance:
    """Likeness of every cell to every track; grows by a vector or two for each track, not by frames."""

    def __init__(self, learn_rate: float) -> None:
        self._rate = learn_rate
        self._key_moments: Tensor | None = None
        self._late_moments: Tensor | None = None
        self._num_keys = 0
        self._late_weight = 0.0
        self._tracks: dict[str, _Seen] = {}
        self._weights: tuple[list[str], Tensor, Tensor] | None = None

    def learn_keyframe(self, cells: Float[Tensor, "cells D"], covers: Mapping[str, Float[np.ndarray, "h w"]]) -> None:
        """Learn, for good, how much of each cell the tracks cover."""
        moments = cells.T @ cells / len(cells)
        self._key_moments = moments if self._key_moments is None else self._key_moments + moments
        self._num_keys += 1
        for track, cover in covers.items():
            seen = self._seen(track, cells.shape[1])
            total, share = _sums(cells, cover)
            seen.key_sum, seen.key_share = seen.key_sum + total, seen.key_share + share
        self._weights = None

    def learn_lately(self, cells: Float[Tensor, "cells D"], covers: Mapping[str, Float[np.ndarray, "h w"]]) -> None:
        """Learn from masks of this frame, which will fade as others come."""
        rate = self._rate
        if not rate or not covers:
            return
        moments = cells.T @ cells / len(cells)
        before = torch.zeros_like(moments) if self._late_moments is None else self._late_moments
        self._late_moments = torch.lerp(before, moments, rate)
        self._late_weight += rate * (1 - self._late_weight)
        for track, cover in covers.items():
            seen = self._seen(track, cells.shape[1])
            total, share = _sums(cells, cover)
            seen.late_sum = torch.lerp(seen.late_sum, total, rate)
            seen.late_share += rate * (share - seen.late_share)
        self._weights = None

    def likeness(self, cells: Float[Tensor, "cells D"], cells_hw: SizeHW) -> dict[str, Float[np.ndarray, "h w"]]:
        """Say for each track how like it each cell is: about 1 like the object, about -1 like the rest."""
        if not self._tracks:
            return {}
        if self._weights is None:
            self._weights = self._solve()
        names, weights, offsets = self._weights
        scores = (cells @ weights + offsets).T.reshape(len(names), *cells_hw).numpy()
        return dict(zip(names, scores, strict=True))

    def forget(self, track: str) -> None:
        """Drop what is known of a track."""
        self._tracks.pop(track, None)
        self._weights = None

    def forget_lately(self, track: str) -> None:
        """Drop what was learnt of a track since its keyframes: a person has corrected what it was learnt from."""
        seen = self._tracks.get(track)
        if seen is not None:
            seen.late_sum, seen.late_share = torch.zeros_like(seen.late_sum), 0.0
        self._weights = None

    def _seen(self, track: str, width: int) -> _Seen:
        return self._tracks.setdefault(track, _Seen(torch.zeros(width), 0.0, torch.zeros(width), 0.0))

    def _solve(self) -> tuple[list[str], Tensor, Tensor]:
        assert self._key_moments is not None
        moments = self._key_moments / self._num_keys
        if self._late_moments is not None:
            moments = (moments + self._late_moments) / (1 + self._late_weight)
        everybody = moments[:, -1]
        spread = moments - torch.outer(everybody, everybody)
        spread = spread + _RIDGE * spread.diagonal().mean() * torch.eye(len(spread))
        names = list(self._tracks)
        sums = torch.stack(
            [self._tracks[name].key_sum / self._num_keys + self._tracks[name].late_sum for name in names], 1
        )
        shares = torch.tensor(
            [self._tracks[name].key_share / self._num_keys + self._tracks[name].late_share for name in names]
        )
        means = sums / shares.clamp(min=1e-9)
        weights = torch.linalg.solve(spread, means - everybody[:, None])
        own, others = (weights * means).sum(0), (weights * everybody[:, None]).sum(0)
        gap = (own - others).clamp(min=1e-9)
        return names, 2 * weights / gap, -(own + others) / gap


def _sums(cells: Float[Tensor, "cells D"], cover: Float[np.ndarray, "h w"]) -> tuple[Tensor, float]:
    flat = torch.from_numpy(np.ascontiguousarray(cover, np.float32)).reshape(-1)
    return cells.T @ flat / len(cells), float(flat.mean())


def resemblance(cover: Float[np.ndarray, "h w"], likeness: Float[np.ndarray, "h w"]) -> float:
    """How well a mask and a track's likeness agree, 0 to 1: their soft IoU, in the mask's cells and those beside it."""
    near = cv2.dilate((cover > 0.05).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    covered, alike = cover[near], np.clip((likeness[near] + 1) / 2, 0, 1)
    return float(np.minimum(covered, alike).sum() / max(np.maximum(covered, alike).sum(), 1e-6))


__all__ = ["Appearance", "cells_of", "resemblance"]
