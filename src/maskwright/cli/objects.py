"""How the objects of `maskwright predict` are written: simple options for one object, `--object` for several.

--point 500,375 --point 520,380 --negative 400,300 --label mug        one object, three clicks
--object "label=mug; point=500,375; negative=400,300" --object "box=10,20,200,240"        two objects
"""

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from maskwright.core import BoxPrompt, CombinedPrompt, MaskPrompt, PointPrompt, Prompt, SinglePrompt, TextPrompt

_KEYS = ("point", "negative", "box", "mask", "text", "label")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectText:
    """One object as it was written on the command line."""

    points: Sequence[str] = ()
    negatives: Sequence[str] = ()
    boxes: Sequence[str] = ()
    mask: str | None = None
    text: str | None = None
    label: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said about the object."""
        return not (self.points or self.negatives or self.boxes or self.mask or self.text)


def parse_object(text: str) -> ObjectText:
    """Read `--object`: `key=value` with semicolons between; point and negative may come several times.

    Raises:
        typer.BadParameter: a key is unknown, comes twice where it may not, or has no value.
    """
    found: dict[str, list[str]] = {key: [] for key in _KEYS}
    for part in (part.strip() for part in text.split(";") if part.strip()):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key not in found or not equals or not value:
            raise typer.BadParameter(f"--object takes KEY=VALUE with KEY one of {', '.join(_KEYS)}; got {part!r}")
        found[key].append(value)
    for key in ("mask", "text", "label"):
        if len(found[key]) > 1:
            raise typer.BadParameter(f"--object takes {key} once; got it {len(found[key])} times in {text!r}")
    return ObjectText(
        points=found["point"],
        negatives=found["negative"],
        boxes=found["box"],
        mask=next(iter(found["mask"]), None),
        text=next(iter(found["text"]), None),
        label=next(iter(found["label"]), None),
    )


def read_prompt(written: ObjectText) -> Prompt:
    """Turn what was written about one object into its prompt.

    Raises:
        typer.BadParameter: numbers cannot be read, or nothing was said.
        PromptError: the prompt is impossible.
    """
    parts: list[SinglePrompt] = []
    clicks = [*((text, 1) for text in written.points), *((text, 0) for text in written.negatives)]
    if clicks:
        points = [_numbers(text, 2, "a point is X,Y in pixels, for example 500,375") for text in (c[0] for c in clicks)]
        parts.append(PointPrompt([(x, y) for x, y in points], [label for _, label in clicks]))
    parts += [BoxPrompt(_numbers(text, 4, "a box is X1,Y1,X2,Y2 in pixels")) for text in written.boxes]
    if written.mask is not None:
        from maskwright.workflows.pictures import read_mask

        parts.append(MaskPrompt(read_mask(written.mask)))
    if written.text is not None:
        parts.append(TextPrompt(written.text))
    if not parts:
        raise typer.BadParameter("say what to segment: --point X,Y, --box X1,Y1,X2,Y2, --mask FILE or --text WORDS")
    return parts[0] if len(parts) == 1 else CombinedPrompt(parts)


def _numbers(text: str, count: int, expected: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.replace(" ", ",").split(",") if part)
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise typer.BadParameter(f"{expected}; got {text!r}")
    return numbers


__all__ = ["ObjectText", "parse_object", "read_prompt"]
