"""`annotate`: the frames of a source, through a model, into a store, as stages that overlap.

One thread decodes, one runs the network, the caller's cleans up and gathers, and the store writes segments in a fourth;
the queues between them are bounded, so memory stays flat. Frames and their masks enter the store together, and the
store knows the frames of each run: after a kill the same command does what is left, no frame twice and none missing.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from maskwright.core.errors import InputError, StoreBusy, StoreError
from maskwright.datasets.frame_source import Episode
from maskwright.models import Model
from maskwright.predict.embedding import model_ref
from maskwright.predict.records import utc_now
from maskwright.store import MaskStore, create_store, open_store
from maskwright.workflows.annotate_plan import Footage, Plan, Selection, Stretch, plan_frames
from maskwright.workflows.annotate_recipe import Recipe, TextTask, run_name
from maskwright.workflows.annotate_session import AnnotatedSource, Progress, Session
from maskwright.workflows.channel import ahead, spread
from maskwright.workflows.flag_masks import check_queue_free, queue_annotated
from maskwright.workflows.run_manifest import RunManifest, read_manifests, versions
from maskwright.workflows.same_frames import check_same_frames
from maskwright.workflows.source_facts import describe_source, licence_of
from maskwright.workflows.stages import (
    DecodedFrame,
    MaskedFrame,
    SkippedFrames,
    clean_masks,
    decode_frames,
    find_masks,
)

# What is gathered before it is written: records of 4 kB with their masks, noisy masks more. Two of these are in memory.
ROWS_PER_SEGMENT, BYTES_PER_SEGMENT = 2_000, 4 << 20
_MANY_WRITES = 64  # since the last compaction; so many small segments make questions slow
_QUEUED = 4


class Engine(Protocol):
    """Runs the stages: gives the frames of some stretches with their masks, cleaned up."""

    @property
    def name(self) -> str:
        """What the manifest calls it."""
        ...

    def __call__(
        self, footage: Footage, stretches: Sequence[Stretch], recipe: Recipe, origin: str
    ) -> Generator[MaskedFrame | SkippedFrames, None, None]:
        """Run them; closing the iterator stops them."""
        ...


@dataclass(frozen=True, slots=True)
class InProcess:
    """Runs the stages in threads of this process. `batch_size` None is 8 on a GPU; a CPU gains nothing by batches.

    `others` are copies of the model on other devices: each frame goes to the first that is free.
    """

    model: Model
    batch_size: int | None = None
    others: tuple[Model, ...] = ()
    name: str = field(default="local", init=False)

    def __call__(
        self, footage: Footage, stretches: Sequence[Stretch], recipe: Recipe, origin: str
    ) -> Generator[MaskedFrame | SkippedFrames, None, None]:
        """Run them; closing the iterator stops them."""
        batch_size = self.batch_size or (1 if self.model.device.type == "cpu" else 8)
        queued = max(_QUEUED, batch_size)
        with (
            closing(ahead(decode_frames(footage, stretches), size=queued, name="decode")) as decoded,
            closing(self._found(decoded, recipe, batch_size, origin)) as masked,
        ):
            for item in masked:
                yield clean_masks(item, recipe) if isinstance(item, MaskedFrame) else item

    def _found(
        self, decoded: Iterable[DecodedFrame | SkippedFrames], recipe: Recipe, batch_size: int, origin: str
    ) -> Generator[MaskedFrame | SkippedFrames, None, None]:
        finders = [
            partial(find_masks, model, recipe=recipe, batch_size=batch_size, origin=origin)
            for model in (self.model, *self.others)
        ]
        if len(finders) == 1:
            return ahead(finders[0](decoded), size=_QUEUED, name="network")
        return spread(decoded, finders, size=len(finders) * max(_QUEUED, batch_size), name="network")


def annotate(
    model: Model,
    footage: Footage,
    recipe: Recipe,
    out: Path,
    *,
    selection: Selection | None = None,
    engine: Engine | None = None,
    skips_known: bool = False,
    notes: Iterable[str] = (),
    command: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> AnnotatedSource:
    """Annotate the frames of a source into the store at `out`, which is made if nothing is there.

    Frames that the same run has are not done again, nor those of any other where `skips_known`. Ctrl+C, an error or a
    kill leaves a whole store. `notes` are what the caller has to say of the input (entries of a file that were left
    out); they go into the manifest.

    Raises:
        SettingError: the selection names what is not there, or leaves nothing.
        StoreError: the store cannot be opened or written, or another process is at the same run.
        InputError: the store holds other frames of a data set of this name, or depth is asked for and there is none.
        DuplicateRecord: depth is asked for, and the queue of flagged masks holds others.
        UnsupportedPrompt, PromptError: the model takes no text, or does not know a word.
    """
    selection = selection or Selection()
    for phrase in recipe.task.phrases if isinstance(recipe.task, TextTask) else ():
        model.text_indices(phrase)  # told now, and not on every frame
    recipe = replace(recipe, licence=recipe.licence or licence_of(footage.path))
    settings = recipe.settings(footage.source.name, model_ref(model))
    run = run_name(settings)
    if recipe.depth:
        check_has_depth(footage, selection)
        check_queue_free(out)
    with open_or_create(out) as store:
        manifest = RunManifest.of(store, run)
        with manifest.lock():
            check_same_frames(store, run, footage)
            other_runs = _other_runs(store, run, footage)
            plan = _plan(store, run, footage, selection, recipe, skips_known=skips_known)
            session = Session(plan, progress, list(notes))
            facts = _facts(footage, settings, recipe)
            content = manifest.begin(facts, _about(selection, engine, command, recipe, clock()))
            outcome = "failed"
            try:
                _run(store, run, engine or InProcess(model), footage, plan, recipe, session)
                outcome = "done"
            except KeyboardInterrupt:
                outcome = "interrupted"
                raise
            finally:
                manifest.end(content, outcome, clock(), **session.counts(), **_totals(store, run))
        tidy(store)
    done = session.result(footage, out, run, other_runs)
    return replace(done, num_flagged=queue_annotated(out)) if recipe.depth else done


def check_has_depth(footage: Footage, selection: Selection) -> None:
    """Refuse footage without depth, by the first frame of each camera that is wanted.

    Raises:
        InputError: no camera has any.
    """
    recordings = {camera: episode for episode, camera in reversed(selection.recordings(footage.source))}
    for camera, episode in recordings.items():
        for number in selection.numbers(episode)[:1]:
            frame = next(iter(footage.source.frames(episode, camera, start=number, stop=number + 1)), None)
            if frame is not None and frame.image.depth_m is not None:
                return
    raise InputError(
        "--depth needs frames with depth, and no camera has any: a depth video or column in LeRobot, a depth topic in "
        f"MCAP and bags, depth/ or X.depth.png beside pictures. Leave it out, or add depth: {footage.path}"
    )


def open_or_create(out: Path) -> MaskStore:
    """Open the store at a path, or make it if nothing is there.

    Raises:
        StoreError: something else is there, or it cannot be opened.
    """
    return open_store(out) if (out / "store.json").exists() else create_store(out)


def _other_runs(store: MaskStore, run: str, footage: Footage) -> tuple[str, ...]:
    """List other runs that did frames of this data set."""
    found = (one for one in read_manifests(store.path) if one["run"] != run and one.get("num_frames"))
    return tuple(one["run"] for one in found if one.get("settings", {}).get("dataset") == footage.source.name)


def _plan(
    store: MaskStore, run: str, footage: Footage, selection: Selection, recipe: Recipe, *, skips_known: bool
) -> Plan:
    dataset = footage.source.name
    known: dict[tuple[str, str], set[int]] = defaultdict(set)
    for ref in (frame.ref for frame in store.seen_frames()) if skips_known else ():
        if ref is not None and ref.dataset == dataset:
            known[ref.episode, ref.camera].add(ref.frame_index)

    def done(episode: Episode, camera: str) -> set[int]:
        of_run = store.done_frames(run, dataset=dataset, episode=episode.key, camera=camera)
        return of_run | known[episode.key, camera]

    return plan_frames(footage, selection, recipe.task, done)


def _run(
    store: MaskStore,
    run: str,
    engine: Engine,
    footage: Footage,
    plan: Plan,
    recipe: Recipe,
    session: "Session",
) -> None:
    """Let the engine run and the store gather; what has been gathered is flushed however it ends."""
    if not plan.stretches:
        return
    origin = f"{footage.source.name} ({run})"
    with store.bulk_writer(run=run, rows_per_segment=ROWS_PER_SEGMENT) as writer:
        try:
            with contextlib.closing(engine(footage, plan.stretches, recipe, origin)) as stream:
                num_bytes = 0
                for item in stream:
                    if isinstance(item, MaskedFrame):
                        writer.add(item.seen, item.records)
                        num_bytes += sum(len(record.rle.counts) for record in item.records)
                    if num_bytes > BYTES_PER_SEGMENT:
                        writer.flush()
                        num_bytes = 0
                    session.take(item)
        except BaseException:
            with contextlib.suppress(StoreError):  # the first error is the one to tell
                writer.flush()
            raise


def _facts(footage: Footage, settings: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    return {
        "verb": "annotate",
        "settings": settings,
        "source": {"path": str(footage.path.resolve()), **describe_source(footage.source)},
        "licence": recipe.licence,
    }


def _about(
    selection: Selection, engine: Engine | None, command: str | None, recipe: Recipe, at: datetime
) -> dict[str, Any]:
    return {
        "started_at": at.isoformat(),
        "command": command,
        "engine": engine.name if engine else "local",
        "selection": {name: getattr(selection, name) for name in ("episodes", "cameras", "start", "stop", "stride")},
        "actor": recipe.actor,
        "collector": recipe.collector,
        "versions": versions(),
    }


def _totals(store: MaskStore, run: str) -> dict[str, int]:
    with store.sql() as views:
        row = views.execute("SELECT count(*), coalesce(sum(num_masks), 0) FROM frames WHERE run = ?", [run]).fetchone()
    return {"num_frames": int(row[0]), "num_masks": int(row[1])}


def tidy(store: MaskStore) -> None:
    """Compact a store of many small segments, so that questions are quick."""
    kinds = [write.kind for write in store.writes()]
    last = max((at for at, kind in enumerate(kinds) if kind == "compact"), default=-1)
    if kinds[last + 1 :].count("bulk") > _MANY_WRITES:
        with contextlib.suppress(StoreBusy):  # another process is doing it
            store.compact()


__all__ = ["AnnotatedSource", "Engine", "InProcess", "Progress", "annotate", "open_or_create", "tidy"]
