"""`Saves`: one request's new records, checked: what a mask says of itself is computed, and who made it is the caller.

Masks that people and models drew may be saved by whoever annotates; that one came from a simulator or another data set
only an admin may say.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from maskwright.core import MaskRecord, ResolvedRecord
from maskwright.core.errors import DuplicateRecord, NotAllowed, RecordError, TooLarge, UnknownRecord
from maskwright.masks import area, box_xyxy
from maskwright.serve.store_edits import signed_by
from maskwright.serve.store_keys import id_beyond, reused
from maskwright.serve.values import Caller
from maskwright.store import History, MaskStore, SeenFrame
from maskwright.store.frame_log import FrameKey, key_of

MOST_RECORDS = 1000
_DRAWN = ("sam_raw", "sam_refined", "human_drawn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The records as they were put, and at which moment."""

    moment: int
    records: tuple[ResolvedRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A record as a client sends it; `made_up` names what the server filled in, which a repetition need not match."""

    record: MaskRecord
    made_up: frozenset[str] = frozenset()


class Saves:
    """Records to put together or not at all."""

    def __init__(self, drafts: Sequence[Draft], caller: Caller, *, key: str | None = None) -> None:
        self.drafts, self._caller, self._key = drafts, caller, key
        self.records = tuple(draft.record for draft in drafts)

    def known(self, store: MaskStore) -> Saved | None:
        """The first answer, if this is a repetition.

        Raises:
            KeyReused: the key brought other records before.
            DuplicateRecord: an id that the client chose is taken.
        """
        found = [_history(store, record.id) for record in self.records]
        first = found[0]
        is_longer = (
            self._key is not None
            and _history(store, id_beyond("record", self._caller.name, self._key, len(self.records))) is not None
        )
        if first is None and not any(found) and not is_longer:
            return None
        if self._key is None:
            taken = next(one.record.id for one in found if one is not None)
            raise DuplicateRecord(f"an id must be new, and {taken} is in the store. Leave it out")
        are_same = all(
            one is not None and _is_same(draft, one.record) for one, draft in zip(found, self.drafts, strict=True)
        )
        if not are_same or is_longer or first is None:
            raise reused()
        return Saved(moment=first.put_moment, records=tuple(as_put(one.record) for one in found if one is not None))

    def saved(self, moment: int) -> Saved:
        """The answer after they were put."""
        return Saved(moment=moment, records=tuple(as_put(record) for record in self.records))


def as_put(record: MaskRecord) -> ResolvedRecord:
    """A record about which nobody has decided yet."""
    return ResolvedRecord(record=record)


def checked(
    drafts: Sequence[Draft],
    caller: Caller,
    *,
    find_frame: Callable[[FrameKey], SeenFrame | None],
    is_there: Callable[[str], bool],
    most_pixels: int,
) -> list[Draft]:
    """Check records that a caller wants to save, and fill in who made them.

    Raises:
        TooLarge: there are too many at once, or one is of a larger picture than the server takes.
        RecordError: a box, area, size or digest is not that of the pixels or of the frame, or the frame is unknown.
        UnknownRecord: a parent or ancestor is not there.
        NotAllowed: provenance says what the caller may not.
    """
    if len(drafts) > MOST_RECORDS:
        raise TooLarge(f"a request may have {MOST_RECORDS} records, got {len(drafts)}. Send it in parts")
    ids = {draft.record.id for draft in drafts}
    if len(ids) < len(drafts):
        raise RecordError("the ids of records must differ from each other. Leave them out, and the server makes them")
    found = []
    for draft in drafts:
        height, width = draft.record.rle.size_hw
        if height * width > most_pixels:
            raise TooLarge(f"masks may have {most_pixels:,} pixels on this server, got {width} x {height}")
        record = _of_its_frame(draft.record, caller, find_frame)
        _check_pixels(record)
        for other in (*((record.parent,) if record.parent else ()), *record.provenance.derived_from):
            if other not in ids and not is_there(other):
                raise UnknownRecord(f"a mask's parent and ancestors are masks of the store, and {other} is none")
        found.append(replace(draft, record=_signed(record, caller)))
    return found


def _signed(record: MaskRecord, caller: Caller) -> MaskRecord:
    provenance = record.provenance
    if provenance.method not in _DRAWN and not caller.may("admin"):
        raise NotAllowed(f"only an admin saves masks of the method {provenance.method}; others {', '.join(_DRAWN)}")
    return replace(record, provenance=replace(provenance, actor=signed_by(caller, provenance.actor)))


def _of_its_frame(record: MaskRecord, caller: Caller, find_frame: Callable[[FrameKey], SeenFrame | None]) -> MaskRecord:
    seen = find_frame(key_of(record.frame, record.image_digest))
    if seen is None:
        if record.frame is not None and not caller.may("admin"):
            raise RecordError(
                f"the store has no frame {record.frame.episode}/{record.frame.camera}/{record.frame.frame_index} of "
                f"{record.frame.dataset}; a mask is saved on a frame that was looked at, or on a picture by its digest"
            )
        return record
    if seen.size_hw != record.rle.size_hw:
        raise RecordError(f"the frame has the size {seen.size_hw} (h, w), the mask {record.rle.size_hw}: {seen.name}")
    if seen.image_digest and record.image_digest and seen.image_digest != record.image_digest:
        raise RecordError(f"the mask is of another picture than the frame's, by its digest: {seen.name}")
    return replace(record, image_digest=record.image_digest or seen.image_digest or "")


def _check_pixels(record: MaskRecord) -> None:
    box, size = box_xyxy(record.rle), area(record.rle)
    if record.box_xyxy != box or record.area != size:
        raise RecordError(
            f"the box and area of a mask are those of its pixels, {box} and {size}; got {record.box_xyxy} and "
            f"{record.area}. Leave them out, and the server computes them"
        )


def _is_same(draft: Draft, stored: MaskRecord) -> bool:
    record = draft.record
    if "created_at" in draft.made_up:
        record = replace(record, provenance=replace(record.provenance, created_at=stored.provenance.created_at))
    return record == stored


def _history(store: MaskStore, record_id: str) -> History | None:
    try:
        return store.history(record_id)
    except UnknownRecord:
        return None


__all__ = ["MOST_RECORDS", "Draft", "Saved", "Saves", "as_put", "checked"]
