"""The batches of a run: scenes painted by seed and step, photographed, and made some steps ahead in a thread."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread

import torch
from jaxtyping import Float
from torch import Tensor

from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice
from maskwright.train.photometry import photograph
from maskwright.train.recipe import Recipe
from maskwright.train.scenes import Scenes, inside_extent, paint


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one step learns from; further draws of the step come from `dice`."""

    dice: Dice
    scenes: Scenes
    frames: Float[Tensor, "B 3 S S"]

    @property
    def side(self) -> int:
        """Side of the frames in pixels."""
        return self.frames.shape[-1]


def scene_stream(recipe: Recipe, pack: AssetPack, device: torch.device, first_step: int) -> Iterator[Batch]:
    """Yield the batch of each step; a painted scene is photographed `photographs` times.

    Draws depend on the seed and the step alone, so a resumed run sees what the uninterrupted one would have seen.
    """
    step = first_step
    scenes: Scenes | None = None
    while True:
        if scenes is None or step % recipe.photographs == 0:
            painter = Dice(recipe.seed * 1_000_003 + step // recipe.photographs, device)
            scenes = paint(painter, pack, batch=recipe.batch, side=recipe.side, max_objects=recipe.max_objects)
        dice = Dice(recipe.seed * 1_000_003 + 500_000_000 + step, device)
        yield Batch(dice=dice, scenes=scenes, frames=frames_of(dice, scenes))
        step += 1


@contextmanager
def prefetched(batches: Iterator[Batch], depth: int = 2) -> Iterator[Iterator[Batch]]:
    """Make batches in a thread, some steps ahead.

    Painting is thousands of small kernels, and launching them takes as long as a training step. torch lets go of the
    interpreter while it launches, so both threads launch at once; on the same CUDA stream, which keeps their order
    and needs no locks.
    """
    queue: Queue[Batch | BaseException] = Queue(depth)
    stopping = Event()

    def work() -> None:
        try:
            for batch in batches:
                while not stopping.is_set():
                    with suppress(Full):
                        queue.put(batch, timeout=0.1)
                        break
                if stopping.is_set():
                    return
        except BaseException as error:
            queue.put(error)

    def taken() -> Iterator[Batch]:
        while True:
            item = queue.get()
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopping.set()
        thread.join()


def frames_of(dice: Dice, scenes: Scenes) -> Float[Tensor, "B 3 S S"]:
    """Photograph scenes and lay them into normalised frames: 8-bit values, zeros beyond the picture's extent."""
    pixels = photograph(dice, scenes.pictures)
    return (torch.round(pixels * 255) - 127.5) / 127.5 * inside_extent(scenes.extent, pixels.shape[-1])


__all__ = ["Batch", "frames_of", "prefetched", "scene_stream"]
