"""`maskwright review`: people look at the masks of a store in the browser, and correct them."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli import options
from maskwright.cli.report import tell
from maskwright.cli.verbs import CONTEXT
from maskwright.core import settings
from maskwright.core.errors import SettingError, StoreMissing
from maskwright.serve.settings import ServeSettings

app = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=CONTEXT)

_HOST = ServeSettings().host
PORT = 8470
_MORE_PORTS = 30
_LONGEST_NAME = 64


@app.command(epilog="Example: maskwright review masks")
def review(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="The mask store, as annotate and demo make them.")],
    model: options.ModelName = None,
    device: options.Device = None,
    precision: options.Precision = None,
    backend: options.Backend = None,
    actor: Annotated[
        str | None,
        typer.Option("--actor", metavar="NAME", help="Who decides, as the log says it; default: the system's user."),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; beyond this machine it takes tokens.")
    ] = _HOST,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", min=0, max=65535, help=f"Default: {PORT}, or the next that is free."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="For several people; maskwright tokens link makes it."),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only say the address.")] = False,
) -> None:
    """Open the review application on a store: one process with server, pages and model.

    What is decided is in the store at once, with who decided it and when. Ctrl+C stops it, and nothing is lost.
    """
    _check_store(store)
    name = _name_of(actor, token_file)
    from maskwright.serve.pages import packaged_pages
    from maskwright.serve.run import run

    if not packaged_pages().paths:
        raise SettingError("the review application was not built into this installation. In a checkout: make web")
    asked = ServeSettings(
        store=store,
        models=(model or settings.MODEL.get(),),
        device=device or settings.DEVICE.get(),
        precision=precision or settings.PRECISION.get(),
        backend=backend or settings.BACKEND.get(),
        host=host,
        port=PORT if port is None else port,
        more_ports=_MORE_PORTS if port is None else 0,
        token_file=token_file,
        local_name=name,
    )

    def begun(address: str) -> None:
        tell(_greeting(asked, address))
        if not no_browser and token_file is None:
            _open(address)

    run(asked, tell=tell, begun=begun)


def _check_store(store: Path) -> None:
    if not (store / "store.json").exists():
        raise StoreMissing(
            "there is no mask store here. Make one of your recordings, maskwright annotate VIDEO --everything "
            f"-o {store}, or take an example, maskwright demo: {store}"
        )


def _name_of(actor: str | None, token_file: Path | None) -> str:
    """Say who decides where no token tells."""
    if actor is not None:
        if token_file is not None:
            raise typer.BadParameter("--actor is for one person; with --token-file the names are the tokens'")
        if not actor.strip() or not actor.isprintable() or len(actor) > _LONGEST_NAME:
            raise typer.BadParameter(f"--actor is 1 to {_LONGEST_NAME} printable characters, got {actor!r}")
        return actor.strip()
    from getpass import getuser

    try:
        return getuser()[:_LONGEST_NAME] or ServeSettings().local_name
    except (OSError, KeyError, ImportError):  # a user without a name, as containers have them
        return ServeSettings().local_name


def _greeting(asked: ServeSettings, address: str) -> str:
    who = (
        f"decisions are signed {asked.local_name} (--actor says otherwise)"
        if asked.token_file is None
        else f"people come in by links: maskwright tokens link {asked.token_file} --name NAME --url {address}"
    )
    return f"review of {asked.store}: {address}\n{who}. Ctrl+C stops it"


def _open(address: str) -> None:
    """Open a browser beside this program, where there is a screen; one in the terminal would take it over."""
    import os
    import sys
    import webbrowser
    from threading import Thread

    has_screen = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if has_screen:
        Thread(target=webbrowser.open, args=(address,), daemon=True).start()
