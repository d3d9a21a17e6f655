"""Does an instruction find what it means? 1,000 instructions with known answers on generated robot scenes.

    python benchmarks/ground.py given --scenes FOLDER [--count 1000] [--depth]
    python benchmarks/ground.py model --scenes FOLDER [--model tiny]

`given` hands the grounding true masks, and for words what is true of each mask; `model` asks a model for both. Scenes
are those of `maskwright train scenes robots`; answers are known from their depth (`ground_truth.py`), so places in the
third dimension are asked of masks in two, unless `--depth` gives the grounding the depth as well.
Targets: 0.9 with given masks, 0.7 end to end (the mask of the answer at IoU 0.5).
"""

import argparse
import collections
import functools
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ground_truth import Asked, Spot, instructions, spots_of

from maskwright.core.errors import PromptError
from maskwright.masks import iou
from maskwright.models.tiny.vocabulary import phrase_words
from maskwright.predict.grounding import Find, Grounding, Thing, ground
from maskwright.train.scene_folder import LabelledScene, read_scene_folder
from maskwright.train.words import ANYTHING, read_phrase

MOST_A_KIND = 4  # of one scene, so that no kind and no scene has all the say
_HELD, _UNSURE, _NOT = 0.95, 0.4, 0.0


def given(spots: Sequence[Spot]) -> Find:
    """Find things among true masks, by what is true of them."""

    def find(words: str) -> list[Thing]:
        indices = phrase_words(words)
        read = read_phrase(indices, [one.words for one in spots])
        is_thing = bool(set(indices) & ANYTHING)
        beliefs = [_HELD if m else _UNSURE if u else _NOT for m, u in zip(read.meant, read.unsure, strict=True)]
        return [
            Thing(rle=spot.rle, belief=belief, name=spot.name)
            for spot, belief in zip(spots, beliefs, strict=True)
            if not (is_thing and spot.is_place)
        ]

    return find


def choose(asked: Sequence[Asked], rng: random.Random) -> list[Asked]:
    """Take a few of each kind."""
    by_kind: dict[str, list[Asked]] = collections.defaultdict(list)
    for one in asked:
        by_kind[one.kind].append(one)
    return [one for kind in sorted(by_kind) for one in rng.sample(by_kind[kind], min(MOST_A_KIND, len(by_kind[kind])))]


def is_right(answer: Grounding, truth: Spot) -> bool:
    """Whether the first thing is the one that is meant."""
    return bool(answer.ranked) and iou(answer.ranked[0].thing.rle, truth.rle) >= 0.5


def main() -> None:
    """Ask, count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=("given", "model"))
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--depth", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wrong", type=Path, help="write what went wrong here")
    options = parser.parse_args()
    finder = _model_finder(options.model) if options.mode == "model" else None
    right: dict[str, list[bool]] = collections.defaultdict(list)
    told: dict[str, list[bool]] = collections.defaultdict(list)
    wrong = []
    rng = random.Random(options.seed)
    folder = read_scene_folder(options.scenes)
    for number in range(len(folder)):
        scene: LabelledScene = folder[number]
        spots = spots_of(scene)
        find = given(spots) if finder is None else finder(scene)
        depth = scene.depth_mm / np.float32(1000) if options.depth and scene.depth_mm is not None else None
        for one in choose(list(instructions(spots, rng)), rng):
            try:
                answer = ground(find, one.text, depth_m=depth)
            except PromptError as error:  # a word that the model was not taught
                right[one.kind].append(False)
                told[one.kind].append(True)
                wrong.append({"scene": number, "text": one.text, "kind": one.kind, "told": str(error)})
                continue
            right[one.kind].append(is_right(answer, spots[one.answer]))
            told[one.kind].append(answer.is_ambiguous or not answer.chosen)
            if not right[one.kind][-1]:
                first = answer.ranked[0] if answer.ranked else None
                wrong.append({"scene": number, "text": one.text, "kind": one.kind, "told": answer.told,
                              "got": first and [str(reason) for reason in first.reasons]})  # fmt: skip
        if sum(map(len, right.values())) >= options.count:
            break
    _tell(right, told)
    if options.wrong is not None:
        options.wrong.write_text(json.dumps(wrong, indent=1))


def _model_finder(name: str) -> Callable[[LabelledScene], Find]:
    import maskwright as mw
    from maskwright.predict.grounding.things import things_of_model

    model = mw.load_model(name)

    def finder(scene: LabelledScene) -> Find:
        image = mw.Image(scene.image)
        # Many instructions about one picture ask for the same words.
        return functools.cache(things_of_model(model, image, mw.embed(model, image)))

    return finder


def _tell(right: dict[str, list[bool]], told: dict[str, list[bool]]) -> None:
    print("| kind | asked | right | of those that were told to be unsure or missing |")
    print("|---|---|---|---|")
    for kind in sorted(right):
        print(f"| {kind} | {len(right[kind])} | {np.mean(right[kind]):.3f} | {np.mean(told[kind]):.2f} |")
    every = [one for rows in right.values() for one in rows]
    unsure = [one for rows in told.values() for one in rows]
    sure = [a for a, b in zip(every, unsure, strict=True) if not b]
    print(f"| all | {len(every)} | {np.mean(every):.3f} | {np.mean(unsure):.2f} |")
    print(f"of {len(sure)} that were told to be plain, {np.mean(sure):.3f} are right")


if __name__ == "__main__":
    main()
