"""Conditions on masks and frames, as keywords: `client.records(label="mug", min_area=500)`."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from maskwright.core import BoxXYXY, Method, Status, TrackSource, TrackState


class FrameFilters(TypedDict, total=False):
    """Which frames; of several names one will do."""

    dataset: str | Sequence[str]
    episode: str | Sequence[str]
    camera: str | Sequence[str]
    first_frame: int
    last_frame: int


class Filters(FrameFilters, total=False):
    """Which masks: all conditions hold. They mean what they mean in `maskwright query` (docs/guides/store.md).

    `status` is proposed and accepted where it is left out; `bbox` finds boxes that share area with it.
    """

    bbox: BoxXYXY | Sequence[float]
    min_area: int
    max_area: int
    status: Status | Sequence[Status]
    method: Method | Sequence[Method]
    label: str | Sequence[str]
    track: str | Sequence[str]
    track_source: TrackSource | Sequence[TrackSource]
    track_state: TrackState | Sequence[TrackState]
    image_digest: str | Sequence[str]
    model: str | Sequence[str]
    actor: str | Sequence[str]
    is_verified: bool
    min_predicted_iou: float
    min_stability: float


_NUMBERS = frozenset(
    ["first_frame", "last_frame", "min_area", "max_area", "is_verified", "min_predicted_iou", "min_stability"]
)


def written(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Write conditions as the server takes them: names in lists, also where there is one."""
    return {name: _written(name, value) for name, value in filters.items() if value is not None}


def as_query(filters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write conditions as query parameters."""
    found: list[tuple[str, str]] = []
    for name, value in written(filters).items():
        found += [(name, str(one)) for one in (value if isinstance(value, list) else [value])]
    return found


def _written(name: str, value: Any) -> Any:
    if name in _NUMBERS:
        return value
    return [value] if isinstance(value, str) else list(value)


__all__ = ["Filters", "FrameFilters", "as_query", "written"]
