"""The entry point: choose the verb, run it, and turn what goes wrong into one line and an exit code.

Top-level help is written here and not by typer, whose import alone takes longer than a shell should wait.
"""

import logging
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from maskwright.cli.verbs import EXIT_CODES, VERBS

_OK, _FAILED, _USAGE, _INTERRUPTED = EXIT_CODES
_EXAMPLE = "maskwright predict example:tabletop --point 560,300"


def main() -> None:
    """Run the command line of this process."""
    # Read when torch is first imported. Threads that spin while they wait take the cores from those they wait for as
    # soon as anything else runs: everything-mode took three times as long (docs/log.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and say with what code the process should end."""
    words = [word for word in arguments if word != "--debug"]
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, handlers=[_Lowercase(sys.stderr)])
    logging.getLogger("maskwright.models.backends").setLevel(logging.INFO)  # what is done once may take a minute
    try:
        return _dispatch(words)
    except KeyboardInterrupt:
        _complain("interrupted")
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except Exception as error:
        if len(words) != len(arguments) or os.environ.get("MASKWRIGHT_DEBUG", "0").lower() not in (
            "",
            "0",
            "no",
            "off",
        ):
            logging.getLogger(__name__).exception("the whole story")
        _complain(_in_one_line(error))
        return _FAILED


def help_text() -> str:
    """Write the help of the command line as a whole."""
    from maskwright import __version__

    width = max(len(verb.name) for verb in VERBS)
    verbs = "\n".join(f"  {verb.name:<{width}}  {verb.help}" for verb in VERBS)
    codes = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())
    return (
        f"maskwright {__version__}: masks for robot camera pictures that people can trust.\n\n"
        f"Usage: maskwright VERB ... [--debug]\n\n{verbs}\n\n"
        f"Example: {_EXAMPLE}\n\n"
        "Help on a verb: maskwright VERB --help\n"
        "--version prints the version; --debug shows the traceback of an error.\n\n"
        f"Exit codes:\n{codes}\n"
    )


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("--help", "-h", "help"):
        sys.stdout.write(help_text())
        return _OK if words else _USAGE
    if words[0] in ("--version", "-V"):
        from maskwright import __version__

        sys.stdout.write(f"maskwright {__version__}\n")
        return _OK
    verb = next((verb for verb in VERBS if verb.name == words[0]), None)
    if verb is None:
        names = [verb.name for verb in VERBS]
        nearest = get_close_matches(words[0], names, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]}?" if nearest else f"expected one of {', '.join(names)}."
        return _complain(f"there is no verb {words[0]!r}; {hint} See: maskwright --help", code=_USAGE)
    return _run_verb(verb.module, verb.name, words[1:])


def _run_verb(module: str, name: str, words: list[str]) -> int:
    import typer

    # Typer carries its own copy of click since 0.27; the class is found through what both export.
    usage_error, click_error = typer.BadParameter.__mro__[1:3]
    assert issubclass(click_error, Exception)
    command = typer.main.get_command(import_module(module).app)
    try:
        code = command.main(args=words, prog_name=f"maskwright {name}", standalone_mode=False)
    except click_error as error:
        return _complain_of_usage(error, name, is_usage=isinstance(error, usage_error))
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    if code == _INTERRUPTED:  # newer typers swallow the interrupt and say it so
        raise KeyboardInterrupt
    return code if isinstance(code, int) else _OK


def _complain_of_usage(error: Any, name: str, *, is_usage: bool) -> int:
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(f"{message}\n")
        return _USAGE
    context = getattr(error, "ctx", None)
    path = f"maskwright {name}" if context is None else context.command_path
    see = f" See: {path} --help" if is_usage else ""
    return _complain(
        f"{_sentence(message.removeprefix('Invalid value: '))}{see}", code=getattr(error, "exit_code", _USAGE)
    )


def _in_one_line(error: Exception) -> str:
    from maskwright.core.errors import MaskwrightError
    from maskwright.core.out_of_memory import is_out_of_memory

    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, MaskwrightError):
        return message
    if is_out_of_memory(error):
        return f"out of memory. Take a smaller model or picture, or --device cpu instead of a GPU ({message[:200]})"
    return f"unexpected {type(error).__name__}: {message[:300]}. This is a bug in maskwright; --debug shows where"


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _complain(text: str, *, code: int = _FAILED) -> int:
    sys.stderr.write(f"error: {text}\n")
    return code


class _Lowercase(logging.StreamHandler):
    """Writes "warning: ..." as other command line tools do."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record with its level in lower case."""
        record.levelname = record.levelname.lower()
        return super().format(record)


if __name__ == "__main__":
    main()
