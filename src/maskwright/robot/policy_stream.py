"""Frames of an episode with what a policy sees of them, the cameras side by side, and a count of what was not there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from maskwright.core.errors import InputError
from maskwright.core.image import Frame
from maskwright.datasets.frame_source import Episode, FrameSource
from maskwright.robot.policy_background import Backdrops
from maskwright.robot.policy_inputs import PolicyInputs, make_inputs
from maskwright.robot.policy_masks import EpisodeMasks, StoredMasks, check_size, one_each
from maskwright.robot.policy_recipe import PolicyRecipe

Row = Mapping[str, PolicyInputs]  # what a policy sees at one time, by camera


@dataclass(slots=True)
class Tally:
    """What an episode's frames had: counts, each with the first place where it was so."""

    num_frames: int = 0  # of cameras: two cameras of ten rows are twenty
    empty: dict[str, int] = field(default_factory=dict)  # by slot: frames that somebody looked at and that lack it
    unseen: int = 0  # frames that nobody looked at
    joined: dict[str, int] = field(default_factory=dict)  # by slot: frames with several masks of it
    examples: dict[str, str] = field(default_factory=dict)
    are_others: bool = False  # the pictures are not those that were annotated

    def note(self, kind: str, where: str) -> None:
        """Keep the first place of a kind."""
        self.examples.setdefault(kind, where)

    def as_json(self) -> dict[str, Any]:
        """Write it as JSON types."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def sum(cls, parts: Sequence[Mapping[str, Any]]) -> "Tally":
        """Add up the tallies of episodes, as JSON."""
        total = cls()
        for part in parts:
            total.num_frames += part["num_frames"]
            total.unseen += part["unseen"]
            total.are_others |= part["are_others"]
            for name in ("empty", "joined"):
                counts = getattr(total, name)
                for slot, count in part[name].items():
                    counts[slot] = counts.get(slot, 0) + count
            for kind, where in part["examples"].items():
                total.note(kind, where)
        return total


def episode_rows(
    source: FrameSource,
    episode: Episode,
    cameras: Sequence[str],
    stored: StoredMasks,
    recipe: PolicyRecipe,
    tally: Tally,
    *,
    backdrops: Backdrops | None = None,
) -> Iterator[dict[str, PolicyInputs]]:
    """Give what a policy sees at each time of an episode, by camera; `tally` counts along.

    Raises:
        InputError: masks are of another size than their frames, a frame cannot be decoded, or it has no depth and the
            recipe asks for points.
    """
    streams = [_Camera(source, episode, camera, stored, recipe, tally, backdrops) for camera in cameras]
    frames = [source.frames(episode, camera) for camera in cameras]
    for row in zip(*frames, strict=True):
        yield {one.name: one.inputs(frame) for one, frame in zip(streams, row, strict=True)}


class _Camera:
    """The masks of one camera of one episode."""

    def __init__(
        self,
        source: FrameSource,
        episode: Episode,
        camera: str,
        stored: StoredMasks,
        recipe: PolicyRecipe,
        tally: Tally,
        backdrops: Backdrops | None,
    ) -> None:
        self.name = camera
        self._where = f"{episode.key}/{camera} of {source.name}"
        self._key = episode.key
        self._stored, self._recipe, self._tally, self._backdrops = stored, recipe, tally, backdrops
        self._masks: EpisodeMasks = stored.episode(episode.key, camera, recipe.names)
        self._is_checked = False

    def inputs(self, frame: Frame) -> PolicyInputs:
        number = frame.ref.frame_index
        if not self._is_checked:
            check_size(self._masks, frame.image.size_hw, self._where)
            digest = self._stored.digest(self._key, self.name, number)
            self._tally.are_others |= digest is not None and digest != frame.image.digest
            self._is_checked = True
        found = self._masks.of(number)
        try:
            made = make_inputs(
                frame.image.pixels,
                one_each(found, self._recipe.several),
                self._recipe,
                ref=frame.ref,
                depth_m=frame.image.depth_m,
                backdrops=self._backdrops,
            )
        except InputError as error:
            raise InputError(f"frame {number}: {error} {self._where}") from error
        self._count(number, made, {name: len(rles) for name, rles in found.items()})
        return made

    def _count(self, number: int, made: PolicyInputs, num_masks: Mapping[str, int]) -> None:
        tally, where = self._tally, f"{self._key}/{self.name} frame {number}"
        tally.num_frames += 1
        if not self._masks.is_seen(number):
            tally.unseen += 1
            tally.note("unseen", where)
            return
        for slot, is_present in zip(self._recipe.slots, made.present, strict=True):
            if not is_present:
                tally.empty[slot] = tally.empty.get(slot, 0) + 1
                tally.note(f"empty {slot}", where)
        for slot, count in num_masks.items():
            if count > 1:
                tally.joined[slot] = tally.joined.get(slot, 0) + 1
                tally.note(f"joined {slot}", where)


__all__ = ["Row", "Tally", "episode_rows"]
