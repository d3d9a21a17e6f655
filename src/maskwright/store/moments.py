"""Moments of a store: numbers that grow with every write. Tags name them, and times find them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from maskwright.core.errors import DuplicateRecord, SettingError, UnknownRecord
from maskwright.store.ledger import Ledger, stamp

# A number as `moment()` gives it, the name of a tag, or a time; None is now.
Moment = int | str | datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A name for a moment."""

    name: str
    moment: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write: its moment, when, and what kind ("put", "bulk", "review", "compact", "tag")."""

    moment: int
    at: datetime
    kind: str


def seq_of(ledger: Ledger, moment: Moment) -> int:
    """Find the number of a moment: of a time, that of the last write until then.

    Raises:
        UnknownRecord: there is no such tag, or the number lies in the future.
        SettingError: a time has no time zone.
    """
    match moment:
        case None:
            return ledger.head()
        case int():
            if not 0 <= moment <= ledger.head():
                raise UnknownRecord(f"moments go from 0 to {ledger.head()}, got {moment}: {ledger.path.parent}")
            return moment
        case datetime():
            if moment.tzinfo is None:
                raise SettingError(f"a moment's time needs a time zone, got {moment.isoformat()}")
            return ledger.number("SELECT max(seq) FROM moments WHERE at <= ?", (stamp(moment),))
    return _of_text(ledger, moment)


def write_tag(ledger: Ledger, name: str, seq: int) -> None:
    """Name a moment, within a transaction; the same name for the same moment is no error.

    Raises:
        DuplicateRecord: the name has another moment.
        SettingError: the name is empty, or reads as a number or time.
    """
    if not name.strip() or name.isdecimal() or _time(name) is not None:
        raise SettingError(f"a tag needs a name that is not a number or a time, got {name!r}")
    known = ledger.row("SELECT seq FROM tags WHERE name = ?", (name,))
    if known is not None and known[0] != seq:
        raise DuplicateRecord(f"tag {name!r} names moment {known[0]} already. Choose another name.")
    if known is None:
        ledger.write("INSERT INTO tags(name, seq, at) VALUES (?,?,?)", [(name, seq, stamp(datetime.now(UTC)))])


def read_tags(ledger: Ledger) -> tuple[Tag, ...]:
    """List tags in the order of their moments."""
    rows = ledger.rows("SELECT name, seq, at FROM tags ORDER BY seq, name")
    return tuple(Tag(name=name, moment=seq, at=datetime.fromisoformat(at)) for name, seq, at in rows)


def read_writes(ledger: Ledger) -> tuple[Write, ...]:
    """List every write, oldest first."""
    rows = ledger.rows("SELECT seq, at, kind FROM moments ORDER BY seq")
    return tuple(Write(moment=seq, at=datetime.fromisoformat(at), kind=kind) for seq, at, kind in rows)


def time_of(ledger: Ledger, seq: int) -> datetime | None:
    """When a moment was; None for moment 0, before the first write."""
    row = ledger.row("SELECT at FROM moments WHERE seq = ?", (seq,))
    return datetime.fromisoformat(row[0]) if row else None


def _of_text(ledger: Ledger, text: str) -> int:
    tagged = ledger.row("SELECT seq FROM tags WHERE name = ?", (text,))
    if tagged is not None:
        return tagged[0]
    if text.isdecimal():
        return seq_of(ledger, int(text))
    if (time := _time(text)) is not None:
        return seq_of(ledger, time)
    names = ", ".join(tag.name for tag in read_tags(ledger)) or "none yet"
    raise UnknownRecord(f"no tag is called {text!r}; tags are {names}: {ledger.path.parent}")


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


__all__ = ["Moment", "Tag", "Write", "read_tags", "read_writes", "seq_of", "time_of", "write_tag"]
