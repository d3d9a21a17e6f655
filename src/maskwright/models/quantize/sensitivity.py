"""How much the outputs of a network change when one group of its layers has 8 bits, and who is better left in float.

A group's error is measured alone: the rest stays in float. Errors of groups add up in squares, so a few of them make
most of the whole, and leaving these in float is what buys quality for the least time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from maskwright.models.quantize.layers import find_layers
from maskwright.models.quantize.qdq import quantize
from maskwright.models.quantize.ranges import Observed, open_session

if TYPE_CHECKING:
    import onnx

# What is left of the squared error at each level, from all in 8 bits to little: which groups stay in float. Beyond the
# last, half as many groups again each time, until half of them are in float.
_LEFT = (1.0, 0.4, 0.15, 0.05, 0.015)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupError:
    """A group of layers, and the relative error of the network's outputs when it alone has 8 bits."""

    group: str
    layers: tuple[str, ...]
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A choice: which groups stay in float, and the share of the squared error that is left by the sum of the rest."""

    kept: tuple[GroupError, ...]
    chosen: tuple[str, ...]
    left: float


def group_errors(
    model: "onnx.ModelProto",
    observed: Mapping[str, Observed],
    frames: Sequence[Float[np.ndarray, "1 3 S S"]],
) -> Iterator[GroupError]:
    """Measure each group in turn; a group takes a new session and a pass over the frames."""
    groups: dict[str, list[str]] = {}
    for layer in find_layers(model):
        groups.setdefault(layer.group, []).append(layer.name)
    expected = [_outputs(model, frame) for frame in frames]
    for group, layers in groups.items():
        session = open_session(quantize(model, observed, set(layers)))
        image = model.graph.input[0].name
        errors = [
            relative_error(session.run(None, {image: frame}), outputs)
            for frame, outputs in zip(frames, expected, strict=True)
        ]
        yield GroupError(group=group, layers=tuple(layers), error=float(np.mean(errors)))


def levels(errors: Sequence[GroupError]) -> list[Level]:
    """Choices from the fastest to the most exact, each leaving more in float than the one before."""
    worst = sorted(errors, key=lambda one: -one.error)
    squares = np.square([one.error for one in worst])
    total = max(float(squares.sum()), 1e-30)
    left = 1 - np.concatenate([[0.0], np.cumsum(squares)]) / total
    counts = [int(np.argmax(left <= wanted + 1e-12)) for wanted in _LEFT]
    while (more := max(counts) + max(1, max(counts) // 2)) <= len(worst) // 2:
        counts.append(more)
    return [
        Level(
            kept=tuple(worst[:count]),
            chosen=tuple(name for one in worst[count:] for name in one.layers),
            left=float(left[count]),
        )
        for count in dict.fromkeys(counts)
        if count < len(worst)
    ]


def relative_error(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """The distance of all outputs, each relative to its own length."""
    parts = [np.linalg.norm(a - b) / max(float(np.linalg.norm(b)), 1e-9) for a, b in zip(found, expected, strict=True)]
    return float(np.sqrt(np.mean(np.square(parts))))


def _outputs(model: "onnx.ModelProto", frame: np.ndarray) -> list[np.ndarray]:
    return open_session(model).run(None, {model.graph.input[0].name: frame})


__all__ = ["GroupError", "Level", "group_errors", "levels", "relative_error"]
