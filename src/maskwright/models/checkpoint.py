"""Checkpoint files: read one safely, bring its names to ours, say which architecture it is, and load it strictly.

Reads torch's zip and legacy formats (with `weights_only=True`: a file that wants to run code is refused) and
safetensors; plain or wrapped state dicts; the published layouts of Segment Anything, MobileSAM, HQ-SAM and MedSAM, and
the layout of `SamModel` and `SamHQModel` in Hugging Face's transformers. Every failure is one line that says what the
file is. Knows no names of models: the caller brings the signatures.
"""

import hashlib
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from maskwright.core.errors import CheckpointError
from maskwright.models.registry import Entry

StateDict = dict[str, Tensor]

_WRAPPERS = ("model", "state_dict", "model_state_dict", "sam", "ema", "net")
# Buffers that some writers store although they follow from the architecture.
_DERIVED = re.compile(r"(^|\.)(pixel_mean|pixel_std|attention_bias_idxs|ab)$")
_SHOWN = 3


def read_checkpoint(path: Path) -> StateDict:
    """Read a checkpoint as a state dict with our names; tensors may be memory-mapped.

    Raises:
        CheckpointError: the file is absent, truncated, wants to run code, or is not a checkpoint.
    """
    return to_our_names(_unwrap(_read(path), path))


def file_sha256(path: Path) -> str:
    """Hash a file: its identity in provenance."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def can_be_mapped(path: Path) -> bool:
    """Whether the tensors that `read_checkpoint` gives lie in the file still; torch's old format is read whole."""
    with path.open("rb") as file:
        return file.read(1) != b"\x80"


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Hash names and values: the identity of weights that have no file."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def architecture_of(state: Mapping[str, Tensor], entries: Iterable[Entry]) -> list[Entry]:
    """List the entries whose architecture the state dict has; those with the longest matching signature."""
    matching = [e for e in entries if e.signature and all(_shape_in(state, k) == s for k, s in e.signature.items())]
    longest = max((len(entry.signature) for entry in matching), default=0)
    return [entry for entry in matching if len(entry.signature) == longest]


def has_text_path(names: Iterable[str]) -> bool:
    """Whether a checkpoint of these names was trained with text; `tiny` exists with and without."""
    return any(name.startswith("text_path.") for name in names)


def has_corrector(names: Iterable[str]) -> bool:
    """Whether a checkpoint of these names has a decoder for corrections; `tiny` exists with and without."""
    return any(name.startswith("corrector.") for name in names)


def load_strictly(
    model: nn.Module,
    state: StateDict,
    *,
    wanted: Entry,
    entries: Iterable[Entry],
    path: Path,
    keep_mapped: bool = False,
) -> None:
    """Load a state dict whose names and shapes must be exactly the model's, and whose values must be numbers.

    Values are copied, so that the file may change afterwards; with `keep_mapped` the tensors themselves become the
    model's, which of a mapped file take memory only while they are read, and which the system may drop at any time.

    Raises:
        CheckpointError: another architecture, missing or unexpected names, other shapes, NaN or infinity.
    """
    name = wanted.card.name
    found = architecture_of(state, entries)
    if found and wanted.signature != found[0].signature:
        raise CheckpointError(
            f"expected a checkpoint of {name}, got one of {found[0].card.name}. "
            f"Load it as {found[0].card.name}, or by its path: {path}"
        )
    expected = model.state_dict()
    missing, unexpected = expected.keys() - state.keys(), state.keys() - expected.keys()
    if missing or unexpected:
        problems = [_count("missing", missing), _count("unexpected", unexpected)]
        raise CheckpointError(f"the checkpoint does not fit {name}: {'; '.join(filter(None, problems))}: {path}")
    for key, tensor in state.items():
        if tensor.shape != expected[key].shape:
            raise CheckpointError(
                f"the checkpoint does not fit {name}: {key} must have shape {_shape(expected[key])}, "
                f"got {_shape(tensor)}: {path}"
            )
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"the checkpoint holds NaN or infinity in {key}; it was damaged in training: {path}")
    if keep_mapped:
        state = {key: tensor.to(expected[key].dtype) for key, tensor in state.items()}
    model.load_state_dict(state, strict=True, assign=keep_mapped)


def to_our_names(state: StateDict) -> StateDict:
    """Bring known layouts to the published one: drop prefixes and derived buffers, rename transformers' names."""
    state = _without_prefix(state)
    if any(key.startswith("vision_encoder.") for key in state):
        state = _from_transformers(state)
    return {key: tensor for key, tensor in state.items() if not _DERIVED.search(key)}


def _read(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(f"expected a checkpoint file, got {'a folder' if path.is_dir() else 'no file'}: {path}")
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(64)
    _check_is_no_stand_in(head, size, path)
    try:
        if _looks_like_safetensors(head, size):
            return load_file(path)
        is_archive = head[:2] == b"PK"
        if is_archive:
            _check_archive(path)
        elif head[:1] != b"\x80":
            raise CheckpointError(
                f"expected a checkpoint (.pth, .pt or .safetensors), got a file that starts with {head[:8]!r}: {path}"
            )
        with warnings.catch_warnings():
            # Of a pickle protocol that may fail to load: if it does, we say so ourselves.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(str(path), map_location="cpu", weights_only=True, mmap=is_archive)
    except pickle.UnpicklingError as error:
        raise _refused(error, path) from error
    except (SafetensorError, zipfile.BadZipFile, EOFError, RuntimeError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"the checkpoint is truncated or damaged ({size:,} bytes). Get it again: {path}"
        ) from error


def _check_is_no_stand_in(head: bytes, size: int, path: Path) -> None:
    if size == 0:
        raise CheckpointError(f"the checkpoint is empty. Get it again: {path}")
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"the file is a Git LFS pointer, not the checkpoint. Run git lfs pull: {path}")
    if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
        raise CheckpointError(f"the file is a web page, not the checkpoint. Download the raw file: {path}")


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist()}
    if "data.pkl" not in names or "constants.pkl" in names:
        what = "a TorchScript program" if "constants.pkl" in names else "another zip archive"
        raise CheckpointError(f"expected a state dict saved by torch, got {what}: {path}")


def _looks_like_safetensors(head: bytes, size: int) -> bool:
    """Whether the file starts as safetensors do: the header's length in eight bytes, then JSON."""
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < max(size, 100_000_000)


def _refused(error: pickle.UnpicklingError, path: Path) -> CheckpointError:
    """Tell a file that wants to run code from one that merely ends too early."""
    name = re.search(r"(?:GLOBAL|global) ([\w.]+)", str(error))
    if "truncated" in str(error) or "ran out of input" in str(error).lower():
        return CheckpointError(f"the checkpoint is truncated or damaged. Get it again: {path}")
    what = f" ({name[1]})" if name else ""
    return CheckpointError(
        f"the checkpoint holds Python objects that could run code{what}, and was not loaded. "
        f"Save its state dict alone, as safetensors, where you trust it: {path}"
    )


def _unwrap(content: Any, path: Path) -> StateDict:
    """Find the state dict inside what training scripts save around it."""
    while isinstance(content, Mapping):
        tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
        inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None and tensors:
            return tensors
        content = inner
    raise CheckpointError(f"expected a state dict of names and tensors, got a file without one: {path}")


def _without_prefix(state: StateDict) -> StateDict:
    """Drop what all names start with before the name of a part: `module.`, `sam.`, `_orig_mod.`."""
    for part in ("mask_decoder.", "vision_encoder.", "image_encoder."):
        found = [prefix for prefix, part_found, _ in (key.partition(part) for key in state) if part_found]
        # The shortest: a part may have a decoder of its own within.
        prefix = min((one for one in found if not one or one.endswith(".")), key=len, default=None)
        if prefix is not None:
            return {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


# transformers' names, as patterns, and ours. Applied in order; each name is changed by every pattern that matches.
_RENAMES: tuple[tuple[str, str], ...] = (
    (r"^shared_image_embedding\.positional_embedding$", "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    (r"^vision_encoder\.patch_embed\.projection\.", "image_encoder.patch_embed.proj."),
    (r"^vision_encoder\.layers\.(\d+)\.layer_norm([12])\.", r"image_encoder.blocks.\1.norm\2."),
    (r"^vision_encoder\.layers\.", "image_encoder.blocks."),
    (r"^vision_encoder\.neck\.conv1\.", "image_encoder.neck.0."),
    (r"^vision_encoder\.neck\.layer_norm1\.", "image_encoder.neck.1."),
    (r"^vision_encoder\.neck\.conv2\.", "image_encoder.neck.2."),
    (r"^vision_encoder\.neck\.layer_norm2\.", "image_encoder.neck.3."),
    (r"^vision_encoder\.", "image_encoder."),
    (r"^prompt_encoder\.point_embed\.", "prompt_encoder.point_embeddings."),
    (r"^prompt_encoder\.mask_embed\.conv1\.", "prompt_encoder.mask_downscaling.0."),
    (r"^prompt_encoder\.mask_embed\.layer_norm1\.", "prompt_encoder.mask_downscaling.1."),
    (r"^prompt_encoder\.mask_embed\.conv2\.", "prompt_encoder.mask_downscaling.3."),
    (r"^prompt_encoder\.mask_embed\.layer_norm2\.", "prompt_encoder.mask_downscaling.4."),
    (r"^prompt_encoder\.mask_embed\.conv3\.", "prompt_encoder.mask_downscaling.6."),
    (r"^mask_decoder\.transformer\.(.*)layer_norm([1-4])\.", r"mask_decoder.transformer.\1norm\2."),
    (r"^mask_decoder\.transformer\.layer_norm_final_attn\.", "mask_decoder.transformer.norm_final_attn."),
    (r"^mask_decoder\.upscale_conv1\.", "mask_decoder.output_upscaling.0."),
    (r"^mask_decoder\.upscale_layer_norm\.", "mask_decoder.output_upscaling.1."),
    (r"^mask_decoder\.upscale_conv2\.", "mask_decoder.output_upscaling.3."),
    (r"^mask_decoder\.hq_token\.", "mask_decoder.hf_token."),
    (r"^mask_decoder\.hq_mask_mlp\.", "mask_decoder.hf_mlp."),
    (r"^mask_decoder\.compress_vit_conv1\.", "mask_decoder.compress_vit_feat.0."),
    (r"^mask_decoder\.compress_vit_norm\.", "mask_decoder.compress_vit_feat.1."),
    (r"^mask_decoder\.compress_vit_conv2\.", "mask_decoder.compress_vit_feat.3."),
    (r"^mask_decoder\.encoder_conv1\.", "mask_decoder.embedding_encoder.0."),
    (r"^mask_decoder\.encoder_norm\.", "mask_decoder.embedding_encoder.1."),
    (r"^mask_decoder\.encoder_conv2\.", "mask_decoder.embedding_encoder.3."),
    (r"^mask_decoder\.mask_conv1\.", "mask_decoder.embedding_maskfeature.0."),
    (r"^mask_decoder\.mask_norm\.", "mask_decoder.embedding_maskfeature.1."),
    (r"^mask_decoder\.mask_conv2\.", "mask_decoder.embedding_maskfeature.3."),
)
# Three-layer perceptrons: transformers numbers only the middle ones.
_PERCEPTRON = re.compile(
    r"^(mask_decoder\.(?:output_hypernetworks_mlps\.\d+|iou_prediction_head|hf_mlp)\.)(proj_in|layers\.0|proj_out)\."
)
_LAYER = {"proj_in": "layers.0", "layers.0": "layers.1", "proj_out": "layers.2"}


def _from_transformers(state: StateDict) -> StateDict:
    # The prompt encoder's position matrix is tied to the image's and stored twice or once, depending on the version.
    twice = "prompt_encoder.shared_embedding.positional_embedding"
    return {_our_name(key): tensor for key, tensor in state.items() if key != twice}


def _our_name(name: str) -> str:
    for pattern, ours in _RENAMES:
        name = re.sub(pattern, ours, name)
    return _PERCEPTRON.sub(lambda match: f"{match[1]}{_LAYER[match[2]]}.", name)


def _shape_in(state: Mapping[str, Tensor], key: str) -> tuple[int, ...] | None:
    return tuple(state[key].shape) if key in state else None


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _count(what: str, keys: set[str]) -> str:
    """Say how many names are missing or unexpected, and show the first few."""
    shown = ", ".join(islice(sorted(keys), _SHOWN))
    more = f", and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"{len(keys)} {what} ({shown}{more})" if keys else ""


__all__ = [
    "StateDict",
    "architecture_of",
    "can_be_mapped",
    "file_sha256",
    "has_corrector",
    "has_text_path",
    "load_strictly",
    "read_checkpoint",
    "state_sha256",
    "to_our_names",
]
