"""`write_policy_inputs`: a data set and its masks become what a policy trains on, as files.

The pixels are those of `robot.make_inputs`, which the perceiver and the `DataLoader` call too. Episodes are written
several at a time, each is done or not, and the folder appears when all are.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from maskwright.core.codec import to_json
from maskwright.core.errors import InputError, SettingError
from maskwright.datasets import open_source
from maskwright.datasets.frame_source import Episode, FrameSource
from maskwright.robot.policy_background import Backdrops, check_backdrops
from maskwright.robot.policy_inputs import PolicyInputs
from maskwright.robot.policy_layout import Layout
from maskwright.robot.policy_masks import StoredMasks
from maskwright.robot.policy_recipe import PolicyRecipe
from maskwright.robot.policy_stream import Tally, episode_rows
from maskwright.robot.policy_unfinished import Unfinished, begun_settings, unfinished
from maskwright.store.moments import Moment
from maskwright.workflows.annotate_plan import Selection

PolicyFormat = Literal["lerobot", "lerobot-v2.1", "rlds"]
FORMATS: tuple[PolicyFormat, ...] = ("lerobot", "lerobot-v2.1", "rlds")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWritten:
    """What was written where. `tally` counts what was not there; `left_out` are episodes that nobody annotated."""

    out: Path
    format: PolicyFormat
    num_episodes: int
    num_rows: int
    cameras: tuple[str, ...]
    slots: tuple[str, ...]
    tally: Tally
    left_out: tuple[str, ...] = ()
    num_before: int = 0  # episodes that an earlier run had done

    def lines(self) -> Iterator[str]:
        """Tell people."""
        tally = self.tally
        yield f"{self.num_rows} rows of {self.num_episodes} episodes, slots {', '.join(self.slots)} -> {self.out}"
        if self.num_before:
            yield f"{self.num_before} episodes were done before"
        for slot, count in tally.empty.items():
            where = tally.examples[f"empty {slot}"]
            yield f"no {slot} in {count} of {tally.num_frames} frames: written empty, flagged (first: {where})"
        if tally.unseen:
            where = tally.examples["unseen"]
            yield f"{tally.unseen} frames were never annotated: written empty, flagged (first: {where})"
        for slot, count in tally.joined.items():
            yield f"several masks of {slot} in {count} frames (first: {tally.examples[f'joined {slot}']})"
        if tally.are_others:
            yield "the pictures are not, bit for bit, those that were annotated; look at some of the output"
        if self.left_out:
            more = " ..." if len(self.left_out) > 5 else ""
            yield f"left out, for nobody annotated them: {', '.join(self.left_out[:5])}{more}"


class _Writer(Protocol):
    def write_episode(
        self, index: int, first: int, episode: Episode, rows: Iterator[Mapping[str, PolicyInputs]]
    ) -> dict[str, Any]: ...

    def files(self, index: int) -> list[Path]: ...

    def finish(self, facts: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None: ...


def write_policy_inputs(
    dataset: Path,
    store: Path,
    recipe: PolicyRecipe,
    out: Path,
    *,
    format_name: PolicyFormat = "lerobot",
    is_exact: bool = False,
    selection: Selection | None = None,
    as_of: Moment = None,
    backdrops: Backdrops | None = None,
    workers: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> PolicyWritten:
    """Write what a policy sees of each frame of a data set whose masks are in a store.

    LeRobot gets video and RLDS JPEG, unless `is_exact`: then all pictures are PNG, the very pixels of `make_inputs`.
    Masks are PNG in any case. The same call goes on with what an earlier one began; it reads the store as that did.

    Raises:
        SettingError: a slot names nothing, `out` is not free or was begun with other settings, or pictures are
            too odd for video.
        InputError: masks are of another size than their frames, or a frame cannot be read.
        StoreError: the store cannot be read.
    """
    if format_name not in FORMATS:
        raise SettingError(f"policy inputs are written as {', '.join(FORMATS)}; got {format_name!r}")
    check_backdrops(recipe.background, backdrops)
    source = open_source(dataset)
    begun = begun_settings(out)
    moment = as_of if begun is None else begun.get("moment", as_of)
    with StoredMasks(store, dataset=source.name, as_of=moment) as stored:
        stored.check(recipe.names)
        episodes, cameras, left_out = _chosen(source, stored, selection or Selection())
        settings: dict[str, Any] = {
            "dataset": str(dataset.resolve()),
            "store": stored.id,
            "moment": stored.moment,
            "recipe": to_json(recipe),
            "format": format_name,
            "is_exact": is_exact,
            "cameras": list(cameras),
            "episodes": [one.key for one in episodes],
        }
        layout = Layout(recipe=recipe, sizes_hw={one: _size_hw(source, episodes[0], one) for one in cameras})
        with unfinished(out, settings) as staged:
            writer = _writer(
                staged.folder, source, layout, format_name, out, is_exact=is_exact, is_alone=len(episodes) < 2
            )
            job = _Job(source, cameras, stored, recipe, backdrops, writer, staged, _Count(episodes, progress))
            try:
                facts, num_before = job.run(episodes, workers)
            except InputError as error:
                if not staged.is_begun:
                    raise
                kept = f"Done episodes are kept, with the store as of moment {stored.moment}; to begin anew, remove"
                raise InputError(f"{error}. {kept}: {staged.folder}") from error
            writer.finish(facts, _about(settings, source))
            staged.finish()
    return PolicyWritten(
        out=out,
        format=format_name,
        num_episodes=len(facts),
        num_rows=sum(one["num_rows"] for one in facts),
        cameras=cameras,
        slots=recipe.slots,
        tally=Tally.sum([one["tally"] for one in facts]),
        left_out=left_out,
        num_before=num_before,
    )


@dataclass(slots=True)
class _Count:
    """How many rows are done, told from any thread."""

    episodes: Sequence[Episode]
    progress: Callable[[int, int | None], None] | None
    num_done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, num_rows: int) -> None:
        with self._lock:
            self.num_done += num_rows
            if self.progress is not None:
                self.progress(self.num_done, sum(one.num_frames for one in self.episodes))


@dataclass(frozen=True, slots=True)
class _Job:
    """What all episodes share."""

    source: FrameSource
    cameras: Sequence[str]
    stored: StoredMasks
    recipe: PolicyRecipe
    backdrops: Backdrops | None
    writer: _Writer
    staged: Unfinished
    count: _Count

    def run(self, episodes: Sequence[Episode], workers: int | None) -> tuple[list[dict[str, Any]], int]:
        """Write what is not done, and give the facts of all, and how many were done before."""
        firsts, total = [], 0
        for episode in episodes:
            firsts.append(total)
            total += episode.num_frames
        known = {at: facts for at in range(len(episodes)) if (facts := self.staged.facts(at)) is not None}
        self.count.add(sum(one["num_rows"] for one in known.values()))
        num_workers = min(workers or os.cpu_count() or 1, 8)
        stop = threading.Event()
        with ThreadPoolExecutor(num_workers, thread_name_prefix="policy") as pool:
            left = [at for at in range(len(episodes)) if at not in known]
            futures = {pool.submit(self._write, at, firsts[at], episodes[at], stop): at for at in left}
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                for future in done:
                    known[futures[future]] = future.result()
            finally:  # an error or Ctrl+C: the others end at their next frame
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
        return [known[at] for at in range(len(episodes))], len(episodes) - len(left)

    def _write(self, index: int, first: int, episode: Episode, stop: threading.Event) -> dict[str, Any]:
        tally = Tally()
        rows = episode_rows(
            self.source, episode, self.cameras, self.stored, self.recipe, tally, backdrops=self.backdrops
        )
        facts = self.writer.write_episode(index, first, episode, self._told(rows, stop))
        facts = {**facts, "tally": tally.as_json()}
        self.staged.keep(index, facts, self.writer.files(index))
        return facts

    def _told(
        self, rows: Iterator[dict[str, PolicyInputs]], stop: threading.Event
    ) -> Iterator[dict[str, PolicyInputs]]:
        for row in rows:
            if stop.is_set():
                raise _Stopped
            yield row
            self.count.add(1)


class _Stopped(Exception):
    """Another episode failed, or somebody pressed Ctrl+C: this one is not written to its end."""


def _chosen(
    source: FrameSource, stored: StoredMasks, selection: Selection
) -> tuple[list[Episode], tuple[str, ...], tuple[str, ...]]:
    """Choose the episodes and cameras that somebody annotated, of those that are wanted."""
    wanted = selection.recordings(source)
    annotated = stored.cameras()
    found = [(episode, camera) for episode, camera in wanted if (episode.key, camera) in annotated]
    if not found:
        advice = "Look at --episodes and --cameras, or annotate"
        raise SettingError(f"no frame that was chosen has masks in the store. {advice}: {stored.path}")
    cameras = tuple(dict.fromkeys(camera for _, camera in found))
    episodes = list({episode.key: episode for episode, _ in found if episode.num_frames}.values())
    names = {episode.key for episode in episodes}
    return episodes, cameras, tuple(dict.fromkeys(one.key for one, _ in wanted if one.key not in names))


def _size_hw(source: FrameSource, episode: Episode, camera: str) -> tuple[int, int]:
    first = next(iter(source.frames(episode, camera, stop=1)), None)
    if first is None:
        raise InputError(f"{episode.key} has no frame of {camera}: {source.name}")
    return first.image.size_hw


def _writer(
    folder: Path,
    source: FrameSource,
    layout: Layout,
    format_name: PolicyFormat,
    out: Path,
    *,
    is_exact: bool,
    is_alone: bool,
) -> _Writer:
    if format_name == "rlds":
        from maskwright.robot.policy_rlds import RldsPolicyWriter

        return RldsPolicyWriter(folder, source, layout, name=out.resolve().name, is_exact=is_exact)
    from maskwright.robot.policy_lerobot import LeRobotPolicyWriter

    version = "v2.1" if format_name == "lerobot-v2.1" else "v3.0"
    return LeRobotPolicyWriter(folder, source, layout, version=version, is_exact=is_exact, is_alone=is_alone)


def _about(settings: Mapping[str, Any], source: FrameSource) -> dict[str, Any]:
    names = ("store", "moment", "recipe", "is_exact", "cameras")
    return {"dataset": source.name, **{name: settings[name] for name in names}, "source_episodes": settings["episodes"]}


__all__ = ["FORMATS", "PolicyFormat", "PolicyWritten", "write_policy_inputs"]
