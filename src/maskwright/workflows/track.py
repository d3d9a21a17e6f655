"""`track`: objects that are named once, through every frame of a recording, into a store.

First the prompts become keyframes in the store; then a plan is read from the store, of which frames lack masks of the
keyframes as they are; then passes fill these gaps. Nothing else says what is done: after a kill the same command goes
on, and after a correction it does what the correction changed.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from maskwright.core import ModelRef, Prompt, TextPrompt, prompt_parts
from maskwright.core.errors import SettingError
from maskwright.predict.records import utc_now
from maskwright.predict.tracking.tracked import Tracker
from maskwright.store import MaskStore, Query
from maskwright.workflows.annotate import open_or_create, tidy
from maskwright.workflows.annotate_plan import Footage, Selection
from maskwright.workflows.annotate_session import Progress
from maskwright.workflows.run_manifest import RunManifest, versions
from maskwright.workflows.same_frames import check_same_frames
from maskwright.workflows.source_facts import describe_source, licence_of
from maskwright.workflows.stages import SkippedFrames
from maskwright.workflows.track_finding import NewTracks
from maskwright.workflows.track_keyframes import check_prompts, draw_keyframes, left_to_draw
from maskwright.workflows.track_passes import FilledFrame, Recording, clusters, fill, num_steps, search
from maskwright.workflows.track_plan import TrackPlan, plan_tracks
from maskwright.workflows.track_prompts import TrackPrompt, by_frame
from maskwright.workflows.track_records import Credits
from maskwright.workflows.track_session import TrackedSource, TrackSession
from maskwright.workflows.track_writer import TrackWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Who tracks: `make` begins a session of a tracker, `model` is what it runs, `settings` what it was told.

    `make_finder` begins one that also looks for objects which have no track. `options` are how the user said it, by
    which a later session finds the same again. `check_words` refuses words that the model does not know.
    """

    make: Callable[[], Tracker]
    make_finder: Callable[[], Tracker] | None = None
    model: ModelRef
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    check_words: Callable[[str], object] | None = None

    def check(self, prompt: Prompt) -> None:
        """Refuse words that the model does not know, before any work is done."""
        for part in prompt_parts(prompt):
            if isinstance(part, TextPrompt) and self.check_words is not None:
                self.check_words(part.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who tracks, who recorded the frames, and their terms; the source's own where it tells."""

    actor: str | None = None
    collector: str | None = None
    licence: str | None = None


def track(
    tracking: Tracking,
    footage: Footage,
    out: Path,
    *,
    prompts: Sequence[TrackPrompt] = (),
    selection: Selection | None = None,
    tracks: Sequence[str] | None = None,
    replace: bool = False,
    people: People | None = None,
    notes: Iterable[str] = (),
    command: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> TrackedSource:
    """Bring the tracks of a source up to date in the store at `out`, which is made if nothing is there.

    `prompts` begin tracks or correct them; `tracks` names those to look at, all that were tracked before if it is left
    out. `replace` lets prompts take the place of keyframes. Ctrl+C, an error or a kill leaves a whole store.

    Raises:
        SettingError: a frame, episode, camera or track is not there, or a track has a keyframe where a prompt is.
        PromptError, PromptOutsideImage, UnsupportedPrompt: a prompt does not fit its frame or the model.
        StoreError: the store cannot be opened or written, or another process tracks the same source.
        InputError: the store holds other frames of a data set of this name.
    """
    selection = selection or Selection()
    people = people or People()
    recordings = _recordings(footage, selection)
    wanted = by_frame(prompts)
    _check_selected(footage, wanted, recordings)
    for by_track in wanted.values():
        for one in by_track.values():
            tracking.check(one.prompt)
    check_prompts(footage, wanted)
    dataset = footage.source.name
    run = f"track-{hashlib.sha256(dataset.encode()).hexdigest()[:16]}"
    with open_or_create(out) as store:
        manifest = RunManifest.of(store, run)
        with manifest.lock():
            check_same_frames(store, run, footage)
            _check_tracks(store, dataset, tracks, wanted)
            orders = left_to_draw(store, dataset, wanted, may_replace=replace)
            session = TrackSession(progress, list(notes))
            credits = Credits(
                model=tracking.model,
                source=f"{dataset} ({run})",
                actor=people.actor,
                collector=people.collector,
                licence=people.licence or licence_of(footage.path),
                clock=clock,
            )
            content = manifest.begin(
                _facts(footage, tracking, credits), _about(selection, tracking, command, people, clock())
            )
            outcome = "failed"
            try:
                for drawn in draw_keyframes(store, footage, orders, tracking.make, credits):
                    session.take_drawn(drawn)
                _propagate(store, footage, recordings, tracks, tracking, credits, session)
                outcome = "done"
            except KeyboardInterrupt:
                outcome = "interrupted"
                raise
            finally:
                manifest.end(content, outcome, clock(), **session.counts())
        tidy(store)
    return session.result(dataset, out, run)


def _recordings(footage: Footage, selection: Selection) -> list[tuple[Any, str, range]]:
    if selection.stride != 1:
        raise SettingError(f"tracks are at the native rate, on every frame; got a stride of {selection.stride}")
    found = [(episode, camera, selection.numbers(episode)) for episode, camera in selection.recordings(footage.source)]
    if not any(numbers for _, _, numbers in found):
        raise SettingError(f"no frame is in the selection; look at --from and --to: {footage.path}")
    return found


def _check_selected(footage: Footage, wanted: Mapping[Any, Any], recordings: Sequence[tuple[Any, str, range]]) -> None:
    """Refuse prompts on frames that would not be tracked."""
    known = {(episode.key, camera): numbers for episode, camera, numbers in recordings}
    sizes = {(episode.key, camera): episode.num_frames for episode, camera, _ in recordings}
    for episode, camera, index in wanted:
        numbers = known.get((episode, camera))
        if numbers is None:
            raise SettingError(
                f"there is no {episode}/{camera} in the selection, and a prompt is there: {footage.path}"
            )
        if index not in numbers and index in range(sizes[episode, camera]):
            raise SettingError(
                f"a prompt is on frame {index}, outside the frames {numbers.start} to {numbers.stop - 1} that are to "
                f"be tracked: {footage.path}"
            )


def _check_tracks(
    store: MaskStore, dataset: str, tracks: Sequence[str] | None, wanted: Mapping[Any, Mapping[str, TrackPrompt]]
) -> None:
    begun = {name for by_track in wanted.values() for name in by_track}
    for name in tracks or ():
        if name not in begun and not store.count(Query(dataset=dataset, track=name)):
            raise SettingError(
                f"no track is called {name!r} in {dataset}. List them with: maskwright tracks {store.path}"
            )


def _propagate(
    store: MaskStore,
    footage: Footage,
    recordings: Sequence[tuple[Any, str, range]],
    tracks: Sequence[str] | None,
    tracking: Tracking,
    credits: Credits,
    session: TrackSession,
) -> None:
    """Plan every recording, then fill what is left of each."""
    dataset = footage.source.name
    plans: list[tuple[Recording, TrackPlan]] = []
    for episode, camera, numbers in recordings:
        plan = plan_tracks(store, dataset, episode.key, camera, numbers, tracks)
        recording = Recording(
            footage=footage,
            episode=episode,
            camera=camera,
            mask_of=lambda record_id: store.record(record_id).record.rle,
        )
        plans.append((recording, plan))
        session.expect(num_steps(plan.gaps), plan.tracks)
        session.notes += plan.notes
    for (recording, plan), (_, _, numbers) in zip(plans, recordings, strict=True):
        with TrackWriter(store, credits) as writer:
            writer.absorb(plan.absorbed)
            for stream in _streams(store, recording, plan, numbers, tracking, session):
                for item in stream:
                    if isinstance(item, FilledFrame):
                        writer.add(item)
                    session.take(item)
                writer.flush()
        session.num_replaced += writer.num_replaced


def _streams(
    store: MaskStore, recording: Recording, plan: TrackPlan, numbers: range, tracking: Tracking, session: TrackSession
) -> Iterator[Iterator[FilledFrame | SkippedFrames]]:
    """Fill the gaps, and follow what is found on the way; where nothing is tracked yet, look from the first frame."""
    if tracking.make_finder is None:
        for cluster in clusters(plan.gaps):
            yield fill(recording, cluster, tracking.make, session.step)
        return
    finder = NewTracks(store, _all_names(store, recording), numbers)
    for cluster in clusters(plan.gaps):
        yield fill(recording, cluster, tracking.make_finder, session.step, finder=finder)
    if not plan.tracks:
        session.expect(len(numbers), ())
        yield search(recording, numbers, tracking.make_finder(), session.step, finder)


def _all_names(store: MaskStore, recording: Recording) -> set[str]:
    """List the names that tracks of a recording have or had, so that a new one gets another."""
    with store.sql() as views:
        rows = views.execute(
            "SELECT DISTINCT unnest([m.track, r.track]) FROM masks m JOIN records r USING (id) "
            "WHERE m.dataset = ? AND m.episode = ? AND m.camera = ?",
            [recording.footage.source.name, recording.episode.key, recording.camera],
        ).fetchall()
    return {row[0] for row in rows if row[0] is not None}


def _facts(footage: Footage, tracking: Tracking, credits: Credits) -> dict[str, Any]:
    model = tracking.model
    settings = {"name": model.name, "family": model.family, "checkpoint_sha256": model.checkpoint_sha256}
    return {
        "verb": "track",
        "settings": {"dataset": footage.source.name, "model": settings, "tracker": dict(tracking.settings)},
        "source": {"path": str(footage.path.resolve()), **describe_source(footage.source)},
        "licence": credits.licence,
    }


def _about(
    selection: Selection, tracking: Tracking, command: str | None, people: People, at: datetime
) -> dict[str, Any]:
    return {
        "started_at": at.isoformat(),
        "command": command,
        "selection": {name: getattr(selection, name) for name in ("episodes", "cameras", "start", "stop")},
        "options": dict(tracking.options),
        "actor": people.actor,
        "collector": people.collector,
        "versions": versions(),
    }


__all__ = ["People", "Tracking", "track"]
