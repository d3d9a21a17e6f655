"""How much better does a model get on one's own pictures, and how much of everything else does it forget?

python benchmarks/fine_tune_glass.py --data FOLDER --objects OBJECTS

FOLDER has train/ and val/, pictures with masks (images/ and masks/): the model learns from train/ alone, and val/ only
tells how good it became. OBJECTS are other labelled pictures, which nothing is learnt from either: they tell what was
forgotten, beside the painted scenes that every run scores. Where those fell by more than the tolerance, the run is made
again with the share of general pictures that the first one suggests (--replay), and both stand in the table.
Then what only boxes use learns alone, from the first run's checkpoint (--set parts=boxes), and again if boxes elsewhere
fell; clicks stay as they are.
Runs go to --out, and a first run that was stopped goes on. Two cores take half an hour.
"""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from maskwright.evaluate import ModelSegmenter, evaluate, summarise
from maskwright.evaluate.summary import Summary
from maskwright.evaluate.table import markdown
from maskwright.models import load_model
from maskwright.predict.cache import EmbeddingCache
from maskwright.train.recipe import changed
from maskwright.train.tune.recipe import TuneRecipe, boxes_recipe
from maskwright.workflows.fine_tune import FineTuned, FineTuneJob, fine_tune
from maskwright.workflows.labelled import open_labelled

_OWN = ("box", "box boundary", "box + click", "1 click", "3 clicks", "5 clicks", "belief error")
_GENERAL = ("box", "1 click", "5 clicks")
_SHARED_BYTES = 512 << 20


def run(args: argparse.Namespace, name: str, recipe: TuneRecipe, base: str | None = None) -> FineTuned:
    """Fine-tune into a folder of that name, or go on there."""
    job = FineTuneJob(
        source=str(args.data / "train"),
        test=str(args.data / "val"),
        out=args.out / name,
        base=base or args.base,
        recipe=recipe,
        device=args.device,
    )
    found = fine_tune(job)
    assert found is not None, "alone, and so the first"
    print(f"{name}: {found.tuned.num_epochs} epochs, the best {found.tuned.best_epoch}; {found.retention.line()}")
    return found


def kept(
    args: argparse.Namespace, name: str, recipe: TuneRecipe, replay: float | None = None, base: str | None = None
) -> dict[str, FineTuned]:
    """A run, and where general pictures fell too far, the same with the share of them that it suggests."""
    runs = {name: run(args, name, recipe, base)}
    share = replay or runs[name].retention.suggested_replay
    if share > recipe.replay:
        again = f"{name}, replay {share:g}"
        runs[again] = run(args, f"{name}_replay{share:g}", replace(recipe, replay=share), base)
    return runs


def on_objects(folder: Path, names: Sequence[str], device: str) -> list[Summary]:
    """Score models on pictures that none learnt from; those of one encoder share what it makes."""
    cache = EmbeddingCache(memory_bytes=_SHARED_BYTES)
    models = {name: load_model(name, device=device, precision="fp32") for name in names}
    asked = [ModelSegmenter(model, name, closer=False, cache=cache) for name, model in models.items()]
    return summarise(evaluate(asked, open_labelled(str(folder)), tasks=("box", "click")))


def table(runs: dict[str, FineTuned], objects: list[Summary]) -> str:
    """Base and runs side by side."""
    found = list(runs.values())
    lines = [
        [f"own, {name}", *_cells([found[0].before.scores[name], *(one.after.scores[name] for one in found)])]
        for name in _OWN
    ]
    lines += [
        [f"painted, {name}", *_cells([found[0].retention.before[name], *(one.retention.after[name] for one in found)])]
        for name in found[0].retention.before
    ]
    lines += [[f"objects, {name}", *_cells([one.scores[name] for one in objects])] for name in _GENERAL if objects]
    return markdown(["", "base", *runs], lines)


def _cells(values: Sequence[float | None]) -> list[str]:
    return ["-" if value is None else f"{value:.3f}" for value in values]


def main() -> None:
    """Learn, see what was forgotten, learn again with replay if that is advised, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--objects", type=Path)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/glass"))
    parser.add_argument("--base", default="tiny")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, or auto")
    parser.add_argument("--replay", type=float, help="this share instead of the one that the first run suggests")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe = changed(TuneRecipe(), args.changes)
    runs = kept(args, "tuned", recipe, args.replay)
    boxes = replace(boxes_recipe(), seed=recipe.seed)
    runs |= kept(args, "boxes", boxes, base=str(args.out / "tuned"))
    names = [args.base, *(str(one.checkpoint.parent) for one in runs.values())]
    print(table(runs, on_objects(args.objects, names, args.device) if args.objects else []))


if __name__ == "__main__":
    main()
