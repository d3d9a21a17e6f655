"""Records as columns of Arrow, and back: the one place that knows what a segment holds.

The RLE counts are last, so that a query over metadata never meets them. Moments are kept in UTC. What has no column of
its own (prompt, steps, ancestors, anchors) is JSON text. `ordinal` names a row for ever: the number of the segment that
it was first written in, and its place there; `added` is the moment when it was put, null in a segment whose rows were
all put at the segment's own moment.

Segments of before version 2 of the store lack the `TRACK_COLUMNS`, those of before version 4 agreement; `completed`
adds what is missing.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from functools import lru_cache
from typing import Any

import pyarrow as pa

from maskwright.core.codec import from_json, to_json
from maskwright.core.image import FrameRef
from maskwright.core.prompt import PointPrompt, Prompt
from maskwright.core.provenance import ModelRef, ProcessingStep, Provenance
from maskwright.core.record import MaskRecord, Scores
from maskwright.core.rle import RLE
from maskwright.core.track import TrackPoint

ROW_BITS = 24  # a segment holds at most 16 M rows

_TEXT = pa.string()
_MOMENT = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        pa.field("ordinal", pa.int64(), nullable=False),
        pa.field("added", pa.int64()),
        pa.field("id", _TEXT, nullable=False),
        pa.field("dataset", _TEXT),
        pa.field("episode", _TEXT),
        pa.field("camera", _TEXT),
        pa.field("frame_index", pa.int64()),
        pa.field("timestamp_s", pa.float64()),
        pa.field("image_digest", _TEXT, nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in ("x1", "y1", "x2", "y2")),
        pa.field("area", pa.int64(), nullable=False),
        pa.field("label", _TEXT),
        pa.field("track", _TEXT),
        pa.field("track_source", _TEXT),
        pa.field("track_state", _TEXT),
        pa.field("track_confidence", pa.float64()),
        pa.field("track_anchors", _TEXT),
        pa.field("parent", _TEXT),
        pa.field("method", _TEXT, nullable=False),
        pa.field("model_name", _TEXT),
        pa.field("model_family", _TEXT),
        pa.field("model_sha256", _TEXT),
        pa.field("model_precision", _TEXT),
        pa.field("predicted_iou", pa.float64()),
        pa.field("stability", pa.float64()),
        pa.field("agreement", pa.float64()),
        pa.field("licence", _TEXT),
        pa.field("actor", _TEXT),
        pa.field("collector", _TEXT),
        pa.field("captured_at", _MOMENT),
        pa.field("created_at", _MOMENT, nullable=False),
        pa.field("source", _TEXT),
        pa.field("prompt", _TEXT),
        pa.field("steps", _TEXT),
        pa.field("derived_from", _TEXT),
        pa.field("rle", pa.binary(), nullable=False),
    ]
)
TRACK_COLUMNS = ("track_source", "track_state", "track_confidence", "track_anchors")
# Columns that came later, by the one whose presence tells of them: what lacks it was written before, and lacks them.
LATER_COLUMNS = {"track_source": TRACK_COLUMNS, "agreement": ("agreement",)}
# The columns that a record is made of; a query fetches these and the outcome's.
RECORD_COLUMNS = tuple(name for name in SCHEMA.names if name not in ("ordinal", "added"))
# Columns whose values repeat; the others are not worth a dictionary.
REPEATING = tuple(
    name
    for name in SCHEMA.names
    if name
    not in ("ordinal", "id", "area", "predicted_iou", "stability", "agreement", "track_confidence", "timestamp_s")
    and name not in ("prompt", "rle")
)


def table_of(records: Sequence[MaskRecord], segment: int) -> pa.Table:
    """Make the table of a segment. The records stand in frame order."""
    first = segment << ROW_BITS
    frames = [record.frame for record in records]
    provenances = [record.provenance for record in records]
    models = [provenance.model for provenance in provenances]
    boxes = [record.box_xyxy for record in records]
    points = [record.track_point for record in records]
    values: dict[str, Any] = {
        "ordinal": range(first, first + len(records)),
        "added": [None] * len(records),
        "id": [record.id for record in records],
        "image_digest": [record.image_digest for record in records],
        "height": [record.rle.size_hw[0] for record in records],
        "width": [record.rle.size_hw[1] for record in records],
        "x1": [box[0] for box in boxes],
        "y1": [box[1] for box in boxes],
        "x2": [box[2] for box in boxes],
        "y2": [box[3] for box in boxes],
        "area": [record.area for record in records],
        "label": [record.label for record in records],
        "track": [record.track for record in records],
        "track_source": [point and point.source for point in points],
        "track_state": [point and point.state for point in points],
        "track_confidence": [point and point.confidence for point in points],
        "track_anchors": [json.dumps(point.anchors) if point and point.anchors else None for point in points],
        "parent": [record.parent for record in records],
        "predicted_iou": [record.scores.predicted_iou for record in records],
        "stability": [record.scores.stability for record in records],
        "agreement": [record.scores.agreement for record in records],
        "prompt": [None if p.prompt is None else _prompt_text(p.prompt) for p in provenances],
        "steps": _texts_of_steps(provenances),
        "derived_from": [json.dumps(p.derived_from) if p.derived_from else None for p in provenances],
        "rle": [record.rle.counts for record in records],
    }
    for name in ("dataset", "episode", "camera", "frame_index", "timestamp_s"):
        values[name] = [None if frame is None else getattr(frame, name) for frame in frames]
    for name, attribute in _MODEL_COLUMNS:
        values[name] = [None if model is None else getattr(model, attribute) for model in models]
    for name in ("method", "licence", "actor", "collector", "captured_at", "created_at", "source"):
        values[name] = [getattr(provenance, name) for provenance in provenances]
    return pa.table([pa.array(values[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def empty(schema: pa.Schema) -> pa.Table:
    """A table without rows; `Schema.empty_table` would import pandas where there is one, for half a second."""
    return pa.Table.from_batches([], schema=schema)


def dated(table: pa.Table, seq: int) -> pa.Table:
    """Write the moment into the rows of a segment that has it only as a whole."""
    at = SCHEMA.get_field_index("added")
    if table.column(at).null_count < len(table):
        return table
    return table.set_column(at, SCHEMA.field(at), pa.array([seq] * len(table), pa.int64()))


def completed(table: pa.Table, schema: pa.Schema = SCHEMA) -> pa.Table:
    """Give a table that an earlier version wrote the columns that it lacks, all null, and the order of the schema."""
    if table.schema.names == schema.names:
        return table
    present = set(table.schema.names)
    missing = pa.nulls(len(table))
    columns = [table.column(one.name) if one.name in present else missing.cast(one.type) for one in schema]
    return pa.table(columns, schema=schema)


def records_of(table: pa.Table) -> Iterator[MaskRecord]:
    """Read records back from a table that has the `RECORD_COLUMNS`."""
    return map(record_of, zip(*(table.column(name).to_pylist() for name in RECORD_COLUMNS), strict=True))


def record_of(values: Sequence[Any]) -> MaskRecord:
    """Read a record from the values of the `RECORD_COLUMNS`, in their order."""
    row = dict(zip(RECORD_COLUMNS, values, strict=True))
    frame = None
    if row["dataset"] is not None:
        frame = FrameRef(
            dataset=row["dataset"],
            episode=row["episode"],
            camera=row["camera"],
            frame_index=row["frame_index"],
            timestamp_s=row["timestamp_s"],
        )
    return MaskRecord(
        id=row["id"],
        image_digest=row["image_digest"],
        rle=RLE((row["height"], row["width"]), row["rle"]),
        box_xyxy=(row["x1"], row["y1"], row["x2"], row["y2"]),
        area=row["area"],
        provenance=_provenance(row),
        frame=frame,
        label=row["label"],
        track=row["track"],
        parent=row["parent"],
        scores=Scores(**{name: row[name] for name in ("predicted_iou", "stability", "agreement")}),
        track_point=None if row["track_source"] is None else _track_point(row),
    )


def _track_point(row: dict[str, Any]) -> TrackPoint:
    return TrackPoint(
        source=row["track_source"],
        state=row["track_state"],
        confidence=row["track_confidence"],
        anchors=() if row["track_anchors"] is None else _texts(row["track_anchors"]),
    )


def _provenance(row: dict[str, Any]) -> Provenance:
    return Provenance(
        method=row["method"],
        created_at=row["created_at"].replace(tzinfo=UTC),
        model=_model(row["model_name"], row["model_family"], row["model_sha256"], row["model_precision"]),
        prompt=None if row["prompt"] is None else _prompt(row["prompt"]),
        steps=() if row["steps"] is None else _steps(row["steps"]),
        actor=row["actor"],
        collector=row["collector"],
        captured_at=row["captured_at"] and row["captured_at"].replace(tzinfo=UTC),
        licence=row["licence"],
        derived_from=() if row["derived_from"] is None else _texts(row["derived_from"]),
        source=row["source"],
    )


@lru_cache(maxsize=256)
def _model(name: str | None, family: str, sha256: str, precision: str) -> ModelRef | None:
    if name is None:
        return None
    return ModelRef(name=name, family=family, checkpoint_sha256=sha256, precision=precision)


@lru_cache(maxsize=256)
def _texts(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


@lru_cache(maxsize=4096)
def _prompt(text: str) -> Prompt:
    written = json.loads(text)
    if isinstance(written, dict) and written.keys() == {
        "kind",
        "points_xy",
        "labels",
    }:  # nearly all, in a fifth of the time
        return PointPrompt(written["points_xy"], written["labels"])
    read: Callable[..., Any] = from_json
    return read(Prompt, written, where="prompt")


@lru_cache(maxsize=256)
def _steps(text: str) -> tuple[ProcessingStep, ...]:
    return tuple(from_json(ProcessingStep, step, where="steps") for step in json.loads(text))


def _prompt_text(prompt: Prompt) -> str:
    if isinstance(prompt, PointPrompt):  # of finite floats and 0 and 1; every mask of a grid of clicks has its own
        points = ", ".join([f"[{x!r}, {y!r}]" for x, y in prompt.points_xy])
        return f'{{"kind": "PointPrompt", "points_xy": [{points}], "labels": {list(prompt.labels or ())}}}'
    return json.dumps(to_json(prompt))


def _texts_of_steps(provenances: Sequence[Provenance]) -> list[str | None]:
    """Write steps as text; masks of one run share the tuple, so each is written once."""
    texts: dict[int, str | None] = {id(p.steps): None for p in provenances}
    written: set[int] = set()
    for provenance in provenances:
        if provenance.steps and id(provenance.steps) not in written:
            texts[id(provenance.steps)] = json.dumps([to_json(step) for step in provenance.steps])
            written.add(id(provenance.steps))
    return [texts[id(provenance.steps)] for provenance in provenances]


_MODEL_COLUMNS = (
    ("model_name", "name"),
    ("model_family", "family"),
    ("model_sha256", "checkpoint_sha256"),
    ("model_precision", "precision"),
)

__all__ = [
    "LATER_COLUMNS",
    "RECORD_COLUMNS",
    "REPEATING",
    "ROW_BITS",
    "SCHEMA",
    "TRACK_COLUMNS",
    "completed",
    "dated",
    "empty",
    "record_of",
    "records_of",
    "table_of",
]
