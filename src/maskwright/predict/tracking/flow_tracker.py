"""`FlowTracker`: follows objects with any promptable model: flow carries masks, the model draws them anew.

On every frame optical flow moves the masks. As often as the budget allows a frame is embedded, once for all tracks;
each track's place by flow and its place by likeness become prompts, and answers are scored by both and by the model.
A track whose best answer no longer looks like it is lost: it has no mask until an answer looks like it again, anywhere
in the picture.
What is kept is the last small picture, a mask or three for each track, and the model of appearance.
"""

import time
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from maskwright.core import Image, Prompt, SizeHW
from maskwright.core.errors import SettingError
from maskwright.core.track import TrackSource
from maskwright.masks import area, decode, intersection, iou_matrix
from maskwright.models.protocol import Model
from maskwright.predict.embedding import ImageEmbedding, embed
from maskwright.predict.predict import predict
from maskwright.predict.records import to_records
from maskwright.predict.tracking.appearance import Appearance, cells_of, resemblance
from maskwright.predict.tracking.choice import Answer, carried_answer, covers, judge, settle, share_out
from maskwright.predict.tracking.drawn import Drawn, draw
from maskwright.predict.tracking.followed import WORTH, Followed
from maskwright.predict.tracking.motion import Motion, MotionEstimator
from maskwright.predict.tracking.newcomers import Newcomers
from maskwright.predict.tracking.pace import Pace
from maskwright.predict.tracking.proposals import Proposal, from_likeness, from_mask, nearness
from maskwright.predict.tracking.settings import TrackSettings
from maskwright.predict.tracking.soft_mask import SoftMask
from maskwright.predict.tracking.tracked import TrackedFrame, TrackedMask

# A mask that lies in another's by such a share when it is prompted is a part of it: the two may overlap.
_PART = 0.8
# With such a share of its usual resemblance a carried mask that is worth more than a drawing stays unasked.
_STAYS_ABOVE = 0.9


class FlowTracker:
    """A `Tracker` over any model of images. Its state does not grow with the frames that it has seen."""

    def __init__(self, model: Model, settings: TrackSettings | None = None) -> None:
        self._model = model
        self._settings = settings or TrackSettings()
        self._estimator = MotionEstimator(self._settings.flow_side)
        self._appearance = Appearance(self._settings.learn_rate)
        self._pace = Pace(self._settings)
        self._newcomers = Newcomers(model, self._settings.find_new)
        self._followed: dict[str, Followed] = {}
        self._may_overlap: set[frozenset[str]] = set()
        self._index = -1

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the tracks that live, in the order in which they began."""
        return tuple(self._followed)

    def step(
        self, image: Image, prompts: Mapping[str, Prompt] | None = None, *, motion: Motion | None = None
    ) -> TrackedFrame:
        """Take the next frame; see `Tracker`. `motion` is that since the last one, where somebody knows it already."""
        began = time.perf_counter()
        self._estimator.check(image.size_hw)
        drawn: dict[str, Drawn] = {}
        embedding: ImageEmbedding | None = None
        if prompts:
            embedding = embed(self._model, image)
            drawn = {track: draw(self._model, image, embedding, track, prompt) for track, prompt in prompts.items()}
        if motion is None:
            motion = self._estimator.advance(image.pixels)
        self._index += 1
        if motion is not None:
            self._carry(motion)
        others = [track for track in self._followed if track not in drawn]
        doubt = max((self._followed[track].doubt for track in others), default=0.0)
        is_due = self._pace.is_due(doubt) or (motion is not None and motion.is_cut)
        is_drawn = bool(drawn) or (is_due and bool(others)) or self._newcomers.are_due(self._index)
        if is_drawn:
            drawn |= self._look_at(image, embedding or embed(self._model, image), others, drawn)
        self._end_the_lost()
        frame = TrackedFrame(
            index=self._index,
            image_digest=image.digest,
            masks=tuple(self._tell(one, image.size_hw, drawn.get(track)) for track, one in self._followed.items()),
            is_cut=motion is not None and motion.is_cut,
        )
        self._pace.took(1000 * (time.perf_counter() - began), drawn=is_drawn)
        return frame

    def forget(self, track: str) -> None:
        """Drop a track and all that is known of it."""
        if track not in self._followed:
            known = ", ".join(self._followed) or "none"
            raise SettingError(f"there is no track {track!r}; tracks that live: {known}")
        del self._followed[track]
        self._appearance.forget(track)
        self._may_overlap = {pair for pair in self._may_overlap if track not in pair}

    def _carry(self, motion: Motion) -> None:
        for one in self._followed.values():
            one.carry(motion)

    def _look_at(
        self, image: Image, embedding: ImageEmbedding, others: list[str], drawn: Mapping[str, Drawn]
    ) -> dict[str, Drawn]:
        """Draw the other tracks anew, take the keyframes, learn from both, and find what is new."""
        cells_hw = self._cells_hw(image.size_hw)
        cells = cells_of(embedding, image.pixels, cells_hw)
        answers = self._answers(embedding, others, cells, cells_hw)
        learnt = {}
        for track in others:
            answer = answers.get(track)
            if self._followed[track].take(answer, self._settings) and answer is not None:
                learnt[track] = covers(answer.is_there, cells_hw)
        self._appearance.learn_lately(cells, learnt)
        if drawn:
            self._take_keyframes(embedding, drawn, cells, cells_hw)
        found: dict[str, Drawn] = {}
        if self._newcomers.are_due(self._index):
            known = [one.mask.rle(image.size_hw) for one in self._followed.values()]
            found = self._newcomers.find(image, embedding, self._index, known, self._followed)
            if found:
                self._take_keyframes(embedding, found, cells, cells_hw)
        return found

    def _answers(
        self, embedding: ImageEmbedding, tracks: list[str], cells: Float[Tensor, "cells D"], cells_hw: SizeHW
    ) -> dict[str, Answer]:
        if not tracks:
            return {}
        likeness = self._appearance.likeness(cells, cells_hw)
        known = {track: self._followed[track] for track in tracks if track in likeness}  # others were never seen
        carried = {track: self._carried(one, likeness[track]) for track, one in known.items()}
        asked = {track: one for track, one in known.items() if not self._stays(one, carried[track])}
        proposals: list[Proposal] = []
        for track, one in asked.items():
            near = nearness(one.mask, one.before, cells_hw) if one.is_seen else None
            by_flow = from_mask(track, one.expected, embedding.size_hw)
            by_looks = from_likeness(track, likeness[track], near, embedding.size_hw)
            if by_flow is not None and by_looks is not None and by_flow.asks_the_same(by_looks):
                by_looks = None
            proposals += [proposal for proposal in (by_flow, by_looks) if proposal is not None]
        drawn: dict[str, Answer] = {}
        if proposals:
            batch = predict(self._model, embedding, [proposal.prompt for proposal in proposals])
            expected = {track: one.expected for track, one in asked.items()}
            drawn = judge(proposals, batch, likeness, expected, {track: one.usual_area for track, one in asked.items()})
        settled: dict[str, Answer | None] = {}
        for track, one in known.items():
            one.num_unasked = 0 if track in asked else one.num_unasked + 1
            settled[track] = carried[track][0]
            if track in asked:
                worth = one.redrawn + WORTH
                settled[track] = settle(drawn.get(track), carried[track], redrawn=one.redrawn, worth_above=worth)
        found = {track: answer for track, answer in settled.items() if answer is not None}
        return share_out(found, likeness, self._may_overlap)

    def _carried(self, one: Followed, likeness: Float[np.ndarray, "h w"]) -> list[Answer]:
        """Masks that need no drawing: where flow carried it, and where it was surely last."""
        masks = [(one.last_sure, one.sure_trust)]
        if one.is_seen:
            masks.insert(0, (one.mask, one.trust))
        return [carried_answer(one.track, mask, trust, likeness) for mask, trust in masks]

    def _stays(self, one: Followed, carried: Sequence[Answer]) -> bool:
        """Whether a carried mask is so good that the model is not asked this time."""
        usual = one.usual or 0.0
        return one.needs_no_drawing and carried[0].resemblance > _STAYS_ABOVE * usual

    def _take_keyframes(
        self,
        embedding: ImageEmbedding,
        drawn: Mapping[str, Drawn],
        cells: Float[Tensor, "cells D"],
        cells_hw: SizeHW,
    ) -> None:
        """Begin tracks, or put them right; learn for good what they look like."""
        masks = {track: decode(one.rle) for track, one in drawn.items()}
        covered = {track: covers(mask, cells_hw) for track, mask in masks.items() if mask.any()}
        for track in drawn:
            self._appearance.forget_lately(track)
        if covered:
            self._appearance.learn_keyframe(cells, covered)
        likeness = self._appearance.likeness(cells, cells_hw) if covered else {}
        softs = {track: SoftMask.of_bits(mask, self._estimator.grid_hw) for track, mask in masks.items()}
        redrawn = self._redrawn(embedding, drawn, softs)
        for track, one in drawn.items():
            usual = resemblance(covered[track], likeness[track]) if track in covered else None
            followed = self._followed.setdefault(track, Followed(track))
            followed.begin(softs[track], usual, redrawn.get(track, 1.0), one.scores)
        self._find_parts(drawn)
        for track, other in self._followed.items():
            if track not in drawn:
                for name in drawn:
                    if frozenset((track, name)) not in self._may_overlap:
                        other.give_way(self._followed[name].mask)

    def _redrawn(
        self, embedding: ImageEmbedding, drawn: Mapping[str, Drawn], softs: Mapping[str, SoftMask]
    ) -> dict[str, float]:
        """Say how well the model draws masks that are known, when it is asked as it will be on later frames."""
        asked = (from_mask(track, soft, embedding.size_hw) for track, soft in softs.items())
        proposals = [proposal for proposal in asked if proposal is not None]
        if not proposals:
            return {}
        batch = predict(self._model, embedding, [proposal.prompt for proposal in proposals])
        answers = to_records(batch)
        return {
            proposal.track: float(iou_matrix([drawn[proposal.track].rle], [answer.rle])[0, 0])
            for proposal, answer in zip(proposals, answers, strict=True)
        }

    def _find_parts(self, drawn: Mapping[str, Drawn]) -> None:
        """Let masks of this frame overlap that lie in each other now."""
        size_hw = next(iter(drawn.values())).rle.size_hw
        now = {track: one.rle for track, one in drawn.items()}
        now |= {track: one.mask.rle(size_hw) for track, one in self._followed.items() if track not in drawn}
        for track in drawn:
            for other, rle in now.items():
                smaller = min(area(now[track]), area(rle))
                if other != track and smaller:
                    pair = frozenset((track, other))
                    is_part = area(intersection([now[track], rle])) >= _PART * smaller
                    self._may_overlap = (self._may_overlap - {pair}) | ({pair} if is_part else set())

    def _end_the_lost(self) -> None:
        for track in [track for track, one in self._followed.items() if one.num_missed > self._settings.patience]:
            self.forget(track)

    def _cells_hw(self, size_hw: SizeHW) -> SizeHW:
        scale = self._settings.cells / max(size_hw)
        return max(1, round(size_hw[0] * scale)), max(1, round(size_hw[1] * scale))

    def _tell(self, one: Followed, size_hw: SizeHW, drawn: Drawn | None) -> TrackedMask:
        source: TrackSource = "keyframe" if drawn else "segmented" if one.answer else "carried"
        return TrackedMask(
            track=one.track,
            rle=drawn.rle if drawn else one.mask.rle(size_hw),
            source=source,
            state=one.state,
            confidence=one.confidence,
            prompt=drawn.prompt if drawn else one.answer.prompt if one.answer else None,
            scores=one.scores,
        )


__all__ = ["FlowTracker"]
