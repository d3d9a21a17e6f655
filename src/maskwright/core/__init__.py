"""Values and words: images, prompts, records, provenance, review events and errors. No I/O and no torch.

Names are resolved on first use, so that an error class or a setting costs no numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskwright.core.codec import Json as Json
    from maskwright.core.codec import from_json as from_json
    from maskwright.core.codec import to_json as to_json
    from maskwright.core.image import Frame as Frame
    from maskwright.core.image import FrameRef as FrameRef
    from maskwright.core.image import Image as Image
    from maskwright.core.prompt import BoxPrompt as BoxPrompt
    from maskwright.core.prompt import CombinedPrompt as CombinedPrompt
    from maskwright.core.prompt import MaskPrompt as MaskPrompt
    from maskwright.core.prompt import PointPrompt as PointPrompt
    from maskwright.core.prompt import Prompt as Prompt
    from maskwright.core.prompt import SinglePrompt as SinglePrompt
    from maskwright.core.prompt import TextPrompt as TextPrompt
    from maskwright.core.prompt import prompt_parts as prompt_parts
    from maskwright.core.provenance import Method as Method
    from maskwright.core.provenance import ModelRef as ModelRef
    from maskwright.core.provenance import ProcessingStep as ProcessingStep
    from maskwright.core.provenance import Provenance as Provenance
    from maskwright.core.record import MaskRecord as MaskRecord
    from maskwright.core.record import Scores as Scores
    from maskwright.core.record import new_id as new_id
    from maskwright.core.resolved import ResolvedRecord as ResolvedRecord
    from maskwright.core.resolved import SignedComment as SignedComment
    from maskwright.core.resolved import Status as Status
    from maskwright.core.review_event import Accept as Accept
    from maskwright.core.review_event import Action as Action
    from maskwright.core.review_event import Comment as Comment
    from maskwright.core.review_event import Edit as Edit
    from maskwright.core.review_event import Merge as Merge
    from maskwright.core.review_event import Reject as Reject
    from maskwright.core.review_event import Relabel as Relabel
    from maskwright.core.review_event import Reparent as Reparent
    from maskwright.core.review_event import Retrack as Retrack
    from maskwright.core.review_event import Revert as Revert
    from maskwright.core.review_event import ReviewEvent as ReviewEvent
    from maskwright.core.review_event import Split as Split
    from maskwright.core.rle import RLE as RLE
    from maskwright.core.shapes import BoxXYXY as BoxXYXY
    from maskwright.core.shapes import SizeHW as SizeHW
    from maskwright.core.track import TrackPoint as TrackPoint
    from maskwright.core.track import TrackSource as TrackSource
    from maskwright.core.track import TrackState as TrackState
    from maskwright.core.track import anchor as anchor

_HOMES = {
    "codec": ("Json", "from_json", "to_json"),
    "image": ("Frame", "FrameRef", "Image"),
    "prompt": (
        "BoxPrompt",
        "CombinedPrompt",
        "MaskPrompt",
        "PointPrompt",
        "Prompt",
        "SinglePrompt",
        "TextPrompt",
        "prompt_parts",
    ),
    "provenance": ("Method", "ModelRef", "ProcessingStep", "Provenance"),
    "record": ("MaskRecord", "Scores", "new_id"),
    "resolved": ("ResolvedRecord", "SignedComment", "Status"),
    "review_event": (
        "Accept",
        "Action",
        "Comment",
        "Edit",
        "Merge",
        "Reject",
        "Relabel",
        "Reparent",
        "Retrack",
        "Revert",
        "ReviewEvent",
        "Split",
    ),
    "rle": ("RLE",),
    "shapes": ("BoxXYXY", "SizeHW"),
    "track": ("TrackPoint", "TrackSource", "TrackState", "anchor"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'maskwright.core' has no attribute {name!r}")
    value = getattr(import_module(f"maskwright.core.{_HOME_OF[name]}"), name)
    globals()[name] = value  # found once, an ordinary name from then on
    return value


def __dir__() -> list[str]:
    return sorted(_HOME_OF)


__all__ = [
    "RLE",
    "Accept",
    "Action",
    "BoxPrompt",
    "BoxXYXY",
    "CombinedPrompt",
    "Comment",
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
    "Reparent",
    "ResolvedRecord",
    "Retrack",
    "Revert",
    "ReviewEvent",
    "Scores",
    "SignedComment",
    "SinglePrompt",
    "SizeHW",
    "Split",
    "Status",
    "TextPrompt",
    "TrackPoint",
    "TrackSource",
    "TrackState",
    "anchor",
    "from_json",
    "new_id",
    "prompt_parts",
    "to_json",
]
