"""Sessions over a model, as values: embed an image once, predict from prompts many times, leave torch in `to_records`."""

from maskwright.predict.cache import EmbeddingCache, EmbeddingKey
from maskwright.predict.embedding import ImageEmbedding, embed, embed_batch
from maskwright.predict.hierarchy import PromptTree, predict_tree
from maskwright.predict.predict import MaskBatch, predict, refine
from maskwright.predict.records import to_records

__all__ = [
    "EmbeddingCache",
    "EmbeddingKey",
    "ImageEmbedding",
    "MaskBatch",
    "PromptTree",
    "embed",
    "embed_batch",
    "predict",
    "predict_tree",
    "refine",
    "to_records",
]
