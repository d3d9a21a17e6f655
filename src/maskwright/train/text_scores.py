"""How well a model answers phrases on stored scenes: by kind of phrase, and for phrases that describe nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from maskwright.models.protocol import FramePrompts
from maskwright.models.tiny import TinySam
from maskwright.models.tiny.text import NO_WORD
from maskwright.train.dice import Dice
from maskwright.train.feature_store import FeatureStore
from maskwright.train.words import Phrase, Words, absent_phrase, phrases_about

_LEAST_PIXELS = 40  # of a half-side mask; what is smaller is not asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScores:
    """Share of phrases answered at IoU 0.5 and more, mean IoU and mean predicted IoU, by kind of phrase.

    For "absent" phrases the share is of empty answers: no pixel, or a predicted IoU below one half.
    """

    counts: dict[str, int]
    precision: dict[str, float]
    mean_iou: dict[str, float]
    mean_belief: dict[str, float]

    def __str__(self) -> str:
        return "; ".join(
            f"{kind} {self.precision[kind]:.3f} (IoU {self.mean_iou[kind]:.3f}, believed {self.mean_belief[kind]:.3f}, "
            f"{self.counts[kind]} phrases)"
            for kind in self.counts
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """N phrases and the masks they mean, at half the frame's side; `ignored` is where it is unknown."""

    text: Int[Tensor, "N k"]
    masks: Bool[Tensor, "N s s"]
    ignored: Bool[Tensor, "N s s"]


def score_text(model: TinySam, store: FeatureStore, names: list[tuple[int, ...]], *, seed: int = 0) -> TextScores:
    """Ask for every name and every colour with its name in each picture, and for one thing that is not there."""
    rows: dict[str, list[tuple[float, float, float]]] = {}
    dice = Dice(seed)
    for picture in range(len(store)):
        phrases = list(_phrases(dice, store.words[picture], names))
        for (kind, _), row in zip(phrases, _answers(model, store, picture, [p for _, p in phrases]), strict=True):
            if row is not None:
                rows.setdefault(kind, []).append(row)
    means = {kind: torch.tensor(found).mean(0).tolist() for kind, found in rows.items()}
    return TextScores(
        counts={kind: len(found) for kind, found in rows.items()},
        precision={kind: mean[0] for kind, mean in means.items()},
        mean_iou={kind: mean[1] for kind, mean in means.items()},
        mean_belief={kind: mean[2] for kind, mean in means.items()},
    )


def asked(store: FeatureStore, picture: int, phrases: list[Phrase]) -> Asked:
    """Lay phrases about one picture out as tensors."""
    labels = torch.from_numpy(store.index_maps[picture].astype(np.int64))
    tables = torch.zeros(2, len(phrases), 256, dtype=torch.bool)
    for i, phrase in enumerate(phrases):
        for table, flags in zip(tables, (phrase.meant, phrase.unsure), strict=True):
            table[i, 1 : 1 + len(flags)] = torch.tensor(flags, dtype=torch.bool)
    return Asked(
        text=padded([phrase.words for phrase in phrases]),
        masks=tables[0][:, labels],
        ignored=tables[1][:, labels],
    )


def padded(phrases: list[tuple[int, ...]]) -> Int[Tensor, "N k"]:
    """Put phrases into one tensor."""
    longest = max(len(words) for words in phrases)
    return torch.tensor([(*words, *[NO_WORD] * (longest - len(words))) for words in phrases], dtype=torch.long)


def _phrases(dice: Dice, objects: tuple[Words, ...], names: list[tuple[int, ...]]) -> Iterator[tuple[str, Phrase]]:
    yield from phrases_about(objects)
    absent = absent_phrase(dice, objects, names)
    if absent.is_absent:
        yield "absent", absent


def _answers(
    model: TinySam, store: FeatureStore, picture: int, phrases: list[Phrase]
) -> list[tuple[float, float, float] | None]:
    wanted = asked(store, picture, phrases)
    nothing = torch.zeros(len(phrases), 0, dtype=torch.long)
    prompts = FramePrompts(points=torch.zeros(len(phrases), 0, 2), labels=nothing, text=wanted.text)
    with torch.no_grad():
        decoded = model.decode(store.features([picture]), prompts, multimask=False)
    side = wanted.masks.shape[-1]
    shown = F.interpolate(decoded.logits, size=(side, side), mode="bilinear")[:, 0] > 0
    return [
        judge(shown[i], wanted.masks[i], wanted.ignored[i], float(decoded.predicted_iou[i, 0]))
        for i in range(len(phrases))
    ]


def judge(shown: Tensor, truth: Tensor, ignored: Tensor, belief: float) -> tuple[float, float, float] | None:
    """Share that counts as right, IoU, belief; None where the thing is too small to be asked about."""
    shown = shown & ~ignored
    size, answered = int(truth.sum()), int(shown.sum())
    if size == 0:
        is_empty = float(answered == 0 or belief < 0.5)
        return is_empty, float(answered == 0), belief
    if size < _LEAST_PIXELS:
        return None
    iou = float((shown & truth).sum() / (shown | truth).sum())
    return float(iou >= 0.5), iou, belief


__all__ = ["Asked", "TextScores", "asked", "judge", "padded", "score_text"]
