"""Teaching words: a text adapter learns from labels, before a network that stays as it is.

A phrase that is there learns its mask, where it is, and how good the mask is; one that is not there learns to be drawn
nowhere and to be told absent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from maskwright.core.errors import InputError
from maskwright.models.protocol import Features
from maskwright.models.sam.model import SamModel
from maskwright.models.words.adapter import Told
from maskwright.models.words.encoders import NO_WORD
from maskwright.models.words.speaking import LEAST_PRESENCE, SpeaksWords
from maskwright.train.losses import dice_loss, focal_loss, mask_iou
from maskwright.train.tune.crew import Crew
from maskwright.train.tune.examples import Example
from maskwright.train.tune.features import FeatureCache
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.step import begin_step, end_step
from maskwright.train.tune.tuner import Tuner
from maskwright.train.tune.views import View, views_of
from maskwright.train.tune.word_samples import Asked, AskedBatch, WordSamples, asked_batch, meant_by, phrases_of

_AT_ONCE, _HELD_OUT_SEED = 8, 4711
_HEAT_WEIGHT, _PRESENCE_WEIGHT = 1.0, 1.0


class WordsLesson:
    """Phrases about pictures. Implements `Lesson`."""

    def __init__(self, train: Sequence[Example], validation: Sequence[Example], recipe: TuneRecipe) -> None:
        self.samples = WordSamples(train, recipe)
        if not self.samples.phrases:
            raise InputError("words are learnt from labels, and no mask to learn from has one")
        self.held_out = held_out_words(validation, self.samples)
        if not any(one.right.positions for one in self.held_out):
            raise InputError("none of the held-out masks has a label that is also learnt from; label more episodes")

    def views(self) -> list[View]:
        """See `Lesson`."""
        return [*self.samples.views(), *(one.right.view for one in self.held_out)]

    def epoch(self, number: int) -> list[Asked]:
        """See `Lesson`."""
        return self.samples.epoch(number)

    def step(
        self, tuner: Tuner, cache: FeatureCache | None, asked: Sequence[Asked], seed: int, crew: Crew
    ) -> dict[str, Tensor] | None:
        """Learn from one batch; nothing is drawn, so the seed says nothing."""
        assert cache is not None, "the encoder stays, so there is a cache"
        batch = asked_batch(asked, tuner.model.frame, tuner.device)
        if batch is None:
            return None
        begin_step(tuner)
        total, num = torch.zeros((), device=tuner.device), len(batch.asked)
        reached: list[Tensor] = []
        own = crew.share(num)
        size = tuner.at_once(num)
        for start in range(own.start, own.stop, size):
            piece = slice(start, min(start + size, own.stop))
            told = answers(tuner.model, cache, batch, piece)
            loss, iou = _loss(tuner.recipe, told, batch.masks[piece], batch.is_present[piece])
            share = loss.sum() / num
            share.backward()
            total += share.detach()
            reached.append(iou[batch.is_present[piece] > 0])
        found = torch.cat(reached) if reached else total.new_zeros(0)
        return end_step(tuner, total, {"iou_text": found.mean()} if len(found) else {}, crew)

    @torch.no_grad()
    def score(self, model: SamModel, cache: FeatureCache | None) -> dict[str, float]:
        """Ask held-out pictures for what is there, by its own word and by another, and for what is not."""
        assert cache is not None, "the encoder stays, so there is a cache"
        found: dict[str, list[float]] = {name: [] for name in ("text", "drawn", "other_word", "absent", "belief_error")}
        for start in range(0, len(self.held_out), _AT_ONCE):
            some = self.held_out[start : start + _AT_ONCE]
            for one, (right, other) in zip(some, _pairs(model, cache, some), strict=True):
                _note(found, one, right, other)
        scores = {f"held_out_{name}": float(np.mean(values)) for name, values in found.items() if values}
        told = [scores[name] for name in ("held_out_text", "held_out_absent") if name in scores]
        return {"held_out_score": float(np.mean(told)), **scores}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutWord:
    """A phrase to ask of a held-out picture, and another, whose answer should be another thing or nothing."""

    right: Asked
    other: Asked | None


def held_out_words(examples: Sequence[Example], samples: WordSamples) -> list[HeldOutWord]:
    """Every phrase of held-out pictures that is learnt from, and as many that are not there."""
    rng = np.random.default_rng(_HELD_OUT_SEED)
    found: list[HeldOutWord] = []
    for one in examples:
        (view,) = views_of(one, mirror=False, crops=0)
        present = [phrase for phrase in phrases_of([one]) if phrase in samples.phrases]
        absent = [phrase for phrase in samples.phrases if not meant_by(phrase, one)]
        for phrase in present[: samples.recipe.per_picture]:
            right = Asked(view=view, phrase=phrase, positions=meant_by(phrase, one))
            others = [p for p in present if not set(meant_by(p, one)) & set(right.positions)] or absent
            other = others[int(rng.integers(len(others)))] if others else None
            asked = None if other is None else Asked(view=view, phrase=other, positions=meant_by(other, one))
            found.append(HeldOutWord(right=right, other=asked))
        for i in rng.permutation(len(absent))[: len(present)]:
            found.append(HeldOutWord(right=Asked(view=view, phrase=absent[i], positions=()), other=None))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """An answer on the CPU's terms: the mask at the targets' size, whether it would be shown, belief, and the truth."""

    mask: Tensor
    is_told: bool
    belief: float
    truth: Tensor


def _pairs(
    model: SamModel, cache: FeatureCache, some: Sequence[HeldOutWord]
) -> list[tuple["_Seen | None", "_Seen | None"]]:
    """Answer each phrase and its other."""
    asked = [one.right for one in some] + [one.other for one in some if one.other is not None]
    batch = asked_batch(asked, model.frame, model.device)
    seen: dict[int, _Seen] = {}
    if batch is not None:
        told = answers(model, cache, batch, slice(None))
        large = _enlarged(told.logits, batch.masks.shape[-1])
        presence, belief = told.presence.sigmoid(), (told.presence.sigmoid() * told.quality.sigmoid())
        for i, one in enumerate(batch.asked):
            seen[id(one)] = _Seen(
                mask=large[i, 0] > 0,
                is_told=float(presence[i]) >= LEAST_PRESENCE,
                belief=float(belief[i]),
                truth=batch.masks[i, 0] > 0.5,
            )
    return [(seen.get(id(one.right)), None if one.other is None else seen.get(id(one.other))) for one in some]


def _note(found: dict[str, list[float]], one: HeldOutWord, right: "_Seen | None", other: "_Seen | None") -> None:
    if right is None:  # next to nothing of it is left in the frame
        return
    if not one.right.positions:
        found["absent"].append(float(not right.is_told or not bool(right.mask.any())))
        return
    drawn = _iou(right.mask, right.truth)
    found["drawn"].append(drawn)
    found["text"].append(drawn if right.is_told else 0.0)
    found["belief_error"].append(abs(right.belief - drawn))
    if other is not None:
        found["other_word"].append(_iou(other.mask, right.truth))


def answers(model: SamModel, cache: FeatureCache, batch: AskedBatch, which: slice) -> Told:
    """Answer some of a batch's phrases."""
    assert isinstance(model, SpeaksWords), "a run that teaches words has given the model some"
    rows, places = batch.view_index[which].unique(return_inverse=True)
    features: Features = cache.take([batch.views[i] for i in rows.tolist()], model.device)
    with torch.autocast(model.device.type, torch.bfloat16, enabled=model.device.type == "cuda"):
        return model.text_adapter.answer(model, features, places, _numbers(model, batch.asked[which]))


def _numbers(model: SpeaksWords, asked: Sequence[Asked]) -> Int[Tensor, "N k"]:
    each = [model.text_indices(" ".join(one.phrase)) for one in asked]
    longest = max(map(len, each))
    return torch.tensor([(*one, *[NO_WORD] * (longest - len(one))) for one in each], device=model.device)


def _loss(
    recipe: TuneRecipe, told: Told, masks: Float[Tensor, "N 1 s s"], is_present: Float[Tensor, " N"]
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """The loss of each phrase, and the IoU that its mask reached."""
    logits = _enlarged(told.logits, masks.shape[-1])
    heat = told.heat.float()[:, None]
    cells = F.interpolate(masks, heat.shape[-2:], mode="area")
    with torch.no_grad():
        iou = mask_iou(logits > 0, masks > 0.5)[:, 0]
    focal = recipe.focal_weight * focal_loss(logits, masks)[:, 0]
    heat_loss = F.binary_cross_entropy_with_logits(heat, cells, reduction="none").mean((1, 2, 3))
    presence = F.binary_cross_entropy_with_logits(told.presence.float(), is_present, reduction="none")
    of_present = recipe.dice_weight * (
        dice_loss(logits, masks)[:, 0] + dice_loss(heat, cells)[:, 0]
    ) + recipe.iou_weight * F.binary_cross_entropy_with_logits(told.quality.float(), iou, reduction="none")
    return focal + _HEAT_WEIGHT * heat_loss + _PRESENCE_WEIGHT * presence + is_present * of_present, iou


def _enlarged(logits: Float[Tensor, "N h w"], side: int) -> Float[Tensor, "N 1 s s"]:
    return F.interpolate(logits.float()[:, None], size=(side, side), mode="bilinear", align_corners=False)


def _iou(mask: Tensor, truth: Tensor) -> float:
    return float((mask & truth).sum() / (mask | truth).sum().clamp(min=1))


__all__ = ["HeldOutWord", "WordsLesson", "answers", "held_out_words"]
