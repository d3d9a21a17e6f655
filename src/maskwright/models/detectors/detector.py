"""`Detector`: boxes of everything in a picture that words hold of, and how surely."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float

from maskwright.core import Image, ModelRef
from maskwright.core.errors import PromptError, SettingError
from maskwright.models.detectors.families import OWLV2, DetectorFamily

# Below this, detectors see words everywhere; who asks decides what is sure enough.
MIN_SCORE = 0.05
_LEAST_SIDE = 1.0  # pixel


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundByDetector:
    """N boxes as x1, y1, x2, y2 in image pixels, within the image, and their scores (0 to 1), the highest first."""

    boxes_xyxy: Float[np.ndarray, "N 4"]
    scores: Float[np.ndarray, " N"]


class Detector(Protocol):
    """Words to boxes."""

    ref: ModelRef

    def detect(self, image: Image, phrase: str, *, min_score: float = MIN_SCORE) -> FoundByDetector:
        """Find what a phrase holds of.

        Raises:
            PromptError: the phrase is empty, or longer than the detector reads.
            SettingError: `min_score` is not within 0 and 1.
        """
        ...


class TransformersDetector:
    """OWLv2 or Grounding DINO with its own processor: transformers resizes, tokenizes and scales boxes back."""

    def __init__(self, *, family: DetectorFamily, network: Any, processor: Any, ref: ModelRef) -> None:
        self.family, self.ref = family, ref
        self._network, self._processor = network, processor

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self._network.device

    @torch.no_grad()
    def detect(self, image: Image, phrase: str, *, min_score: float = MIN_SCORE) -> FoundByDetector:
        """Find what a phrase holds of; one pass of the network."""
        if not 0 <= min_score <= 1:
            raise SettingError(f"min_score must be between 0 and 1, got {min_score}")
        words = phrase.strip().lower().rstrip(".")
        if not words:
            raise PromptError("a detector needs words that name something, got none")
        given = self._read(image, words)
        answers = self._network(**given.to(self.device))
        height, width = image.size_hw
        how: dict[str, Any] = {"threshold": min_score, "target_sizes": torch.tensor([[height, width]])}
        if self.family is not OWLV2:
            how |= {"input_ids": given["input_ids"], "text_threshold": min_score}
        found = self._processor.post_process_grounded_object_detection(answers, **how)[0]
        return _within(found["boxes"].cpu().numpy(), found["scores"].cpu().numpy(), (height, width))

    def _read(self, image: Image, words: str) -> Any:
        is_owl = self.family is OWLV2
        text = [[words]] if is_owl else f"{words}."
        tokens = self._processor.tokenizer(words if is_owl else text)["input_ids"]
        config = self._network.config
        most = config.text_config.max_position_embeddings if is_owl else config.max_text_len
        if len(tokens) > most:
            raise PromptError(
                f"{self.family.title} reads at most {most} tokens, got {len(tokens)}: {phrase_start(words)!r}"
            )
        return self._processor(text=text, images=image.pixels, return_tensors="pt")


def phrase_start(words: str) -> str:
    """Shorten a phrase for an error."""
    return words if len(words) <= 40 else f"{words[:40]} ..."


def _within(
    boxes: Float[np.ndarray, "N 4"], scores: Float[np.ndarray, " N"], size_hw: tuple[int, int]
) -> FoundByDetector:
    """Cut boxes at the image's edges and drop what is left without an inside; OWLv2 also sees its padding."""
    height, width = size_hw
    boxes = np.clip(boxes.astype(np.float32), 0, np.array([width, height, width, height], np.float32))
    is_there = np.all(boxes[:, 2:] - boxes[:, :2] >= _LEAST_SIDE, axis=1)
    order = np.argsort(-scores, kind="stable")
    order = order[is_there[order]]
    return FoundByDetector(boxes_xyxy=boxes[order], scores=scores[order].astype(np.float32))


__all__ = ["MIN_SCORE", "Detector", "FoundByDetector", "TransformersDetector"]
