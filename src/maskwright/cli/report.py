"""What commands say: one line a picture on stderr for people, one JSON object a picture on stdout for programs."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from maskwright.core.errors import ImageError, PromptError

if TYPE_CHECKING:
    from maskwright.core import MaskRecord
    from maskwright.workflows.pictures import Picture
    from maskwright.workflows.predict_files import Annotated


_MOST_TOLD = 10


def tell(text: str) -> None:
    """Say something to a person."""
    typer.echo(text, err=True)


def tell_some(what: str, lines: Sequence[str]) -> None:
    """Say the first of many things."""
    for line in lines[:_MOST_TOLD]:
        tell(f"{what}: {line}")
    if len(lines) > _MOST_TOLD:
        tell(f"{what}: {len(lines) - _MOST_TOLD} more, listed in runs/ of the store")


def tell_picture(done: "Annotated", *, as_json: bool) -> None:
    """Say what was found in one picture."""
    if as_json:
        typer.echo(json.dumps(picture_json(done)))
    else:
        tell(picture_line(done))


def picture_line(done: "Annotated") -> str:
    """Describe one picture's masks in a line."""
    height, width = done.image.size_hw
    refused = [record for record in done.records if _is_refused(record)]
    if len(refused) == len(done.records) > 0:
        found = "; ".join(map(_refusal, refused))
    elif len(done.records) == 1:
        (record,) = done.records
        share = 100 * record.area / (height * width)
        score = record.scores.predicted_iou
        extent = f"{share:.1f} % of the picture" if share >= 0.1 else f"{record.area} pixels"
        found = f"1 mask, {extent}" + ("" if score is None else f", predicted IoU {score:.2f}")
    else:
        number = len(done.records) - len(refused)
        found = "; ".join([f"{number or 'no'} mask{'' if number == 1 else 's'}", *map(_refusal, refused)])
    where = "" if done.files is None else f" -> {(done.files.overlays or (done.files.annotations,))[0]}"
    return f"{done.picture.given}: {found} ({done.seconds:.2f} s){where}"


def _is_refused(record: "MaskRecord") -> bool:
    """Whether words had no answer that the model is sure of."""
    from maskwright.core import TextPrompt

    return not record.area and isinstance(record.provenance.prompt, TextPrompt)


def _refusal(record: "MaskRecord") -> str:
    prompt, belief = record.provenance.prompt, record.scores.predicted_iou
    told = f"nothing that is surely {getattr(prompt, 'text', '')!r}"
    return told if belief is None else f"{told}: the best guess is believed {belief:.2f} (--min-belief 0 shows it)"


def picture_json(done: "Annotated") -> dict[str, object]:
    """Describe one picture's masks as JSON types: its name and size, the records whole, the files written."""
    from maskwright.core import to_json

    return {
        "image": done.picture.given,
        "image_digest": done.image.digest,
        "size_hw": list(done.image.size_hw),
        "seconds": round(done.seconds, 4),
        "records": [to_json(record) for record in done.records],
        "files": None if done.files is None else done.files.as_json(),
    }


def work_through(pictures: "Sequence[Picture]", work: "Callable[[Picture], None]") -> None:
    """Do the work for each picture; of several, one that cannot be used does not stop the others.

    Raises:
        ImageError, PromptError: the only picture cannot be used.
        typer.Exit: some of several could not be used; each was told.
    """
    num_failed = 0
    for picture in pictures:
        try:
            work(picture)
        except (ImageError, PromptError) as error:
            if len(pictures) == 1:
                raise
            num_failed += 1
            tell(f"error: {picture.given}: {error}" if isinstance(error, PromptError) else f"error: {error}")
    if num_failed:
        tell(f"{num_failed} of {len(pictures)} pictures could not be used")
        raise typer.Exit(1)


@contextmanager
def progress_bar(title: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on a terminal, and nothing elsewhere; the value is called with how much is done of how much."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


__all__ = ["picture_json", "picture_line", "progress_bar", "tell", "tell_picture", "tell_some", "work_through"]
