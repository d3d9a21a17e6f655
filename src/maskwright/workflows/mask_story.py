"""`read_story`: one mask's whole life, in the order in which it happened.

How it was made, from what, when it was put, what people decided, what was made of it, and where it was exported to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from maskwright.core import BoxPrompt, MaskPrompt, MaskRecord, PointPrompt, Prompt, TextPrompt, prompt_parts, to_json
from maskwright.core.errors import SettingError, UnknownRecord
from maskwright.core.provenance import Provenance
from maskwright.core.review_event import (
    Accept,
    Comment,
    Edit,
    Merge,
    Reject,
    Relabel,
    Reparent,
    Retrack,
    Revert,
    ReviewEvent,
    Split,
)
from maskwright.core.track import TrackPoint
from maskwright.masks import area
from maskwright.store import History, MaskStore, Query, matches, open_store
from maskwright.workflows.export_log import ExportEntry, read_exports

_MOST_ANCESTORS = 100
_FEWEST_CHARACTERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One thing that happened to a mask; `at` is None where nobody noted when."""

    at: datetime | None
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A mask's life: chapters in order, the masks it was made from (nearest first), and those made from it."""

    history: History
    chapters: tuple[Chapter, ...]
    ancestors: tuple[str, ...]
    descendants: tuple[str, ...]
    exports: tuple[ExportEntry, ...]

    def as_json(self) -> dict[str, Any]:
        """Give everything as JSON types."""
        return {
            "resolved": to_json(self.history.resolved),
            "record": to_json(self.history.record),
            "events": [to_json(event) for event in self.history.events],
            "chapters": [{"at": one.at and one.at.isoformat(), "says": one.says} for one in self.chapters],
            "ancestors": list(self.ancestors),
            "descendants": list(self.descendants),
            "exports": [{"at": one.at.isoformat(), "format": one.format, "out": one.out} for one in self.exports],
        }

    def lines(self) -> list[str]:
        """Say it in lines."""
        told = [_title(self.history), ""]
        told += [f"{_time(one.at)}  {one.says}" for one in self.chapters]
        told += ["", f"now: {_state(self.history)}"]
        told += [f"made from: {one}" for one in self.ancestors]
        told += [f"made of it: {one}" for one in self.descendants]
        return told


def read_story(path: Path, record_id: str) -> Story:
    """Read a mask's life; the start of its id will do where no other mask has it.

    Raises:
        StoreError: there is no store, or it cannot be read.
        UnknownRecord: there is no such mask, or several.
    """
    with open_store(path, read_only=True) as store, store.sql() as views:
        history = store.history(_whole_id(views, record_id, path))
        ancestors = tuple(_ancestors(store, history.record.provenance))
        descendants = tuple(_descendants(views, history.record.id))
        exports = tuple(_exports(store, history))
        run = _run_of(views, history)
    chapters = [
        *_origin(history, run),
        *(Chapter(at=event.at, says=_event(event, history)) for event in history.events),
        *(
            Chapter(at=one.at, says=f"exported as {one.format} with {one.num_masks - 1} others -> {one.out}")
            for one in exports
        ),
    ]
    chapters.sort(key=lambda one: one.at.timestamp() if one.at else float("-inf"))
    return Story(
        history=history, chapters=tuple(chapters), ancestors=ancestors, descendants=descendants, exports=exports
    )


def describe_prompt(prompt: Prompt) -> str:
    """Say what a model was asked."""
    told = []
    for part in prompt_parts(prompt):
        match part:
            case BoxPrompt(box):
                told.append("a box " + ",".join(f"{value:g}" for value in box))
            case PointPrompt(points, labels):
                signs = labels or (1,) * len(points)
                clicks = [f"{'' if sign else 'not '}{x:g},{y:g}" for (x, y), sign in zip(points, signs, strict=True)]
                told.append(f"{'clicks' if len(clicks) > 1 else 'a click'} {' '.join(clicks)}")
            case MaskPrompt():
                told.append("a rough mask")
            case TextPrompt(text):
                told.append(f'the words "{text}"')
    return " and ".join(told)


def _whole_id(views: Any, start: str, path: Path) -> str:
    found = [row[0] for row in views.execute("SELECT id FROM records WHERE id = ?", [start]).fetchall()]
    if not found and len(start) >= _FEWEST_CHARACTERS:
        rows = views.execute("SELECT id FROM records WHERE starts_with(id, ?) ORDER BY id LIMIT 4", [start]).fetchall()
        found = [row[0] for row in rows]
    if not found:
        raise UnknownRecord(f"no mask is called {start!r}, and no id begins so. See: maskwright query --json: {path}")
    if len(found) > 1:
        raise UnknownRecord(
            f"several masks begin with {start!r} ({', '.join(found[:3])}, ...). Give more of it: {path}"
        )
    return found[0]


def _origin(history: History, run: str | None) -> Iterator[Chapter]:
    record, provenance = history.record, history.record.provenance
    if provenance.captured_at is not None:
        collector = f" by {provenance.collector}" if provenance.collector else ""
        yield Chapter(at=provenance.captured_at, says=f"the picture was taken{collector}")
    yield Chapter(at=provenance.created_at, says=_made(record))
    during = f" by run {run}" if run else ""
    yield Chapter(at=history.put_at, says=f"put into the store (moment {history.put_moment}){during}")


def _made(record: MaskRecord) -> str:
    provenance, scores = record.provenance, record.scores
    model = provenance.model
    if model is not None:
        told = [f"proposed by {model.name} ({model.family}, {model.precision}, SHA-256 {model.checkpoint_sha256[:16]})"]
    else:
        told = [_WITHOUT_MODEL[provenance.method]]
    if provenance.prompt is not None:
        told.append(f"asked with {describe_prompt(provenance.prompt)}")
    if scores.predicted_iou is not None:
        stability = "" if scores.stability is None else f", stability {scores.stability:.2f}"
        agreement = "" if scores.agreement is None else f", candidates agree {scores.agreement:.2f}"
        told.append(f"predicted IoU {scores.predicted_iou:.2f}{stability}{agreement}")
    for step in provenance.steps:
        parameters = ", ".join(f"{name} {value}" for name, value in step.parameters.items())
        told.append(f"then {step.name}{f' ({parameters})' if parameters else ''}")
    if provenance.actor:
        told.append(f"run by {provenance.actor}" if model else f"by {provenance.actor}")
    if provenance.source:
        told.append(f"source {provenance.source}")
    if record.track_point is not None:
        told.append(_tracked(record.track_point))
    told.append(f"licence {provenance.licence or 'not told'}")
    return "; ".join([*told, f"method {provenance.method}"])


def _tracked(point: TrackPoint) -> str:
    frames = " and ".join(anchor.partition(":")[0] for anchor in point.anchors)
    came = f", propagated from the keyframe{'s' if len(point.anchors) > 1 else ''} on frame {frames}" if frames else ""
    return f"{point.source} in its track{came}, {point.state}, confidence {point.confidence:.2f}"


_WITHOUT_MODEL = {
    "human_drawn": "drawn by hand",
    "simulator": "made by a simulator",
    "imported": "imported",
}


def _event(event: ReviewEvent, history: History) -> str:
    mine = event.record_id == history.record.id
    match event.action:
        case Accept():
            says = "accepted as it is"
        case Reject(reason):
            says = f"rejected{f': {reason}' if reason else ''}"
        case Edit(rle):
            says = f"redrawn, {area(rle)} pixels"
        case Relabel(label):
            says = f'called "{label}"' if label else "its label was taken away"
        case Retrack(track):
            says = f"moved to the track {track}" if track is not None else "taken out of its track"
        case Reparent(parent):
            says = f"made a part of {parent}" if parent is not None else "made a mask of its own"
        case Merge(absorbed):
            says = f"took in {', '.join(absorbed)}" if mine else f"taken into {event.record_id}"
        case Split(into):
            says = f"split into {', '.join(into)}" if mine else f"made by splitting {event.record_id}"
        case Revert(event_id):
            says = f"{_undone(event_id, history.events)} was undone"
        case Comment(text):
            return f"{event.actor} says: {' '.join(text.split())}"
    return f"{says} by {event.actor}"


def _undone(event_id: str, events: Sequence[ReviewEvent]) -> str:
    target = next((event for event in events if event.id == event_id), None)
    return "something" if target is None else f"the {type(target.action).__name__.lower()} of {_time(target.at)}"


def _ancestors(store: MaskStore, provenance: Provenance) -> Iterator[str]:
    """Go up through what a mask was made from, breadth first; ids that are not here are told as such."""
    waiting, known = list(provenance.derived_from), set(provenance.derived_from)
    for _ in range(_MOST_ANCESTORS):
        if not waiting:
            return
        record_id = waiting.pop(0)
        try:
            record = store.record(record_id).record
        except UnknownRecord:
            yield f"{record_id}, which is not in this store"
            continue
        yield f"{record_id}: {_made(record)}"
        fresh = [one for one in record.provenance.derived_from if one not in known]
        known.update(fresh)
        waiting += fresh


def _descendants(views: Any, record_id: str) -> Iterator[str]:
    rows = views.execute(
        "SELECT id, method FROM records WHERE contains(derived_from, ?) ORDER BY created_at", [f'"{record_id}"']
    )
    for other, method in rows.fetchall():
        yield f"{other} ({method})"


def _exports(store: MaskStore, history: History) -> Iterator[ExportEntry]:
    """Give the exports that took this mask: their query held for it at their moment."""
    record_id = history.record.id
    for entry in read_exports(store.path):
        try:
            if entry.query.where is not None:
                chosen = Query(status=entry.query.status, where=f"({entry.query.where}\n) AND id = '{record_id}'")
                is_in = store.count(chosen, as_of=entry.moment) > 0
            else:
                is_in = matches(entry.query, store.record(record_id, as_of=entry.moment))
        except (UnknownRecord, SettingError):  # put since, or a condition that no longer holds water
            continue
        if is_in:
            yield entry


def _run_of(views: Any, history: History) -> str | None:
    """Find the run that wrote the mask: of its frame, at its moment."""
    ref = history.record.frame
    place, values = "image_digest = ?", [history.record.image_digest]
    if ref is not None:
        place = "dataset = ? AND episode = ? AND camera = ? AND frame_index = ?"
        values = [ref.dataset, ref.episode, ref.camera, ref.frame_index]
    row = views.execute(
        f"SELECT run FROM frames WHERE {place} AND moment = ?", [*values, history.put_moment]
    ).fetchone()
    return row[0] if row else None


def _title(history: History) -> str:
    record = history.resolved.record
    height, width = record.rle.size_hw
    label = f' "{record.label}"' if record.label else ""
    track = f", track {record.track}" if record.track else ""
    return f"mask {record.id}{label}{track}, on {_place(record)} ({width} x {height} pixels)"


def _place(record: MaskRecord) -> str:
    ref = record.frame
    if ref is None:
        return f"the picture {record.image_digest[:16]}"
    when = "" if ref.timestamp_s is None else f", {ref.timestamp_s:.3f} s"
    return f"{ref.dataset} {ref.episode}/{ref.camera} frame {ref.frame_index}{when}"


def _state(history: History) -> str:
    resolved, record = history.resolved, history.resolved.record
    told: list[str] = [resolved.status]
    if resolved.verified_by:
        told.append(f"verified by {resolved.verified_by}")
    elif record.provenance.method.startswith("sam") and not resolved.edited_by:
        told.append("no person has verified it")
    if resolved.edited_by:
        told.append(f"pixels drawn by {resolved.edited_by}")
    box = ",".join(f"{value:g}" for value in record.box_xyxy)
    return f"{', '.join(told)}; {record.area} pixels, box {box}"


def _time(at: datetime | None) -> str:
    return "(no time)          " if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


__all__ = ["Chapter", "Story", "describe_prompt", "read_story"]
