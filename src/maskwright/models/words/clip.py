"""`ClipText`: a frozen CLIP that makes vectors of any words, through transformers. Opened when it is first asked.

`source` is a folder as transformers keeps it, or a name of Hugging Face's whose files are on this machine already:
nothing is downloaded here. A phrase travels as CLIP's own tokens.
"""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from maskwright.core.errors import CheckpointError, PromptError, WeightsMissing
from maskwright.models.transformers_folder import check_library, find_folder, quietly, weights_sha256
from maskwright.models.words.encoders import NO_WORD

USUAL = "openai/clip-vit-base-patch32"
# What a whole CLIP has beside its text half.
_OF_PICTURES = ("vision_model.", "visual_projection.", "logit_scale", "text_model.embeddings.position_ids")
_SHOWN, _MOST_LETTERS = 3, 200


class ClipText:
    """A text encoder whose weights belong to somebody else; it stays on the CPU and remembers what it was asked."""

    def __init__(self, source: str, *, sha256: str = "") -> None:
        self.source = source
        self.folder = find_clip(source)
        self.sha256 = sha256
        self.width = _width(self.folder)
        self._network: Any = None
        self._tokenizer: Any = None
        self._known: dict[tuple[int, ...], Tensor] = {}

    def __deepcopy__(self, memo: Mapping[int, object]) -> "ClipText":
        """Nothing in it ever changes."""
        return self

    def numbers(self, phrase: str) -> tuple[int, ...]:
        """Turn a phrase into CLIP's tokens.

        Raises:
            PromptError: the phrase is longer than CLIP reads.
            CheckpointError, ModelError: CLIP cannot be loaded.
        """
        self._open()
        tokens = tuple(self._tokenizer(phrase)["input_ids"])
        most = self._network.config.max_position_embeddings
        if len(tokens) > most:
            raise PromptError(f"CLIP reads at most {most - 2} tokens, got {len(tokens) - 2}: {phrase[:60]!r}")
        return tokens

    @torch.no_grad()
    def vectors(self, text: Int[Tensor, "N k"]) -> Float[Tensor, "N W"]:
        """Turn padded tokens into vectors of unit length, each phrase by itself and once."""
        return torch.stack([self._vector(tuple(row)) for row in text.tolist()]).to(text.device)

    def _vector(self, row: tuple[int, ...]) -> Float[Tensor, " W"]:
        tokens = tuple(token for token in row if token != NO_WORD)
        if tokens not in self._known:
            self._open()
            found = self._network(input_ids=torch.tensor([tokens])).text_embeds[0]
            self._known[tokens] = found / found.norm()
        return self._known[tokens]

    def checked_sha256(self) -> str:
        """The SHA-256 of the weights.

        Raises:
            CheckpointError: the card of the adapter names other weights.
        """
        found = clip_sha256(self.folder)
        if self.sha256 and found != self.sha256:
            raise CheckpointError(
                f"the words were trained with a text encoder of SHA-256 {self.sha256[:12]}, and the one here is "
                f"{found[:12]}. Get that one, or train the words again: {self.folder}"
            )
        return found

    def _open(self) -> None:
        if self._network is None:
            self.checked_sha256()
            self._network, self._tokenizer = _load(self.folder)


def find_clip(source: str) -> Path:
    """Find the folder of a CLIP: the one named, or Hugging Face's copy on this machine.

    Raises:
        WeightsMissing: it is not here; the message says how to get it.
    """
    return find_folder(source, what="the text encoder")


def usual_clip() -> str | None:
    """The name of the usual CLIP if transformers and its files are here, else None."""
    if importlib.util.find_spec("transformers") is None:
        return None
    try:
        find_clip(USUAL)
    except WeightsMissing:
        return None
    return USUAL


def clip_sha256(folder: Path) -> str:
    """Hash the weights of a CLIP.

    Raises:
        WeightsMissing: there are none.
    """
    return weights_sha256(folder, takes_pickle=True)


def _width(folder: Path) -> int:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind, width = config["model_type"], config.get("projection_dim", 512)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"expected a CLIP with a config.json, got none that can be read ({error}): {folder}"
        ) from error
    if kind not in ("clip", "clip_text_model") or not isinstance(width, int):
        raise CheckpointError(f"expected a CLIP text model, got model_type {kind!r}: {folder}")
    return width


def _load(folder: Path) -> tuple[Any, Any]:
    transformers = check_library("CLIP")
    try:
        with quietly(transformers):
            network, told = transformers.CLIPTextModelWithProjection.from_pretrained(
                folder, local_files_only=True, ignore_mismatched_sizes=True, output_loading_info=True
            )
            tokenizer = transformers.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # a broken file can fail anywhere in transformers and in what it is built on
        why = shorten(str(error) or type(error).__name__, _MOST_LETTERS, placeholder=" ...")
        raise CheckpointError(f"the text encoder cannot be loaded ({why}): {folder}") from error
    unexpected = {name for name in told["unexpected_keys"] if not name.startswith(_OF_PICTURES)}
    wrong = sorted({*told["missing_keys"], *unexpected, *(name for name, *_ in told["mismatched_keys"])})
    if wrong:
        some = ", ".join(wrong[:_SHOWN]) + (", ..." if len(wrong) > _SHOWN else "")
        raise CheckpointError(f"{len(wrong)} parameters are not those of a CLIP text model ({some}): {folder}")
    return network.eval().requires_grad_(False), tokenizer


__all__ = ["USUAL", "ClipText", "clip_sha256", "find_clip", "usual_clip"]
