"""What a labelled data set costs, by hand and assisted: arithmetic alone, in ranges.

Knows no model, file or clock. A quantity that is not known exactly is a `Span`; what two sides share (the wage) is
taken to be the same on both when they are compared, so that a difference is no wider than it has to be.
"""

import math
from dataclasses import dataclass, fields

from maskwright.core.errors import SettingError

_MINUTES_AN_HOUR = 60
_MS_AN_HOUR = 3_600_000
_BYTES_A_GIGABYTE = 1e9


@dataclass(frozen=True, slots=True)
class Span:
    """A range of values from `low` to `high`, both possible.

    >>> Span(5, 10) * 2
    Span(low=10, high=20)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)) or self.low > self.high:
            raise SettingError(f"a range goes from a number to one that is not smaller, got {self.low}-{self.high}")

    def __add__(self, other: "Span") -> "Span":
        return Span(self.low + other.low, self.high + other.high)

    def __sub__(self, other: "Span") -> "Span":
        return Span(self.low - other.high, self.high - other.low)

    def __mul__(self, other: "Span | float") -> "Span":
        factor = other if isinstance(other, Span) else Span(other, other)
        corners = [a * b for a in (self.low, self.high) for b in (factor.low, factor.high)]
        return Span(min(corners), max(corners))

    def __truediv__(self, divisor: float) -> "Span":
        return Span(self.low / divisor, self.high / divisor)


def parse_span(text: str) -> Span:
    """Read "5-10", "5–10" or "5".

    Raises:
        SettingError: it is neither a number nor two with a dash between.
    """
    parts = text.replace("\N{EN DASH}", "-").replace(",", "").split("-")
    try:
        numbers = [float(part) for part in parts]
    except ValueError as error:
        raise SettingError(f"expected a number of at least 0, or a range such as 5-10; got {text!r}") from error
    if len(numbers) > 2:
        raise SettingError(f"expected a number of at least 0, or a range such as 5-10; got {text!r}")
    return Span(numbers[0], numbers[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What an estimate rests on.

    `manual_minutes` and `assisted_minutes` are a person's time for a frame, `wage` and `machine_price` money an hour,
    `machine_ms` the machine's time for a frame, `gigabyte_month` money for keeping a gigabyte a month.

    Raises:
        SettingError: there is no frame, or something is negative.
    """

    num_frames: int
    manual_minutes: Span
    assisted_minutes: Span
    wage: Span
    machine_ms: Span
    machine_price: Span
    masks_per_frame: Span
    bytes_per_mask: Span
    gigabyte_month: Span

    def __post_init__(self) -> None:
        if self.num_frames < 1:
            raise SettingError(f"an estimate needs at least one frame, got {self.num_frames}")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Span) and value.low < 0:
                raise SettingError(f"{field.name} must not be negative, got {value.low:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Hours, money and bytes; `saved` is by hand less assisted, and negative where assistance costs more.

    The masks take the same room however they were made, so storage is in neither total.
    """

    manual_hours: Span
    assisted_hours: Span
    manual_wages: Span
    assisted_wages: Span
    machine_hours: Span
    machine_cost: Span
    assisted_total: Span
    saved_hours: Span
    saved: Span
    times_faster: Span | None
    num_masks: Span
    storage_bytes: Span
    storage_month: Span


def estimate_costs(given: Assumptions) -> Estimate:
    """Work an estimate out."""
    frames = float(given.num_frames)
    manual_hours = given.manual_minutes * frames / _MINUTES_AN_HOUR
    assisted_hours = given.assisted_minutes * frames / _MINUTES_AN_HOUR
    saved_hours = manual_hours - assisted_hours
    machine_hours = given.machine_ms * frames / _MS_AN_HOUR
    machine_cost = machine_hours * given.machine_price
    num_masks = given.masks_per_frame * frames
    storage_bytes = num_masks * given.bytes_per_mask
    return Estimate(
        manual_hours=manual_hours,
        assisted_hours=assisted_hours,
        manual_wages=manual_hours * given.wage,
        assisted_wages=assisted_hours * given.wage,
        machine_hours=machine_hours,
        machine_cost=machine_cost,
        assisted_total=assisted_hours * given.wage + machine_cost,
        saved_hours=saved_hours,
        saved=saved_hours * given.wage - machine_cost,  # one wage for both sides
        times_faster=_ratio(given.manual_minutes, given.assisted_minutes),
        num_masks=num_masks,
        storage_bytes=storage_bytes,
        storage_month=storage_bytes / _BYTES_A_GIGABYTE * given.gigabyte_month,
    )


def _ratio(first: Span, second: Span) -> Span | None:
    """How many times the first is the second; None where the second may be nothing."""
    return Span(first.low / second.high, first.high / second.low) if second.low > 0 else None


__all__ = ["Assumptions", "Estimate", "Span", "estimate_costs", "parse_span"]
