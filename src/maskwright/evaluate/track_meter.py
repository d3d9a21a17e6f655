"""How well one object is followed: the measures of DAVIS frame by frame, and what goes wrong between frames.

Region similarity J is the IoU, contour accuracy F the F measure of the outlines within 0.8 % of the image's diagonal
(Perazzi et al., CVPR 2016), J&F their mean (Pont-Tuset et al., 2017). Where truth and answer are both empty a frame
counts 1, where one of them is, 0, as there. The rest is ours, and said at each. A meter keeps two numbers a frame and
the masks of one frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import fsum

import numpy as np

from maskwright.core import RLE
from maskwright.masks import area, boundary_agreement, box_xyxy, decode, iou, is_empty, shift

RECALL_ABOVE = 0.5
_BINS = 4
# An object is lost when the mask meets less than this of it, and found again when it meets as much as a match needs:
# two limits, so that a mask which trembles about one of them is not lost and found all the time.
LOST_BELOW, FOUND_FROM = 0.1, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackScores:
    """What a meter has measured of one object; `j` and `f` have a value for each frame that counts.

    `flicker` is None where no two frames followed each other.
    """

    j: tuple[float, ...]
    f: tuple[float, ...]
    num_lost: int = 0
    num_refound: int = 0
    num_phantoms: int = 0
    flicker: float | None = None

    @property
    def j_and_f(self) -> float | None:
        """The mean of J and F; None where no frame counts."""
        return (fsum(self.j) + fsum(self.f)) / (2 * len(self.j)) if self.j else None


@dataclass(slots=True, kw_only=True)
class TrackMeter:
    """Measures one object from frame to frame.

    `num_lost` counts how often a visible object's IoU fell below 0.1 after it was followed, `num_refound` how often it
    came back to 0.5 from there; frames on which nothing of it is seen change neither. `num_phantoms` counts frames with
    a mask of an object that is not seen.

    Flicker is the mean, over frames that follow each other, of how much less the answer overlaps its predecessor than
    the truth does: max(0, IoU(truth, truth before) - IoU(answer, answer before)), with both predecessors shifted by
    what the truth's centre of mass has moved. A mask that moves, turns or is hidden as the object is has 0, and so has
    one that is wrong in the same way all the time; one that trembles about the object has more.
    """

    start: RLE
    _j: list[float] = field(default_factory=list)
    _f: list[float] = field(default_factory=list)
    _flicker: list[float] = field(default_factory=list)
    _before: tuple[RLE, RLE] | None = None
    _is_lost: bool = False
    _num_lost: int = 0
    _num_refound: int = 0
    _num_phantoms: int = 0

    def __post_init__(self) -> None:
        self._before = self.start, self.start

    def add(self, answer: RLE, truth: RLE) -> tuple[float, float]:
        """Measure the next frame that counts; gives its J and F."""
        j, f = iou(answer, truth), boundary_agreement(answer, truth).f_score
        self._j.append(j)
        self._f.append(f)
        self._follow(j, truth)
        self._num_phantoms += is_empty(truth) and not is_empty(answer)
        if self._before is not None:
            self._flicker.append(flicker(answer, truth, self._before[0], self._before[1]))
        self._before = answer, truth
        return j, f

    def skip(self) -> None:
        """Say that a frame was left out, so that the next does not follow the last."""
        self._before = None

    def scores(self) -> TrackScores:
        """Give what was measured so far."""
        return TrackScores(
            j=tuple(self._j),
            f=tuple(self._f),
            num_lost=self._num_lost,
            num_refound=self._num_refound,
            num_phantoms=self._num_phantoms,
            flicker=fsum(self._flicker) / len(self._flicker) if self._flicker else None,
        )

    def _follow(self, j: float, truth: RLE) -> None:
        if is_empty(truth):
            return
        if not self._is_lost and j < LOST_BELOW:
            self._is_lost, self._num_lost = True, self._num_lost + 1
        elif self._is_lost and j >= FOUND_FROM:
            self._is_lost, self._num_refound = False, self._num_refound + 1


def flicker(answer: RLE, truth: RLE, answer_before: RLE, truth_before: RLE) -> float:
    """Compute how much less an answer overlaps its predecessor than the truth does, motion taken out; 0 to 1."""
    dx, dy = _moved(truth_before, truth)
    steady = iou(truth, shift(truth_before, dx=dx, dy=dy))
    return max(0.0, steady - iou(answer, shift(answer_before, dx=dx, dy=dy)))


def recall(values: Sequence[float]) -> float | None:
    """Compute the share of frames above 0.5; None of no frames."""
    return sum(value > RECALL_ABOVE for value in values) / len(values) if values else None


def decay(values: Sequence[float]) -> float | None:
    """Compute what is lost over time: the mean of the first quarter of the frames less that of the last.

    Neighbouring quarters share a frame, as in DAVIS's own program. None of no frames.
    """
    if not values:
        return None
    edges = np.round(np.linspace(1, len(values), _BINS + 1) + 1e-10).astype(int) - 1
    first, last = values[: edges[1] + 1], values[edges[-2] :]
    return fsum(first) / len(first) - fsum(last) / len(last)


def _moved(before: RLE, now: RLE) -> tuple[int, int]:
    """How far the centre of mass went, in whole pixels; nowhere where one mask is empty."""
    if is_empty(before) or is_empty(now):
        return 0, 0
    (x0, y0), (x1, y1) = _centre(before), _centre(now)
    return round(x1 - x0), round(y1 - y0)


def _centre(rle: RLE) -> tuple[float, float]:
    left, top, right, bottom = (int(edge) for edge in box_xyxy(rle))
    inside = decode(rle)[top:bottom, left:right]
    total = area(rle)
    x = float(inside.sum(0) @ np.arange(right - left)) / total
    y = float(inside.sum(1) @ np.arange(bottom - top)) / total
    return left + x, top + y


__all__ = ["FOUND_FROM", "LOST_BELOW", "RECALL_ABOVE", "TrackMeter", "TrackScores", "decay", "flicker", "recall"]
