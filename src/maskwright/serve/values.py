"""What clients ask of the server, as values that REST and gRPC share. Knows neither."""

from dataclasses import dataclass
from typing import Literal

from maskwright.core import Prompt
from maskwright.masks import CleanupStep

Scope = Literal["read", "annotate", "review", "admin"]
# Each scope holds those before it.
SCOPES: tuple[Scope, ...] = ("read", "annotate", "review", "admin")

# People wait for clicks; bulk is everything-mode, tracks and jobs; what is done ahead is dropped when there is no room.
Priority = Literal["click", "bulk", "ahead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: `name` is the token's, or the settings' where none is needed. Fairness and limits count by name."""

    name: str
    scope: Scope
    request_id: str

    def may(self, scope: Scope) -> bool:
        """Whether the caller reaches so far."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How a piece of work is to be treated. `deadline` is a moment of `time.monotonic`; None waits for ever.

    `model` None is the server's default.
    """

    client: str
    priority: Priority = "click"
    deadline: float | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Masks of prompts on one image, in its pixels, as `maskwright.predict.predict` takes them.

    `refine_steps` feed answers back in so often; `closer` draws small objects anew from an enlarged crop, which costs
    an encoding; an earlier answer to correct is a `MaskPrompt` beside the clicks.
    """

    prompts: tuple[Prompt, ...]
    num_masks: int = 1
    multimask: bool | None = None
    refine_steps: int = 0
    closer: bool = False
    labels: tuple[str | None, ...] | None = None
    cleanup: tuple[CleanupStep, ...] = ()


__all__ = ["SCOPES", "Caller", "Priority", "Scope", "Segment", "Work"]
