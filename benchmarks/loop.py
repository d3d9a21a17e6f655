"""Does the data engine turn? A real loop with a reviewer who knows the truth, on painted scenes.

python benchmarks/loop.py --scenes FOLDER --out FOLDER [--rounds 3] [--budget 60] [--mode assisted-manual]

Scenes are labelled ones (maskwright train scenes painted FOLDER --count 30 --split held-out). A detector is played by
true boxes whose edges are off by up to a tenth of their side; the model proposes, the reviewer accepts what has IoU 0.9
or more, corrects to the truth from 0.4 on, and rejects the rest, six seconds each. So masks an hour mean nothing here;
acceptance rates, IoU of proposals and scores on held-out masks are real. The same command goes on where it stopped.
"""

import argparse
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from maskwright.core import BoxPrompt
from maskwright.core.rle import RLE
from maskwright.evaluate import open_dataset
from maskwright.masks import box_xyxy
from maskwright.models import load_model
from maskwright.testing.reviewer import Reviewer
from maskwright.train.recipe import changed
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.workflows.annotate import annotate
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.annotate_recipe import ObjectPrompt, PromptsTask, Recipe
from maskwright.workflows.loop.call import Surroundings
from maskwright.workflows.loop.run import run_loop
from maskwright.workflows.loop.settings import LoopSettings, mode_of
from maskwright.workflows.loop.standing import Standing, table, text_table

_OFF = 0.1


class Clock:
    """Tells the time of the simulation, which the reviewer's work moves on."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        """A second later than before."""
        self.at += timedelta(seconds=1)
        return self.at


def off(mask: RLE, dice: random.Random) -> BoxPrompt:
    """A detector's box: every edge somewhere within a tenth of the side."""
    x1, y1, x2, y2 = box_xyxy(mask)
    width, height = x2 - x1, y2 - y1
    shift = [dice.uniform(-_OFF, _OFF) for _ in range(4)]
    size_hw = mask.size_hw
    left, top = max(0.0, x1 + shift[0] * width), max(0.0, y1 + shift[1] * height)
    right, bottom = x2 + shift[2] * width, y2 + shift[3] * height
    return BoxPrompt((left, top, min(float(size_hw[1]), right), min(float(size_hw[0]), bottom)))


def propose(scenes: Path, store: Path, model: str, seed: int) -> dict[str, list[RLE]]:
    """Put proposals for all objects into a store, and give the true masks by the picture's digest."""
    data, footage = open_dataset(scenes), Footage.open(scenes / "images")
    (episode,) = footage.source.episodes
    camera = episode.cameras[0]
    numbers = {Path(footage.names.name(episode.key, camera, at)).stem: at for at in range(episode.num_frames)}
    truth: dict[str, list[RLE]] = {}
    boxes = {}
    for source in data.sources:
        picture, dice = source.read(), random.Random(f"{seed} {source.name}")
        truth[picture.image.digest] = [one.mask for one in picture.objects]
        place = (episode.key, camera, numbers[Path(source.name).stem])
        boxes[place] = tuple(ObjectPrompt(prompt=off(one.mask, dice), label=one.name) for one in picture.objects)
    network = load_model(model)
    recipe = Recipe(
        task=PromptsTask(kind="boxes", by_place=boxes), closer=network.card.looks_closer, actor="simulated detector"
    )
    annotate(network, footage, recipe, store)
    return truth


def turn(store: Path, settings: LoopSettings, truth: dict[str, list[RLE]]) -> Standing:
    """Let loop and reviewer take turns until a rule ends the loop."""
    clock = Clock()
    while True:
        standing = run_loop(store, settings, Surroundings(clock=clock, says=print, told=lambda what, done, total: None))
        if not standing.waits_for_people:
            return standing
        reviewer = Reviewer(truth_of=lambda digest: truth.get(digest, ()), name="simulated", at=clock.at)
        print(f"{reviewer.walk(store, standing.rounds[-1].queue or '')} masks reviewed")
        clock.at = reviewer.at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--test", help="labelled scenes to score on, instead of some of --scenes")
    parser.add_argument("--general", help="what must not be forgotten; without, painted scenes")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--mode", default="assisted-manual")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    asked = parser.parse_args()
    truth = propose(asked.scenes, asked.out / "masks", asked.model, asked.seed)
    settings = LoopSettings(
        mode=mode_of(asked.mode),
        model=asked.model,
        test=asked.test,
        general=asked.general,
        out=asked.out / "checkpoints",
        budget=asked.budget,
        rounds=asked.rounds,
        seed=asked.seed,
        recipe=changed(TuneRecipe(), asked.changes),
    )
    standing = turn(asked.out / "masks", settings, truth)
    print("\n".join([*text_table(table(standing)), *standing.next_lines(), f"report: {standing.report}"]))
    (asked.out / "loop.json").write_text(json.dumps(standing.as_json(), indent=1) + "\n")


if __name__ == "__main__":
    main()
