"""What does an epoch of fine-tuning cost, from embeddings kept on disk and with every picture encoded again?

python benchmarks/tune.py --frames 16 --model tiny
python benchmarks/tune.py --frames 48 --random vit_b --device cuda      # times do not ask what the weights know

Frames are painted, one mask each is asked for. Times are processor seconds of one thread, the two kinds of epoch in
turn, so other work on the machine counts little; on a GPU they are seconds by the clock. Each round draws other
prompts: clicks take longer than boxes. What 1,000 frames and 10 epochs take is reckoned from them and says so.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from harness import Timing, report
from peers import our_model, write_weights

from maskwright.models import load_model
from maskwright.models.protocol import Features
from maskwright.models.sam.model import SamModel
from maskwright.train.builtin_pack import builtin_pack
from maskwright.train.dice import Dice
from maskwright.train.painted_folder import PaintedRecipe, write_painted_scenes
from maskwright.train.tune.features import FeatureCache, encoded
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.samples import Sample, Samples, batch_of
from maskwright.train.tune.step import tune_step
from maskwright.train.tune.tuner import Tuner, make_tuner
from maskwright.train.tune.views import View
from maskwright.workflows.training_data import read_training_data

_FRAMES, _EPOCHS, _CORES = 1_000, 10, 2


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
            tune_step(tuner, cache, batch, Dice(1_000 * number + start, tuner.device))


def taken(work: Callable[[], object]) -> tuple[float, float]:
    """Processor seconds and seconds by the clock; on a GPU both are by the clock."""
    processor, clock = time.process_time(), time.perf_counter()
    work()
    if not torch.cuda.is_initialized():
        return time.process_time() - processor, time.perf_counter() - clock
    torch.cuda.synchronize()
    passed = time.perf_counter() - clock
    return passed, passed


def model_of(args: argparse.Namespace, folder: Path) -> SamModel:
    """The model whose epochs are timed."""
    if args.random:
        write_weights(args.random, folder / "weights.pt")
        random = our_model(args.random, str(folder / "weights.pt")).to(args.device)
        if args.device == "cuda":
            random.image_encoder.to(torch.bfloat16)  # as load_model does
        return random
    model = load_model(args.model, device=args.device)
    assert isinstance(model, SamModel)
    return model


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
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        painted = PaintedRecipe(seed=1, pack="computed", side=512, max_objects=3)
        write_painted_scenes(root / "scenes", painted, builtin_pack(), count=args.frames)
        model = model_of(args, root)
        recipe = TuneRecipe(mirror=0, crops=0, per_picture=1, corrections=args.corrections)
        samples = Samples(read_training_data(str(root / "scenes")).examples, recipe, crops=0)
        drawn = samples.epoch(0)
        cache = FeatureCache(root / "features", model)
        filling, _ = taken(lambda: cache.fill(model, samples.views()))
        tuner = make_tuner(model, recipe, num_steps=100)
        epoch(tuner, cache, drawn[: recipe.batch], 0)  # warm
        times: list[tuple[float, float, float, float]] = []
        for number in range(args.rounds):
            kept, anew = (taken(partial(epoch, tuner, source, drawn, number)) for source in (cache, Encoding(model)))
            times.append((*kept, *anew))
        kept, kept_clock, anew, anew_clock = (sum(column) / args.rounds for column in zip(*times, strict=True))
    n = len(drawn)
    name = args.random or args.model
    print(f"{name} on {args.device}, {n} frames with one mask each")
    print(f"batch {recipe.batch}, corrections up to {args.corrections}")
    print(f"encoding once: {filling / n:.3f} s a frame; {cache.view_bytes / 1e6:.1f} MB kept a frame")
    print(f"an epoch from what is kept: {kept / n:.3f} s a frame ({kept_clock / n:.3f} by the clock)")
    print(f"an epoch that encodes: {anew / n:.3f} s a frame ({anew_clock / n:.3f} by the clock)")
    print(f"ratio: {anew / kept:.2f}")
    timings = [
        Timing(name=name, seconds=seconds / n, peak_mb=0, added_mb=0, result=None)
        for name, seconds in (("from what is kept", kept), ("encoding every step", anew))
    ]
    title = f"an epoch of fine-tuning {name} on {args.device}, {n} frames, batches of at most {recipe.batch}"
    on_cpu = args.device == "cpu"
    report("tune" if on_cpu else "tune_gpu", title, timings, note=f"ms a frame{', processor, one thread' * on_cpu}")
    minutes = _FRAMES * (filling / n + _EPOCHS * kept / n) / (_CORES if on_cpu else 1) / 60
    where = f"{_CORES} cores" if on_cpu else "one GPU"
    print(f"reckoned, not run: {_FRAMES:,} frames, {_EPOCHS} epochs, {where}: {minutes:.1f} minutes with encoding")


if __name__ == "__main__":
    main()
