"""Answers that become files: as they come, whole or not at all."""

import os
import uuid
from pathlib import Path
from typing import BinaryIO

from maskwright.client.answers import unanswered
from maskwright.client.asking import opened, pause_before_next
from maskwright.client.link import Link
from maskwright.client.steps import Next, Pause, Request, Steps, Unanswered, work
from maskwright.core.errors import InputError


def save_answer(link: Link, request: Request, path: Path) -> Steps[Path]:
    """Write an answer to a file; one that breaks off is asked for anew.

    Raises:
        InputError: the file cannot be written.
        ServerUnreachable, MaskwrightError: as `ask` does.
    """
    file = yield from work(lambda: _begin(path))
    try:
        for num_tries in range(link.retries + 1):
            stream = yield from opened(link, request)
            try:
                while (content := (yield Next(stream))) is not None:
                    yield from work(lambda: _write(file, content, path))
                break
            except Unanswered as error:
                if num_tries == link.retries:
                    raise unanswered(link, str(error)) from None
            yield Pause(pause_before_next(num_tries))
            yield from work(lambda: _empty(file))
        yield from work(lambda: _keep(file, path))
    finally:
        _drop(file)
    return path


def _begin(path: Path) -> BinaryIO:
    try:
        return path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex}.part").open("xb")
    except OSError as error:
        raise _cannot(path, error) from error


def _write(file: BinaryIO, content: bytes, path: Path) -> None:
    try:
        file.write(content)
    except OSError as error:
        raise _cannot(path, error) from error


def _empty(file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()


def _keep(file: BinaryIO, path: Path) -> None:
    try:
        file.flush()
        os.fsync(file.fileno())
        os.replace(file.name, path)
    except OSError as error:
        raise _cannot(path, error) from error


def _drop(file: BinaryIO) -> None:
    file.close()
    Path(file.name).unlink(missing_ok=True)


def _cannot(path: Path, error: OSError) -> InputError:
    return InputError(f"the file cannot be written ({error.strerror}): {path}")


__all__ = ["save_answer"]
