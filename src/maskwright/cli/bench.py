"""`maskwright bench`: which backend is fastest here, in what memory, and are its masks the same?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.report import tell
from maskwright.cli.verbs import CONTEXT
from maskwright.core import settings

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)


@app.command(epilog="Example: maskwright bench --model vit_b --backend all --device cuda -o bench.json")
def bench(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME|FILE",
            help="A registered model, a checkpoint or an exported file. Repeat to compare with the first.",
        ),
    ] = None,
    backend: Annotated[
        str,
        typer.Option(
            "--backend", metavar="NAME", help="all that the device has, or one: " + ", ".join(settings.BACKENDS)
        ),
    ] = "all",
    device: Annotated[str, typer.Option("--device", metavar="DEVICE", help="cpu, cuda or cuda:N.")] = "cpu",
    data: Annotated[str, typer.Option("--data", metavar="FOLDER", help="Pictures to measure on.")] = "example:tabletop",
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", min=1, help="Of each timing.")] = 10,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write all figures as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All figures on stdout instead of the table.")] = False,
) -> None:
    """Measure encoding, clicks, everything-mode, batches, memory and mask agreement, each backend in its own process.

    The first row is PyTorch in fp32; the masks of all others are compared with its. On a GPU the table also tells the
    share of the matrix peak, which is measured too.
    """
    from maskwright.models.loading import find_device
    from maskwright.workflows.bench import as_json as told
    from maskwright.workflows.bench import as_text, check_data, contenders, summary
    from maskwright.workflows.bench import bench as measure
    from maskwright.workflows.outputs import write_all

    find_device(device)
    check_data(data)
    each = contenders(model or [settings.MODEL.get()], backend, device)
    rows = []
    for row in measure(each, data, rounds=rounds, say=tell):
        rows.append(row)
        tell(summary(row))
        if out is not None:  # what was measured is there, whatever stops the rest
            write_all({out: (json.dumps(told(rows), indent=1) + "\n").encode()})
    typer.echo(json.dumps(told(rows)) if as_json else as_text(rows))
    if all(row.problem is not None for row in rows):
        raise typer.Exit(1)
