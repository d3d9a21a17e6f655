"""Identity switches, counted as in multiple object tracking.

On each frame objects and tracks are matched by IoU of at least 0.5: a pair of the last frames that still meets stays,
the rest is matched best first. An object that is matched to another track than it was last matched to is a switch
(Bernardin and Stiefelhagen, CLEAR MOT, 2008). Here a track begins as its object's own, because it was asked for by
that object's first mask; the first match with a stranger counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from maskwright.core import RLE
from maskwright.masks import iou_matrix, is_empty

MATCH_FROM = 0.5


@dataclass(slots=True)
class IdentityBook:
    """Remembers which track each object was last matched to."""

    num_switches: int = 0
    _track_of: dict[str, str] = field(default_factory=dict)

    def begin(self, key: str) -> None:
        """Say that the track of that name was asked to follow the object of that name."""
        self._track_of[key] = key

    def add(self, answers: Mapping[str, RLE], truths: Mapping[str, RLE]) -> int:
        """Match the next frame, and give the number of switches on it."""
        matched = match(answers, truths, self._track_of)
        switched = sum(self._track_of.get(key, track) != track for key, track in matched.items())
        self._track_of |= matched
        self.num_switches += switched
        return switched


def match(answers: Mapping[str, RLE], truths: Mapping[str, RLE], before: Mapping[str, str]) -> dict[str, str]:
    """Match objects to tracks one to one: pairs of `before` first, then by IoU."""
    tracks = [name for name, rle in answers.items() if not is_empty(rle)]
    keys = [key for key, rle in truths.items() if not is_empty(rle)]
    if not tracks or not keys:
        return {}
    overlaps = iou_matrix([truths[key] for key in keys], [answers[name] for name in tracks])
    pairs = [
        (before.get(key) == name, float(overlaps[i, j]), key, name)
        for i, key in enumerate(keys)
        for j, name in enumerate(tracks)
        if overlaps[i, j] >= MATCH_FROM
    ]
    matched: dict[str, str] = {}
    for _, _, key, name in sorted(pairs, key=lambda pair: (not pair[0], -pair[1])):
        if key not in matched and name not in matched.values():
            matched[key] = name
    return matched


__all__ = ["MATCH_FROM", "IdentityBook", "match"]
