"""`maskwright tracks`: the tracks of a store, and edits of whole ones."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli.query import write_table
from maskwright.cli.report import tell
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from maskwright.workflows.edit_tracks import TrackEdit, TrackEditor, TrackSummary

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)

_HEAD = ("track", "label", "recording", "frames", "masks", "visible", "occluded", "outside", "keyframes", "confidence")


@app.command(epilog="Example: maskwright tracks masks --split mug@120", no_args_is_help=True)
def tracks(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A mask store.")],
    rename: Annotated[str | None, typer.Option("--rename", metavar="A=B", help="Call track A B.")] = None,
    merge: Annotated[
        str | None, typer.Option("--merge", metavar="A,B", help="B is the same object as A; both are called A.")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="A@N[=B]", help="From frame N on, A is another object: B.")
    ] = None,
    cut: Annotated[
        str | None, typer.Option("--cut", metavar="A@N", help="A ends before frame N; its masks from there on go.")
    ] = None,
    delete: Annotated[str | None, typer.Option("--delete", metavar="A", help="Reject every mask of A.")] = None,
    undo: Annotated[
        int | None, typer.Option("--undo", metavar="MOMENT", min=1, help="Take back the edit of that moment.")
    ] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", metavar="NAME", help="Only of this data set.")] = None,
    episode: Annotated[str | None, typer.Option("--episode", metavar="NAME", help="Only of this episode.")] = None,
    camera: Annotated[str | None, typer.Option("--camera", metavar="NAME", help="Only of this camera.")] = None,
    actor: Annotated[str, typer.Option("--actor", metavar="NAME", help="Who decides this.")] = "maskwright tracks",
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON on stdout: an object a track, or one of an edit.")
    ] = False,
) -> None:
    """List the tracks of a store, or rename, merge, split, cut or delete one.

    Nothing is lost: every edit says how it is undone. Run maskwright track again after an edit, to fill what it opened.
    """
    edits = {
        name: value
        for name, value in (("rename", rename), ("merge", merge), ("split", split), ("cut", cut), ("delete", delete))
        if value is not None
    }
    if len(edits) + (undo is not None) > 1:
        raise typer.BadParameter("one edit at a time, so that each can be undone; give one")

    from maskwright.store import open_store
    from maskwright.workflows.edit_tracks import TrackEditor, Where, tracks_of

    where = Where(dataset=dataset, episode=episode, camera=camera)
    if not edits and undo is None:
        with open_store(store, read_only=True) as opened:
            _list(tracks_of(opened, where), as_json=as_json)
        return
    with open_store(store) as opened:
        editor = TrackEditor(opened, actor=actor, where=where)
        done = editor.undo(undo) if undo is not None else _edit(editor, *next(iter(edits.items())))
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    tell(f"{done.says} ({done.num_masks} masks)")
    tell(f"undo: maskwright tracks {store} --undo {done.moment}")


def _edit(editor: "TrackEditor", kind: str, text: str) -> "TrackEdit":
    match kind:
        case "rename":
            return editor.rename(*_pair(text, "=", "--rename is A=B"))
        case "merge":
            return editor.merge(*_pair(text, ",", "--merge is A,B"))
        case "cut":
            return editor.cut(*_at(text, "--cut is A@N, for example mug@120"))
        case "split":
            whole, _, new = text.partition("=")
            return editor.split(*_at(whole, "--split is A@N or A@N=B, for example mug@120"), new.strip() or None)
    return editor.delete(text)


def _pair(text: str, sign: str, expected: str) -> tuple[str, str]:
    first, found, second = (part.strip() for part in text.partition(sign))
    if not (first and found and second):
        raise typer.BadParameter(f"{expected}; got {text!r}")
    return first, second


def _at(text: str, expected: str) -> tuple[str, int]:
    name, _, number = (part.strip() for part in text.rpartition("@"))
    if not name or not number.isdecimal():
        raise typer.BadParameter(f"{expected}; got {text!r}")
    return name, int(number)


def _list(found: "list[TrackSummary]", *, as_json: bool) -> None:
    if as_json:
        for one in found:
            typer.echo(json.dumps(asdict(one)))
        return
    if not found:
        tell("no tracks; maskwright track begins some")
        return
    write_table(_HEAD, [_row(one) for one in found])


def _row(one: "TrackSummary") -> tuple[str, ...]:
    place = "-" if one.dataset is None else f"{one.dataset}/{one.episode}/{one.camera}"
    frames = "-" if one.first_frame is None else f"{one.first_frame}-{one.last_frame}"
    counts = (one.num_masks, one.num_visible, one.num_occluded, one.num_outside, one.num_keyframes)
    confidence = "-" if one.mean_confidence is None else f"{one.mean_confidence:.2f}"
    return (one.track, one.label or "-", place, frames, *map(str, counts), confidence)
