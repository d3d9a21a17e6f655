"""The server itself: its health, version, models, and who it takes one for."""

from dataclasses import replace
from time import monotonic

from maskwright.client.answers import error_in, read_json
from maskwright.client.asking import answered, ask, pause_before_next
from maskwright.client.link import Link
from maskwright.client.reading import as_a
from maskwright.client.requests import request
from maskwright.client.steps import Pause, Steps
from maskwright.client.values import ServerCaller, ServerHealth, ServerModels, ServerVersion
from maskwright.core.errors import MaskwrightError, ServerStopping, ServerUnreachable

_AWAY = (ServerUnreachable, ServerStopping)


def models(link: Link) -> Steps[ServerModels]:
    """List the models that are served, and those that could be."""
    return (yield from ask(link, request(link, "GET", "models"), as_a(ServerModels)))


def version(link: Link) -> Steps[ServerVersion]:
    """Ask what runs there. Needs no token."""
    return (yield from ask(link, request(link, "GET", "version"), as_a(ServerVersion)))


def caller(link: Link) -> Steps[ServerCaller]:
    """Ask who the server takes the client for.

    Raises:
        NotSignedIn: the token is not known.
    """
    return (yield from ask(link, request(link, "GET", "caller"), as_a(ServerCaller)))


def health(link: Link) -> Steps[ServerHealth]:
    """Ask how the server is: starting, ready or draining. Needs no token."""
    asked = replace(request(link, "GET", "health", "ready"), accepts=frozenset([503]))
    answer = yield from answered(link, asked)
    if answer.status == 503 and b'"state"' not in answer.content:
        raise error_in(link, answer)  # of what stands between
    return read_json(link, answer, as_a(ServerHealth))


def ready(link: Link) -> Steps[bool]:
    """Whether work can be sent now; False also where nobody answers. Never waits for a server to come up."""
    try:
        return (yield from health(replace(link, retries=0))).state == "ready"
    except _AWAY:
        return False


def wait_until_ready(link: Link, *, timeout_s: float = 60.0) -> Steps[ServerHealth]:
    """Wait until models are loaded.

    Raises:
        ServerUnreachable, ServerStopping: they were not in this time.
    """
    until, num_tries = monotonic() + timeout_s, 0
    while True:
        try:
            found = yield from health(replace(link, retries=0))
            problem: MaskwrightError = ServerStopping(f"the server is {found.state}, not ready. {link.url}")
        except _AWAY as error:
            found, problem = None, error
        if found is not None and found.state == "ready":
            return found
        pause_s = min(1.0, pause_before_next(num_tries))
        if monotonic() + pause_s > until:
            raise problem
        yield Pause(pause_s)
        num_tries += 1


__all__ = ["caller", "health", "models", "ready", "version", "wait_until_ready"]
