"""Questions to a store as rows of plain values: the masks that a query finds, or the answer of a SELECT."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.core.errors import SettingError
from maskwright.core.resolved import ResolvedRecord
from maskwright.store import open_store
from maskwright.store.moments import Moment

COLUMNS = (
    *("id", "dataset", "episode", "camera", "frame_index", "timestamp_s", "image_digest", "height", "width"),
    *("x1", "y1", "x2", "y2", "area", "label", "track", "track_source", "track_state", "track_confidence"),
    *("parent", "status", "verified_by", "verified_at", "edited_by"),
    *("method", "model", "model_sha256", "predicted_iou", "stability", "agreement"),
    *("actor", "collector", "licence"),
    *("captured_at", "created_at", "source"),
)
VIEWS = ("masks", "records", "events", "frames", "tags")


def row_of(mask: ResolvedRecord) -> dict[str, Any]:
    """Lay a mask out flat, without its pixels, under the names of `COLUMNS`."""
    record, frame, provenance = mask.record, mask.record.frame, mask.record.provenance
    x1, y1, x2, y2 = record.box_xyxy
    point = record.track_point
    place = ("dataset", "episode", "camera", "frame_index", "timestamp_s")
    told = {name: getattr(provenance, name) for name in ("method", "actor", "collector", "licence", "source")}
    row = {
        **({name: getattr(frame, name) for name in place} if frame else {}),
        **told,
        "id": record.id,
        "image_digest": record.image_digest,
        "height": record.rle.size_hw[0],
        "width": record.rle.size_hw[1],
        **{"x1": x1, "y1": y1, "x2": x2, "y2": y2, "area": record.area},
        **{name: getattr(record, name) for name in ("label", "track", "parent")},
        **{f"track_{name}": point and getattr(point, name) for name in ("source", "state", "confidence")},
        **{name: getattr(mask, name) for name in ("status", "verified_by", "edited_by")},
        "verified_at": mask.verified_at and mask.verified_at.isoformat(),
        "model": provenance.model and provenance.model.name,
        "model_sha256": provenance.model and provenance.model.checkpoint_sha256,
        "predicted_iou": record.scores.predicted_iou,
        "stability": record.scores.stability,
        "agreement": record.scores.agreement,
        "captured_at": provenance.captured_at and provenance.captured_at.isoformat(),
        "created_at": provenance.created_at.isoformat(),
    }
    return {name: row.get(name) for name in COLUMNS}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a SELECT: names of its columns, and its rows as they come."""

    columns: tuple[str, ...]
    rows: Iterator[Sequence[Any]]


@contextmanager
def ask_sql(store: Path, select: str, *, as_of: Moment = None) -> Iterator[Answer]:
    """Run one SELECT over the views of a store (docs/guides/store.md).

    Raises:
        StoreError: there is no store, or it cannot be read.
        SettingError: it is not one SELECT, or cannot be understood.
    """
    import duckdb

    with open_store(store, read_only=True) as opened, opened.sql(as_of=as_of) as views:
        try:
            statements = duckdb.extract_statements(select)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise SettingError(f"--sql takes one SELECT over {', '.join(VIEWS)}; got {select!r}")
            views.execute(statements[0])
            names = tuple(column[0] for column in views.description)
            yield Answer(names, _fetched(views))
        except duckdb.Error as error:
            told = " ".join(str(error).split())
            raise SettingError(f"the SELECT cannot be answered: {told:.300}. Views are {', '.join(VIEWS)}") from error


def _fetched(views: Any) -> Iterator[Sequence[Any]]:
    while rows := views.fetchmany(1000):
        yield from rows


__all__ = ["COLUMNS", "VIEWS", "Answer", "ask_sql", "row_of"]
