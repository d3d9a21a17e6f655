"""The batches of a run: scenes painted or read by seed and step, photographed, and made some steps ahead.

A group is what is made together: scenes of one side, photographed once for each of the next `photographs` steps.
Everything about a group follows from the recipe and its number, so that a run can go on anywhere, and the number of
processes changes nothing. On a CPU processes make whole groups; on a GPU they decode labelled scenes, and a thread
paints on the device.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice
from maskwright.train.labelled import LabelledScenes
from maskwright.train.packing import PackedScenes, joined, packed, to_bytes, unpacked
from maskwright.train.photometry import photograph
from maskwright.train.recipe import Recipe, batch_of, side_of
from maskwright.train.scenes import Scenes, inside_extent, paint
from maskwright.train.workers import default_workers, in_order

# Seeds of what is drawn for a group, for a photograph, and for the questions of a step lie far apart.
_PHOTOGRAPHS, _QUESTIONS, _LABELLED = 500_000_000, 700_000_000, 900_000_000


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneMaker:
    """Makes the scenes of any group."""

    recipe: Recipe
    pack: AssetPack
    labelled: LabelledScenes

    def paint(self, group: int, device: torch.device) -> Scenes | None:
        """Paint what a group does not read from folders."""
        count = self._batch(group) - self._num_labelled(group)
        if not count:
            return None
        dice = Dice(self.recipe.seed * 1_000_003 + group, device)
        return paint(
            dice, self.pack, batch=count, side=side_of(self.recipe, group), max_objects=self.recipe.max_objects
        )

    def read(self, group: int) -> Scenes | None:
        """Read a group's share of labelled scenes."""
        count = self._num_labelled(group)
        if not count:
            return None
        seed = self.recipe.seed * 1_000_003 + _LABELLED + group
        return self.labelled.draw(
            seed, count=count, side=side_of(self.recipe, group), max_objects=self.recipe.max_objects
        )

    def make(self, group: int) -> Scenes:
        """Make all scenes of a group on the CPU."""
        return joined(self.paint(group, torch.device("cpu")), self.read(group))

    def make_packed(self, group: int) -> PackedScenes:
        """Make a group and all its photographs, to be sent to another process."""
        scenes = self.make(group)
        first = group * self.recipe.photographs
        photographs = [
            photographed(photograph_dice(self.recipe, step, scenes.pictures.device), scenes)
            for step in range(first, first + self.recipe.photographs)
        ]
        return packed(scenes, torch.stack(photographs))

    def read_packed(self, group: int) -> PackedScenes | None:
        """Read a group's labelled scenes, to be sent to another process."""
        scenes = self.read(group)
        return None if scenes is None else packed(scenes, to_bytes(scenes.pictures)[None])

    def _batch(self, group: int) -> int:
        return batch_of(self.recipe, side_of(self.recipe, group))

    def _num_labelled(self, group: int) -> int:
        """The share of labelled pictures, rounded up or down by chance."""
        if not len(self.labelled):
            return 0
        chance = random.Random(self.recipe.seed * 1_000_003 + _LABELLED + group).random()
        return int(self._batch(group) * self.recipe.scenes_share + chance)


@contextmanager
def batches(maker: SceneMaker, device: torch.device, *, first_step: int) -> Iterator[Iterator[Batch]]:
    """Give the batch of each step from `first_step` on, without end."""
    recipe, first = maker.recipe, first_step // maker.recipe.photographs
    workers = recipe.workers if recipe.workers >= 0 else default_workers(device)
    with ExitStack() as stack:
        if device.type == "cpu":
            groups = stack.enter_context(in_order(maker.make_packed, first=first, workers=workers))
            yield _from_packed(recipe, groups, first_step)
        else:
            if not len(maker.labelled):
                workers = 0
            read = stack.enter_context(in_order(maker.read_packed, first=first, workers=workers))
            yield stack.enter_context(prefetched(_painted_on(device, maker, read, first_step)))


def _from_packed(recipe: Recipe, groups: Iterator[PackedScenes], first_step: int) -> Iterator[Batch]:
    step, P = first_step, recipe.photographs
    for group in groups:
        scenes = unpacked(group, torch.device("cpu"))
        for place in range(step % P, P):
            frames = frames_of(torch.from_numpy(group.pictures[place]), scenes.extent)
            yield Batch(dice=question_dice(recipe, step, frames.device), scenes=scenes, frames=frames)
            step += 1


def _painted_on(
    device: torch.device, maker: SceneMaker, read: Iterator[PackedScenes | None], first_step: int
) -> Iterator[Batch]:
    step, recipe = first_step, maker.recipe
    for group, labelled in enumerate(read, start=first_step // recipe.photographs):
        scenes = joined(maker.paint(group, device), None if labelled is None else unpacked(labelled, device))
        for _ in range(step % recipe.photographs, recipe.photographs):
            pixels = photographed(photograph_dice(recipe, step, device), scenes)
            frames = frames_of(pixels, scenes.extent)
            yield Batch(dice=question_dice(recipe, step, device), scenes=scenes, frames=frames)
            step += 1


def photograph_dice(recipe: Recipe, step: int, device: torch.device) -> Dice:
    """The draws of a step's photograph."""
    return Dice(recipe.seed * 1_000_003 + _PHOTOGRAPHS + step, device)


def question_dice(recipe: Recipe, step: int, device: torch.device) -> Dice:
    """The draws of what a step asks for."""
    return Dice(recipe.seed * 1_000_003 + _QUESTIONS + step, device)


def photographed(dice: Dice, scenes: Scenes) -> UInt8[Tensor, "B 3 S S"]:
    """Photograph scenes in 8 bits."""
    return to_bytes(photograph(dice, scenes.pictures))


def frames_of(pixels: UInt8[Tensor, "B 3 S S"], extent: Float[Tensor, "B 2"]) -> Float[Tensor, "B 3 S S"]:
    """Normalise photographs to frames: zeros beyond the picture's extent."""
    return (pixels.float() - 127.5) / 127.5 * inside_extent(extent, pixels.shape[-1])


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


__all__ = ["Batch", "SceneMaker", "batches", "frames_of", "photographed", "prefetched"]
