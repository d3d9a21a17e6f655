"""`maskwright models`: what there is, what is on this machine, and how the rest gets here."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli.options import read_names
from maskwright.cli.report import progress_bar, tell
from maskwright.cli.verbs import CONTEXT

if TYPE_CHECKING:
    from maskwright.models import ModelCard

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    context_settings=CONTEXT,
    no_args_is_help=True,
    help="List, pull, verify, import, export, quantise and compare models.",
    epilog="Example: maskwright models pull vit_b",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A registered model.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Registered models.")]
_ENDINGS = {"onnx": ".onnx", "torchscript": ".pt"}  # of files; all else is a folder
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a model on stdout.")]


@app.command("list", epilog="Example: maskwright models list --json")
def list_(as_json: AsJson = False) -> None:
    """List the registered models and whether their weights are on this machine."""
    from maskwright.models import has_weights, list_models

    cards = list_models()
    if as_json:
        for card in cards:
            typer.echo(json.dumps({**dataclasses.asdict(card), "is_here": has_weights(card)}))
        return
    rows = [(card.name, _where(card), _size(card), str(card.input_side), card.licence, card.title) for card in cards]
    head = ("NAME", "WEIGHTS", "SIZE", "INPUT", "LICENCE", "WHAT IT IS")
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head) - 1)]
    for row in (head, *rows):
        typer.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)), row[-1]]))


@app.command(epilog="Example: maskwright models show vit_b")
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a model's card: source, hash, licence, citation, and the words it knows if it takes text."""
    from maskwright.models import find_card, has_weights
    from maskwright.models.registry import known_words

    card = find_card(name)
    if as_json:
        facts = {**dataclasses.asdict(card), "is_here": has_weights(card), "words": known_words(card)}
        typer.echo(json.dumps(facts))
        return
    facts = {**dataclasses.asdict(card), "weights": _where(card), "words": known_words(card)}
    for key, value in facts.items():
        if value not in (None, "", (), False):
            shown = ", ".join(value) if isinstance(value, tuple) else f"{value:,}" if type(value) is int else value
            typer.echo(f"{key + ':':<16}{shown}")


@app.command(epilog="Example: maskwright models pull vit_t")
def pull(names: Names) -> None:
    """Download checkpoints into the weights folder, continue cut transfers, check their hashes."""
    from maskwright.models import find_card
    from maskwright.models import pull as pull_weights

    for card in [find_card(name) for name in names]:
        with progress_bar(card.name, quiet=False) as progress:
            path = pull_weights(card, progress=progress)
        tell(f"{card.name}: {path}")


@app.command(epilog="Example: maskwright models verify vit_b")
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME...]", help="All that are here if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare checkpoints on this machine with what their cards say."""
    from maskwright.models import find_card, has_weights, list_models
    from maskwright.models import verify as verify_weights

    here = [card for card in list_models() if card.filename is not None and has_weights(card)]
    for card in [find_card(name) for name in names] if names else here:
        found = verify_weights(card)
        if as_json:
            typer.echo(json.dumps({"name": card.name, **dataclasses.asdict(found), "path": str(found.path)}))
        else:
            against = " and ".join(found.checked) or "nothing: no hash is published"
            typer.echo(f"{card.name}: ok, checked against {against}; sha256 {found.sha256}: {found.path}")


@app.command("import", epilog="Example: maskwright models import ~/Downloads/sam_vit_b_01ec64.pth --name vit_b")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint from elsewhere.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The registered model that it belongs to.")],
) -> None:
    """Copy a published checkpoint into the weights folder; any other checkpoint is used with --model FILE."""
    from maskwright.models import import_file

    found = import_file(file.expanduser(), name)
    tell(f"{name}: {found.path}")


@app.command(epilog="Example: maskwright models export tiny --to onnx -o tiny.onnx")
def export(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A registered model, or a checkpoint.")],
    to: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="onnx, openvino, torchscript or tensorrt.")
    ] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="PATH", help="A file for onnx (.onnx) and torchscript (.pt), else a new folder."
        ),
    ] = None,
    opset: Annotated[int | None, typer.Option("--opset", metavar="N", help="Of ONNX; default: 20.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Export a model for other runtimes, and check it there against PyTorch; what was written is used with --model."""
    from maskwright.models import load_model
    from maskwright.models.backends.export import check_target, export_model

    where = out or Path(f"{Path(name).stem}{_ENDINGS.get(to, f'_{to}')}")
    check_target(to, where)
    model = load_model(name, precision="fp32")
    report = export_model(model, where, to=to, opset=opset, say=(lambda text: None) if as_json else tell)
    if as_json:
        facts = {"path": str(report.path), "bytes": report.num_bytes, "opset": report.manifest.opset}
        typer.echo(
            json.dumps({**facts, "checked": report.manifest.checked, "base_sha256": report.manifest.base_sha256})
        )
        return
    operators = f", opset {report.manifest.opset}" if report.manifest.opset else ""
    size = f"{report.num_bytes / 1e6:,.1f} MB{operators}"
    tell(f"{name}: {size}, within {report.difference:.1e} of PyTorch: {report.path}")


@app.command(epilog="Example: maskwright models quantize tiny --data frames/ -o tiny-int8.onnx")
def quantize(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A registered model, or a checkpoint.")],
    data: Annotated[
        str,
        typer.Option(
            "--data", metavar="SOURCE", help="Frames like those that it is for, better with true masks or a store."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write; default: NAME-KIND.onnx.")
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", metavar="NAME", help="int8, or for size alone weights-int8 or weights-fp16.")
    ] = "int8",
    frames: Annotated[int, typer.Option("--frames", metavar="N", min=8, help="How many frames to look at.")] = 64,
    status: Annotated[
        str | None, typer.Option("--status", metavar="NAMES", help="Which masks of a store are true; accepted.")
    ] = None,
    max_drop: Annotated[
        float, typer.Option("--max-drop", metavar="IOU", help="By how much masks may fall on average.")
    ] = 0.01,
    max_drop_tail: Annotated[
        float, typer.Option("--max-drop-tail", metavar="IOU", help="By how much at the 5th percentile.")
    ] = 0.03,
    as_json: Annotated[bool, typer.Option("--json", help="The report on stdout.")] = False,
) -> None:
    """Write a model in 8-bit integers for ONNX, if its masks are as good as before; use the file with --model FILE."""
    from maskwright.workflows.mask_gate import Gate
    from maskwright.workflows.quantize import quantize_model
    from maskwright.workflows.quantize_report import as_text, write_report

    where = out or Path(f"{Path(name).stem}-{kind}.onnx")
    say = (lambda text: None) if as_json else tell
    gate = Gate(mean=max_drop, tail=max_drop_tail)
    statuses = read_names(status) or None
    report = quantize_model(name, data, where, kind=kind, gate=gate, num_frames=frames, statuses=statuses, say=say)
    told = write_report(report, where)
    if as_json:
        typer.echo(json.dumps(report.to_json()))
        return
    typer.echo(as_text(report))
    tell(f"{where}; report: {told}")


@app.command(epilog="Example: maskwright models diff tiny checkpoints/glass_v2")
def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="A registered model, or a checkpoint.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another of the same architecture.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Compare two checkpoints: which parts changed, by how much, and the scores that their cards tell."""
    from maskwright.models.diff import diff_models

    found = diff_models(first, second)
    if as_json:
        typer.echo(json.dumps({**dataclasses.asdict(found), "shares_encoder": found.shares_encoder}))
        return
    for name, sha256 in zip(found.names, found.sha256s, strict=True):
        typer.echo(f"{name}: sha256 {sha256[:16]}")
    width = max(len(part.part) for part in found.parts)
    for part in found.parts:
        changed = f"{part.num_changed} changed, by {100 * part.change:.2f} %" if part.num_changed else "same"
        told = changed if part.only_in is None else f"only in {part.only_in}"
        typer.echo(f"{part.part:<{width}}  {part.num_parameters:>11,} parameters in {part.num_tensors} tensors: {told}")
    typer.echo("pictures are encoded alike" if found.shares_encoder else "pictures are encoded differently")
    for name, metrics in zip(found.names, found.metrics, strict=True):
        for moment in ("before", "after"):
            if scores := metrics.get(moment):
                told = ", ".join(f"{key} {value:.3f}" for key, value in scores.items())
                typer.echo(f"{name}, {moment} tuning on {metrics.get('data', 'its data')}: {told}")


def _where(card: "ModelCard") -> str:
    from maskwright.models import has_weights

    if card.filename is None:
        return "computed"
    if card.packaged:
        return "in the package" if has_weights(card) else "missing"
    return "here" if has_weights(card) else "to pull"


def _size(card: "ModelCard") -> str:
    return "" if card.num_bytes is None else f"{card.num_bytes / 1e6:,.0f} MB"
