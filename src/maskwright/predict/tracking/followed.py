"""`Followed`: the state of one track, and what a new frame makes of it."""

import math
from dataclasses import dataclass, field

from maskwright.core import Scores
from maskwright.core.track import TrackState
from maskwright.predict.tracking.choice import Answer
from maskwright.predict.tracking.motion import Motion
from maskwright.predict.tracking.settings import TrackSettings
from maskwright.predict.tracking.soft_mask import SoftMask

# What is left of trust after a frame: agreement of flow to this power, and less by this for each pixel moved.
_BY_FRAME, _BY_AGREEMENT, _BY_WAY, _STILL_PX = 0.998, 0.5, 0.05, 0.1
# How the last sure mask fades at each look, so that a newer one takes its place.
_FADES = 0.97
# A carried mask is preferred to a drawn one if it can be trusted so much more, and compared every so many looks.
WORTH, _MOST_UNASKED = 0.05, 4
# What it takes to be found after a cut.
_FOUND_ELSEWHERE = 0.8
# Frames for which a lost track is looked for eagerly.
_SEARCHED = 60
# How fast what is usual follows what is seen.
_USUAL_RATE, _AREA_RATE = 0.1, 0.2
# Of the usual area: less than this is nothing, and what is found again lies between these.
_GONE, _FOUND_LEAST, _FOUND_MOST = 0.03, 0.25, 4.0


@dataclass(slots=True)
class Followed:
    """One track. `mask` is where it is now, `before` where it was a frame ago, `last_sure` where it was surely last.

    `usual` is the resemblance that its masks have to its likeness; None for a track that was never seen. `redrawn` is
    the IoU that the model's drawing of a known mask had with it, on the keyframe. `trust` is the IoU that `mask` may be
    expected to have with the truth, `sure_trust` that of `last_sure`. `answer` is the model's on this frame, None where
    the mask was carried. `kept` is what carrying has left of trust since the model was asked last.
    `is_elsewhere`: a cut has taken it away, and in another scene much looks a little like it.
    """

    track: str
    mask: SoftMask = field(default_factory=lambda: SoftMask.nothing((1, 1)))
    before: SoftMask = field(default_factory=lambda: SoftMask.nothing((1, 1)))
    last_sure: SoftMask = field(default_factory=lambda: SoftMask.nothing((1, 1)))
    state: TrackState = "visible"
    confidence: float = 1.0
    scores: Scores = field(default_factory=Scores)
    usual: float | None = None
    usual_area: float = 0.0
    redrawn: float = 1.0
    trust: float = 1.0
    sure_trust: float = 0.0
    num_missed: int = 0
    answer: Answer | None = None
    num_unasked: int = 0
    kept: float = 1.0
    is_elsewhere: bool = False

    @property
    def is_seen(self) -> bool:
        """Whether it has a mask now."""
        return self.state == "visible"

    @property
    def expected(self) -> SoftMask:
        """Where to ask for it first."""
        return self.mask if self.is_seen else self.last_sure

    @property
    def doubt(self) -> float:
        """How much of the mask is in doubt, 0 to 1; of a track that is looked for, half, but not for ever."""
        if self.is_seen:
            return 1 - self.kept
        return 0.5 if self.usual is not None and self.num_missed < _SEARCHED else 0.0

    @property
    def needs_no_drawing(self) -> bool:
        """Whether the carried mask is worth more than a drawing, and was compared with one not long ago."""
        return self.is_seen and self.trust > self.redrawn + WORTH and self.num_unasked < _MOST_UNASKED

    def begin(self, mask: SoftMask, usual: float | None, redrawn: float, scores: Scores) -> None:
        """Take a keyframe: an empty mask says that it is not in the picture."""
        self.mask = self.before = mask
        self.trust, self.redrawn, self.kept = 1.0, redrawn, 1.0
        self.answer, self.scores, self.confidence = None, scores, 1.0
        self.num_missed, self.is_elsewhere = 0, False
        if usual is None:
            self.state = "outside"
            return
        self.state, self.last_sure, self.sure_trust = "visible", mask, 1.0
        self.usual, self.usual_area = usual, mask.area

    def carry(self, motion: Motion) -> None:
        """Move with the picture, as far as its motion can be followed."""
        self.answer, self.scores = None, Scores()
        self.before = self.mask
        if not self.is_seen:
            self.num_missed += 1
            return
        if motion.is_cut:
            self._lose("outside")
            self.is_elsewhere = True
            return
        self.mask, agreement, far = motion.carry(self.mask)
        left = _BY_FRAME * agreement**_BY_AGREEMENT * math.exp(-_BY_WAY * max(0.0, far - _STILL_PX))
        self.trust *= left
        self.confidence *= left
        self.kept *= left
        if self.mask.area < _GONE * self.usual_area:
            self._lose()

    def take(self, answer: Answer | None, settings: TrackSettings) -> bool:
        """Take an answer, if it looks enough like the track; else the track is lost, or stays so.

        Returns whether the answer is so sure that it may be learnt from.
        """
        was_seen = self.is_seen
        self.kept = 1.0
        if answer is None or not self._looks_right(answer, settings):
            if was_seen:
                self._lose()
            return False
        self.mask = answer.soft()
        if not was_seen:
            self.before = self.mask
        self.state, self.num_missed, self.is_elsewhere = "visible", 0, False
        self.confidence = min(1.0, self._share(answer)) * min(1.0, max(0.0, answer.predicted_iou))
        if answer.prompt is None:
            self.trust = answer.predicted_iou
        else:
            self.answer = answer
            self.trust = self.redrawn * min(1.0, self._share(answer))
            self.scores = Scores(predicted_iou=answer.predicted_iou, stability=answer.stability)
        assert self.usual is not None
        is_sure = self._share(answer) > settings.learn_above
        self.usual += _USUAL_RATE * (answer.resemblance - self.usual)
        self.usual_area += _AREA_RATE * (self.mask.area - self.usual_area)
        if is_sure and self.trust >= self.sure_trust * _FADES:
            self.last_sure, self.sure_trust = self.mask, self.trust
        else:
            self.sure_trust *= _FADES
        return is_sure

    def give_way(self, other: SoftMask) -> None:
        """Leave the pixels of a keyframe to it."""
        if self.is_seen:
            self.mask = SoftMask.of(self.mask.grid() * (1 - other.grid()))

    def _looks_right(self, answer: Answer, settings: TrackSettings) -> bool:
        if not answer.is_there.any():
            return False
        if self.is_seen:
            return self._share(answer) > settings.lost_below
        size = float(answer.is_there.sum()) / max(self.usual_area, 1.0)
        least = max(settings.found_above, _FOUND_ELSEWHERE) if self.is_elsewhere else settings.found_above
        return self._share(answer) > least and _FOUND_LEAST < size < _FOUND_MOST

    def _share(self, answer: Answer) -> float:
        return answer.resemblance / max(self.usual or 0.0, 1e-6)

    def _lose(self, state: TrackState | None = None) -> None:
        self.state = state or ("outside" if self.mask.touches_edge or self.before.touches_edge else "occluded")
        self.mask = SoftMask.nothing(self.mask.grid_hw)
        self.confidence, self.num_missed = 0.0, 1


__all__ = ["Followed"]
