"""JSON files of other people: read whole, and refused in one line when they are missing or damaged."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from maskwright.core.errors import InputError, RecordError


def load_json(path: Path, *, what: str) -> Any:
    """Read a JSON file; `what` names it in messages ("the COCO file").

    Raises:
        InputError: there is no such file.
        RecordError: it is not JSON, or cut off.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"there is no such file: {path}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{what} cannot be read ({_reason(error)}): {path}") from None


def iter_json_lines(path: Path, *, what: str) -> Iterator[Mapping[str, Any]]:
    """Read a file of one JSON object a line, a line at a time.

    Raises:
        InputError: there is no such file.
        RecordError: a line is not a JSON object; the message holds its number.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                yield _object(line, f"line {number} of {what}", path)
    except FileNotFoundError:
        raise InputError(f"there is no such file: {path}") from None
    except OSError as error:
        raise RecordError(f"{what} cannot be read ({_reason(error)}): {path}") from None


def dump_line(value: Any) -> str:
    """Write a value as one line of JSON, letters of every language as they are; NaN and infinity become null."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _object(line: bytes, where: str, path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{where} cannot be read ({_reason(error)}): {path}") from None
    if not isinstance(content, dict):
        raise RecordError(f"{where} must be an object, got {type(content).__name__}: {path}")
    return content


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


__all__ = ["dump_line", "iter_json_lines", "load_json"]
