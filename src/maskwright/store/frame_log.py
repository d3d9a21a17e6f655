"""The frames that were looked at, with masks or without: in the ledger, in frame order, each once a run.

`SeenFrame` is a frame as the store knows it. A run that is taken up again asks `done_frames` what need not be done.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from maskwright.core.errors import DuplicateRecord, RecordError
from maskwright.core.image import FrameRef
from maskwright.core.shapes import SizeHW
from maskwright.store.ledger import Ledger

NO_RUN = ""  # frames that came with records which nobody registered a run for

FrameKey = tuple[bool, str, str, str, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFrame:
    """A frame called `name`: its size, its place in a data set (`ref`), its image's identity, or both of these.

    Raises:
        RecordError: there is neither a place nor an identity.
    """

    name: str
    size_hw: SizeHW
    ref: FrameRef | None = None
    image_digest: str | None = None

    def __post_init__(self) -> None:
        if self.ref is None and not self.image_digest:
            raise RecordError(f"a frame needs a ref or an image digest, got neither: {self.name}")

    @property
    def key(self) -> FrameKey:
        """Its place in frame order: frames of data sets first, loose pictures by their digest."""
        return key_of(self.ref, self.image_digest)


def key_of(ref: FrameRef | None, image_digest: str | None) -> FrameKey:
    """The place of a frame in frame order; masks of one frame share it."""
    if ref is None:
        return True, "", "", "", -1, image_digest or ""
    return False, ref.dataset, ref.episode, ref.camera, ref.frame_index, ""


def register(ledger: Ledger, frames: Sequence[tuple[SeenFrame, int]], run: str, seq: int) -> None:
    """Write frames and their numbers of masks within a transaction; one that came without a run may come again.

    Raises:
        DuplicateRecord: a frame of this run was written before.
    """
    kind = "INSERT OR IGNORE" if run == NO_RUN else "INSERT"
    rows = [_values(frame, num_masks, run, seq) for frame, num_masks in frames]
    try:
        ledger.write(f"{kind} INTO frames({COLUMNS}, num_masks, seq) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)
    except sqlite3.IntegrityError as error:
        raise DuplicateRecord(f"a run writes each frame once; run {run} has {_known(frames)}") from error


def is_known(ledger: Ledger, frame: SeenFrame) -> bool:
    """Tell whether any run has looked at this frame."""
    condition = "is_loose = ? AND dataset = ? AND episode = ? AND camera = ? AND frame_index = ?"
    key = frame.key if frame.ref is None else frame.key[:5]
    if frame.ref is None:
        condition += " AND image_digest = ?"
    return ledger.row(f"SELECT 1 FROM frames WHERE {condition}", key) is not None


def done_frames(
    ledger: Ledger, run: str, *, dataset: str | None = None, episode: str | None = None, camera: str | None = None
) -> set[int]:
    """List the indices of a run's frames of one recording, or of all that the conditions leave."""
    conditions, values = ["run = ?", "is_loose = 0"], [run]
    for column, value in (("dataset", dataset), ("episode", episode), ("camera", camera)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    return {row[0] for row in ledger.rows(f"SELECT frame_index FROM frames WHERE {' AND '.join(conditions)}", values)}


def done_names(ledger: Ledger, run: str) -> set[str]:
    """List the names of a run's frames."""
    return {row[0] for row in ledger.rows("SELECT name FROM frames WHERE run = ?", (run,))}


def runs(ledger: Ledger) -> dict[str, int]:
    """List runs with the number of their frames, oldest first."""
    rows = ledger.rows("SELECT run, count(*) FROM frames GROUP BY run ORDER BY min(seq), run")
    return {run: count for run, count in rows if run != NO_RUN}


def frames_in_order(ledger: Ledger, seq: int, *, page: int = 1000) -> Iterator[SeenFrame]:
    """Give each frame as of a moment once, in frame order, though several runs looked at it."""
    last: tuple[Any, ...] = (-1, "", "", "", -1, "", "", "")
    previous: tuple[Any, ...] = ()
    while rows := ledger.rows(
        f"SELECT {COLUMNS} FROM frames WHERE ({ORDER}) > (?,?,?,?,?,?,?,?) AND seq <= ? ORDER BY {ORDER} LIMIT ?",
        (*last, seq, page),
    ):
        for row in rows:
            frame = frame_of(row)
            identity = (*frame.key, frame.name if frame.ref is None else "")
            if identity != previous:
                yield frame
            previous = identity
        last = rows[-1][:8]


ORDER = "is_loose, dataset, episode, camera, frame_index, image_digest, name, run"
COLUMNS = f"{ORDER}, timestamp_s, height, width"


def _known(frames: Sequence[tuple[SeenFrame, int]]) -> str:
    names = [frame.name for frame, _ in frames]
    return f"one of {names[0]} to {names[-1]} already" if len(names) > 1 else f"this one already: {names[0]}"


def _values(frame: SeenFrame, num_masks: int, run: str, seq: int) -> tuple[Any, ...]:
    is_loose, dataset, episode, camera, index, _ = frame.key
    place = (int(is_loose), dataset, episode, camera, index, frame.image_digest or "", frame.name, run)
    return (*place, frame.ref.timestamp_s if frame.ref else None, *frame.size_hw, num_masks, seq)


def frame_of(row: Sequence[Any]) -> SeenFrame:
    """Read a frame from the values of `COLUMNS`."""
    is_loose, dataset, episode, camera, index, digest, name, _, timestamp_s, height, width = row
    ref = None
    if not is_loose:
        ref = FrameRef(dataset=dataset, episode=episode, camera=camera, frame_index=index, timestamp_s=timestamp_s)
    return SeenFrame(name=name, size_hw=(height, width), ref=ref, image_digest=digest or None)


__all__ = [
    "COLUMNS",
    "NO_RUN",
    "ORDER",
    "SeenFrame",
    "done_frames",
    "done_names",
    "frame_of",
    "frames_in_order",
    "is_known",
    "key_of",
    "register",
    "runs",
]
