"""Named queues: lists of masks that somebody picked, kept beside the store and walked like the queues that rules make.

STORE/queues/NAME.json holds the order, the reasons and how it was picked; it is written whole and never changed by a
walk. What is left of it follows from the log: a mask leaves when it is decided about, and comes back when that is
undone. So a walk can stop anywhere, on any machine, and several people may walk one queue.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa

from maskwright.core.errors import SettingError, StoreDamaged, UnknownRecord
from maskwright.core.resolved import Status
from maskwright.review.queues import QUEUES, QueuePage, Ranked, ordered_page
from maskwright.store.folder import told_plainly, write_whole
from maskwright.store.pages import Pages
from maskwright.store.query import Query

FORMAT = "maskwright-queue-1"
MOST_MASKS = 200_000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    """A mask of a queue: the status in which it was picked, how much it needs a person (0 to 1), and why."""

    record: str
    status: Status
    score: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedQueue:
    """A list of masks in the order in which they are worth looking at. `settings` say how it was picked.

    Raises:
        SettingError: the name is none, or that of a queue which a rule makes.
    """

    name: str
    about: str
    made_at: datetime
    entries: tuple[QueueEntry, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.entries) > MOST_MASKS:
            raise SettingError(f"a queue holds at most {MOST_MASKS} masks, got {len(self.entries)}. Pick fewer.")

    def as_json(self) -> dict[str, Any]:
        """The whole queue as JSON types."""
        return {
            "format": FORMAT,
            "name": self.name,
            "about": self.about,
            "made_at": self.made_at.isoformat(),
            "settings": dict(self.settings),
            "items": [{**asdict(one), "reasons": list(one.reasons)} for one in self.entries],
        }


def check_name(name: str) -> str:
    """Check the name of a queue, and give it.

    Raises:
        SettingError: it is none, or taken by a rule.
    """
    if not _NAME.fullmatch(name):
        raise SettingError(
            f"a queue's name has small letters, digits, - and _, begins with a letter or digit and has at most 64; "
            f"got {name!r}"
        )
    if name in QUEUES:
        raise SettingError(f"{name} is a queue that a rule makes. Choose another name.")
    return name


def write_queue(store: Path, queue: NamedQueue) -> Path:
    """Write a queue, whole or not at all; one of the same name is replaced.

    Raises:
        StoreError: it cannot be written.
    """
    path = _path(store, queue.name)
    with told_plainly(path):
        path.parent.mkdir(exist_ok=True)
        write_whole(path, (json.dumps(queue.as_json(), indent=1, ensure_ascii=False) + "\n").encode())
    return path


def read_queue(store: Path, name: str) -> NamedQueue:
    """Read a queue.

    Raises:
        UnknownRecord: there is none of that name.
        StoreDamaged: its file cannot be read.
    """
    path = _path(store, name) if _NAME.fullmatch(name) else None
    if path is None or not path.is_file():
        known = ", ".join([*QUEUES, *queue_names(store)])
        raise UnknownRecord(f"a queue is one of {known:.300}; got {name!r:.80}")
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}, not {FORMAT}")
        return NamedQueue(
            name=name,
            about=str(content["about"]),
            made_at=datetime.fromisoformat(content["made_at"]),
            entries=tuple(_entry(one) for one in content["items"]),
            settings=dict(content["settings"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreDamaged(f"this queue cannot be read ({error}). Pick it again, or delete it: {path}") from error


def delete_queue(store: Path, name: str) -> None:
    """Delete a queue; what was decided on the way stays. There may be none."""
    path = _path(store, check_name(name))
    with told_plainly(path):
        path.unlink(missing_ok=True)


def queue_names(store: Path) -> list[str]:
    """List the names of the queues beside a store."""
    found = (path.stem for path in (store / "queues").glob("*.json"))
    return sorted(name for name in found if _NAME.fullmatch(name) and name not in QUEUES)


def free_name(store: Path, stem: str) -> str:
    """Make a name that no queue has yet: the stem, or with a number behind it."""
    taken = {*queue_names(store), *QUEUES}
    number = 1
    while (name := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return name


def named_page(
    pages: Pages, queue: NamedQueue, query: Query | None = None, *, after: Ranked | None = None, limit: int = 100
) -> QueuePage:
    """Give the next masks of a named queue, among those that a query finds, with the reasons why they were picked."""
    reasons = {one.record: one.reasons for one in queue.entries}
    ranked = _RANKED, [queue.made_at]
    return ordered_page(
        pages, ranked, query, tables={"picked": _table(queue.entries)}, after=after, limit=limit, reasons=reasons
    )


def _path(store: Path, name: str) -> Path:
    return store / "queues" / f"{name}.json"


def _entry(one: Mapping[str, Any]) -> QueueEntry:
    status = one["status"]
    if status not in get_args(Status):
        raise ValueError(f"a status is one of {', '.join(get_args(Status))}; got {status!r}")
    return QueueEntry(
        record=str(one["record"]), status=status, score=float(one["score"]), reasons=tuple(map(str, one["reasons"]))
    )


def _table(entries: Sequence[QueueEntry]) -> pa.Table:
    return pa.table(
        {
            "record_id": pa.array([one.record for one in entries], pa.string()),
            "picked_status": pa.array([one.status for one in entries], pa.string()),
            "place": pa.array(range(len(entries)), pa.float64()),
        }
    )


# What was accepted when it was picked leaves once somebody has accepted it anew; an edit takes the old word back.
_RANKED = """
    ranked AS (
        SELECT m.id, m.ordinal, p.place AS value
        FROM masks m JOIN picked p ON p.record_id = m.id
        WHERE m.status = p.picked_status
            AND (m.status = 'proposed' OR m.decided_at IS NULL OR m.decided_at <= CAST(? AS TIMESTAMPTZ))
    )"""

__all__ = [
    "FORMAT",
    "MOST_MASKS",
    "NamedQueue",
    "QueueEntry",
    "check_name",
    "delete_queue",
    "free_name",
    "named_page",
    "queue_names",
    "read_queue",
    "write_queue",
]
