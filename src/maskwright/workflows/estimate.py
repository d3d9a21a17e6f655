"""`estimate`: what labelling a data set costs by hand and assisted, with every assumption and where it comes from.

The arithmetic is in `costs`, the timed run in `throughput`; here frames are counted, what nobody said is assumed, and
the outcome becomes text or JSON.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.core.errors import InputError, SettingError
from maskwright.workflows.costs import Assumptions, Estimate, Span, estimate_costs

if TYPE_CHECKING:
    from maskwright.core import Image
    from maskwright.datasets.frame_source import FrameSource
    from maskwright.workflows.throughput import Throughput

# What is taken where nobody says anything; each is told as an assumption.
_ASSUMED: dict[str, tuple[Span, str]] = {
    "manual_minutes": (Span(5, 10), "assumed: polygons on a cluttered frame. Time a few of yours: --manual"),
    "assisted_minutes": (Span(1, 2), "assumed: proposals looked at and corrected. Time a few of yours: --assisted"),
    "wage": (Span(15, 25), "assumed. Yours: --wage"),
    "machine_price": (Span(0.5, 4), "assumed: a rented machine with one GPU. Yours: --machine-price"),
    "masks_per_frame": (Span(3, 10), "assumed. Yours: --masks-per-frame"),
    "bytes_per_mask": (Span(300, 1500), "assumed: run lengths of 480x640 to 1080x1920"),
    "gigabyte_month": (Span(0.02, 0.05), "assumed: object storage"),
}
_ROW_BYTES = Span(60, 250)  # what the store keeps with a mask beside its run lengths, compressed
_MOST_SAMPLED = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the user said; None where they said nothing."""

    num_frames: int | None = None
    manual_minutes: Span | None = None
    assisted_minutes: Span | None = None
    wage: Span | None = None
    machine_ms: Span | None = None
    machine_price: Span | None = None
    masks_per_frame: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """An estimate, what it rests on, and where each assumption comes from (by its name)."""

    assumptions: Assumptions
    origins: dict[str, str]
    estimate: Estimate

    def as_json(self) -> dict[str, Any]:
        """Give everything as JSON types; a range is [low, high]."""
        return {
            "assumptions": {
                name: {"value": _plain(value), "origin": self.origins[name]}
                for name, value in _shallow(self.assumptions).items()
            },
            "estimate": {name: _plain(value) for name, value in _shallow(self.estimate).items()},
        }

    def lines(self) -> list[str]:
        """Say it in lines: a table, the difference, the assumptions."""
        return [*_table(self), "", *_difference(self.estimate), "", "What this rests on", *_told(self)]


def count_frames(source: "FrameSource", *, stride: int = 1) -> int:
    """Count the pictures of a source: frames of every camera of every episode.

    Raises:
        InputError: there is none.
    """
    count = sum(-(-episode.num_frames // stride) * len(episode.cameras) for episode in source.episodes)
    if not count:
        raise InputError(f"there are no frames to estimate: {source.name}")
    return count


def sample_images(source: "FrameSource") -> "Iterator[Image]":
    """Decode some frames of the first recording that has any, spread over it."""
    episode = next(episode for episode in source.episodes if episode.num_frames and episode.cameras)
    stride = max(1, episode.num_frames // _MOST_SAMPLED)
    for frame in source.frames(episode, episode.cameras[0], stride=stride):
        yield frame.image


def estimate_work(
    given: Given, *, source: Path | None = None, stride: int = 1, measure: "Callable[[Any], Throughput] | None" = None
) -> CostReport:
    """Estimate what labelling costs.

    `source` is counted where no number of frames is given. `measure` times a model on the source (None: the example
    picture); it is asked only where the machine's time is not given.

    Raises:
        SettingError: there is neither a number of frames nor a source, or nothing to know the machine's time from.
        InputError: the source cannot be read, or has no frames.
    """
    opened = _open(source)
    origins: dict[str, str] = {}
    num_frames = _count(given, opened, stride, origins)
    throughput = None
    if given.machine_ms is None:
        if measure is None:
            raise SettingError("the machine's time for a frame is neither given nor measured. Say --ms-per-frame.")
        throughput = measure(opened)
    values = {name: _choose(name, given, throughput, origins) for name in _ASSUMED}
    machine_ms = given.machine_ms
    origins["machine_ms"] = "given"
    if machine_ms is None:
        assert throughput is not None
        machine_ms = throughput.machine_ms(values["masks_per_frame"])
        origins["machine_ms"] = f"measured here: {throughput.says}"
    assumptions = Assumptions(num_frames=num_frames, machine_ms=machine_ms, **values)
    return CostReport(assumptions=assumptions, origins=origins, estimate=estimate_costs(assumptions))


def _open(source: Path | None) -> "FrameSource | None":
    if source is None:
        return None
    from maskwright.datasets.sources import open_source

    return open_source(source)


def _count(given: Given, source: "FrameSource | None", stride: int, origins: dict[str, str]) -> int:
    if given.num_frames is not None:
        origins["num_frames"] = "given"
        return given.num_frames
    if source is None:
        raise SettingError("say how many frames there are (--frames 10000), or name a data set to count")
    every = "" if stride == 1 else f", one in {stride}"
    recorded = f"{len(source.episodes)} episode{'' if len(source.episodes) == 1 else 's'}"
    origins["num_frames"] = f"counted in {source.name}: {recorded}, every camera{every}"
    return count_frames(source, stride=stride)


def _choose(name: str, given: Given, throughput: "Throughput | None", origins: dict[str, str]) -> Span:
    said = getattr(given, name, None)
    if said is not None:
        origins[name] = "given"
        return said
    if throughput is not None and name == "bytes_per_mask":
        origins[name] = f"measured run lengths, and {_ROW_BYTES.low:g}-{_ROW_BYTES.high:g} for the rest of the row"
        return throughput.bytes_per_mask + _ROW_BYTES
    if throughput is not None and name == "masks_per_frame" and not throughput.mask_ms.high:
        origins[name] = "measured: what everything-mode found"
        return throughput.masks_per_frame
    value, origins[name] = _ASSUMED[name]
    return value


_WORDS = {
    "num_frames": "frames",
    "manual_minutes": "minutes a frame by hand",
    "assisted_minutes": "minutes a frame assisted",
    "wage": "$ an hour for a person",
    "machine_ms": "ms a frame for the machine",
    "machine_price": "$ an hour for the machine",
    "masks_per_frame": "masks a frame",
    "bytes_per_mask": "bytes a mask",
    "gigabyte_month": "$ a gigabyte and month",
}


def _table(report: CostReport) -> list[str]:
    found = report.estimate
    rows = (
        (f"{report.assumptions.num_frames:,} frames", "by hand", "assisted"),
        ("people", _hours(found.manual_hours), _hours(found.assisted_hours)),
        ("wages", _money(found.manual_wages), _money(found.assisted_wages)),
        ("machine", "-", f"{_hours(found.machine_hours)}, {_money(found.machine_cost)}"),
        ("together", _money(found.manual_wages), _money(found.assisted_total)),
        ("masks on disk", *(f"{_bytes(found.storage_bytes)}, {_money(found.storage_month)} a month",) * 2),
    )
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return [f"{a:<{widths[0]}}   {b:<{widths[1]}}   {c}" for a, b, c in rows]


def _difference(found: Estimate) -> list[str]:
    times = found.times_faster
    told = f"Saved by assistance: {_hours(found.saved_hours)} of people, {_money(found.saved)}"
    return [told + ("" if times is None else f"; a person is {_span(times)} times as fast") + "."]


def _told(report: CostReport) -> list[str]:
    width = max(map(len, _WORDS.values()))
    values = _shallow(report.assumptions)
    shown = {name: f"{value:,}" if isinstance(value, int) else _span(value) for name, value in values.items()}
    room = max(map(len, shown.values()))
    return [f"  {_WORDS[name]:<{width}}  {shown[name]:<{room}}  {report.origins[name]}" for name in _WORDS]


def _hours(span: Span) -> str:
    """Say a time in the unit that suits its longer end; seconds are never called hours."""
    for unit, an_hour in (("hours", 1.0), ("minutes", 60.0)):
        if max(abs(span.low), abs(span.high)) * an_hour >= 1:
            return f"{_span(span * an_hour)} {unit}"
    return f"{_span(span * 3600.0)} seconds"


def _bytes(span: Span) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if span.high >= size:
            return f"{_span(span / size)} {unit}"
    return f"{_span(span)} bytes"


def _money(span: Span) -> str:
    low, high = (_amount(value) for value in (span.low, span.high))
    return low if low == high else f"{low} to {high}"


def _amount(value: float) -> str:
    sign = "-" if value < 0 else ""
    if 0 < abs(value) < 0.01:
        return f"{sign}$0.01"  # rounded up: little is not nothing
    return f"{sign}${abs(value):,.0f}" if abs(value) >= 10 else f"{sign}${abs(value):.2f}"


def _span(span: Span) -> str:
    low, high = _number(span.low), _number(span.high)
    return low if low == high else f"{low} to {high}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _shallow(value: Assumptions | Estimate) -> dict[str, Any]:
    return {name: getattr(value, name) for name in type(value).__slots__}


def _plain(value: Any) -> Any:
    return list(asdict(value).values()) if isinstance(value, Span) else value


__all__ = ["CostReport", "Given", "count_frames", "estimate_work", "sample_images"]
