"""What each kind of job does, in its thread: annotate a source, bring tracks up to date, export masks, audit the store.

A job names a source by its name only; where it lies the store's own runs say. What is written goes into the store or
the jobs' folder, never where a client says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.core.errors import InputError, SettingError, UnknownRecord
from maskwright.datasets.formats import find_format
from maskwright.models import Model
from maskwright.predict import preset_for
from maskwright.predict.embedding import model_ref
from maskwright.serve.job_turns import InTurns, TrackerInTurns, Turns
from maskwright.serve.job_values import JobProgress
from maskwright.serve.store_cursors import frame_id
from maskwright.serve.wire_store import AnnotateIn, AuditIn, ExportIn, JobRequest, SelectionIn, TrackIn
from maskwright.serve.wire_store_values import query_from
from maskwright.store import MaskStore, open_store
from maskwright.store.frame_log import key_of
from maskwright.workflows.annotate import annotate
from maskwright.workflows.annotate_plan import Footage, Selection
from maskwright.workflows.annotate_recipe import EverythingTask, Recipe, TextTask
from maskwright.workflows.annotate_session import Progress
from maskwright.workflows.audit import audit_store
from maskwright.workflows.export_store import export_masks
from maskwright.workflows.findings import Finding
from maskwright.workflows.run_manifest import read_manifests
from maskwright.workflows.stages import SkippedFrames
from maskwright.workflows.track import People, Tracking, track

_MOST_TOLD = 20

Tell = Callable[[JobProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What a running job is given."""

    store: Path
    out: Path
    caller: str
    turns: Turns
    tell: Tell


def sources_of(store: Path) -> dict[str, Path]:
    """Where the runs of a store found their data sets, by name; the newest run's place."""
    found: dict[str, Path] = {}
    for manifest in sorted(read_manifests(store), key=lambda one: str(one["sessions"][-1].get("started_at"))):
        source = manifest.get("source", {})
        if isinstance(source.get("name"), str) and isinstance(source.get("path"), str):
            found[source["name"]] = Path(source["path"])
    return found


def check_request(store: Path, request: JobRequest) -> None:
    """Refuse what cannot be done, before it is queued.

    Raises:
        InputError: there is no such source or format, or the query cannot hold.
    """
    match request:
        case AnnotateIn() | TrackIn():
            _source(store, request.source)
            _selection(request.selection)
        case ExportIn():
            if not find_format(request.format).writes:
                raise SettingError(f"{request.format} is a format that is only read. Take another")
            query_from(request.query)
        case AuditIn():
            pass


def do(request: JobRequest, doing: Doing) -> tuple[dict[str, Any], bool]:
    """Do a job; give what came of it, and whether it wrote something to fetch.

    Raises:
        Cancelled: it was stopped.
        MaskwrightError: it cannot be done.
    """
    match request:
        case AnnotateIn():
            return _annotate(request, doing), False
        case TrackIn():
            return _track(request, doing), False
        case ExportIn():
            return _export(request, doing), True
        case AuditIn():
            return _audit(doing), False


def _annotate(request: AnnotateIn, doing: Doing) -> dict[str, Any]:
    footage = Footage.open(_source(doing.store, request.source))
    model = doing.turns.run(_itself)
    if request.phrases:
        task = TextTask(phrases=tuple(request.phrases))
    else:
        task = EverythingTask(settings=preset_for(model.card, request.preset))
    done = annotate(
        model,
        footage,
        Recipe(task=task, label=request.label, actor=doing.caller),
        doing.store,
        selection=_selection(request.selection),
        engine=InTurns(doing.turns),
        progress=_teller(doing),
    )
    return {
        "run": done.run,
        "num_frames": done.num_frames,
        "num_before": done.num_before,
        "num_masks": done.num_masks,
        **_told(done.skipped, done.notes),
    }


def _track(request: TrackIn, doing: Doing) -> dict[str, Any]:
    from maskwright.predict.tracking import tracker_settings

    footage = Footage.open(_source(doing.store, request.source))
    model, settings = doing.turns.run(_itself), tracker_settings(request.budget)
    tracking = Tracking(
        make=lambda: TrackerInTurns(doing.turns, model, settings),
        model=model_ref(model),
        settings={},
        options={"model": model.card.name, "budget": request.budget, "find_new": 0},
        check_words=model.text_indices,
    )
    done = track(
        tracking,
        footage,
        doing.store,
        selection=_selection(request.selection),
        tracks=request.tracks,
        people=People(actor=doing.caller),
        progress=_teller(doing),
    )
    return {
        "run": done.run,
        "tracks": list(done.tracks),
        "num_masks": done.num_masks,
        "num_replaced": done.num_replaced,
        **_told(done.skipped, done.notes),
    }


def _export(request: ExportIn, doing: Doing) -> dict[str, Any]:
    def tell(number: int, total: int | None) -> None:
        doing.turns.check()
        doing.tell(JobProgress(done=number, total=total))

    done = export_masks(
        doing.store,
        request.format,
        doing.out,
        query=query_from(request.query),
        with_images=request.with_images,
        progress=tell,
    )
    report = done.report
    return {
        "format": done.format,
        "num_frames": report.num_frames,
        "num_masks": report.num_masks,
        "losses": [{"what": one.what, "count": one.count, "example": one.example} for one in report.losses],
        "skipped": [{"name": one.item, "reason": one.reason} for one in report.skipped[:_MOST_TOLD]],
    }


def _audit(doing: Doing) -> dict[str, Any]:
    def tell(number: int, total: int | None) -> None:
        doing.turns.check()
        doing.tell(JobProgress(done=number, total=total))

    done = audit_store(doing.store, progress=tell)
    with open_store(doing.store, read_only=True) as store:
        findings = [_finding(store, one) for one in done.findings]
    return {
        "num_masks": done.num_masks,
        "num_frames": done.num_frames,
        "is_clean": done.is_clean,
        "findings": findings,
    }


def _finding(store: MaskStore, found: Finding) -> dict[str, Any]:
    """Write a finding; an example that is about a mask says which, and on which frame."""
    told = {name: getattr(found, name) for name in ("check", "severity", "count", "says", "advice", "num_more")}
    places: list[dict[str, str]] = [_place(store, record_id) for record_id in found.records]
    places += [{}] * (len(found.examples) - len(places))
    examples = [{"text": text, **place} for text, place in zip(found.examples, places, strict=True)]
    return {**told, "examples": examples}


def _place(store: MaskStore, record_id: str) -> dict[str, str]:
    try:
        record = store.history(record_id).record
    except UnknownRecord:
        return {}
    return {"record_id": record_id, "frame": frame_id(key_of(record.frame, record.image_digest))}


def _itself(model: Model) -> Model:
    return model


def _teller(doing: Doing) -> Callable[[Progress], None]:
    def tell(at: Progress) -> None:
        doing.tell(JobProgress(done=at.num_done + at.num_skipped, total=at.num_wanted, eta_s=at.eta_s))

    return tell


def _told(skipped: tuple[SkippedFrames, ...], notes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "num_skipped": sum(one.num_frames for one in skipped),
        "skipped": [{"name": one.name, "reason": one.reason} for one in skipped[:_MOST_TOLD]],
        "notes": list(notes[:_MOST_TOLD]),
    }


def _source(store: Path, name: str) -> Path:
    known = sources_of(store)
    if name not in known:
        told = f"sources are {', '.join(sorted(known))}" if known else "no run of this store has told of one yet"
        raise InputError(f"the server knows no source {name!r}; {told}")
    if not known[name].exists():
        raise InputError(f"the frames of {name} are no longer where the store's runs found them")
    return known[name]


def _selection(given: SelectionIn) -> Selection:
    episodes, cameras = (None if one is None else tuple(one) for one in (given.episodes, given.cameras))
    return Selection(episodes=episodes, cameras=cameras, start=given.start, stop=given.stop, stride=given.stride)


__all__ = ["Doing", "check_request", "do", "sources_of"]
