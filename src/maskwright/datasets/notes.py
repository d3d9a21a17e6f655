"""Our own notes inside the files of other formats: everything of a record that the format has no word for.

A note is the record as JSON without its pixels, which the format itself holds, and a digest of these pixels. A mask
that was redrawn in another tool comes back with another digest, so that the old story is not told about new pixels.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from maskwright.core.codec import from_json, to_json
from maskwright.core.errors import RecordError
from maskwright.core.image import FrameRef
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.rle import RLE
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.masks import area, box_xyxy

KEY = "maskwright"  # under which notes stand wherever a format takes unknown keys


def mask_note(mask: ResolvedRecord) -> dict[str, Any]:
    """Tell everything of a mask but its pixels."""
    note: Any = to_json(mask)
    if not mask.comments:
        del note["comments"]
    for known in ("rle", "box_xyxy", "area"):
        del note["record"][known]
    return {"pixels": pixels_digest(mask.record.rle), **_present(note), "record": _present(note["record"])}


def mask_from_note(note: Any, rle: RLE) -> ResolvedRecord:
    """Read a mask back from its note and the pixels that the format holds.

    Raises:
        RecordError: the note is damaged.
    """
    if not isinstance(note, Mapping) or not isinstance(note.get("record"), Mapping):
        raise RecordError("a note must be an object with a record")
    pixels: dict[str, Any] = {"rle": to_json(rle), "box_xyxy": list(map(float, box_xyxy(rle))), "area": area(rle)}
    fields = {key: value for key, value in note.items() if key != "pixels"}
    return from_json(ResolvedRecord, {**fields, "record": {**note["record"], **pixels}}, where="note")


def is_about(note: Any, rle: RLE) -> bool:
    """Tell whether a note was written about these pixels."""
    return isinstance(note, Mapping) and note.get("pixels") == pixels_digest(rle)


def frame_note(frame: LabelledFrame, *, written_as: str) -> dict[str, Any]:
    """Tell what a frame is beside its masks; its name only where it is `written_as` another."""
    note: dict[str, Any] = {}
    if frame.name != written_as:
        note["name"] = frame.name
    if frame.ref is not None:
        note["ref"] = to_json(frame.ref)
    if frame.image_digest is not None:
        note["image_digest"] = frame.image_digest
    return note


def frame_facts(note: Any, *, name: str) -> dict[str, Any]:
    """Read name, ref and image_digest of a frame, as far as its note tells them.

    Raises:
        RecordError: the note is damaged.
    """
    if note is None:
        return {"name": name, "ref": None, "image_digest": None}
    if not isinstance(note, Mapping):
        raise RecordError(f"a note must be an object, got {type(note).__name__}")
    ref = None if note.get("ref") is None else from_json(FrameRef, note["ref"], where="note.ref")
    texts = {"name": note.get("name", name), "image_digest": note.get("image_digest")}
    if not isinstance(texts["name"], str) or not isinstance(texts["image_digest"], str | None):
        raise RecordError("a note's name and image_digest must be text")
    return {"ref": ref, **texts}


def pixels_digest(rle: RLE) -> str:
    """Give a short digest of a mask's size and pixels."""
    return hashlib.sha256(b"%d,%d;" % rle.size_hw + rle.counts).hexdigest()[:16]


def _present(note: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in note.items() if value is not None}


__all__ = ["KEY", "frame_facts", "frame_note", "is_about", "mask_from_note", "mask_note", "pixels_digest"]
