"""`Prompt`: what a person, a tracker or a trainer says about one object, in image pixels.

A union of small frozen values, matched with `match`. Each checks itself when made; whether it fits an image is checked
where the two meet, in `predict`. Model-frame coordinates never appear here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from maskwright.core.errors import PromptError
from maskwright.core.rle import RLE
from maskwright.core.shapes import BoxXYXY


@dataclass(frozen=True, slots=True)
class PointPrompt:
    """Clicks on one object: `labels` are 1 (on the object) or 0 (not on it); all 1 when left out.

    >>> PointPrompt([(500, 375)])
    PointPrompt(points_xy=((500.0, 375.0),), labels=(1,))
    """

    points_xy: Sequence[tuple[float, float]]
    labels: Sequence[int] | None = None

    def __post_init__(self) -> None:
        try:
            points = tuple((float(x), float(y)) for x, y in self.points_xy)
        except (TypeError, ValueError) as error:
            raise PromptError(f"points_xy must be a sequence of (x, y) pixel pairs, got {self.points_xy!r}") from error
        if not points:
            raise PromptError("a point prompt needs at least one (x, y) point, got none")
        for point in points:
            _check_finite("point", point)
        object.__setattr__(self, "points_xy", points)
        object.__setattr__(self, "labels", _check_labels(self.labels, len(points)))


@dataclass(frozen=True, slots=True)
class BoxPrompt:
    """A box around one object: x1, y1, x2, y2 in pixels, with x1 < x2 and y1 < y2."""

    box_xyxy: BoxXYXY | Sequence[float]

    def __post_init__(self) -> None:
        try:
            x1, y1, x2, y2 = (float(value) for value in self.box_xyxy)
        except (TypeError, ValueError) as error:
            raise PromptError(f"box_xyxy must be four numbers x1, y1, x2, y2, got {self.box_xyxy!r}") from error
        _check_finite("box", (x1, y1, x2, y2))
        if x2 <= x1 or y2 <= y1:
            raise PromptError(
                f"a box needs x1 < x2 and y1 < y2, got {x1:g},{y1:g},{x2:g},{y2:g}. "
                "It takes corners, not x, y, width, height."
            )
        object.__setattr__(self, "box_xyxy", (x1, y1, x2, y2))


@dataclass(frozen=True, slots=True)
class MaskPrompt:
    """A rough mask of the object, of the image's size."""

    rle: RLE

    def __post_init__(self) -> None:
        if not isinstance(self.rle, RLE):
            raise PromptError(f"a mask prompt takes an RLE, got {type(self.rle).__name__}. Use masks.encode first.")


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """Words that name the object. Only some models take text."""

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise PromptError(f"a text prompt takes one string, got {type(self.text).__name__}")
        if not self.text.strip():
            raise PromptError("a text prompt needs at least one word, got an empty string")


SinglePrompt = PointPrompt | BoxPrompt | MaskPrompt | TextPrompt


@dataclass(frozen=True, slots=True)
class CombinedPrompt:
    """Several prompts that speak of the same object: at most one box, one mask and one text, any number of points."""

    parts: Sequence[SinglePrompt]

    def __post_init__(self) -> None:
        parts = tuple(self.parts)
        if not parts:
            raise PromptError("a combined prompt needs at least one part, got none")
        for part in parts:
            if not isinstance(part, SinglePrompt):
                raise PromptError(
                    "the parts of a combined prompt must be point, box, mask or text prompts, "
                    f"got {type(part).__name__}"
                )
        for kind in (BoxPrompt, MaskPrompt, TextPrompt):
            count = sum(isinstance(part, kind) for part in parts)
            if count > 1:
                raise PromptError(
                    f"one object takes at most one {kind.__name__}, got {count}. Give each object its own prompt."
                )
        object.__setattr__(self, "parts", parts)


Prompt = SinglePrompt | CombinedPrompt


def prompt_parts(prompt: Prompt) -> tuple[SinglePrompt, ...]:
    """List the simple prompts that a prompt consists of."""
    return tuple(prompt.parts) if isinstance(prompt, CombinedPrompt) else (prompt,)


def _check_labels(labels: Sequence[int] | None, num_points: int) -> tuple[int, ...]:
    if labels is None:
        return (1,) * num_points
    try:
        checked = tuple(labels)
    except TypeError as error:
        raise PromptError(f"labels must be a sequence with one label for each point, got {labels!r}") from error
    if len(checked) != num_points:
        raise PromptError(f"each point needs one label, got {num_points} points and {len(checked)} labels")
    for label in checked:
        if label not in (0, 1):
            raise PromptError(f"a point label must be 1 (on the object) or 0 (not on it), got {label}")
    return tuple(int(label) for label in checked)


def _check_finite(what: str, values: Sequence[float]) -> None:
    if not all(math.isfinite(value) for value in values):
        raise PromptError(f"a {what} must have finite pixel coordinates, got {', '.join(f'{v:g}' for v in values)}")


__all__ = [
    "BoxPrompt",
    "CombinedPrompt",
    "MaskPrompt",
    "PointPrompt",
    "Prompt",
    "SinglePrompt",
    "TextPrompt",
    "prompt_parts",
]
