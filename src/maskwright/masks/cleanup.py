"""Cleanup steps: small named values that a mask is passed through, and that its provenance records.

    steps = parse_steps("fill_holes=100,drop_islands=50,smooth_boundary=1.5")
    tidy = clean(rle, steps)
    recorded = [step.as_processing() for step in steps]

Each step checks its parameters when made, knows masks only, and can be read back from its record, so that what was done
to a mask can be done again. Speed comes from the runs: only opening and closing decode, and only the object's box.
"""

from collections.abc import Sequence
from dataclasses import Field, dataclass, fields
from difflib import get_close_matches
from typing import Any, ClassVar, Literal, Protocol, get_type_hints, runtime_checkable

import numpy as np

from maskwright.core.errors import SettingError
from maskwright.core.provenance import ProcessingStep
from maskwright.core.rle import RLE
from maskwright.masks._engine import RLEMask, parse, unparse
from maskwright.masks.components import Connectivity, _pieces, inside
from maskwright.masks.hull import convex_hull
from maskwright.masks.morphology import check_radius, closing, opening
from maskwright.masks.outlines import smooth_rings
from maskwright.masks.polygons import fill, trace


@runtime_checkable
class CleanupStep(Protocol):
    """A named, parameterised change of one mask. Parameters are the fields of the dataclass."""

    name: ClassVar[str]

    def __call__(self, rle: RLE) -> RLE:
        """Change a mask; the size stays."""
        ...

    def as_processing(self) -> ProcessingStep:
        """Say what was done, for the provenance. Parameters left open (None) are left out."""
        values = {field.name: getattr(self, field.name) for field in _parameters(self)}
        return ProcessingStep(name=self.name, parameters={k: v for k, v in values.items() if v is not None})


@dataclass(frozen=True, slots=True)
class FillHoles(CleanupStep):
    """Fill holes of at most `max_area` pixels; all holes when it is left out.

    Background that touches the image's edge is no hole, unless `with_edge` says so.
    """

    name: ClassVar[str] = "fill_holes"
    max_area: int | None = None
    connectivity: Connectivity = 4
    with_edge: bool = False

    def __post_init__(self) -> None:
        if self.max_area is not None:
            _check_count(self.name, "max_area", self.max_area, least=0)
        _check_connectivity(self.name, self.connectivity)

    def __call__(self, rle: RLE) -> RLE:
        mask = parse(rle)
        is_inside = inside(mask.shape)

        def is_filled(areas: np.ndarray, boxes_xywh: np.ndarray) -> np.ndarray:
            small = np.full(len(areas), True) if self.max_area is None else areas <= self.max_area
            return small if self.with_edge else small & is_inside(areas, boxes_xywh)

        small_holes = _pieces(~mask, self.connectivity, is_filled)
        return unparse(RLEMask.union([mask, *small_holes])) if small_holes else rle


@dataclass(frozen=True, slots=True)
class DropIslands(CleanupStep):
    """Drop islands of fewer than `min_area` pixels.

    When all are smaller, the largest stays, so that cleaning never loses an object; `keep_largest=False` drops it too.
    """

    name: ClassVar[str] = "drop_islands"
    min_area: int
    connectivity: Connectivity = 8
    keep_largest: bool = True

    def __post_init__(self) -> None:
        _check_count(self.name, "min_area", self.min_area, least=0)
        _check_connectivity(self.name, self.connectivity)

    def __call__(self, rle: RLE) -> RLE:
        mask = parse(rle)
        pieces = _pieces(mask, self.connectivity)
        kept = [piece for piece in pieces if piece.area() >= self.min_area]
        if len(kept) == len(pieces):
            return rle
        if not kept and self.keep_largest:
            kept = pieces[:1]
        return unparse(RLEMask.union(kept) if kept else RLEMask.zeros(rle.size_hw))


@dataclass(frozen=True, slots=True)
class KeepLargest(CleanupStep):
    """Keep the `count` largest islands."""

    name: ClassVar[str] = "keep_largest"
    count: int = 1
    connectivity: Connectivity = 8

    def __post_init__(self) -> None:
        _check_count(self.name, "count", self.count, least=1)
        _check_connectivity(self.name, self.connectivity)

    def __call__(self, rle: RLE) -> RLE:
        pieces = _pieces(parse(rle), self.connectivity)
        return rle if len(pieces) <= self.count else unparse(RLEMask.union(pieces[: self.count]))


@dataclass(frozen=True, slots=True)
class Open(CleanupStep):
    """Remove specks, spikes and bridges that are thinner than a disc of `radius` pixels."""

    name: ClassVar[str] = "open"
    radius: float = 1

    def __post_init__(self) -> None:
        _check_number(self.name, "radius", self.radius)
        check_radius(self.radius)

    def __call__(self, rle: RLE) -> RLE:
        return opening(rle, self.radius)


@dataclass(frozen=True, slots=True)
class Close(CleanupStep):
    """Fill pinholes, cracks and gaps that are thinner than a disc of `radius` pixels."""

    name: ClassVar[str] = "close"
    radius: float = 1

    def __post_init__(self) -> None:
        _check_number(self.name, "radius", self.radius)
        check_radius(self.radius)

    def __call__(self, rle: RLE) -> RLE:
        return closing(rle, self.radius)


@dataclass(frozen=True, slots=True)
class SmoothBoundary(CleanupStep):
    """Smooth the outline with a Gaussian of `sigma` pixels along it; the size of the object stays."""

    name: ClassVar[str] = "smooth_boundary"
    sigma: float = 2

    def __post_init__(self) -> None:
        _check_number(self.name, "sigma", self.sigma)
        if not 0 <= self.sigma < float("inf"):
            raise SettingError(f"{self.name} needs a finite sigma of at least 0 pixels, got {self.sigma}")

    def __call__(self, rle: RLE) -> RLE:
        return fill(smooth_rings(trace(rle), self.sigma))


@dataclass(frozen=True, slots=True)
class ConvexHull(CleanupStep):
    """Replace the mask with the smallest convex set of pixels around it."""

    name: ClassVar[str] = "convex_hull"

    def __call__(self, rle: RLE) -> RLE:
        return convex_hull(rle)


STEPS: dict[str, type[CleanupStep]] = {
    step.name: step for step in (FillHoles, DropIslands, KeepLargest, Open, Close, SmoothBoundary, ConvexHull)
}


def clean(rle: RLE, steps: Sequence[CleanupStep]) -> RLE:
    """Pass a mask through the steps, in their order."""
    for step in steps:
        rle = step(rle)
    return rle


def step_from_processing(processing: ProcessingStep) -> CleanupStep:
    """Make the step again that a provenance recorded.

    Raises:
        SettingError: no step has that name, or it does not take those parameters.
    """
    return _make_step(processing.name, dict(processing.parameters))


def parse_steps(text: str) -> tuple[CleanupStep, ...]:
    """Read steps as people write them: names with commas between, `name=value`, further parameters after colons.

    >>> parse_steps("fill_holes=100,drop_islands=50:connectivity=4,keep_largest")
    (FillHoles(max_area=100, connectivity=4, with_edge=False), DropIslands(min_area=50, connectivity=4, \
keep_largest=True), KeepLargest(count=1, connectivity=8))

    Raises:
        SettingError: a name is unknown (the nearest ones are listed), or a value is not one that its parameter takes.
    """
    return tuple(_parse_step(part.strip()) for part in text.split(",") if part.strip())


def format_steps(steps: Sequence[CleanupStep]) -> str:
    """Write steps so that `parse_steps` reads them back."""
    return ",".join(_format_step(step) for step in steps)


def remove_small_regions(rle: RLE, area: float, mode: Literal["holes", "islands"]) -> tuple[RLE, bool]:
    """Fill holes or drop islands below `area` pixels as Meta's `remove_small_regions` does, and tell if any was found.

    There, both are 8-connected, background that touches the image's edge counts as a hole, and when every island is too
    small the largest stays. It is `FillHoles` or `DropIslands` with those parameters.

    Raises:
        SettingError: the mode is neither.
    """
    least_kept = max(0, int(np.ceil(area)))
    match mode:
        case "holes":
            mask = parse(rle)
            found = any(piece.area() < area for piece in _pieces(~mask, 8))
            step: CleanupStep = FillHoles(max(0, least_kept - 1), connectivity=8, with_edge=True)
        case "islands":
            found = any(piece.area() < area for piece in _pieces(parse(rle), 8))
            step = DropIslands(least_kept, connectivity=8)
        case _:
            raise SettingError(f"mode must be holes or islands, got {mode!r}")
    return (step(rle), True) if found else (rle, False)


def _parse_step(text: str) -> CleanupStep:
    first, *rest = text.split(":")
    name, has_value, value = first.partition("=")
    step = _step_type(name.strip().replace("-", "_"))
    names = [field.name for field in _parameters(step)]
    texts: dict[str, str] = {}
    if has_value:
        if not names:
            raise SettingError(f"{step.name} takes no value, got {text!r}")
        texts[names[0]] = value
    for part in rest:
        key, _, value = part.partition("=")
        texts[key.strip().replace("-", "_")] = value
    hints = get_type_hints(step)
    return _make_step(step.name, {k: _parse_value(step.name, k, v, hints.get(k)) for k, v in texts.items()})


def _parse_value(name: str, key: str, text: str, hint: Any) -> int | float | bool:
    word = text.strip().lower()
    if hint is bool:
        if word in ("true", "false"):
            return word == "true"
        raise SettingError(f"{key} of {name} must be true or false, got {text!r}")
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word)
    except ValueError as error:
        raise SettingError(f"{key} of {name} must be a number, got {text!r}. Write it as {name}=10.") from error


def _format_step(step: CleanupStep) -> str:
    parameters = step.as_processing().parameters
    texts = {k: str(v).lower() if isinstance(v, bool) else f"{v}" for k, v in parameters.items()}
    return ":".join([step.name, *(f"{key}={text}" for key, text in texts.items())])


def _parameters(step: Any) -> tuple[Field[Any], ...]:
    """Parameters of a step or of its type: a protocol cannot say that each is a dataclass."""
    return fields(step)


def _step_type(name: str) -> type[CleanupStep]:
    if name not in STEPS:
        near = get_close_matches(name, STEPS, n=3, cutoff=0.4) or list(STEPS)
        raise SettingError(f"no cleanup step is named {name!r}. Near: {', '.join(near)}.")
    return STEPS[name]


def _make_step(name: str, parameters: dict[str, Any]) -> CleanupStep:
    step = _step_type(name)
    known = {field.name: field for field in _parameters(step)}
    unknown = [key for key in parameters if key not in known]
    if unknown:
        takes = ", ".join(known) or "no parameters"
        raise SettingError(f"{name} takes {takes}, got {', '.join(unknown)}")
    try:
        return step(**parameters)
    except TypeError as error:
        raise SettingError(
            f"{name} needs a value for {next(iter(known))}, got none. Write it as {name}=100."
        ) from error


def _check_number(name: str, key: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingError(f"{key} of {name} must be a number, got {value!r}")


def _check_count(name: str, key: str, value: Any, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingError(f"{key} of {name} must be a whole number of at least {least}, got {value!r}")


def _check_connectivity(name: str, value: Any) -> None:
    if value not in (4, 8) or isinstance(value, bool):
        raise SettingError(f"connectivity of {name} must be 4 (edges) or 8 (edges and corners), got {value!r}")


__all__ = [
    "STEPS",
    "CleanupStep",
    "Close",
    "ConvexHull",
    "DropIslands",
    "FillHoles",
    "KeepLargest",
    "Open",
    "SmoothBoundary",
    "clean",
    "format_steps",
    "parse_steps",
    "remove_small_regions",
    "step_from_processing",
]
