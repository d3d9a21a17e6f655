"""Formats of a JSON a picture: one file is read, or all of a folder and those below it."""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from maskwright.core.errors import InputError
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.picture_files import iter_files


def frames_of_json(
    path: Path, read_file: Callable[[Path, PurePosixPath], LabelledFrame], *, expected: str, log: LossLog
) -> Iterator[LabelledFrame]:
    """Read a frame of each file; `read_file` gets a file and its folder below `path`.

    In a folder, files that are something else or damaged are left out and logged; `expected` begins the message.

    Raises:
        InputError: there is no such file, or none is of the format.
    """
    if not path.is_dir():
        return iter([read_file(path, PurePosixPath())])
    files = list(iter_files(path, ".json"))
    if not files:
        raise InputError(f"{expected}; there is no .json file in the folder: {path}")
    return _frames(files, path, read_file, expected, log)


def _frames(
    files: list[Path],
    root: Path,
    read_file: Callable[[Path, PurePosixPath], LabelledFrame],
    expected: str,
    log: LossLog,
) -> Iterator[LabelledFrame]:
    is_none = True
    for file in files:
        try:
            frame = read_file(file, PurePosixPath(file.parent.relative_to(root).as_posix()))
        except (InputError, OSError) as error:
            log.skip(file.relative_to(root).as_posix(), str(error))
            continue
        is_none = False
        yield frame
    if is_none:
        raise InputError(f"{expected}; none of the {len(files)} .json files is one: {root}")


__all__ = ["frames_of_json"]
