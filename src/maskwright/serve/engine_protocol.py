"""`Engine`: what computes. REST, gRPC, jobs and tracks ask it; how it batches is its own affair."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from maskwright.core import Image, MaskRecord
from maskwright.models import Model
from maskwright.predict import EverythingSettings
from maskwright.serve.values import Segment, Work

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """What the engine is at. `is_ready` says that models are loaded and lanes run."""

    is_ready: bool
    is_draining: bool = False
    models: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    num_queued: dict[str, int] = field(default_factory=dict)
    num_running: int = 0


class Engine(Protocol):
    """Runs models for many clients. Every method may raise what `predict` raises, and

    Raises:
        TooManyRequests: the queue is full.
        DeadlinePassed: nobody got to it in time.
        ServerStopping: the engine drains or has not started.
        UnknownModel: the work names a model that is not served.
    """

    async def embed(self, image: Image, work: Work) -> bool:
        """Encode an image unless its embedding is there; say whether it was. Clients that ask at once share one run."""
        ...

    async def segment(self, image: Image, segment: Segment, work: Work) -> list[MaskRecord]:
        """Answer prompts, `num_masks` records for each, best first."""
        ...

    async def everything(self, image: Image, settings: EverythingSettings, work: Work) -> list[MaskRecord]:
        """Find every mask in an image."""
        ...

    async def run(self, function: Callable[[Model], T], work: Work) -> T:
        """Run a function over a model where there is room for it. The model lets clicks by between its steps.

        Cancelling the task makes the model's next step raise `Cancelled`.
        """
        ...

    def is_embedded(self, image: Image, model: str | None = None) -> bool:
        """Whether a click on an image waits for no encoder."""
        ...

    def status(self) -> EngineStatus:
        """Tell what it is at."""
        ...

    async def start(self) -> None:
        """Load models and begin."""
        ...

    async def drain(self, timeout_s: float) -> None:
        """Take nothing new, finish what is queued as long as there is time, fail the rest with `ServerStopping`."""
        ...


__all__ = ["Engine", "EngineStatus"]
