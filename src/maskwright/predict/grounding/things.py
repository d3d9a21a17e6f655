"""Where things come from that instructions are about: a model's words, a detector with SAM, CLIP, or given masks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from maskwright.core import BoxPrompt, Image, MaskRecord
from maskwright.models.protocol import Model
from maskwright.predict.embedding import ImageEmbedding
from maskwright.predict.grounding.resolve import Find
from maskwright.predict.grounding.shapes import Thing
from maskwright.predict.predict import predict
from maskwright.predict.records import to_records

if TYPE_CHECKING:
    from maskwright.models.detectors.clip_scorer import ClipScorer
    from maskwright.models.detectors.detector import Detector

_MOST_BOXES = 24


def things_of_detector(detector: "Detector", model: Model, image: Image, embedding: ImageEmbedding) -> Find:
    """Let a detector find boxes by words, and a model draw what is in each; belief is the detector's score."""

    def find(words: str) -> list[Thing]:
        found = detector.detect(image, words)
        boxes = [BoxPrompt(tuple(map(float, box))) for box in found.boxes_xyxy[:_MOST_BOXES]]
        if not boxes:
            return []
        records = to_records(predict(model, embedding, boxes))
        return [
            Thing(rle=record.rle, belief=float(score), name=words, record=record)
            for record, score in zip(records, found.scores, strict=False)
        ]

    return find


def things_of_masks(scorer: "ClipScorer", image: Image, records: Sequence[MaskRecord]) -> Find:
    """Let CLIP say how well words describe masks that are there already, as those of `everything`."""
    looks = scorer.look_at(image, [record.rle for record in records])

    def find(words: str) -> list[Thing]:
        beliefs = scorer.beliefs(looks, words)
        return [
            Thing(rle=record.rle, belief=float(belief), name=words, record=record)
            for record, belief in zip(records, beliefs, strict=True)
        ]

    return find


__all__ = ["things_of_detector", "things_of_masks"]
