"""Which mask is a track's: the model's answers scored by likeness and motion, or the one that was carried.

A model does not draw everything equally well. How well it redraws an object is measured where its mask is known, on its
keyframe; a carried mask that can be trusted more than that stays, as long as the model's answer confirms it.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float

from maskwright.core import Prompt, SizeHW
from maskwright.predict.predict import MaskBatch
from maskwright.predict.tracking.appearance import resemblance
from maskwright.predict.tracking.proposals import Proposal
from maskwright.predict.tracking.soft_mask import SoftMask

# Weights of a candidate's three scores; measured on four generated robot episodes and two real clips (docs/log.md).
_BY_LIKENESS, _BY_MOTION, _BY_MODEL = 1.0, 0.3, 0.25
# The logarithm of growth that a look may bring, and the weight of what is beyond it.
_GROWS, _BY_GROWTH, _LEAST_AREA = 0.2, 0.5, 50.0
_MOST_LOGIT = 8.0
# An island of a mask whose cells are less alike than this, or that is a crumb beside the largest, is not the object's.
_ALIKE, _CRUMB = 0.4, 0.02
# A carried mask is confirmed by an answer whose IoU with it is such a share of what the model's redrawing has, if it
# resembles its track nearly as much.
_CONFIRMS, _AS_ALIKE = 0.85, 0.8
# What likeness counts beside logits where two tracks claim a pixel, and the logit that the loser is left with.
_CLAIM, _LOST_LOGIT = 3.0, -2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """A candidate on the grid of flow, and what speaks for it, each 0 to 1; `growth` is its area in usual areas.

    `prompt` None: it was carried, and `predicted_iou` is the trust that it has.
    """

    track: str
    prompt: Prompt | None
    logits: Float[np.ndarray, "H W"]
    resemblance: float
    overlap: float
    predicted_iou: float
    stability: float
    growth: float = 1.0

    @property
    def score(self) -> float:
        """All that speaks for it, less what speaks against it: sudden growth, which is mostly into a neighbour."""
        evidence = _BY_LIKENESS * self.resemblance + _BY_MOTION * self.overlap + _BY_MODEL * self.predicted_iou
        return evidence - _BY_GROWTH * max(0.0, math.log(self.growth) - _GROWS)

    @property
    def is_there(self) -> Bool[np.ndarray, "H W"]:
        """The mask."""
        return np.asarray(self.logits > 0)

    def soft(self) -> SoftMask:
        """The mask as shares of pixels."""
        return SoftMask.of(1 / (1 + np.exp(-self.logits)))


def carried_answer(track: str, mask: SoftMask, trust: float, likeness: Float[np.ndarray, "h w"]) -> Answer:
    """Let a mask that flow carried stand beside the model's answers."""
    grid = mask.grid()
    return Answer(
        track=track,
        prompt=None,
        logits=_MOST_LOGIT * (2 * grid - 1),
        resemblance=resemblance(covers(grid > 0.5, likeness.shape), likeness),
        overlap=1.0,
        predicted_iou=trust,
        stability=1.0,
    )


def settle(drawn: Answer | None, carried: Sequence[Answer], *, redrawn: float, worth_above: float) -> Answer | None:
    """Choose between the model's answer and carried masks of a track that the model draws with an IoU of `redrawn`.

    A carried mask needs a trust above `worth_above`, and an answer that confirms it.
    """
    if drawn is None:
        return None
    for one in sorted(carried, key=lambda answer: -answer.predicted_iou):
        both = float((one.is_there & drawn.is_there).sum())
        agreement = both / max(1.0, float((one.is_there | drawn.is_there).sum()))
        if (
            one.predicted_iou > worth_above
            and agreement > _CONFIRMS * redrawn
            and one.resemblance > _AS_ALIKE * drawn.resemblance
        ):
            return one
    return drawn


def judge(
    proposals: Sequence[Proposal],
    batch: MaskBatch,
    likeness: Mapping[str, Float[np.ndarray, "h w"]],
    expected: Mapping[str, SoftMask],
    usual_areas: Mapping[str, float],
) -> dict[str, Answer]:
    """Take the best answer for each track; none for a track whose answers are all empty.

    `expected` is where each track is if it is where it was carried, `usual_areas` how large it has been lately.
    """
    best: dict[str, Answer] = {}
    where = {track: mask.grid() > 0.5 for track, mask in expected.items()}
    h, w = batch.frame.logits_hw
    stability = batch.stability[:, 0].tolist()
    for i, proposal in enumerate(proposals):
        track = proposal.track
        there = where[track]
        small = batch.logits[i, 0, :h, :w].float().cpu().numpy() - batch.threshold
        logits = np.clip(cv2.resize(small, there.shape[::-1]), -_MOST_LOGIT, _MOST_LOGIT)
        logits = without_strange_islands(logits, likeness[track])
        mask = logits > 0
        if not mask.any():
            continue
        answer = Answer(
            track=track,
            prompt=proposal.prompt,
            logits=logits,
            resemblance=resemblance(covers(mask, likeness[track].shape), likeness[track]),
            overlap=float((mask & there).sum() / max(1, (mask | there).sum())),
            predicted_iou=float(batch.predicted_iou[i, 0]),
            stability=stability[i],
            growth=float(mask.sum()) / max(expected[track].area, usual_areas[track], _LEAST_AREA),
        )
        if track not in best or answer.score > best[track].score:
            best[track] = answer
    return best


def share_out(
    answers: Mapping[str, Answer],
    likeness: Mapping[str, Float[np.ndarray, "h w"]],
    may_overlap: Collection[frozenset[str]],
) -> dict[str, Answer]:
    """Give each pixel that several tracks claim to the one with the most for it; parts may lie on their wholes."""
    claims = {}
    for track, answer in answers.items():
        alike = cv2.resize(np.clip(likeness[track], -2, 2).astype(np.float32), answer.logits.shape[::-1])
        claims[track] = np.where(answer.is_there, answer.logits + _CLAIM * alike, -np.inf)
    most = np.maximum.reduce(list(claims.values())) if claims else None
    shared: dict[str, Answer] = {}
    for track, answer in answers.items():
        kin = [name for name in claims if frozenset((name, track)) in may_overlap]
        if kin:
            rivals = [claims[name] for name in claims if name not in kin]  # itself with them: it never beats itself
            most_of_rivals = np.maximum.reduce(rivals)
        else:
            most_of_rivals = most
        is_lost = answer.is_there & (most_of_rivals > claims[track])
        if not is_lost.any():
            shared[track] = answer
            continue
        logits = np.where(is_lost, _LOST_LOGIT, answer.logits).astype(np.float32)
        cover = covers(logits > 0, likeness[track].shape)
        shared[track] = replace(answer, logits=logits, resemblance=resemblance(cover, likeness[track]))
    return shared


def covers(mask: Bool[np.ndarray, "H W"], cells_hw: SizeHW) -> Float[np.ndarray, "h w"]:
    """Say how much of each cell a mask covers."""
    return cv2.resize(mask.astype(np.float32), cells_hw[::-1], interpolation=cv2.INTER_AREA)


def without_strange_islands(
    logits: Float[np.ndarray, "H W"], likeness: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "H W"]:
    """Drop islands that do not look like the object; the one with the most likeness stays in any case."""
    mask = (logits > 0).astype(np.uint8)
    x, y, w, h = cv2.boundingRect(mask)
    part = np.s_[y : y + h, x : x + w]
    count, labels = cv2.connectedComponents(mask[part]) if w else (0, mask)
    if count <= 2:
        return logits
    alike = cv2.resize(np.clip((likeness + 1) / 2, 0, 1).astype(np.float32), logits.shape[::-1])[part]
    labels = np.asarray(labels, np.int64)
    areas = np.bincount(labels.ravel(), minlength=count)[1:]
    totals = np.bincount(labels.ravel(), alike.ravel(), count)[1:]
    is_kept = (totals / areas > _ALIKE) & (areas > _CRUMB * areas.max())
    is_kept[totals.argmax()] = True
    stays = np.concatenate([[True], is_kept])[labels]
    kept = logits.astype(np.float32)
    kept[part] = np.where(stays, kept[part], -_MOST_LOGIT)
    return kept


__all__ = ["Answer", "carried_answer", "covers", "judge", "settle", "share_out"]
