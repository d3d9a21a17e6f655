"""How the objects of `maskwright track` are written: [FRAME@]WHAT:NAME[=LABEL].

--at 0 --box 120,80,260,300:mug --point 400,220:gripper       two objects on frame 0
--point "80@410,230:gripper" --negative "80@300,200:gripper"  a correction on frame 80, whatever --at says
--box "10,20,200,240:left mug=mug"                            the track "left mug", whose label is "mug"
--text "red mug"                                              words; the track is called after them
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import typer

from maskwright.cli.objects import ObjectText, read_prompt
from maskwright.core import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPrompt:
    """An object on one frame as it was written; `frame` is None where --at says which."""

    frame: int | None
    track: str
    prompt: Prompt
    label: str | None


@dataclass(slots=True)
class _Parts:
    """What was written of one object on one frame."""

    words: dict[str, list[str]] = field(default_factory=dict)
    label: str | None = None


def parse_objects(
    *, points: Sequence[str], negatives: Sequence[str], boxes: Sequence[str], masks: Sequence[str], texts: Sequence[str]
) -> list[WrittenPrompt]:
    """Read what was said of objects; all that is said of one on one frame is one prompt.

    Raises:
        typer.BadParameter: something has no name, or cannot be read.
        PromptError: a prompt is impossible.
    """
    found: dict[tuple[int | None, str], _Parts] = {}
    given = {"--point": points, "--negative": negatives, "--box": boxes, "--mask": masks, "--text": texts}
    for option, written in given.items():
        for text in written:
            frame, what, name, label = _split(text, option)
            parts = found.setdefault((frame, name), _Parts())
            parts.words.setdefault(option, []).append(what)
            parts.label = label or parts.label
    return [
        WrittenPrompt(frame=frame, track=name, prompt=read_prompt(_object(parts, name)), label=parts.label)
        for (frame, name), parts in found.items()
    ]


def _object(parts: _Parts, name: str) -> ObjectText:
    words = parts.words
    for option in ("--mask", "--text"):
        if len(words.get(option, ())) > 1:
            raise typer.BadParameter(f"an object takes {option} once on a frame; got it twice for {name!r}")
    return ObjectText(
        points=words.get("--point", ()),
        negatives=words.get("--negative", ()),
        boxes=words.get("--box", ()),
        mask=next(iter(words.get("--mask", ())), None),
        text=next(iter(words.get("--text", ())), None),
    )


def _split(text: str, option: str) -> tuple[int | None, str, str, str | None]:
    """Take [FRAME@]WHAT:NAME[=LABEL] apart."""
    number, sign, rest = text.partition("@")
    is_framed = bool(sign) and number.strip().isdecimal()
    frame, rest = (int(number), rest) if is_framed else (None, text)
    what, sign, named = rest.rpartition(":")
    if not sign:
        what, named = rest, rest if option == "--text" else ""
    name, _, label = (part.strip() for part in named.partition("="))
    if not name or not what.strip():
        example = {"--mask": "mug.png:mug", "--text": "red mug:mug", "--box": "120,80,260,300:mug"}
        shown = example.get(option, "400,220:mug")
        raise typer.BadParameter(f"{option} is [FRAME@]WHAT:NAME, for example {shown}; got {text!r}")
    return frame, what.strip(), name, label or None


__all__ = ["WrittenPrompt", "parse_objects"]
