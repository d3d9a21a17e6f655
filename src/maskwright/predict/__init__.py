"""Sessions over a model, as values: embed an image once, prompt it many times, leave torch in `to_records`.

The package itself can be called: `mw.predict` is the function until this package is imported, when Python puts
the package in its place, and `mw.predict(model, embedding, prompts)` has to work before and after.
"""

import sys
from types import ModuleType
from typing import Any

from maskwright.predict.across import Question, predict_across
from maskwright.predict.cache import EmbeddingCache, EmbeddingKey
from maskwright.predict.closer import look_closer
from maskwright.predict.embedding import ImageEmbedding, embed, embed_batch
from maskwright.predict.everything import Candidate, everything, find_candidates
from maskwright.predict.everything_settings import BALANCED, FAST, PRESETS, THOROUGH, EverythingSettings, preset_for
from maskwright.predict.hierarchy import PromptTree, predict_tree
from maskwright.predict.looks import Look, look
from maskwright.predict.predict import MaskBatch, predict, refine
from maskwright.predict.records import to_records
from maskwright.predict.upscale import masks_from_logits, upscale_logits

__all__ = [
    "BALANCED",
    "FAST",
    "PRESETS",
    "THOROUGH",
    "Candidate",
    "EmbeddingCache",
    "EmbeddingKey",
    "EverythingSettings",
    "ImageEmbedding",
    "Look",
    "MaskBatch",
    "PromptTree",
    "Question",
    "embed",
    "embed_batch",
    "everything",
    "find_candidates",
    "look",
    "look_closer",
    "masks_from_logits",
    "predict",
    "predict_across",
    "predict_tree",
    "preset_for",
    "refine",
    "to_records",
    "upscale_logits",
]


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> MaskBatch:
        return predict(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
