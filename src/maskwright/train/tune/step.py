"""One step of fine-tuning: ask for masks by click or box, correct the answers by clicks, and learn.

The first answer learns and the last one, as `train.step` has it. A batch goes through the decoder in pieces of
`at_once`; what is asked is drawn for the whole batch, so the pieces change nothing but the memory.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from maskwright.core.errors import ModelError
from maskwright.models.protocol import Decoded, Features, FramePrompts
from maskwright.models.sam.draft import Draft
from maskwright.models.sam.model import SamModel
from maskwright.models.tiny.clicks import keep_clicks
from maskwright.models.tiny.model import SHADES, TinySam
from maskwright.nn.threads import MOST_AT_ONCE, side_by_side
from maskwright.train.average import follow
from maskwright.train.dice import Dice
from maskwright.train.interaction import boxes_around, correct, first_prompts
from maskwright.train.losses import prompt_loss
from maskwright.train.step import best_believed
from maskwright.train.tune.crew import ALONE, Crew
from maskwright.train.tune.features import FeatureCache, encoded, frame_of
from maskwright.train.tune.gradients import Gradients, leave_sum
from maskwright.train.tune.keeping import Elsewhere, ask_base, keeping_loss
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.samples import SampleBatch
from maskwright.train.tune.sampling import ChosenCells, choose_cells
from maskwright.train.tune.tuner import Tuner

_LEAST_WARM = 5  # a few dozen pictures make a few dozen steps: of these no more than one in so many warm up


class LossIsNoNumber(ModelError):
    """The loss or its gradient is NaN or infinite; nothing was learnt from the batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """What one thread does of a step, and the gradients that it gathers."""

    tuner: Tuner
    cache: FeatureCache | None
    batch: SampleBatch
    at: Elsewhere | None
    dice: Dice
    own: Crew
    at_once: int

    def go(self) -> tuple[Gradients, Float[Tensor, ""], dict[str, Tensor]]:
        """Answer it: gradients, the loss, and what else was measured."""
        own = self.own.share(len(self.batch.samples))
        batch = self.batch.seen_by(own)
        features = _features(self.tuner, self.cache, batch)
        learns = self.tuner.learning() if self.cache is not None else [*self.tuner.learning(), *_leaves(features)]
        gradients = Gradients(learns)
        loss, measured = _answer_and_correct(self, features, batch, own, gradients)
        if self.at is not None:
            kept = _keep(self, self.at, batch, features, gradients)
            loss, measured = loss + kept, {**measured, "kept": kept}
        if self.cache is None:
            leave_sum([gradients])
            _through_encoder(self.tuner, batch, features)
        return gradients, loss, measured


def tune_step(
    tuner: Tuner,
    cache: FeatureCache | None,
    batch: SampleBatch,
    seed: int,
    crew: Crew = ALONE,
    *,
    at: Elsewhere | None = None,
) -> dict[str, Tensor]:
    """Learn from one batch, of which a crew's processes answer a share each; without a cache the encoder learns too.

    `seed` decides what is asked; `at` is where the base's answers are kept. On a CPU several threads answer a part of
    the share each, as more processes would.

    Raises:
        LossIsNoNumber: the loss or its gradient is; the weights stay as they were.
    """
    begin_step(tuner)
    at_once = tuner.at_once(len(batch.samples))
    is_shared = cache is not None and tuner.device.type == "cpu"
    num_threads = min(torch.get_num_threads(), at_once, MOST_AT_ONCE) if is_shared else 1
    shares = [
        _Share(
            tuner=tuner,
            cache=cache,
            batch=batch,
            at=at,
            dice=Dice(seed, tuner.device),
            own=own,
            at_once=at_once // num_threads,
        )
        for own in crew.split(num_threads)
    ]
    parts = list(side_by_side(_Share.go, shares, at_once=num_threads))
    if cache is not None:
        leave_sum([gradients for gradients, _, _ in parts])
    loss = torch.stack([loss for _, loss, _ in parts]).sum()
    return end_step(tuner, loss, _joined([measured for _, _, measured in parts]), crew)


def _joined(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """What several threads measured: their mean, and of `kept`, which is a part of the loss as theirs is, the sum."""
    found = {name: torch.stack([part[name] for part in parts if name in part]) for part in parts for name in part}
    return {name: values.sum() if name == "kept" else values.mean() for name, values in found.items()}


def begin_step(tuner: Tuner) -> None:
    """Set the learning rate and forget the last gradient."""
    for group in tuner.optimizer.param_groups:
        group["lr"] = rate_at(tuner.recipe, tuner.step, tuner.num_steps)
    tuner.optimizer.zero_grad(set_to_none=True)


def end_step(
    tuner: Tuner, loss: Float[Tensor, ""], measured: dict[str, Tensor], crew: Crew = ALONE
) -> dict[str, Tensor]:
    """Add the gradients of a crew, change the weights, and let the average follow; `loss` is this process's part.

    Raises:
        LossIsNoNumber: the loss or its gradient is; the weights stay as they were.
    """
    loss = crew.add(loss)
    if not math.isfinite(float(loss)):
        raise LossIsNoNumber(f"the loss is {float(loss)}")
    learning = tuner.learning()
    crew.add_gradients(learning)
    norm = nn.utils.clip_grad_norm_(learning, tuner.recipe.clip)
    if not math.isfinite(float(norm)):
        raise LossIsNoNumber(f"the gradient's length is {float(norm)}")
    tuner.optimizer.step()
    tuner.step += 1
    means = [p for p in tuner.average.parameters() if p.requires_grad]
    follow(means, learning, most=tuner.recipe.ema, step=tuner.step)
    return {"loss": loss, "norm": norm.detach(), **measured}


def rate_at(recipe: TuneRecipe, step: int, num_steps: int) -> float:
    """Warm up linearly, for a fifth of a short run at most, then a cosine down to a fiftieth."""
    warm = min(1.0, (step + 1) / max(1, min(recipe.warmup, num_steps // _LEAST_WARM)))
    progress = min(1.0, step / max(1, num_steps))
    return recipe.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))


def _features(tuner: Tuner, cache: FeatureCache | None, batch: SampleBatch) -> Features:
    """Read the features of a batch; where the encoder learns, as leaves that gather their gradient."""
    if not batch.views:
        return Features(image_embedding=torch.zeros(0, 1, 1, 1, device=tuner.device))
    if cache is not None:
        return cache.take(batch.views, tuner.device)
    found = Features.side_by_side([features for _, features in encoded(tuner.model, batch.views)])
    for tensor in _leaves(found):
        tensor.requires_grad_(True)
    return found


def _leaves(features: Features) -> tuple[Tensor, ...]:
    return (features.image_embedding, *features.extra)


def _through_encoder(tuner: Tuner, batch: SampleBatch, features: Features) -> None:
    """Take the gradient of the features on through the encoder, a view at a time: memory holds one."""
    leaves = _leaves(features)
    for i, view in enumerate(batch.views):
        again = tuner.model.encode(frame_of(view, view.example.read(), tuner.model))
        pairs = [
            (x, leaf.grad[i : i + 1])
            for x, leaf in zip(_leaves(again), leaves, strict=True)
            if x.requires_grad and leaf.grad is not None
        ]
        torch.autograd.backward([x for x, _ in pairs], [grad for _, grad in pairs])


def _answer_and_correct(
    share: _Share, features: Features, batch: SampleBatch, own: slice, gradients: Gradients
) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """Ask for the whole batch and answer for one's `own` rows: what others answer does not move one's own dice."""
    tuner, dice, size = share.tuner, share.dice, share.at_once
    recipe, N = tuner.recipe, len(batch.samples)
    prompts, one_click = _boxed(dice, batch) if recipe.asks_boxes else first_prompts(dice, batch.masks)
    inside = F.avg_pool2d(batch.masks, batch.masks.shape[-1] // tuner.model.frame.logits_side)
    last = 0 if not recipe.corrections or recipe.asks_boxes else 1 + int(dice.integers(recipe.corrections, 1))
    total = torch.zeros((), device=tuner.device)
    measured: dict[str, Tensor] = {}
    for turn in range(last + 1):
        ambiguous = one_click if turn == 0 else torch.zeros_like(one_click)
        offset = dice.uniform(0, 1, N, 1)
        seen = torch.zeros(N, *[tuner.model.frame.logits_side] * 2, device=tuner.device)
        reached = []
        for start in range(own.start, own.stop, size):
            piece = slice(start, min(start + size, own.stop))
            asked = _Asked(
                features=features,
                image_index=batch.view_index[piece],
                prompts=prompts[piece],
                inside=inside[piece],
                ambiguous=ambiguous[piece],
                offset=offset[piece],
            )
            answer, learnt = _answer(tuner, asked, learns=turn in (0, last), is_shown=turn < last)
            if learnt is not None:
                loss, iou = learnt
                part = loss.sum() / N / (2 if last else 1)
                gradients.add(part)
                total += part.detach()
                reached.append(iou)
            if turn < last:
                seen[piece] = answer
        if reached:
            name = "iou_turn1" if turn else f"iou_{'click' if bool(one_click[0]) else 'box'}"
            measured[name] = torch.cat(reached).mean()
        if turn < last:
            with torch.no_grad():
                prompts = correct(dice, prompts, seen, batch.masks)
    return total, measured


def _boxed(dice: Dice, batch: SampleBatch) -> tuple[FramePrompts, Bool[Tensor, " N"]]:
    """Prompt each target by a box alone; none of these is one click."""
    boxes = boxes_around(dice, batch.masks[:, 0] > 0.5)
    labels = torch.tensor((2, 3), device=boxes.device).expand(len(boxes), -1)
    return FramePrompts(points=boxes, labels=labels), torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)


def _keep(
    share: _Share, at: Elsewhere, batch: SampleBatch, learnt: Features, gradients: Gradients
) -> Float[Tensor, ""]:
    """Learn to answer elsewhere as the base does; what is asked is drawn for all, and each answers its share.

    The base sees by its own features; the student by the same, or by what an encoder that learns makes of the batch.
    """
    tuner, size = share.tuner, share.at_once
    assert tuner.base is not None
    assert tuner.base_features is not None
    recipe, N = tuner.recipe, len(at.view_index)
    own = at.share(share.own, len(batch.samples))
    total = torch.zeros((), device=tuner.device)
    if own.start == own.stop:
        return total
    with _half(tuner.model):
        features = tuner.base_features.take(at.views, tuner.device)
        kept = ask_base(
            tuner.base, features, at, share.dice, recipe.drawn_share, size, own=own, only_boxes=recipe.asks_boxes
        )
    seen = features
    if at.beside is not None:
        seen, kept = learnt, replace(kept, image_index=batch.view_index[list(at.beside)])
    for start in range(own.start, own.stop, size):
        with _half(tuner.model):
            piece = kept[start : min(start + size, own.stop)]
            loss = recipe.keep_weight * keeping_loss(tuner.model, seen, piece).sum() / N
        gradients.add(loss)
        total += loss.detach()
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A piece of a batch in one turn. `inside` is how much of each pixel of the logits is in the mask."""

    features: Features
    image_index: Int[Tensor, " N"]
    prompts: FramePrompts
    inside: Float[Tensor, "N 1 h w"]
    ambiguous: Bool[Tensor, " N"]
    offset: Float[Tensor, "N 1"]


def _answer(
    tuner: Tuner, asked: _Asked, *, learns: bool, is_shown: bool
) -> tuple[Float[Tensor, "N h w"], tuple[Float[Tensor, " N"], Float[Tensor, " N"]] | None]:
    """Answer prompts; give what a user would see, where that is wanted, and loss and IoU, where they are learnt from.

    The loss looks at some cells, chosen by the answer at hand: this one, or the one that it corrects.
    """
    model, earlier = tuner.model, asked.prompts.mask_logits
    with torch.set_grad_enabled(learns), _half(model):
        draft = _draft(model, asked)
        shown = best_believed(draft.predicted_iou, asked.ambiguous)
        with torch.no_grad():
            answer = _shown(model, asked, draft, shown) if is_shown else asked.offset.new_zeros(0)
            if not learns:
                return answer, None
            at_hand = answer if is_shown else None if earlier is None else earlier[:, 0]
            chosen = choose_cells(tuner.recipe.drawn_share, asked.inside, at_hand, asked.offset)
            target = chosen.of(asked.inside)
        logits = draft.draw_cells(chosen.index)
    loss, iou = _loss(tuner.recipe, logits.float(), draft.predicted_iou.float(), target, chosen, asked.ambiguous)
    return answer, (loss, iou[torch.arange(len(shown), device=shown.device), shown])


def _half(model: SamModel) -> torch.autocast:
    return torch.autocast(model.device.type, torch.bfloat16, enabled=model.device.type == "cuda")


def _draft(model: SamModel, asked: _Asked) -> Draft:
    return model.draft(asked.features, asked.image_index, asked.prompts)


def _loss(
    recipe: TuneRecipe,
    logits: Float[Tensor, "N M1 K p"],
    predicted_iou: Float[Tensor, "N M1"],
    target: Float[Tensor, "N 1 K p"],
    chosen: ChosenCells,
    ambiguous: Bool[Tensor, " N"],
) -> tuple[Float[Tensor, " N"], Float[Tensor, "N M1"]]:
    return prompt_loss(
        logits,
        predicted_iou,
        target,
        ambiguous,
        focal_weight=recipe.focal_weight,
        dice_weight=recipe.dice_weight,
        bce_weight=recipe.bce_weight,
        iou_weight=recipe.iou_weight,
        weight=chosen.weight[:, None, :, None],
    )


def _shown(model: SamModel, asked: _Asked, draft: Draft, shown: Int[Tensor, " N"]) -> Float[Tensor, "N h w"]:
    """The logits that a user would see; `tiny` keeps what clicks promise."""
    logits = draft.draw_one(shown).float()
    if not isinstance(model, TinySam):
        return logits
    rows = torch.arange(len(shown), device=shown.device)
    one = Decoded(logits=logits[:, None], predicted_iou=draft.predicted_iou.detach()[rows, shown][:, None])
    shades = asked.features.extra[SHADES].detach()[asked.image_index]
    return keep_clicks(one, asked.prompts, shades, model.prompt_encoder.side).logits[:, 0]


__all__ = ["LossIsNoNumber", "begin_step", "end_step", "rate_at", "tune_step"]
