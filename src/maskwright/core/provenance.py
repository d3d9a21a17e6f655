"""`Provenance`: how a mask came to be, written once with the record and never edited."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from maskwright.core.errors import RecordError
from maskwright.core.prompt import Prompt

Method = Literal["sam_raw", "sam_refined", "human_drawn", "simulator", "imported"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingStep:
    """One post-processing step as it was applied: its registered name and its parameters."""

    name: str
    parameters: dict[str, float | int | str | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """Which network drew the mask: registered name, family, and the SHA-256 of the checkpoint it ran with."""

    name: str
    family: str
    checkpoint_sha256: str
    precision: str = "fp32"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The story of one mask.

    `created_at` is timezone-aware; `captured_at` is when the camera took the picture, where it is known.
    `derived_from` lists the ids of the records that this one was made from.
    """

    method: Method
    created_at: datetime
    model: ModelRef | None = None
    prompt: Prompt | None = None
    steps: tuple[ProcessingStep, ...] = ()
    actor: str | None = None
    collector: str | None = None
    captured_at: datetime | None = None
    licence: str | None = None
    derived_from: tuple[str, ...] = ()
    source: str | None = None

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise RecordError(f"provenance method must be one of {', '.join(get_args(Method))}, got {self.method!r}")
        if self.method in ("sam_raw", "sam_refined") and self.model is None:
            raise RecordError(f"provenance of a {self.method} mask must name its model. Pass model=ModelRef(...).")
        for name in ("created_at", "captured_at"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise RecordError(f"{name} must have a time zone, got {moment.isoformat()}. Use datetime.now(UTC).")


__all__ = ["Method", "ModelRef", "ProcessingStep", "Provenance"]
