"""Networks of transformers from files: whole and quietly, or an error of one line. Knows no names and no cards."""

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

from maskwright.core.errors import CheckpointError, ModelError
from maskwright.models.transformers_folder import quietly
from maskwright.models.transformers_video.families import EDGETAM, Family

_SHOWN = 3
_MOST_LETTERS = 200


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


def build_network(family: Family, path: Path, names: Iterable[str], **how: Any) -> Any:
    """Load a network strictly. `names` are those of the parameters, `how` is what `from_pretrained` takes beside.

    Raises:
        CheckpointError: the checkpoint is damaged, or parameters are missing, superfluous or of another shape.
        ModelError: a library that the family needs is not installed.
    """
    transformers = check_installed(family)
    try:
        with quietly(transformers):
            network, told = getattr(transformers, family.network).from_pretrained(
                **{"pretrained_model_name_or_path": None} | how,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except ImportError as error:
        needs = "timm, which needs a torchvision that fits the torch that is installed" if family is EDGETAM else error
        raise ModelError(f"{family.title} also needs {needs}. Install it: {path}") from error
    except Exception as error:  # a broken file can fail anywhere in transformers and in what it is built on
        why = shorten(str(error) or type(error).__name__, _MOST_LETTERS, placeholder=" ...")
        raise CheckpointError(f"{family.title} cannot be loaded from this checkpoint ({why}): {path}") from error
    # transformers passes over whatever memory a checkpoint has beyond the configuration's.
    plain = (name.removeprefix("tracker_model.") for name in names)
    superfluous = {name for name in plain if name.startswith("memory_")} - set(network.state_dict())
    _check_whole(
        family,
        path,
        {
            "missing": told["missing_keys"],
            "unexpected": {*told["unexpected_keys"], *superfluous},
            "of another shape": {name for name, *_ in told["mismatched_keys"]},
        },
    )
    return network


def _check_whole(family: Family, path: Path, wrong: Mapping[str, set[str]]) -> None:
    """Make an error of what transformers would draw at random or leave out."""
    told = [
        f"{len(names)} {what} ({', '.join(sorted(names)[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''})"
        for what, names in wrong.items()
        if names
    ]
    if told:
        raise CheckpointError(f"the parameters are not those of {family.title}: {'; '.join(told)}: {path}")


__all__ = ["build_network", "check_installed"]
