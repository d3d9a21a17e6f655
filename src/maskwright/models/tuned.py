"""A fine-tuned checkpoint as a product: a folder with `tuned.safetensors`, what changed and nothing else, and its card.

The card says which checkpoint it changes (name and SHA-256), on which data, under which terms, how much better it is on
what was held out, and the command that made it. It lies inside the safetensors file too, so that the file alone is
enough; `card.json` is for people. Such a checkpoint loads by its path wherever a model is named. One that was tuned
again is written against the first base, so there are no chains.
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from maskwright.core.errors import CheckpointError

FILE, CARD = "tuned.safetensors", "card.json"
FORMAT = "maskwright-tuned-1"
_KEY = "maskwright_tuned"
# What `Features` depend on: as long as none of these changed, embeddings of the base serve the tuned model too.
ENCODING = ("image_encoder.", "mask_decoder.compress_vit_feat.", "mask_decoder.embedding_encoder.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedCard:
    """What is known of a fine-tuned checkpoint.

    `base` is a registered name or the path of a checkpoint file. `data` says what it was trained on (fingerprint,
    counts, licences), `metrics` holds scores `before` and `after` on held-out data, `general` the same on other data.
    `words` is of checkpoints with a text adapter: its vocabulary and its text encoder.
    """

    base: str
    base_sha256: str
    parts: str
    licence: str
    created_at: str
    command: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    general: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    words: Mapping[str, Any] = field(default_factory=dict)
    maskwright: str = ""
    format: str = FORMAT

    def to_json(self) -> str:
        """Write the card as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"


def save_tuned(folder: Path, changed: Mapping[str, Tensor], card: TunedCard) -> Path:
    """Write the parameters that changed, and the card; returns the safetensors file, which appears last.

    Raises:
        CheckpointError: the folder cannot be written, or a parameter is no number any more.
    """
    for name, tensor in changed.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{name} is no number any more, so nothing was written: {folder}")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in changed.items()}
    file, partial = folder / FILE, folder / f".{FILE}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial, {_KEY: card.to_json()})
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        (folder / f".{CARD}.partial").write_text(card.to_json(), encoding="utf-8")
        (folder / f".{CARD}.partial").replace(folder / CARD)
        partial.replace(file)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"the checkpoint could not be written ({error}): {folder}") from error
    return file


def tuned_file(path: Path) -> Path | None:
    """The safetensors file of a fine-tuned checkpoint: of its folder, or that file itself; None if it is none."""
    file = path / FILE if path.is_dir() else path
    if file.suffix != ".safetensors" or not file.is_file():
        return None
    try:
        with safe_open(file, "pt") as opened:
            return file if _KEY in (opened.metadata() or {}) else None
    except (SafetensorError, OSError):
        return file if path.is_dir() else None  # of a file that is no checkpoint at all, the usual door tells


def read_tuned_card(file: Path) -> TunedCard:
    """Read the card inside the file.

    Raises:
        CheckpointError: it is damaged, or of a newer version.
    """
    try:
        with safe_open(file, "pt") as opened:
            values = json.loads((opened.metadata() or {})[_KEY])
        if values["format"] != FORMAT:
            raise CheckpointError(f"expected a tuned checkpoint of {FORMAT}, got {values['format']!r}: {file}")
        return TunedCard(**values)
    except CheckpointError:
        raise
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"the tuned checkpoint is damaged ({error}). Get it again: {file}") from error


def read_changed(file: Path) -> dict[str, Tensor]:
    """Read the parameters that changed.

    Raises:
        CheckpointError: the file is damaged.
    """
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"the tuned checkpoint is damaged ({error}). Get it again: {file}") from error


def changed_of(state: Mapping[str, Tensor], base: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take the parameters that differ from the base's, or that it lacks."""
    return {
        name: tensor.detach().clone()
        for name, tensor in state.items()
        if name not in base or not torch.equal(tensor.cpu(), base[name].cpu())
    }


def apply_changed(model: torch.nn.Module, changed: Mapping[str, Tensor], file: Path) -> None:
    """Put the changed parameters into a network that holds the base's.

    Raises:
        CheckpointError: a name or shape is not the network's, or a value is no number.
    """
    own = model.state_dict()
    for name, tensor in changed.items():
        if name not in own or own[name].shape != tensor.shape:
            shape = tuple(own[name].shape) if name in own else "none of that name"
            raise CheckpointError(f"the base has {shape} for {name}, the file {tuple(tensor.shape)}: {file}")
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"the checkpoint holds NaN or infinity in {name}: {file}")
    model.load_state_dict(dict(changed), strict=False)


def keeps_encoder(changed: Mapping[str, Tensor]) -> bool:
    """Whether images are encoded as by the base, so that its embeddings can be shared."""
    return not any(name.startswith(ENCODING) for name in changed)


__all__ = [
    "CARD",
    "ENCODING",
    "FILE",
    "FORMAT",
    "TunedCard",
    "apply_changed",
    "changed_of",
    "keeps_encoder",
    "read_changed",
    "read_tuned_card",
    "save_tuned",
    "tuned_file",
]
