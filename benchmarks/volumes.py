"""How well are objects followed through a volume from one slice? Our tracker beside two floors.

python benchmarks/volumes.py --image IMAGE.tif --labels LABELS.tif
python benchmarks/volumes.py --image IMAGE.tif --labels LABELS.tif --prompt box --model tiny

Every object of the label volume with enough voxels and slices is shown on the slice where it is largest, by its true
mask or its box, all in one run. IoU is that of the voxels of the whole object. The floors: the shown mask on every
slice, and the model asked again on each slice with the box of its last mask.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from maskwright.core import BoxPrompt, Image, MaskPrompt, Prompt
from maskwright.core.errors import InputError
from maskwright.datasets.volume import Volume
from maskwright.datasets.volume_files import open_volume
from maskwright.masks import box_xyxy, encode, is_empty
from maskwright.models import Model, load_model
from maskwright.predict import embed, predict, to_records
from maskwright.predict.tracking import TrackedFrame, TrackedMask, Tracker
from maskwright.workflows.volumes import segment_volume

MIN_VOXELS, MIN_SLICES = 200, 5


class Floor:
    """A tracker that knows nothing of motion: `asks_again` or repeats what it was shown."""

    def __init__(self, model: Model, *, asks_again: bool) -> None:
        self._model, self._asks_again = model, asks_again
        self._last: dict[str, TrackedMask] = {}
        self._index = -1

    @property
    def tracks(self) -> tuple[str, ...]:
        """Names of the tracks."""
        return tuple(self._last)

    def step(self, image: Image, prompts: Mapping[str, Prompt] | None = None) -> TrackedFrame:
        """Take the next slice."""
        self._index += 1
        asked: dict[str, Prompt] = dict(prompts or {})
        if self._asks_again:
            known = {name: one.rle for name, one in self._last.items() if name not in asked and not is_empty(one.rle)}
            asked |= {name: BoxPrompt(box_xyxy(rle)) for name, rle in known.items()}
        shown = {name: prompt.rle for name, prompt in asked.items() if isinstance(prompt, MaskPrompt)}
        others = {name: prompt for name, prompt in asked.items() if name not in shown}
        if others:
            batch = predict(self._model, embed(self._model, image), list(others.values()))
            shown |= {name: record.rle for name, record in zip(others, to_records(batch), strict=True)}
        self._last |= {name: TrackedMask(track=name, rle=rle, source="keyframe") for name, rle in shown.items()}
        return TrackedFrame(index=self._index, image_digest=image.digest, masks=tuple(self._last.values()))

    def forget(self, track: str) -> None:
        """Drop a track."""
        del self._last[track]


def chosen(truth: np.ndarray) -> list[int]:
    """List the objects that are large enough to follow."""
    return [
        int(number)
        for number in np.unique(truth)[1:]
        if (truth == number).sum() >= MIN_VOXELS and (truth == number).any((0, 1)).sum() >= MIN_SLICES
    ]


def prompts_of(truth: np.ndarray, numbers: Sequence[int], kind: str) -> dict[int, dict[str, Prompt]]:
    """Show each object on its largest slice."""
    prompts: dict[int, dict[str, Prompt]] = {}
    for number in numbers:
        at = int((truth == number).sum((0, 1)).argmax())
        rle = encode(np.ascontiguousarray((truth[:, :, at] == number).T))
        prompts.setdefault(at, {})[str(number)] = MaskPrompt(rle) if kind == "mask" else BoxPrompt(box_xyxy(rle))
    return prompts


def score(
    model: Model, volume: Volume, truth: np.ndarray, kind: str, new_tracker: Callable[[], Tracker] | None
) -> tuple[np.ndarray, float]:
    """Follow all objects; gives their IoU and the seconds it took."""
    numbers = chosen(truth)
    started = time.perf_counter()
    found = segment_volume(model, volume, prompts_of(truth, numbers, kind), new_tracker=new_tracker)
    seconds = time.perf_counter() - started
    by_name = {name: found.labels == number for number, name in found.names.items()}
    scores = []
    for number in numbers:
        drawn, true = by_name[str(number)], truth == number
        scores.append((drawn & true).sum() / (drawn | true).sum())
    return np.array(scores), seconds


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--prompt", choices=("mask", "box"), default="mask")
    parser.add_argument("--model", default="tiny")
    given = parser.parse_args()
    volume, labels = open_volume(given.image), open_volume(given.labels)
    if volume.shape != labels.shape:
        raise InputError(f"the labels have the shape {labels.shape}, the volume {volume.shape}")
    truth = np.stack([labels.voxels.read(2, k) for k in range(labels.shape[2])], axis=2)
    model = load_model(given.model)
    contenders: dict[str, Callable[[], Tracker] | None] = {
        "tracker": None,
        "the mask repeated": lambda: Floor(model, asks_again=False),
        "the last box asked again": lambda: Floor(model, asks_again=True),
    }
    print(f"| {given.prompt} on one slice, {len(chosen(truth))} objects | mean IoU | median | above 0.5 | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for name, new_tracker in contenders.items():
        scores, seconds = score(model, volume, truth, given.prompt, new_tracker)
        above = f"{(scores > 0.5).mean():.0%}"
        print(f"| {name} | {scores.mean():.3f} | {np.median(scores):.3f} | {above} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
