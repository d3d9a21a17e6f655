"""Moments of a store: numbers that grow with every write. Tags name them, and times find them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

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
    if moment is None:
        return ledger.head()
    return _find(
        moment,
        head=ledger.head(),
        tags=read_tags(ledger) if isinstance(moment, str) else (),
        at=lambda time: ledger.number("SELECT max(seq) FROM moments WHERE at <= ?", (stamp(time),)),
        path=ledger.path.parent,
    )


class Log(Protocol):
    """Writes and tags that are in memory."""

    writes: list[Write]
    tags: list[Tag]


def moment_in(log: Log, moment: Moment, path: Path) -> int:
    """Find the number of a moment in a log, as `seq_of` does."""
    head = log.writes[-1].moment if log.writes else 0
    if moment is None:
        return head

    def at(time: datetime) -> int:
        return max((write.moment for write in log.writes if write.at <= time), default=0)

    return _find(moment, head=head, tags=log.tags, at=at, path=path)


def write_tag(ledger: Ledger, name: str, seq: int) -> None:
    """Name a moment, within a transaction; the same name for the same moment is no error.

    Raises:
        DuplicateRecord: the name has another moment.
        SettingError: the name is empty, or reads as a number or time.
    """
    check_name(name)
    known = ledger.row("SELECT seq FROM tags WHERE name = ?", (name,))
    if known is not None and known[0] != seq:
        raise DuplicateRecord(f"tag {name!r} names moment {known[0]} already. Choose another name.")
    if known is None:
        ledger.write("INSERT INTO tags(name, seq, at) VALUES (?,?,?)", [(name, seq, stamp(datetime.now(UTC)))])


def check_name(name: str) -> None:
    """Refuse a tag's name that says nothing, or something else.

    Raises:
        SettingError: the name is empty, or reads as a number or time.
    """
    if not name.strip() or name.isdecimal() or _time(name) is not None:
        raise SettingError(f"a tag needs a name that is not a number or a time, got {name!r}")


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


def _find(moment: Any, *, head: int, tags: Sequence[Tag], at: Callable[[datetime], int], path: Path) -> int:
    tagged = {tag.name: tag.moment for tag in tags}
    if isinstance(moment, str):
        if moment in tagged:
            return tagged[moment]
        meant = int(moment) if moment.isdecimal() else _time(moment)
        if meant is None:
            raise UnknownRecord(f"no tag is called {moment!r}; tags are {', '.join(tagged) or 'none yet'}: {path}")
        moment = meant
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise SettingError(f"a moment's time needs a time zone, got {moment.isoformat()}")
        return at(moment)
    if not 0 <= moment <= head:
        raise UnknownRecord(f"moments go from 0 to {head}, got {moment}: {path}")
    return moment


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


__all__ = [
    "Log",
    "Moment",
    "Tag",
    "Write",
    "check_name",
    "moment_in",
    "read_tags",
    "read_writes",
    "seq_of",
    "time_of",
    "write_tag",
]
