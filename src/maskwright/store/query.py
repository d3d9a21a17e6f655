"""`Query`: which masks one wants, as a value; `matches` says it in Python, `sql_of` in SQL.

Both say the same: the store asks DuckDB, the HDF5 store and the tests ask `matches`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args

from maskwright.core.errors import SettingError
from maskwright.core.provenance import Method
from maskwright.core.resolved import ResolvedRecord, Status
from maskwright.core.shapes import BoxXYXY
from maskwright.core.track import TrackSource, TrackState

LISTED: tuple[Status, ...] = ("proposed", "accepted")
ANY_STATUS: tuple[Status, ...] = get_args(Status)

Names = str | Sequence[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Conditions that all must hold; a condition left out holds. Where names are taken, one or several will do.

    `bbox` finds masks whose box shares area with it. `track_source` and `track_state` are those of a mask's
    `track_point`. Frames are counted from `first_frame` to `last_frame`, both included. `status` leaves out rejected,
    merged and split masks unless one asks; `ANY_STATUS` takes all. `model` is the model's registered name. `where` is
    a condition in SQL over the columns of the view `masks`: it is trusted.

    Raises:
        SettingError: a condition cannot hold for any mask, or is of the wrong kind.
    """

    bbox: BoxXYXY | None = None
    min_area: int | None = None
    max_area: int | None = None
    status: Names = LISTED
    method: Names = None
    label: Names = None
    track: Names = None
    track_source: Names = None
    track_state: Names = None
    dataset: Names = None
    episode: Names = None
    camera: Names = None
    first_frame: int | None = None
    last_frame: int | None = None
    image_digest: Names = None
    model: Names = None
    actor: Names = None
    is_verified: bool | None = None
    min_predicted_iou: float | None = None
    min_stability: float | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        for name in (*_NAMED, "status"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        _check_names("status", self.status, ANY_STATUS)
        _check_names("method", self.method, get_args(Method))
        _check_names("track_source", self.track_source, get_args(TrackSource))
        _check_names("track_state", self.track_state, get_args(TrackState))
        if self.bbox is not None:
            object.__setattr__(self, "bbox", _check_box(self.bbox))
        _check_range("area", self.min_area, self.max_area)
        _check_range("frame", self.first_frame, self.last_frame)


# Conditions that take names, and their column; the attribute of a record where `matches` finds the same.
_NAMED = {
    "method": "method",
    "label": "label",
    "track": "track",
    "track_source": "track_source",
    "track_state": "track_state",
    "dataset": "dataset",
    "episode": "episode",
    "camera": "camera",
    "image_digest": "image_digest",
    "model": "model_name",
    "actor": "actor",
}
_BOUNDS = (
    ("min_area", "area >= ?"),
    ("max_area", "area <= ?"),
    ("first_frame", "frame_index >= ?"),
    ("last_frame", "frame_index <= ?"),
    ("min_predicted_iou", "predicted_iou >= ?"),
    ("min_stability", "stability >= ?"),
)


def sql_of(query: Query, *, has_events: bool = True) -> tuple[str, list[Any]]:
    """Write the conditions as SQL with its parameters; "true" if there are none.

    `has_events` False says that no event touches the masks asked, so that all are proposed.
    """
    conditions: list[str] = []
    values: list[Any] = []
    for name, column in _NAMED.items():
        _one_of(column, getattr(query, name), conditions, values)
    if query.status is not None and set(query.status) != set(ANY_STATUS):
        if has_events:
            _one_of("status", query.status, conditions, values)
        elif "proposed" not in query.status:
            conditions.append("false")
    for name, condition in _BOUNDS:
        if getattr(query, name) is not None:
            conditions.append(condition)
            values.append(getattr(query, name))
    if query.bbox is not None:
        x1, y1, x2, y2 = query.bbox
        conditions.append("x1 < ? AND x2 > ? AND y1 < ? AND y2 > ?")
        values += [x2, x1, y2, y1]
        if x1 < 0 or y1 < 0:  # an empty mask has the box (0, 0, 0, 0)
            conditions.append("area > 0")
    if query.is_verified is not None:
        conditions.append(f"verified_by IS {'NOT ' if query.is_verified else ''}NULL" if has_events else _no(query))
    if query.where is not None:
        conditions.append(f"({query.where}\n)")
    return " AND ".join(conditions) or "true", values


def matches(query: Query, resolved: ResolvedRecord) -> bool:
    """Tell whether a mask meets every condition.

    Raises:
        SettingError: the query has a condition in SQL, which only a `MaskStore` can answer.
    """
    if query.where is not None:
        raise SettingError("a condition in SQL needs a store that speaks it; this one takes the other conditions")
    return (
        _matches_names(query, resolved)
        and _matches_bounds(query, resolved)
        and (query.bbox is None or (resolved.record.area > 0 and _shares_area(query.bbox, resolved.record.box_xyxy)))
        and (query.is_verified is None or query.is_verified == (resolved.verified_by is not None))
    )


def _matches_names(query: Query, resolved: ResolvedRecord) -> bool:
    record, frame = resolved.record, resolved.record.frame
    provenance = record.provenance
    values = {
        "status": resolved.status,
        "method": provenance.method,
        "label": record.label,
        "track": record.track,
        "track_source": record.track_point and record.track_point.source,
        "track_state": record.track_point and record.track_point.state,
        "dataset": frame and frame.dataset,
        "episode": frame and frame.episode,
        "camera": frame and frame.camera,
        "image_digest": record.image_digest,
        "model": provenance.model and provenance.model.name,
        "actor": provenance.actor,
    }
    return all(getattr(query, name) is None or value in getattr(query, name) for name, value in values.items())


def _matches_bounds(query: Query, resolved: ResolvedRecord) -> bool:
    record = resolved.record
    index = record.frame.frame_index if record.frame else None
    scores = record.scores
    return (
        _is_within(record.area, query.min_area, query.max_area)
        and _is_within(index, query.first_frame, query.last_frame)
        and _is_within(scores.predicted_iou, query.min_predicted_iou, None)
        and _is_within(scores.stability, query.min_stability, None)
    )


def _is_within(value: float | None, low: float | None, high: float | None) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def _shares_area(bbox: BoxXYXY, box: BoxXYXY) -> bool:
    x1, y1, x2, y2 = box
    return x1 < bbox[2] and x2 > bbox[0] and y1 < bbox[3] and y2 > bbox[1]


def _one_of(column: str, names: Sequence[str] | None, conditions: list[str], values: list[Any]) -> None:
    if names is not None and not names:
        conditions.append("false")
    elif names is not None:
        conditions.append(f"{column} = ?" if len(names) == 1 else f"{column} IN ({', '.join('?' * len(names))})")
        values += names


def _no(query: Query) -> str:
    return "false" if query.is_verified else "true"


def _check_names(what: str, names: Any, known: Sequence[str]) -> None:
    for name in names or ():
        if name not in known:
            raise SettingError(f"{what} must be one of {', '.join(known)}; got {name!r}")


def _check_box(box: Any) -> BoxXYXY:
    try:
        x1, y1, x2, y2 = (float(value) for value in box)
    except (TypeError, ValueError) as error:
        raise SettingError(f"bbox must be four numbers x1, y1, x2, y2 in pixels, got {box!r}") from error
    if not all(map(math.isfinite, (x1, y1, x2, y2))) or x2 <= x1 or y2 <= y1:
        raise SettingError(f"bbox needs x1 < x2 and y1 < y2, got {x1:g},{y1:g},{x2:g},{y2:g}. It takes corners.")
    return x1, y1, x2, y2


def _check_range(what: str, low: float | None, high: float | None) -> None:
    if low is not None and high is not None and low > high:
        raise SettingError(f"the least {what} must not lie above the greatest, got {low} and {high}")


CONDITIONS = tuple(field.name for field in fields(Query))

__all__ = ["ANY_STATUS", "CONDITIONS", "LISTED", "Query", "matches", "sql_of"]
