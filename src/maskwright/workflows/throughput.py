"""How fast a model is on this machine: a timed run of a few seconds on real frames.

Each frame is read, encoded, and prompted with a few boxes (or searched for everything); masks become RLE, as they
would be stored. The first frame warms up and does not count. Ranges go from the fastest tenth of frames to the slowest.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from maskwright.core import BoxPrompt, Image, SizeHW
from maskwright.core.errors import InputError
from maskwright.models import Model
from maskwright.predict import EverythingSettings, embed, everything, predict, to_records
from maskwright.workflows.costs import Span

_SECONDS, _MOST_FRAMES, _FEWEST_FRAMES = 5.0, 40, 3
_BOXES_X, _BOXES_Y = 4, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Times of single frames: what a frame costs whatever is on it, and what each mask adds.

    In everything-mode a mask adds nothing: the clicks of the grid are the same, whatever they find.
    """

    num_frames: int
    frame_ms: Span
    mask_ms: Span
    masks_per_frame: Span
    bytes_per_mask: Span
    says: str

    def machine_ms(self, masks_per_frame: Span) -> Span:
        """The time of a frame with so many masks."""
        return self.frame_ms + self.mask_ms * masks_per_frame


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timed:
    frame_s: float
    masks_s: float
    sizes: tuple[int, ...]


def measure_throughput(
    model: Model, images: Iterable[Image], *, settings: EverythingSettings | None = None, seconds: float = _SECONDS
) -> Throughput:
    """Run a model over images until `seconds` are over or they end; they may repeat.

    With `settings`, the search for every mask is timed; without, masks of boxes.

    Raises:
        InputError: there is no image.
    """
    stream = iter(images)
    timed = list(_timed_frames(model, stream, settings, seconds))
    if not timed:
        raise InputError("a timed run needs at least one frame, got none")
    num_boxes = _BOXES_X * _BOXES_Y
    each = 0.0 if settings is not None else 1000 / num_boxes
    whole = [one.frame_s + (one.masks_s if settings is not None else 0.0) for one in timed]
    sizes = [size for one in timed for size in one.sizes]
    how = "every mask" if settings is not None else f"{num_boxes} boxes a frame"
    return Throughput(
        num_frames=len(timed),
        frame_ms=_middle([1000 * seconds for seconds in whole]),
        mask_ms=_middle([each * one.masks_s for one in timed]),
        masks_per_frame=_middle([float(len(one.sizes)) for one in timed]),
        bytes_per_mask=_middle([float(size) for size in sizes] or [0.0]),
        says=f"{model.card.name} on {model.device}, {len(timed)} frames, {how}",
    )


def example_images() -> Iterator[Image]:
    """Give the example picture in the package, again and again."""
    from maskwright.datasets import read_image
    from maskwright.workflows.pictures import example_path

    while True:
        yield read_image(example_path())


def _timed_frames(
    model: Model, images: Iterator[Image], settings: EverythingSettings | None, seconds: float
) -> Iterator[_Timed]:
    first = next(images, None)
    if first is None:
        return
    _time_frame(model, first, settings)
    images, started = chain([first], images), time.perf_counter()
    for count in range(_MOST_FRAMES):
        before = time.perf_counter()
        if count >= _FEWEST_FRAMES and before - started > seconds:
            return
        image = next(images, None)
        if image is None:
            return
        yield _time_frame(model, image, settings, read_s=time.perf_counter() - before)


def _time_frame(model: Model, image: Image, settings: EverythingSettings | None, *, read_s: float = 0.0) -> _Timed:
    started = time.perf_counter()
    embedding = embed(model, image)
    _wait(model)
    encoded = time.perf_counter()
    if settings is not None:
        records = everything(model, image, settings=settings, embedding=embedding)
    else:
        records = to_records(predict(model, embedding, _boxes(image.size_hw)))
    done = time.perf_counter()
    sizes = tuple(len(record.rle.counts) for record in records)
    return _Timed(frame_s=read_s + encoded - started, masks_s=done - encoded, sizes=sizes)


def _boxes(size_hw: SizeHW) -> list[BoxPrompt]:
    """Lay boxes out over a frame: where they are does not change what they cost."""
    height, width = size_hw
    step_x, step_y = width / _BOXES_X, height / _BOXES_Y
    return [
        BoxPrompt((x * step_x, y * step_y, (x + 0.9) * step_x, (y + 0.9) * step_y))
        for y in range(_BOXES_Y)
        for x in range(_BOXES_X)
    ]


def _wait(model: Model) -> None:
    """Wait for a GPU, which answers before it is done."""
    if model.device.type == "cuda":
        import torch

        torch.cuda.synchronize(model.device)


def _middle(values: list[float]) -> Span:
    low, high = np.percentile(values, [10, 90])
    return Span(float(low), float(high))


__all__ = ["Throughput", "example_images", "measure_throughput"]
