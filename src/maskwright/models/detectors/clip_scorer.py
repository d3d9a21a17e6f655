"""`ClipScorer`: how well words describe masks, by CLIP on crops of them; for networks that take no words themselves."""

import os
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from maskwright.core import RLE, Image, ModelRef
from maskwright.core.errors import CheckpointError, PromptError
from maskwright.masks import box_xyxy, decode
from maskwright.models.loading import find_device
from maskwright.models.transformers_folder import check_library, find_folder, quietly, weights_sha256
from maskwright.models.words.clip import USUAL

# What a mask may show instead of what is asked for.
_RIVALS = ("an object", "a part of something", "the background", "a table", "a wall", "the floor")
_MARGIN = 0.15  # of the box's longer side, so that a thing is seen with a little of what is around it
_DIM = 0.35  # what is left of what is around it
_BATCH, _MOST_LETTERS = 16, 200


class ClipScorer:
    """CLIP's image and text encoders, frozen. A mask is seen as a square crop in which the rest is dimmed."""

    def __init__(self, *, network: Any, processor: Any, ref: ModelRef) -> None:
        self.ref = ref
        self._network, self._processor = network, processor
        self._rivals: Tensor | None = None

    def look_at(self, image: Image, masks: Sequence[RLE]) -> Float[Tensor, "N D"]:
        """Embed masks of one image, as vectors of unit length; empty masks are zero."""
        crops = [_crop_of(image.pixels, rle) for rle in masks]
        vectors = torch.zeros(len(masks), self._network.config.projection_dim)
        there = [i for i, crop in enumerate(crops) if crop is not None]
        for first in range(0, len(there), _BATCH):
            some = there[first : first + _BATCH]
            vectors[some] = self._embed(images=[crops[i] for i in some])
        return vectors

    def beliefs(self, looks: Float[Tensor, "N D"], phrase: str) -> Float[np.ndarray, " N"]:
        """How likely a phrase, and nothing else that a mask may show, describes each look, 0 to 1.

        Raises:
            PromptError: the phrase is empty, or longer than CLIP reads.
        """
        words = phrase.strip()
        most = self._network.config.text_config.max_position_embeddings
        if not words:
            raise PromptError("a phrase needs words that name something, got none")
        num_tokens = len(self._processor.tokenizer(f"a photo of {words}")["input_ids"])
        if num_tokens > most:
            raise PromptError(f"CLIP reads at most {most} tokens, got {num_tokens}: {words[:40]!r}")
        if self._rivals is None:
            self._rivals = self._embed(text=[f"a photo of {rival}" for rival in _RIVALS])
        texts = torch.cat([self._embed(text=[f"a photo of a {words}"]), self._rivals])
        with torch.no_grad():
            chances = (self._network.logit_scale.exp().cpu() * looks @ texts.T).softmax(1)[:, 0]
        return (chances * (looks.abs().sum(1) > 0)).numpy()

    @torch.no_grad()
    def _embed(self, **what: Any) -> Float[Tensor, "N D"]:
        padding = {"padding": True, "truncation": True} if "text" in what else {}
        given = self._processor(**what, return_tensors="pt", **padding).to(self._network.device)
        of_kind = self._network.get_text_features if "text" in what else self._network.get_image_features
        found = of_kind(**given)
        vectors = found if isinstance(found, Tensor) else found.pooler_output
        return (vectors / vectors.norm(dim=-1, keepdim=True)).float().cpu()


def load_clip_scorer(source: str | os.PathLike[str] = USUAL, *, device: str | torch.device = "cpu") -> ClipScorer:
    """Load a CLIP from a folder, or by a name of Hugging Face's whose files are on this machine.

    Raises:
        WeightsMissing: it is not on this machine; the message says how to get it.
        CheckpointError: the folder is damaged, or holds no CLIP.
        ModelError: transformers is not installed.
        SettingError: there is no such device here.
    """
    place = find_device(device)
    folder = find_folder(str(source), what="the CLIP")
    name = folder.name if Path(source).expanduser().is_dir() else str(source)
    ref = ModelRef(name=name, family="clip", checkpoint_sha256=weights_sha256(folder, takes_pickle=True))
    transformers = check_library("CLIP")
    try:
        with quietly(transformers):
            network, told = transformers.CLIPModel.from_pretrained(
                folder,
                local_files_only=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
            processor = transformers.AutoProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # a broken file can fail anywhere in transformers and in what it is built on
        why = shorten(str(error) or type(error).__name__, _MOST_LETTERS, placeholder=" ...")
        raise CheckpointError(f"CLIP cannot be loaded from this checkpoint ({why}): {folder}") from error
    wrong = sorted({*told["missing_keys"], *(name for name, *_ in told["mismatched_keys"])})
    if wrong:
        raise CheckpointError(f"{len(wrong)} parameters are not those of CLIP ({wrong[0]}): {folder}")
    return ClipScorer(network=network.to(place).eval().requires_grad_(False), processor=processor, ref=ref)


def _crop_of(pixels: UInt8[np.ndarray, "H W 3"], rle: RLE) -> UInt8[np.ndarray, "s s 3"] | None:
    """Cut a square around a mask, with what is not the mask dimmed and the square padded in gray."""
    dense = decode(rle)
    if not dense.any():
        return None
    x1, y1, x2, y2 = (round(value) for value in box_xyxy(rle))
    side = max(2, round(max(x2 - x1, y2 - y1) * (1 + 2 * _MARGIN)))
    left, top = (x1 + x2 - side) // 2, (y1 + y2 - side) // 2
    height, width = dense.shape
    inner = np.s_[max(0, top) : min(height, top + side), max(0, left) : min(width, left + side)]
    seen = pixels[inner].astype(np.float32)
    blurred = cv2.GaussianBlur(seen, (0, 0), max(1.0, side / 16))
    seen = np.where(dense[inner][..., None], seen, _DIM * blurred + (1 - _DIM) * 127.0)
    square = np.full((side, side, 3), 127, np.uint8)
    y, x = max(0, -top), max(0, -left)
    square[y : y + seen.shape[0], x : x + seen.shape[1]] = seen.round().astype(np.uint8)
    return square


__all__ = ["USUAL", "ClipScorer", "load_clip_scorer"]
