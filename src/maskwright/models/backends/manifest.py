"""`Manifest`: all that a loader needs beside an exported network, and whose network it is. It travels inside the file.

Plain values that go to JSON and back. The card is the base's, with `computed_as` saying what runs it; `base_sha256` is
the digest of the weights that were exported, so that masks name the checkpoint they came from.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maskwright.core.errors import CheckpointError
from maskwright.models.cards import ModelCard
from maskwright.models.frame import FrameSpec

FORMAT = "maskwright-export-1"
KEY = "maskwright"  # where the manifest lies in an ONNX file's metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output of a part: its name, numpy's name of its dtype, and its shape.

    What may vary is a name ("num_prompts"), or so many times what has a name ("160*num_rows").
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def sized(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape where the names have these sizes; what is not named there is 1."""
        return tuple(size if isinstance(size, int) else _sized(size, sizes) for size in self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One network of a model: what goes in and comes out, in order."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is known of an exported model.

    `target` says what it was written for: onnx, openvino, torchscript or tensorrt; `built_for`, of plans, on which GPU.
    `kind` says whose rules its answers go by: "sam", "hq_sam" or "tiny". `text` holds the numbers of `tiny`'s text path
    that are no network. `checked` is the largest difference from PyTorch for each part, relative to the largest value.
    `treatment` says what was done to the networks after export, such as quantisation, with its figures.
    """

    card: ModelCard
    base_sha256: str
    frame: FrameSpec
    mask_threshold: float
    kind: str
    num_candidates: int
    parts: Mapping[str, Part]
    target: str = "onnx"
    opset: int | None = None
    text: Mapping[str, Any] = field(default_factory=dict)
    checked: Mapping[str, float] = field(default_factory=dict)
    treatment: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    built_for: Mapping[str, str] = field(default_factory=dict)
    format: str = FORMAT

    def to_json(self) -> str:
        """Write it as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str, told: object) -> "Manifest":
        """Read it back; `told` is the file that errors name.

        Raises:
            CheckpointError: it is no manifest, or one of another version.
        """
        try:
            facts = json.loads(text)
            if facts.get("format") != FORMAT:
                raise CheckpointError(
                    f"expected an exported model of the format {FORMAT}, got {facts.get('format')!r}. "
                    f"Export the model again with this version: {told}"
                )
            read: dict[str, Any] = {
                "card": _read(ModelCard, facts["card"]),
                "frame": _read(FrameSpec, facts["frame"]),
                "parts": {name: _part(one) for name, one in facts["parts"].items()},
            }
            return cls(**{**facts, **read})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(
                f"the manifest of the exported model cannot be read. Export it again: {told}"
            ) from error


def _sized(told: str, sizes: Mapping[str, int]) -> int:
    times, _, name = told.rpartition("*")
    return int(times or 1) * sizes.get(name, 1)


def _read(kind: type, facts: Mapping[str, Any]) -> Any:
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()})


def _part(facts: Mapping[str, Any]) -> Part:
    return Part(
        inputs=tuple(_read(Port, one) for one in facts["inputs"]),
        outputs=tuple(_read(Port, one) for one in facts["outputs"]),
    )


__all__ = ["FORMAT", "KEY", "Manifest", "Part", "Port"]
