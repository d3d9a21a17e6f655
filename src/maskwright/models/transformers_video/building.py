"""Networks of transformers from files: whole and quietly, or an error of one line. Knows no names and no cards."""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from maskwright.core.errors import CheckpointError, ModelError
from maskwright.models.transformers_video.families import EDGETAM, Family

_SHOWN = 3


def check_installed(family: Family) -> Any:
    """Give transformers, if it is installed and knows the family.

    Raises:
        ModelError: it is not, or does not; the message says what to install.
    """
    try:
        transformers = importlib.import_module("transformers")
    except ImportError as error:
        raise ModelError(
            f"{family.title} runs through transformers, which is not installed. "
            "Install it: pip install 'maskwright[transformers]'"
        ) from error
    if not (hasattr(transformers, family.network) and hasattr(transformers, family.session)):
        raise ModelError(
            f"transformers {transformers.__version__} does not know {family.title}. "
            "Install a newer one: pip install -U 'maskwright[transformers]'"
        )
    return transformers


def build_network(family: Family, path: Path, **how: Any) -> Any:
    """Load a network strictly. `how` is what `from_pretrained` takes; `path` is for messages.

    Raises:
        CheckpointError: the checkpoint is damaged, or parameters are missing, superfluous or of another shape.
        ModelError: a library that the family needs is not installed.
    """
    transformers = check_installed(family)
    source = how.pop("folder", None)
    try:
        with _quietly(transformers):
            network, told = getattr(transformers, family.network).from_pretrained(
                source,
                **how,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except ImportError as error:
        needs = "timm, which needs a torchvision that fits the torch that is installed" if family is EDGETAM else error
        raise ModelError(f"{family.title} also needs {needs}. Install it: {path}") from error
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"{family.title} cannot be loaded from this checkpoint ({first}): {path}") from error
    _check_whole(family, told, path)
    return network


def _check_whole(family: Family, told: Mapping[str, Any], path: Path) -> None:
    """transformers draws at random what it does not find; here that is an error."""
    wrong = [
        f"{len(names)} {what} ({', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''})"
        for what, names in (
            ("missing", sorted(told["missing_keys"])),
            ("unexpected", sorted(told["unexpected_keys"])),
            ("of another shape", sorted(name for name, *_ in told["mismatched_keys"])),
        )
        if names
    ]
    if wrong:
        raise CheckpointError(f"the parameters are not those of {family.title}: {'; '.join(wrong)}: {path}")


@contextmanager
def _quietly(transformers: Any) -> Iterator[None]:
    """Keep transformers from drawing bars and writing what an error will say."""
    logging = transformers.utils.logging
    level, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if has_bars:
            logging.enable_progress_bar()


__all__ = ["build_network", "check_installed"]
