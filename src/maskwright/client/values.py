"""What a server answers, as values beside those of `core`: pictures, masks with their tags, frames, models."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from maskwright.core import FrameRef, Image, MaskRecord, ResolvedRecord, ReviewEvent, SizeHW, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerImage:
    """A picture that the server has, or had a moment ago. `is_embedded`: a click on it waits for no encoder."""

    digest: str
    size_hw: SizeHW
    is_embedded: bool


# A str is a digest if it looks like one (64 hexadecimal digits), else a path.
Picture = Image | Path | str | bytes | ServerImage


# It is a ResolvedRecord, so that whatever takes one takes this.
@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedRecord(ResolvedRecord):
    """A mask of the store as it was when it was read, and the tag by which an edit says so."""

    etag: str

    @property
    def id(self) -> str:
        """The record's id."""
        return self.record.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Masks in frame order. `next_cursor` is None on the last page."""

    items: tuple[TaggedRecord, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """A review event, its position in the log, and the moment of the store that its write made."""

    position: int
    moment: int
    event: ReviewEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The events of one request as they are in the log, and the tags that the records they touch have now, by id."""

    moment: int
    items: tuple[LoggedEvent, ...]
    etags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHistory:
    """A mask's life: as it was put, every event that touched it, oldest first, and what they came to."""

    record: MaskRecord
    put_at: datetime
    put_moment: int
    events: tuple[ReviewEvent, ...]
    resolved: TaggedRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a SELECT found. `is_cut`: there are more rows than were asked for."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    is_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFrame:
    """A frame of the store, and how many masks it has of each status. `ref` None: it has no place in a data set."""

    id: str
    name: str
    size_hw: SizeHW
    ref: FrameRef | None
    image_digest: str | None
    num_masks: dict[Status, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFrame:
    """A frame that is about to be looked at, and the ids of those that are made ready after it."""

    frame: ServerFrame
    ahead: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerModel:
    """A model that the server's version knows. `is_here`: its weights are on the server's machine."""

    name: str
    title: str
    family: str
    input_side: int
    licence: str
    takes_text: bool
    is_here: bool
    is_served: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerModels:
    """`served` can be asked for, the first by default."""

    served: tuple[str, ...]
    registered: tuple[ServerModel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHealth:
    """How the server is."""

    state: Literal["starting", "ready", "draining"]
    models: tuple[str, ...]
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerVersion:
    """What runs there."""

    name: str
    version: str
    api: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCaller:
    """Who the server takes the client for; `store` is the id of its store, None where it has none."""

    name: str
    scope: Literal["read", "annotate", "review", "admin"]
    store: str | None = None


__all__ = [
    "Edited",
    "LoggedEvent",
    "OpenedFrame",
    "Page",
    "Picture",
    "RecordHistory",
    "ServerCaller",
    "ServerFrame",
    "ServerHealth",
    "ServerImage",
    "ServerModel",
    "ServerModels",
    "ServerVersion",
    "Table",
    "TaggedRecord",
]
