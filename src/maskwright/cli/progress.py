"""How far a long job is, with rate and time to go: a bar on a terminal, a plain line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from maskwright.cli.report import tell

if TYPE_CHECKING:
    from maskwright.workflows.annotate import Progress

_FIRST_S, _THEN_S = 5.0, 30.0  # between plain lines


@contextmanager
def frame_progress(title: str, *, quiet: bool) -> "Iterator[Callable[[Progress], None]]":
    """Show how far the frames of a source are; the value is called with each step."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet:
        yield lambda at: None
    elif console.is_terminal:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
        )
        with Bar(*columns, console=console, transient=True) as bar:
            task = bar.add_task(title, total=None, told="")
            yield lambda at: bar.update(
                task, completed=at.num_done + at.num_skipped, total=at.num_wanted, told=_rate(at)
            )
    else:
        yield _Lines(title)


class _Lines:
    """Tells a line after a few seconds, then seldom."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._next_s = time.monotonic() + _FIRST_S

    def __call__(self, at: "Progress") -> None:
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + _THEN_S
            tell(f"{self._title}: {at.num_done + at.num_skipped} of {at.num_wanted} frames, {_rate(at)}")


def _rate(at: "Progress") -> str:
    told = f"{at.num_masks} masks, {at.frames_per_s:.3g} frames/s"
    if at.eta_s is not None:
        told += f", {duration(at.eta_s)} to go"
    return told + (f", {at.num_skipped} skipped" if at.num_skipped else "")


def duration(seconds: float) -> str:
    """Write a duration as people say it.

    >>> duration(5), duration(75), duration(7325)
    ('5 s', '1 min 15 s', '2 h 02 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    )


__all__ = ["duration", "frame_progress"]
