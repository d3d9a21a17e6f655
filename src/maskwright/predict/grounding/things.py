"""Where things come from that instructions are about: a model's own words, a detector and SAM, or CLIP on all masks."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from maskwright.core import BoxPrompt, Image, MaskRecord, TextPrompt, new_id
from maskwright.models.protocol import Model
from maskwright.models.text_protocol import ReadsParts
from maskwright.predict.cache import EmbeddingCache
from maskwright.predict.closer import with_words_found
from maskwright.predict.embedding import ImageEmbedding, embed
from maskwright.predict.everything import everything
from maskwright.predict.grounding.resolve import Find
from maskwright.predict.grounding.shapes import Thing
from maskwright.predict.predict import predict
from maskwright.predict.records import to_records
from maskwright.predict.second_look import look_for_things

if TYPE_CHECKING:
    from maskwright.models.detectors.clip_scorer import ClipScorer
    from maskwright.models.detectors.detector import Detector

_MOST_BOXES = 24


def by_words(model: Model, *, cache: EmbeddingCache | None = None) -> Callable[[Image], Find]:
    """Find things by the words that the model itself takes; a picture is embedded once, when it is first asked about.

    Raises:
        UnsupportedPrompt: asked for, if the model takes no words.
    """

    def find_in(image: Image) -> Find:
        return things_of_model(model, image, embed(model, image, cache=cache), cache=cache)

    return find_in


def by_detector(detector: "Detector", model: Model, *, cache: EmbeddingCache | None = None) -> Callable[[Image], Find]:
    """Find boxes by words with a detector, and draw what is in each with the model."""

    def find_in(image: Image) -> Find:
        return things_of_detector(detector, model, image, embed(model, image, cache=cache))

    return find_in


def by_clip(scorer: "ClipScorer", model: Model, *, cache: EmbeddingCache | None = None) -> Callable[[Image], Find]:
    """Find everything in a picture with the model, and let CLIP say what it is."""

    def find_in(image: Image) -> Find:
        return things_of_masks(scorer, image, everything(model, image, cache=cache))

    return find_in


def things_of_model(
    model: Model, image: Image, embedding: ImageEmbedding, *, cache: EmbeddingCache | None = None
) -> Find:
    """Take all things that a model finds for words, each with its own belief, from the picture and from its parts.

    Of a model that finds no things by themselves, all candidates; belief is its predicted IoU.
    """

    def find(words: str) -> list[Thing]:
        # How sure is sure enough is for the whole instruction to say.
        # A model that was taught words by an adapter keeps its class, but answers by that alone: it is never unsure.
        looks_again = isinstance(model, ReadsParts) and model.card.least_text_belief > 0
        num_masks = 1 if looks_again else model.num_candidates
        records = to_records(predict(model, embedding, [TextPrompt(words)], num_masks=num_masks, min_belief=0.0))
        if looks_again:
            found = look_for_things(model, image, embedding, words, cache=cache)
            records = [replace(with_words_found(records[0], one), id=new_id()) for one in found]
        return [_thing(record, record.scores.predicted_iou or 0.0, words) for record in records]

    return find


def things_of_detector(detector: "Detector", model: Model, image: Image, embedding: ImageEmbedding) -> Find:
    """Let a detector find boxes by words, and a model draw what is in each; belief is the detector's score."""

    def find(words: str) -> list[Thing]:
        found = detector.detect(image, words)
        boxes = [BoxPrompt(tuple(map(float, box))) for box in found.boxes_xyxy[:_MOST_BOXES]]
        if not boxes:
            return []
        records = to_records(predict(model, embedding, boxes))
        return [_thing(record, score, words) for record, score in zip(records, found.scores, strict=False)]

    return find


def things_of_masks(scorer: "ClipScorer", image: Image, records: Sequence[MaskRecord]) -> Find:
    """Let CLIP say how well words describe masks that are there already, as those of `everything`."""
    looks = scorer.look_at(image, [record.rle for record in records])

    def find(words: str) -> list[Thing]:
        beliefs = scorer.beliefs(looks, words)
        return [_thing(record, belief, words) for record, belief in zip(records, beliefs, strict=True)]

    return find


def _thing(record: MaskRecord, belief: float, words: str) -> Thing:
    return Thing(rle=record.rle, belief=float(belief), name=words, record=record)


__all__ = ["by_clip", "by_detector", "by_words", "things_of_detector", "things_of_masks", "things_of_model"]
