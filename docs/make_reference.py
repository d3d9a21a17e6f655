"""Writes docs/reference.md from the code: verbs and options, exit codes, settings, errors, cleanup steps, models.

    python docs/make_reference.py

A test compares the committed file with what this program makes, so nothing here can go out of date unnoticed.
"""

import dataclasses
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from maskwright.cli.verbs import EXIT_CODES, VERBS
from maskwright.core import errors
from maskwright.core.settings import SETTINGS
from maskwright.datasets import CT_WINDOWS
from maskwright.masks.cleanup import STEPS
from maskwright.models import list_models
from maskwright.predict.everything_settings import PRESETS

REFERENCE = Path(__file__).parent / "reference.md"


def reference() -> str:
    """Make the whole page."""
    parts = (
        "# Reference\n\nWritten by `make docs` from the code; edit the code, not this page.",
        "## Commands",
        *(part for verb in VERBS for part in _verb(verb.name, verb.module)),
        "## Exit codes",
        _table(("code", "meaning"), ((str(code), meaning) for code, meaning in EXIT_CODES.items())),
        "## Settings",
        "Environment variables; an option of the same name wins.",
        _table(
            ("variable", "what it sets", "expects", "default"),
            ((f"`{s.env}`", s.help, s.expects, s.default_text) for s in SETTINGS),
        ),
        "## Errors",
        "All are in `maskwright.core.errors`.",
        _table(("error", "is a", "raised when"), _errors()),
        "## Cleanup steps",
        "For `--cleanup`, with commas between steps and colons between parameters: "
        "`fill_holes=100,drop_islands=50:connectivity=4`.",
        _table(("step", "parameters", "what it does"), _steps()),
        "## Presets of `everything`",
        "The two thresholds are SAM's here; a model's own, in the table of models, take their place.",
        _table(("value", *(f"`{name}`" for name in PRESETS)), _presets()),
        "## Intensity windows",
        _table(("name", "center/width"), ((f"`{k}`", f"{w.center:g}/{w.width:g}") for k, w in CT_WINDOWS.items())),
        "## Models",
        _table(
            ("name", "what it is", "input", "licence", "IoU and stability to keep", "file"),
            (
                (
                    f"`{c.name}`",
                    c.title,
                    f"{c.input_side} px",
                    c.licence,
                    f"{c.keep_predicted_iou:g}, {c.keep_stability:g}",
                    f"`{c.filename}`" if c.filename else "computed",
                )
                for c in list_models()
            ),
        ),
    )
    return "\n\n".join(parts) + "\n"


def commands(name: str, module: str) -> Iterator[tuple[str, Any]]:
    """List (words on the command line, command) of a verb and its sub-commands."""
    command: Any = typer.main.get_command(import_module(module).app)
    if not hasattr(command, "commands"):
        yield name, command
        return
    for child, subcommand in command.commands.items():
        yield f"{name} {child}", subcommand


def _verb(name: str, module: str) -> Iterator[str]:
    for words, command in commands(name, module):
        yield f"### maskwright {words}"
        yield inspect.cleandoc(command.help)
        yield f"`{command.epilog.removeprefix('Example: ')}`"
        yield _table(("option", "value", "meaning"), (_parameter(p) for p in command.params if p.name != "help"))


def _parameter(parameter: Any) -> tuple[str, str, str]:
    options = ", ".join(f"`{name}`" for name in parameter.opts) if parameter.param_type_name == "option" else "argument"
    value = "" if getattr(parameter, "is_flag", False) else f"`{parameter.metavar}`"
    default = parameter.default
    shown = "" if default in (None, False) or callable(default) else f" Default: {default}."
    return options, value, (parameter.help or "") + shown


def _errors() -> Iterator[tuple[str, str, str]]:
    for name in errors.__all__:
        kind = getattr(errors, name)
        if issubclass(kind, errors.MaskwrightError):
            yield f"`{name}`", f"`{kind.__mro__[1].__name__}`", inspect.cleandoc(kind.__doc__ or "")


def _steps() -> Iterator[tuple[str, str, str]]:
    for name, step in STEPS.items():
        parameters = []
        for field in dataclasses.fields(step):
            has_default = field.default is not dataclasses.MISSING
            parameters.append(f"`{field.name}`" + (f" (default {field.default})" if has_default else ""))
        yield f"`{name}`", ", ".join(parameters) or "none", inspect.cleandoc(step.__doc__ or "").split("\n\n")[0]


def _presets() -> Iterator[tuple[str, ...]]:
    for field in dataclasses.fields(next(iter(PRESETS.values()))):
        values = [getattr(preset, field.name) for preset in PRESETS.values()]
        if values[0] is not None:
            yield f"`{field.name}`", *(f"{value:.3g}" for value in values)


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("\n", " ").replace("|", "\\|") for cell in line) + " |" for line in lines
    )


if __name__ == "__main__":
    REFERENCE.write_text(reference())
