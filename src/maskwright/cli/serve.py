"""`maskwright serve`: one model for many annotators and robots, over REST and gRPC."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli import options
from maskwright.cli.report import tell
from maskwright.cli.verbs import CONTEXT
from maskwright.core import settings
from maskwright.serve.settings import ServeSettings

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)

_DEFAULTS = ServeSettings()
_MIB = 1 << 20


@app.command(epilog="Example: maskwright serve masks --model tiny --port 8080")
def serve(
    store: Annotated[
        Path | None, typer.Argument(metavar="STORE", help="The mask store to serve; left out: models alone.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME|FILE",
            help="A registered model or a checkpoint; may be repeated, the first is the default. "
            f"[env: {settings.MODEL.env}; default: {settings.MODEL.default_text}]",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; beyond this machine it takes tokens.")
    ] = _DEFAULTS.host,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Of REST; 0 takes a free one.")
    ] = _DEFAULTS.port,
    grpc_port: Annotated[
        int | None,
        typer.Option(
            "--grpc-port", metavar="N", min=1, max=65535, help="Of gRPC as well (pip install 'maskwright[grpc]')."
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Who may ask; maskwright tokens add FILE makes it."),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", metavar="URL", help="Pages of this origin may call from a browser; repeatable."),
    ] = None,
    engine: options.EngineName = "local",
    address: options.Address = None,
    workers: options.Workers = None,
    device: options.Device = None,
    precision: options.Precision = None,
    backend: options.Backend = None,
    max_upload: Annotated[
        int, typer.Option("--max-upload", metavar="MIB", min=1, help="Of a request's body, in MiB.")
    ] = _DEFAULTS.max_body_bytes // _MIB,
    label_studio_url: Annotated[
        str | None,
        typer.Option("--label-studio-url", metavar="URL", help="Whose smart tools ask here; its pictures are fetched."),
    ] = None,
    picture_host: Annotated[
        list[str] | None,
        typer.Option("--picture-host", metavar="HOST", help="Pictures of this host may be fetched too; repeatable."),
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", metavar="N", min=0.1, help="Requests a second that a token may make on average.")
    ] = _DEFAULTS.rate_per_s,
) -> None:
    """Serve models, and a store if one is given, to many clients at once.

    Without --token-file it listens to this machine only. SIGTERM or Ctrl+C lets what was begun finish.
    The log is on stderr, one JSON object a line and a request. What it answers: http://127.0.0.1:8080/docs
    """
    options.check_engine(engine, address, workers)
    from maskwright.serve.run import run

    run(
        ServeSettings(
            store=store,
            models=tuple(model or [settings.MODEL.get()]),
            device=device or settings.DEVICE.get(),
            precision=precision or settings.PRECISION.get(),
            backend=backend or settings.BACKEND.get(),
            host=host,
            port=port,
            grpc_port=grpc_port,
            token_file=token_file,
            origins=tuple(_origin(one) for one in origin or ()),
            max_body_bytes=max_upload * _MIB,
            engine="ray" if engine == "ray" else "local",
            ray_address=address,
            ray_workers=workers,
            label_studio_url=None if label_studio_url is None else _address(label_studio_url),
            picture_hosts=tuple(one.lower() for one in picture_host or ()),
            rate_per_s=rate,
            burst=max(1, round(2 * rate)),
        ),
        tell=tell,
    )


def _origin(text: str) -> str:
    """Read an origin as browsers write it: scheme, host and port, nothing after."""
    from urllib.parse import urlsplit

    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
        raise typer.BadParameter(
            f"--origin is one page's scheme, host and port, as https://labels.example; got {text!r}"
        )
    return f"{parts.scheme}://{parts.netloc}".lower()


def _address(text: str) -> str:
    """Read where Label Studio is, as its users open it."""
    from urllib.parse import urlsplit

    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query:
        raise typer.BadParameter(f"--label-studio-url is as http://localhost:8081; got {text!r}")
    return text.rstrip("/")
