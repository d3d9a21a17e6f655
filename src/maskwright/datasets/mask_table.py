"""Masks as columns, one row a mask: what the flat formats (Parquet, HDF5) hold.

Columns have the names and meanings of the mask store's own, so that one query serves both; beside those, `frame`
numbers the frames of a file, `name` is the frame's, and the outcome of review has its columns. Only `name` (or a place
in a data set), `height`, `width` and `rle` are needed to read a table of somebody else.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from maskwright.core.codec import from_json, to_json
from maskwright.core.errors import InputError, MaskError, RecordError
from maskwright.core.image import FrameRef, Image
from maskwright.core.prompt import Prompt
from maskwright.core.provenance import Method, ModelRef, ProcessingStep, Provenance
from maskwright.core.record import MaskRecord, Scores
from maskwright.core.resolved import ResolvedRecord, SignedComment, Status
from maskwright.core.track import TrackPoint
from maskwright.datasets.imported import Importer
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.masks import area, box_xyxy, from_coco

Kind = Literal["text", "int", "float", "moment", "bool", "bytes"]
COLUMNS: dict[str, Kind] = {
    "frame": "int",
    "name": "text",
    "id": "text",
    "dataset": "text",
    "episode": "text",
    "camera": "text",
    "frame_index": "int",
    "timestamp_s": "float",
    "image_digest": "text",
    "height": "int",
    "width": "int",
    "x1": "float",
    "y1": "float",
    "x2": "float",
    "y2": "float",
    "area": "int",
    "label": "text",
    "track": "text",
    "track_source": "text",
    "track_state": "text",
    "track_confidence": "float",
    "track_anchors": "text",
    "parent": "text",
    "method": "text",
    "model_name": "text",
    "model_family": "text",
    "model_sha256": "text",
    "model_precision": "text",
    "predicted_iou": "float",
    "stability": "float",
    "agreement": "float",
    "licence": "text",
    "actor": "text",
    "collector": "text",
    "captured_at": "moment",
    "created_at": "moment",
    "source": "text",
    "prompt": "text",
    "steps": "text",
    "derived_from": "text",
    "placed": "bool",
    "status": "text",
    "verified_by": "text",
    "verified_at": "moment",
    "edited_by": "text",
    "num_events": "int",
    "as_of": "moment",
    "comments": "text",
    "rle": "bytes",
}
FRAME_COLUMNS = ("frame", "name", "dataset", "episode", "camera", "frame_index", "timestamp_s", "image_digest")
NEEDED = ("height", "width", "rle")
_PLACE = ("dataset", "episode", "camera", "frame_index", "timestamp_s")
Row = Mapping[str, Any]


def frame_row(frame: LabelledFrame, number: int) -> dict[str, Any]:
    """Give what the table says of a frame itself."""
    ref = frame.ref
    return {
        "frame": number,
        "name": clean_text(frame.name),
        **{name: None if ref is None else getattr(ref, name) for name in _PLACE},
        "image_digest": frame.image_digest,
        "height": frame.size_hw[0],
        "width": frame.size_hw[1],
    }


def mask_rows(frame: LabelledFrame, number: int) -> Iterator[dict[str, Any]]:
    """Give a row for each mask of a frame."""
    for mask in frame.masks:
        record, provenance = mask.record, mask.record.provenance
        model, place = provenance.model, frame.ref or record.frame
        x1, y1, x2, y2 = record.box_xyxy
        yield frame_row(frame, number) | {
            **{name: None if place is None else getattr(place, name) for name in _PLACE},
            "id": record.id,
            "image_digest": frame.image_digest or record.image_digest or None,
            **{"x1": x1, "y1": y1, "x2": x2, "y2": y2, "area": record.area},
            "label": record.label,
            "track": record.track,
            **_point_columns(record.track_point),
            "parent": record.parent,
            "method": provenance.method,
            "model_name": model and model.name,
            "model_family": model and model.family,
            "model_sha256": model and model.checkpoint_sha256,
            "model_precision": model and model.precision,
            "predicted_iou": record.scores.predicted_iou,
            "stability": record.scores.stability,
            "agreement": record.scores.agreement,
            **{name: getattr(provenance, name) for name in ("licence", "actor", "collector", "source")},
            "captured_at": provenance.captured_at,
            "created_at": provenance.created_at,
            "prompt": None if provenance.prompt is None else json.dumps(to_json(provenance.prompt)),
            "steps": json.dumps([to_json(step) for step in provenance.steps]) if provenance.steps else None,
            "derived_from": json.dumps(provenance.derived_from) if provenance.derived_from else None,
            "placed": record.frame is not None,
            **{name: getattr(mask, name) for name in _OUTCOME},
            "comments": json.dumps([to_json(one) for one in mask.comments]) if mask.comments else None,
            "rle": record.rle.counts,
        }


def _point_columns(point: TrackPoint | None) -> dict[str, Any]:
    return {
        "track_source": point and point.source,
        "track_state": point and point.state,
        "track_confidence": point and point.confidence,
        "track_anchors": json.dumps(point.anchors) if point and point.anchors else None,
    }


_OUTCOME = ("status", "verified_by", "verified_at", "edited_by", "num_events", "as_of")


def clean_text(text: str) -> str:
    """Replace what a file cannot hold as text: NUL, and halves of characters."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def check_columns(names: Sequence[str], where: object) -> None:
    """Refuse a table that holds no masks.

    Raises:
        InputError: a column that is needed is missing.
    """
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise InputError(f"a table of masks needs the columns {', '.join(NEEDED)}; it has no {missing[0]}: {where}")


def frame_from_rows(
    rows: Sequence[Row], importer: Importer, open_image: Callable[[str], Callable[[], Image] | None], *, about: Row
) -> LabelledFrame:
    """Make a frame of the rows of its masks; `about` is the first of them, or the frame's own row.

    Masks that are damaged are left out and told to the log.

    Raises:
        RecordError: the size is not two positive whole numbers.
    """
    match about.get("height"), about.get("width"):
        case (int(height), int(width)) if height > 0 and width > 0:
            size_hw = height, width
        case sides:
            raise RecordError(f"height and width must be positive whole numbers, got {sides[0]!r} and {sides[1]!r}")
    ref = _place(about)
    name = about.get("name") or _name(ref, about)
    masks = []
    for row in rows:
        item = f"{name}#{row.get('id') or len(masks) + 1}"
        try:
            masks.append(_mask(row, importer, item, ref))
        except (MaskError, RecordError) as error:
            importer.log.skip(item, str(error))
    masks = [one for one in masks if one.record.rle.size_hw == size_hw]
    return LabelledFrame(
        name=name,
        size_hw=size_hw,
        masks=tuple(masks),
        ref=ref,
        image_digest=about.get("image_digest"),
        open_image=open_image(name),
    )


def _name(ref: FrameRef | None, about: Row) -> str:
    if ref is None:
        return str(about.get("image_digest") or f"frame_{about.get('frame') or 0:06d}")
    return f"{ref.episode}/{ref.camera}/frame_{ref.frame_index:06d}.png"


def _place(row: Row) -> FrameRef | None:
    if any(row.get(name) is None for name in _PLACE[:-1]):
        return None
    return FrameRef(**{name: row[name] for name in _PLACE[:-1]}, timestamp_s=row.get("timestamp_s"))


def _mask(row: Row, importer: Importer, item: str, ref: FrameRef | None) -> ResolvedRecord:
    rle = from_coco({"size": [row["height"], row["width"]], "counts": row["rle"]})
    scores = Scores(**{name: row.get(name) for name in ("predicted_iou", "stability", "agreement")})
    statuses: dict[Any, Status] = {one: one for one in get_args(Status)}
    status = statuses.get(row.get("status"), "proposed")
    if row.get("method") not in get_args(Method) or row.get("created_at") is None:
        words = {"label": row.get("label"), "track": row.get("track"), "scores": scores, "status": status}
        return importer.mask(rle, item=item, ref=ref, image_digest=row.get("image_digest"), **words)
    record = MaskRecord(
        id=row.get("id") or item,
        image_digest=row.get("image_digest") or "",
        rle=rle,
        box_xyxy=box_xyxy(rle),
        area=area(rle),
        provenance=_provenance(row),
        frame=ref if row.get("placed", True) else None,
        label=row.get("label"),
        track=row.get("track"),
        parent=row.get("parent"),
        scores=scores,
        track_point=_track_point(row),
    )
    outcome = {name: row.get(name) for name in ("verified_by", "edited_by")}
    outcome |= {name: _moment(row.get(name)) for name in ("verified_at", "as_of")}
    num_events, comments = row.get("num_events") or 0, _comments(row)
    return ResolvedRecord(record=record, status=status, num_events=num_events, comments=comments, **outcome)


def _comments(row: Row) -> tuple[SignedComment, ...]:
    return tuple(from_json(SignedComment, one, where="comments") for one in _json(row, "comments") or ())


def _provenance(row: Row) -> Provenance:
    model = None
    if row.get("model_name") is not None:
        model = ModelRef(
            name=row["model_name"],
            family=row.get("model_family") or "",
            checkpoint_sha256=row.get("model_sha256") or "",
            precision=row.get("model_precision") or "fp32",
        )
    created_at = _moment(row["created_at"])
    assert created_at is not None
    read: Callable[..., Any] = from_json
    steps, prompt, ancestors = (_json(row, name) for name in ("steps", "prompt", "derived_from"))
    return Provenance(
        method=row["method"],
        created_at=created_at,
        model=model,
        prompt=None if prompt is None else read(Prompt, prompt, where="prompt"),
        steps=tuple(from_json(ProcessingStep, step, where="steps") for step in steps or ()),
        captured_at=_moment(row.get("captured_at")),
        derived_from=tuple(map(str, ancestors or ())),
        **{name: row.get(name) for name in ("licence", "actor", "collector", "source")},
    )


def _track_point(row: Row) -> TrackPoint | None:
    if row.get("track_source") is None:
        return None
    return TrackPoint(
        source=row["track_source"],
        state=row.get("track_state") or "visible",
        confidence=1.0 if row.get("track_confidence") is None else row["track_confidence"],
        anchors=tuple(map(str, _json(row, "track_anchors") or ())),
    )


def _json(row: Row, name: str) -> Any:
    text = row.get(name)
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise RecordError(f"the column {name} is not JSON ({error})") from None


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


__all__ = [
    "COLUMNS",
    "FRAME_COLUMNS",
    "Kind",
    "check_columns",
    "clean_text",
    "frame_from_rows",
    "frame_row",
    "mask_rows",
]
