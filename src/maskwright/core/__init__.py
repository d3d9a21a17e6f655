"""Values and words: images, prompts, records, provenance, review events and errors. No I/O and no torch."""

from maskwright.core.codec import Json, from_json, to_json
from maskwright.core.image import Frame, FrameRef, Image
from maskwright.core.prompt import (
    BoxPrompt,
    CombinedPrompt,
    MaskPrompt,
    PointPrompt,
    Prompt,
    SinglePrompt,
    TextPrompt,
    prompt_parts,
)
from maskwright.core.provenance import Method, ModelRef, ProcessingStep, Provenance
from maskwright.core.record import MaskRecord, Scores, new_id
from maskwright.core.review_event import Accept, Action, Edit, Merge, Reject, Relabel, Revert, ReviewEvent, Split
from maskwright.core.rle import RLE
from maskwright.core.shapes import BoxXYXY, SizeHW

__all__ = [
    "RLE",
    "Accept",
    "Action",
    "BoxPrompt",
    "BoxXYXY",
    "CombinedPrompt",
    "Edit",
    "Frame",
    "FrameRef",
    "Image",
    "Json",
    "MaskPrompt",
    "MaskRecord",
    "Merge",
    "Method",
    "ModelRef",
    "PointPrompt",
    "ProcessingStep",
    "Prompt",
    "Provenance",
    "Reject",
    "Relabel",
    "Revert",
    "ReviewEvent",
    "Scores",
    "SinglePrompt",
    "SizeHW",
    "Split",
    "TextPrompt",
    "from_json",
    "new_id",
    "prompt_parts",
    "to_json",
]
