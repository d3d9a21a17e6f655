"""Checkpoints as transformers keeps them, looked at before transformers loads them: where they are, and their hash."""

import hashlib
import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskwright.core.errors import ModelError, WeightsMissing
from maskwright.models.checkpoint import file_sha256

_WHOLE, _PARTS, _PICKLE = "model.safetensors", "model-*.safetensors", "pytorch_model.bin"


def check_library(who: str, *needs: str) -> Any:
    """Give transformers, if it and what else is needed are installed.

    Raises:
        ModelError: something is missing; the message says how to install it.
    """
    for name in ("transformers", *needs):
        if importlib.util.find_spec(name) is None:
            raise ModelError(
                f"{who} runs through transformers and needs {name}, which is not installed. "
                "Install both: pip install 'maskwright[transformers]'"
            )
    return importlib.import_module("transformers")


def find_folder(source: str, *, what: str) -> Path:
    """Find a checkpoint's folder: the one named, or Hugging Face's copy on this machine.

    Raises:
        WeightsMissing: it is not here; the message says how to get it.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    try:
        hub = importlib.import_module("huggingface_hub")
        return Path(hub.snapshot_download(source, local_files_only=True))
    except ImportError:
        pass
    except Exception as error:  # the hub has a class of its own for each way in which a name cannot be found
        if type(error).__module__.partition(".")[0] not in ("huggingface_hub", "builtins"):
            raise
    raise WeightsMissing(f"{what} is not on this machine. Name its folder, or get it: hf download {source}") from None


def weights_sha256(folder: Path, *, takes_pickle: bool = False) -> str:
    """Hash the weights: the file's own SHA-256, or that of its parts' in order.

    `takes_pickle` is for families whose usual checkpoint is pytorch_model.bin; transformers reads tensors alone of it.

    Raises:
        WeightsMissing: there are none that are safetensors.
    """
    whole = (_WHOLE, _PICKLE) if takes_pickle else (_WHOLE,)
    found = [folder / name for name in whole if (folder / name).is_file()][:1] or sorted(folder.glob(_PARTS))
    if not found:
        pickles = " Pickles (.bin, .pt) are not read." if any(folder.glob("*.bin")) else ""
        raise WeightsMissing(f"expected {_WHOLE} beside config.json, got none.{pickles}: {folder}")
    digests = [file_sha256(path) for path in found]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


@contextmanager
def quietly(transformers: Any) -> Iterator[None]:
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


__all__ = ["check_library", "find_folder", "quietly", "weights_sha256"]
