"""From a name or a file to a model that is ready to run: build, find the weights, load them strictly, place it."""

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

from maskwright.core.errors import CheckpointError, SettingError, UnknownModel, WeightsMissing
from maskwright.core.settings import BACKENDS, LOW_MEMORY, PRECISIONS
from maskwright.models.backends.names import is_exported
from maskwright.models.cards import ModelCard
from maskwright.models.checkpoint import (
    StateDict,
    architecture_of,
    can_be_mapped,
    file_sha256,
    has_corrector,
    has_text_path,
    load_strictly,
    read_checkpoint,
    state_sha256,
)
from maskwright.models.registry import ENTRIES, Entry, find_entry
from maskwright.models.tuned import FILE as TUNED_FILE
from maskwright.models.tuned import (
    TunedCard,
    apply_changed,
    keeps_encoder,
    read_changed,
    read_tuned_card,
    tuned_file,
)
from maskwright.models.unsaved import count_changes
from maskwright.models.weights import find_weights
from maskwright.models.words.speaking import Words, give_words

if TYPE_CHECKING:
    from maskwright.models.registry import Network

_log = logging.getLogger(__name__)
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_SUFFIXES = (".pth", ".pt", ".safetensors", ".ckpt", ".bin", ".onnx")


def load_model(
    name_or_path: str | os.PathLike[str],
    *,
    device: str | torch.device = "cpu",
    precision: str = "auto",
    compile_encoder: bool = False,
    backend: str = "default",
    low_memory: bool | None = None,
) -> "Network":
    """Load a model in eval mode: a registered name, a checkpoint file whose architecture is found out, the folder of a
    fine-tuned checkpoint, or an exported model.

    `device` may be "auto": the first GPU if there is one. `precision` is the image encoder's: "auto" is fp32 on a CPU,
    on a GPU fp16 for `tiny`, and for others bf16 if it has that; the decoder stays in fp32. `compile_encoder` runs the
    image encoder through `torch.compile`: the first image pays for it, and names of parameters stay. `backend` says
    what runs the networks: "default" is PyTorch, or what an exported file was written for; "auto" is the fastest here
    by measurement; others export the model once, into the cache folder (`core.settings.BACKENDS`). `low_memory` leaves
    the weights of PyTorch's networks in their file, which must not change while the model is in use; `None` is as the
    setting says.

    Raises:
        UnknownModel: no model of that name is registered, and there is no such file.
        WeightsMissing: the checkpoint is not on this machine; the message says how to get it.
        CheckpointError: the checkpoint is damaged, unsafe, or of another architecture.
        SettingError: there is no such device, precision or backend here.
        ModelError: the backend's package is missing.
    """
    path = _as_path(name_or_path)
    if backend not in BACKENDS:
        raise SettingError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    if low_memory is None:
        low_memory = LOW_MEMORY.get()
    if (path is not None and is_exported(path)) or backend not in ("default", "torch", "compile"):
        if low_memory:
            _log.warning("low memory is for PyTorch's networks; what runs an exported model loads its weights whole")
        return _by_backend(name_or_path, path, backend, str(device), precision)
    place = find_device(device)
    find_dtype(precision, place)  # before anything is read
    model = _from_name(str(name_or_path), low_memory) if path is None else _from_file(path, low_memory)
    model.image_encoder.to(find_dtype(precision, place, model.card.family))
    if compile_encoder or backend == "compile":
        model.image_encoder.compile()
    model = model.to(place).eval()
    if place.type == "cpu" and model.card.family == "tiny":  # encodes 9 to 28 % faster, embeddings within 1e-5
        model.image_encoder.to(memory_format=torch.channels_last)  # pyrefly: ignore[no-matching-overload]
    model.loaded = count_changes(model)
    return model


def _by_backend(
    name_or_path: str | os.PathLike[str], path: Path | None, backend: str, device: str, precision: str
) -> "Network":
    from maskwright.models.backends.choose import fastest_backend
    from maskwright.models.backends.loading import load_by, load_exported

    if precision not in ("auto", "fp32"):
        find_dtype(precision, torch.device("cpu"))
        raise SettingError(f"exported models compute as they were written; precision must be auto, got {precision!r}")
    if path is not None and is_exported(path):
        return load_exported(path, backend=backend, device=device)

    def make() -> "Network":
        return load_model(name_or_path, device="cpu", precision="fp32", low_memory=False)

    def load(one: str) -> "Network":
        if one == "torch":
            return load_model(name_or_path, device=device, precision=precision, low_memory=False)
        return load_by(make, one, device=device)

    if backend == "auto":
        plain = make()
        backend = fastest_backend(plain.card.name, plain.checkpoint_sha256, find_device(device), load)
    return load(backend)


def load_into(model: "Network", path: str | os.PathLike[str], *, keep_mapped: bool = False) -> None:
    """Load a checkpoint file into a network that has been built; `model.card` says which architecture it is."""
    file = Path(path)
    _load_state(model, read_checkpoint(file), find_entry(model.card.name), file, keep_mapped)


def _load_state(model: "Network", state: StateDict, entry: Entry, file: Path, keep_mapped: bool) -> None:
    if keep_mapped and not can_be_mapped(file):
        _log.warning(
            "the checkpoint is in torch's old format, whose weights go into memory whole. Save its state dict as "
            "safetensors: %s",
            file,
        )
    load_strictly(model, state, wanted=entry, entries=ENTRIES, path=file, keep_mapped=keep_mapped)
    model.checkpoint_sha256 = file_sha256(file)


def check_fits(path: Path, name: str) -> None:
    """Check that a file is a checkpoint of a registered model's architecture.

    Raises:
        CheckpointError: it is not.
    """
    entry = find_entry(name)
    model = _build_empty(entry, entry.card)
    load_strictly(model, read_checkpoint(path), wanted=entry, entries=ENTRIES, path=path, keep_mapped=True)


def _from_name(name: str, keep_mapped: bool) -> "Network":
    entry = find_entry(name)
    if entry.generate is not None:
        model = entry.build(entry.card)
        entry.generate(model)
        model.checkpoint_sha256 = state_sha256(model.state_dict())
        return model
    path = find_weights(entry.card)
    model = _build_empty(entry, entry.card)
    load_into(model, path, keep_mapped=keep_mapped)
    return model


def _from_file(path: Path, keep_mapped: bool) -> "Network":
    if (tuned := tuned_file(path)) is not None:
        return _from_tuned(tuned, keep_mapped)
    state = read_checkpoint(path)
    entry = _entry_for(path, architecture_of(state, ENTRIES))
    official = entry.card.filename == path.name
    card = entry.card if official else _card_of_file(entry, path)
    card = replace(card, takes_text=has_text_path(state), has_corrector=has_corrector(state))
    model = _build_empty(entry, card)
    _load_state(model, state, entry, path, keep_mapped)
    return model


def _from_tuned(file: Path, keep_mapped: bool) -> "Network":
    """Load the base that a fine-tuned checkpoint names, and put what changed into it."""
    tuned, changed = read_tuned_card(file), read_changed(file)
    model = _base_of(tuned, file, keep_mapped)
    if tuned.words:
        give_words(model, Words.from_json(tuned.words))
    apply_changed(model, changed, file)
    if keeps_encoder(changed):
        model.encoder_sha256 = model.checkpoint_sha256
    name = file.parent.name if file.name == TUNED_FILE else file.stem
    model.card = replace(
        model.card,
        title=f"{name}, {model.card.name} fine-tuned ({tuned.parts})",
        licence=tuned.licence,
        source_url=None,
        sha256=None,
        md5=None,
        num_bytes=file.stat().st_size,
        filename=file.name,
        packaged=False,
        aliases=(),
    )
    model.checkpoint_sha256 = file_sha256(file)
    return model


def _base_of(tuned: TunedCard, file: Path, keep_mapped: bool) -> "Network":
    try:
        path = _as_path(tuned.base)
        model = _from_name(tuned.base, keep_mapped) if path is None else _from_file(path, keep_mapped)
    except (CheckpointError, UnknownModel, WeightsMissing) as error:
        raise type(error)(
            f"this checkpoint changes {tuned.base}, which is not here: {error}; needed by: {file}"
        ) from error
    if model.checkpoint_sha256 != tuned.base_sha256:
        raise CheckpointError(
            f"this checkpoint changes {tuned.base} of SHA-256 {tuned.base_sha256[:12]}, and the one here is "
            f"{model.checkpoint_sha256[:12]}. Get that base, or fine-tune this one again: {file}"
        )
    return model


class _WithoutInit(TorchFunctionMode):
    """Leave parameters as they were allocated: drawing what a checkpoint overwrites takes ViT-L 2.4 s of 2.5."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs.get("tensor", args[0] if args else None)
        return func(*args, **kwargs)


def _build_empty(entry: Entry, card: ModelCard) -> "Network":
    """Build a network of which every parameter is about to be loaded; `load_strictly` sees to it."""
    with _WithoutInit():
        return entry.build(card)


def _entry_for(path: Path, found: list[Entry]) -> Entry:
    """Choose among entries of one architecture: the one whose file has this name, else the first."""
    if not found:
        known = ", ".join(entry.card.name for entry in ENTRIES)
        raise CheckpointError(f"expected a checkpoint of one of {known}, got other parameters: {path}")
    return next((entry for entry in found if entry.card.filename == path.name), found[0])


def _card_of_file(entry: Entry, path: Path) -> ModelCard:
    return replace(
        entry.card,
        title=f"{path.name}, a checkpoint of {entry.card.name}'s architecture",
        licence="unknown: the file does not say",
        source_url=None,
        sha256=None,
        md5=None,
        num_bytes=path.stat().st_size,
        filename=path.name,
        packaged=False,
        aliases=(),
    )


def _as_path(name_or_path: str | os.PathLike[str]) -> Path | None:
    """The path, if it is one; a registered name always wins over a file that happens to be called so."""
    path = Path(name_or_path).expanduser()
    if not isinstance(name_or_path, str) or path.suffix in _SUFFIXES or os.sep in name_or_path:
        return path
    try:
        find_entry(name_or_path)
    except UnknownModel:
        return path if path.is_file() or tuned_file(path) is not None or is_exported(path) else None
    return None


def find_device(device: str | torch.device) -> torch.device:
    """Find a device of this machine; "auto" is the first GPU if there is one.

    Raises:
        SettingError: there is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise SettingError(f"expected a device of this machine (cpu, cuda, cuda:N, mps), got '{device}'") from error
    return place


def find_dtype(precision: str, device: torch.device, family: str = "") -> torch.dtype:
    """Find the dtype that a precision means to a family of models.

    "auto" is fp32 on a CPU, on a GPU bf16 where it has that, and for `tiny` fp16: its values were below 200 on 80
    pictures, and fp16 tells them eight times finer at the same speed (docs/guides/fast.md).

    Raises:
        SettingError: there is no such precision.
    """
    if precision == "auto":
        if device.type != "cuda":
            return torch.float32
        if family == "tiny":
            return torch.float16
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if precision not in _DTYPES:
        raise SettingError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    return _DTYPES[precision]


__all__ = ["check_fits", "find_device", "find_dtype", "load_into", "load_model"]
