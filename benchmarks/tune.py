"""What does an epoch of fine-tuning cost, from embeddings kept on disk and with every picture encoded again?

python benchmarks/tune.py --frames 16 --model tiny
python benchmarks/tune.py --frames 48 --random vit_b --device cuda      # times do not ask what the weights know

Frames are painted, one mask each is asked for. Times are processor seconds of one thread, the two kinds of epoch in
turn, so other work on the machine counts little; on a GPU they are seconds by the clock, with the peak of its memory.
Each round draws other prompts: clicks take longer than boxes. What 1,000 frames and 10 epochs take is reckoned from
them and says so: learnt from alone, and as `maskwright train` does it if nothing is said, which holds frames out and
scores them, takes mirrored views and crops, mixes general pictures in and asks the base. Of so many masks it asks the
base less often than is reckoned here, so that is the most.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from harness import Timing, report
from peers import our_model, write_weights

from maskwright.models import load_model
from maskwright.models.protocol import Features
from maskwright.models.sam.model import SamModel
from maskwright.train.builtin_pack import builtin_pack
from maskwright.train.painted_folder import PaintedRecipe, write_painted_scenes
from maskwright.train.tune.crew import ALONE
from maskwright.train.tune.examples import Example
from maskwright.train.tune.features import FeatureCache, encoded
from maskwright.train.tune.lesson import MaskLesson
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.samples import Sample, Samples, batch_of
from maskwright.train.tune.step import tune_step
from maskwright.train.tune.tuner import Tuner, make_tuner
from maskwright.train.tune.views import View
from maskwright.workflows.retention import NUM_MIXED
from maskwright.workflows.training_data import read_training_data

_FRAMES, _EPOCHS = 1_000, 10


class Encoding(FeatureCache):
    """Keeps nothing: encodes the views of every batch anew, as training without a cache does."""

    def __init__(self, model: SamModel) -> None:
        self._model = model

    def take(self, views: Sequence[View], device: torch.device | str = "cpu") -> Features:
        """Encode them."""
        found = Features.side_by_side([features for _, features in encoded(self._model, views)])
        return found.to(device)


def epoch(tuner: Tuner, cache: FeatureCache, samples: Sequence[Sample], number: int) -> None:
    """Learn from every sample once; prompts follow from the number."""
    size = tuner.recipe.batch
    for start in range(0, len(samples), size):
        batch = batch_of(samples[start : start + size], tuner.model.frame, tuner.device)
        if batch is not None:
            tune_step(tuner, cache, batch, 1_000 * number + start)


def taken(work: Callable[[], object]) -> tuple[float, float]:
    """Processor seconds and seconds by the clock; on a GPU both are by the clock."""
    processor, clock = time.process_time(), time.perf_counter()
    work()
    if not torch.cuda.is_initialized():
        return time.process_time() - processor, time.perf_counter() - clock
    torch.cuda.synchronize()
    passed = time.perf_counter() - clock
    return passed, passed


def usual_epoch(tuner: Tuner, cache: FeatureCache, lesson: MaskLesson, number: int) -> None:
    """Learn from every sample once as a run does, which asks the base as often in general pictures."""
    size, drawn = tuner.recipe.batch, lesson.epoch(0)
    for start in range(0, len(drawn), size):
        lesson.step(tuner, cache, drawn[start : start + size], 1_000 * number + start, ALONE)


def peak_mb(device: str) -> float:
    """The most memory that tensors took on a GPU since this was last asked; 0 on a CPU."""
    if device == "cpu":
        return 0
    most = torch.cuda.max_memory_allocated() / 2**20
    torch.cuda.reset_peak_memory_stats()
    return most


def model_of(args: argparse.Namespace, folder: Path) -> SamModel:
    """The model whose epochs are timed, in full precision, as it is fine-tuned."""
    if args.random:
        write_weights(args.random, folder / "weights.pt")
        return our_model(args.random, str(folder / "weights.pt")).to(args.device)
    model = load_model(args.model, device=args.device, precision="fp32")
    assert isinstance(model, SamModel)
    return model


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What was measured on `count` frames: seconds to encode all, and of epochs of both kinds; peaks of GPU memory."""

    count: int
    view_bytes: int
    encoding: float
    kept: float
    kept_clock: float
    anew: float
    anew_clock: float
    kept_mb: float
    anew_mb: float
    usual: float  # a prompt of a run as it is if nothing is said
    scored: float  # a held-out mask
    many: MaskLesson  # such a run on 1,000 frames: what it would look at, ask and score


def measured(args: argparse.Namespace, root: Path) -> Costs:
    """Paint frames, encode them, and learn from them in both ways in turn."""
    began = time.perf_counter()
    recipe = TuneRecipe(mirror=0, crops=0, per_picture=1, corrections=args.corrections)
    painted = PaintedRecipe(seed=1, pack="computed", side=512, max_objects=3)
    write_painted_scenes(root / "scenes", painted, builtin_pack(), count=args.frames)
    model = model_of(args, root)
    print(f"frames and weights were made in {time.perf_counter() - began:.0f} s", flush=True)
    examples = read_training_data(str(root / "scenes")).examples
    samples = Samples(examples, recipe, crops=0)
    drawn = samples.epoch(0)
    for _ in encoded(model, samples.views()[:1]):  # warm
        pass
    cache = FeatureCache(root / "features", model)
    filling, _ = taken(lambda: cache.fill(model, samples.views()))
    tuner = make_tuner(model, recipe, num_steps=100, base_features=cache)
    epoch(tuner, cache, drawn[: recipe.batch], 0)  # warm
    peak_mb(args.device)
    times: list[tuple[float, ...]] = []
    for number in range(args.rounds):
        row: list[float] = []
        for source in (cache, Encoding(model)):
            row += [*taken(partial(epoch, tuner, source, drawn, number)), peak_mb(args.device)]
        times.append(tuple(row))
    kept, kept_clock, _, anew, anew_clock, _ = (sum(column) / args.rounds for column in zip(*times, strict=True))
    return Costs(
        count=len(drawn),
        view_bytes=cache.view_bytes,
        encoding=filling,
        kept=kept,
        kept_clock=kept_clock,
        anew=anew,
        anew_clock=anew_clock,
        kept_mb=max(row[2] for row in times),
        anew_mb=max(row[5] for row in times),
        **_usual(args.rounds, tuner, cache, examples),
    )


def _usual(rounds: int, tuner: Tuner, cache: FeatureCache, examples: Sequence[Example]) -> dict[str, Any]:
    """What a prompt and a scored mask of a run cost as it is if nothing is said, and how many 1,000 frames bring."""
    lesson = MaskLesson(examples, examples, tuner.recipe, crops=0, general=examples)
    seconds = [taken(partial(usual_epoch, tuner, cache, lesson, number))[0] for number in range(rounds)]
    scoring, _ = taken(lambda: lesson.score(tuner.average, cache))
    many = [
        replace(one, name=f"{i}", group=f"{i}", digest=f"{i}")
        for i, one in zip(range(_FRAMES + NUM_MIXED), cycle(examples), strict=False)
    ]
    recipe = TuneRecipe()
    num_held_out = round(_FRAMES * recipe.validation_share)
    num_test = round(_FRAMES * recipe.test_share)
    crops = recipe.crops if tuner.model.card.looks_closer else 0
    own, general = many[: _FRAMES - num_test], many[_FRAMES:]
    return {
        "usual": sum(seconds) / rounds / len(lesson.epoch(0)),
        "scored": scoring / len(lesson.held_out),
        "many": MaskLesson(own[num_held_out:], own[:num_held_out], recipe, crops=crops, general=general),
    }


def tell(args: argparse.Namespace, costs: Costs) -> None:
    """Print what was measured, and what follows for many frames."""
    n, on_cpu = costs.count, args.device == "cpu"
    name, batch = args.random or args.model, TuneRecipe().batch
    print(
        f"{name} on {args.device}, {n} frames with one mask each, batch {batch}, corrections up to {args.corrections}"
    )
    print(f"encoding once: {costs.encoding / n:.4f} s a frame; {costs.view_bytes / 1e6:.1f} MB kept a frame")
    print(f"an epoch from what is kept: {costs.kept / n:.4f} s a frame ({costs.kept_clock / n:.4f} by the clock)")
    print(f"an epoch that encodes: {costs.anew / n:.4f} s a frame ({costs.anew_clock / n:.4f} by the clock)")
    print(f"ratio: {costs.anew / costs.kept:.2f}")
    if not on_cpu:
        print(f"peak GPU memory: {costs.kept_mb:,.0f} MB from what is kept, {costs.anew_mb:,.0f} MB encoding")
    found = {"from what is kept": (costs.kept, costs.kept_mb), "encoding every step": (costs.anew, costs.anew_mb)}
    timings = [
        Timing(name=how, seconds=spent / n, processor_seconds=spent / n, peak_mb=peak_mb, added_mb=0, result=None)
        for how, (spent, peak_mb) in found.items()
    ]
    title = f"an epoch of fine-tuning {name} on {args.device}, {n} frames, batches of at most {batch}"
    report("tune" if on_cpu else "tune_gpu", title, timings, note=f"ms a frame{', processor, one thread' * on_cpu}")
    seconds = _FRAMES * (costs.encoding + _EPOCHS * costs.kept) / n
    where = f"{seconds / 60:.1f} minutes of one core" if on_cpu else f"{seconds:.0f} s on one GPU"
    print(f"{_FRAMES:,} frames x {_EPOCHS} epochs in {where}, encoding included; reckoned from these {n} frames")
    num_views, num_asked, num_scored = (
        len({view.key for view in costs.many.views()}),
        len(costs.many.epoch(0)),
        len(costs.many.held_out),
    )
    seconds = (
        num_views * costs.encoding / n + _EPOCHS * num_asked * costs.usual + (_EPOCHS + 1) * num_scored * costs.scored
    )
    where = f"{seconds / 60:.1f} minutes of one core" if on_cpu else f"{seconds:.0f} s on one GPU"
    print(f"as it is if nothing is said: {costs.usual:.4f} s a prompt, {costs.scored:.4f} s a mask that is scored;")
    print(f"{num_views:,} views, {num_asked:,} prompts an epoch, {num_scored} masks scored: {where}, reckoned too")


def main() -> None:
    """Compare, and reckon."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--random", choices=["vit_b", "vit_l", "vit_h", "vit_t"], help="random weights instead")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--rounds", type=int, default=6, help="epochs of each kind")
    parser.add_argument("--corrections", type=int, default=TuneRecipe().corrections)
    args = parser.parse_args()
    if args.device == "cpu":
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        tell(args, measured(args, Path(folder)))


if __name__ == "__main__":
    main()
