"""Instructions with known answers about generated scenes: places and distances are those of the simulator's depth.

An instruction is asked only if its answer is plain: one thing fits and every other that its words hold of clearly
does not. So left and right are centimetres apart, "in front" is nearness to the camera in metres, and "nearest" has a
runner-up at a third more. What decides the answer is the third dimension; what is asked sees masks alone.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from maskwright.core import RLE
from maskwright.masks import encode
from maskwright.models.tiny.vocabulary import COLOURS, phrase_words
from maskwright.train.scene_folder import LabelledScene
from maskwright.train.words import ANYTHING, name_of, object_words, read_phrase

# These are places and not things that one asks for; one may still stand by the robot.
PLACES = ("table", "floor", "wall", "robot arm", "robot gripper")
_LEAST_PIXELS, _LEAST_SHARE, _MOST_HIDDEN = 30, 5e-4, 0.5
_LEFT_M, _FRONT_M, _NEAREST, _LARGER = 0.03, 0.05, 1.35, 1.5
_VIEW = 1.04  # of the longer side, in metres at a metre's distance: scenes are filmed by cameras of about that


@dataclass(frozen=True, eq=False)
class Spot:
    """One thing of a scene: where it is in metres from the camera (right, down, away), and its words."""

    rle: RLE
    name: str
    colour: str | None
    words: frozenset[int]
    at_m: tuple[float, float, float]
    area_m2: float
    is_plain: bool

    @property
    def is_place(self) -> bool:
        """Whether it is no thing that one asks for."""
        return self.name in PLACES


@dataclass(frozen=True, eq=False)
class Asked:
    """An instruction, what kind it is, and the index of the thing that it means."""

    text: str
    kind: str
    answer: int


def spots_of(scene: LabelledScene) -> list[Spot]:
    """Measure the things of a scene."""
    assert scene.depth_mm is not None
    depth = scene.depth_mm / 1000
    height, width = depth.shape
    scale = _VIEW / max(height, width)
    spots = []
    for one in scene.objects:
        mask = scene.masks == one.index
        num_pixels = int(mask.sum())
        if num_pixels < _LEAST_PIXELS:
            continue
        rows, columns = np.nonzero(mask)
        z = float(np.median(depth[mask]))
        x, y = (float(columns.mean()) - width / 2) * scale * z, (float(rows.mean()) - height / 2) * scale * z
        words = object_words(one.name, one.colour, one.material)
        is_plain = num_pixels >= _LEAST_SHARE * mask.size and one.occlusion <= _MOST_HIDDEN and z > 0
        spots.append(
            Spot(encode(mask), one.name, one.colour, words, (x, y, z), num_pixels * (scale * z) ** 2, is_plain)
        )
    return spots


def meant(spots: Sequence[Spot], phrase: str) -> list[int] | None:
    """Give the things that all words of a phrase hold of; None where that is unknown."""
    read = read_phrase(phrase_words(phrase), [one.words for one in spots])
    is_thing = bool(set(phrase_words(phrase)) & ANYTHING)
    kept = [i for i in range(len(spots)) if not (is_thing and spots[i].is_place)]
    if any(read.unsure[i] for i in kept):
        return None
    return [i for i in kept if read.meant[i]]


def instructions(spots: Sequence[Spot], rng: random.Random) -> Iterator[Asked]:
    """Give every instruction whose answer is plain, in random order."""
    phrases = _phrases(spots)
    alone = {phrase: found[0] for phrase, found in phrases.items() if len(found) == 1 and spots[found[0]].is_plain}
    several = {phrase: found for phrase, found in phrases.items() if len(found) > 1}
    made = [Asked(f"the {phrase}", "words", i) for phrase, i in alone.items() if not spots[i].is_place]
    for phrase, found in several.items():
        made += _by_rank(spots, phrase, found)
        made += _by_relation(spots, phrase, found, alone)
    rng.shuffle(made)
    # An arm reaches through the scene: it has no place.
    yield from (one for one in made if spots[one.answer].is_plain and not spots[one.answer].is_place)


def _phrases(spots: Sequence[Spot]) -> dict[str, list[int]]:
    named = {one.name: one for one in spots if name_of(one.words)}
    phrases = ["object", *(f"{colour} object" for colour in COLOURS), *named]
    phrases += [f"{one.colour} {name}" for name, one in named.items() if one.colour]
    found = {phrase: meant(spots, phrase) for phrase in dict.fromkeys(phrases)}
    return {phrase: indices for phrase, indices in found.items() if indices}


def _by_rank(spots: Sequence[Spot], phrase: str, found: list[int]) -> list[Asked]:
    x = {i: spots[i].at_m[0] for i in found}
    z = {i: spots[i].at_m[2] for i in found}
    size = {i: spots[i].area_m2 for i in found}
    made = []
    for text, key, gap in (
        (f"the {phrase} on the left", x, _LEFT_M),
        (f"the rightmost {phrase}", {i: -v for i, v in x.items()}, _LEFT_M),
        (f"the {phrase} in front", z, _FRONT_M),
        (f"the {phrase} at the back", {i: -v for i, v in z.items()}, _FRONT_M),
    ):
        order = sorted(found, key=key.__getitem__)
        if key[order[1]] - key[order[0]] >= gap:
            made.append(Asked(text, "rank", order[0]))
    left = sorted(found, key=x.__getitem__)
    gaps = [x[b] - x[a] for a, b in pairwise(left)]
    if len(left) > 2 and min(gaps[:2]) >= _LEFT_M:
        made.append(Asked(f"the second {phrase} from the left", "rank", left[1]))
    large = sorted(found, key=size.__getitem__)
    if size[large[-1]] >= _LARGER * size[large[-2]]:
        made.append(Asked(f"the largest {phrase}", "rank", large[-1]))
    if size[large[1]] >= _LARGER * size[large[0]]:
        made.append(Asked(f"the smallest {phrase}", "rank", large[0]))
    return made


def _by_relation(spots: Sequence[Spot], phrase: str, found: list[int], alone: dict[str, int]) -> list[Asked]:
    made: list[Asked] = []
    for other, at in alone.items():
        rivals = [i for i in found if i != at]
        if len(rivals) < 2:
            continue
        x0, _, z0 = spots[at].at_m
        aside = {i: spots[i].at_m[0] - x0 for i in rivals}
        away = {i: spots[i].at_m[2] - z0 for i in rivals}
        if not spots[at].is_place:
            for text, values, gap in (
                ("left of", {i: -v for i, v in aside.items()}, _LEFT_M), ("to the right of", aside, _LEFT_M),
                ("in front of", {i: -v for i, v in away.items()}, _FRONT_M), ("behind", away, _FRONT_M),
            ):  # fmt: skip
                fit = [i for i in rivals if values[i] >= gap]
                if len(fit) == 1 and all(values[i] <= -gap / 2 for i in rivals if i not in fit):
                    made.append(Asked(f"the {phrase} {text} the {other}", text.removeprefix("to the "), fit[0]))
        apart = {i: float(np.linalg.norm(np.subtract(spots[i].at_m, spots[at].at_m))) for i in rivals}
        order = sorted(rivals, key=apart.__getitem__)
        if spots[at].name not in ("table", "floor", "wall", "robot arm"):
            if apart[order[1]] >= _NEAREST * apart[order[0]]:
                made.append(Asked(f"the {phrase} nearest to the {other}", "nearest to", order[0]))
            if apart[order[-1]] >= _NEAREST * apart[order[-2]]:
                made.append(Asked(f"the {phrase} farthest from the {other}", "farthest from", order[-1]))
            if apart[order[0]] < 0.15 and apart[order[1]] > 0.4:
                made.append(Asked(f"the {phrase} next to the {other}", "next to", order[0]))
    return made + _by_two(spots, phrase, found, alone)


def _by_two(spots: Sequence[Spot], phrase: str, found: list[int], alone: dict[str, int]) -> list[Asked]:
    """Say two relations, neither of which is enough by itself."""
    made = []
    others = [(name, i) for name, i in alone.items() if not spots[i].is_place]
    for first, at in others[:6]:
        for second, by in others[:6]:
            rivals = [i for i in found if i not in (at, by)]
            if at == by or len(rivals) < 3:
                continue
            aside = {i: spots[at].at_m[0] - spots[i].at_m[0] for i in rivals}
            away = {i: spots[by].at_m[2] - spots[i].at_m[2] for i in rivals}
            fit = [i for i in rivals if aside[i] >= _LEFT_M and away[i] >= _FRONT_M]
            others_fail = all(aside[i] <= -_LEFT_M / 2 or away[i] <= -_FRONT_M / 2 for i in rivals if i not in fit)
            is_needed = min(sum(v > 0 for v in values.values()) for values in (aside, away)) > 1
            if len(fit) == 1 and others_fail and is_needed:
                text = f"pick up the {phrase} left of the {first}, in front of the {second}"
                made.append(Asked(text, "two relations", fit[0]))
    return made
