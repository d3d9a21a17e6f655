"""What `annotate` does to each frame, as a value, and the name of the run that this makes.

Settings that decide how masks come out (task, model, cleanup, label) name the run: the same command goes on with it,
another one begins another run in the same store. Which frames are wanted, on what device, and who runs it do not.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from maskwright.core.codec import to_json
from maskwright.core.prompt import Prompt
from maskwright.core.provenance import ModelRef
from maskwright.masks import CleanupStep
from maskwright.predict.everything_settings import EverythingSettings
from maskwright.workflows.frame_names import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPrompt:
    """One object to look for: how to find it, and what it is called."""

    prompt: Prompt
    label: str | None = None
    track: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EverythingTask:
    """Find every mask of each frame."""

    settings: EverythingSettings

    @property
    def as_json(self) -> dict[str, Any]:
        """The settings by name."""
        return {"kind": "everything", **dataclasses.asdict(self.settings)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTask:
    """Look for the same phrases on each frame; each is the label of what it finds.

    `min_belief` is the predicted IoU from which on an answer is taken; None is what the model's card says.
    """

    phrases: tuple[str, ...]
    min_belief: float | None = None

    @property
    def as_json(self) -> dict[str, Any]:
        """The phrases, and from when on they are answered, if that was said."""
        said = {} if self.min_belief is None else {"min_belief": self.min_belief}
        return {"kind": "text", "phrases": list(self.phrases), **said}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptsTask:
    """Look for the objects that a file names, on the frames that it names; a frame with an empty list has none."""

    kind: Literal["boxes", "points"]
    by_place: Mapping[Place, tuple[ObjectPrompt, ...]] = field(repr=False)

    @property
    def as_json(self) -> dict[str, Any]:
        """How many prompts there are, and a digest that changes with any of them."""
        hasher = hashlib.sha256()
        for place, objects in sorted(self.by_place.items()):
            hasher.update(json.dumps([place, [to_json(one) for one in objects]]).encode())
        return {"kind": self.kind, "num_frames": len(self.by_place), "prompts_sha256": hasher.hexdigest()}


Task = EverythingTask | TextTask | PromptsTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is done to each frame. `closer` looks at small objects again from near (`predict.look_closer`).

    `depth` corrects masks by the depth of their frames (`depth_masks`), and flags those that are hard to see.
    `label` is for masks that have none of their own. `actor` ran it, `collector` recorded the frames, `licence` are the
    terms of the frames; the source's own where it tells.
    """

    task: Task
    cleanup: tuple[CleanupStep, ...] = ()
    closer: bool = False
    depth: bool = False
    label: str | None = None
    actor: str | None = None
    collector: str | None = None
    licence: str | None = None

    def settings(self, dataset: str, model: ModelRef) -> dict[str, Any]:
        """Everything that decides how masks come out, as JSON types."""
        return {
            "dataset": dataset,
            "task": self.task.as_json,
            "model": dataclasses.asdict(model),
            "cleanup": [dataclasses.asdict(step.as_processing()) for step in self.cleanup],
            "closer": self.closer,
            "label": self.label,
            **({"depth": True} if self.depth else {}),  # runs from before it was known keep their names
        }


def run_name(settings: Mapping[str, Any]) -> str:
    """Name the run of these settings."""
    return f"annotate-{hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]}"


__all__ = ["EverythingTask", "ObjectPrompt", "PromptsTask", "Recipe", "Task", "TextTask", "run_name"]
