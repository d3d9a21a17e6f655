"""maskwright: promptable segmentation for robot data.

    import maskwright as mw
    model = mw.load_model("tiny")
    embedding = mw.embed(model, mw.read_image("photo.jpg"))
    masks = mw.predict(model, embedding, [mw.PointPrompt([(500, 375)])])

Names are resolved on first use, so that `import maskwright` costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "maskwright.client": ("AsyncClient", "Client"),
    "maskwright.core": (
        "BoxPrompt",
        "CombinedPrompt",
        "Frame",
        "FrameRef",
        "Image",
        "MaskPrompt",
        "MaskRecord",
        "PointPrompt",
        "Prompt",
        "Provenance",
        "ReviewEvent",
        "RLE",
        "TextPrompt",
    ),
    "maskwright.datasets": ("read_image",),
    "maskwright.models": ("list_models", "load_model"),
    "maskwright.predict": (
        "embed",
        "embed_batch",
        "everything",
        "look",
        "look_closer",
        "predict",
        "refine",
        "to_records",
    ),
    "maskwright.predict.tracking": ("TrackSettings", "make_tracker", "propagate", "propagate_both_ways"),
    "maskwright.robot.perceiver": ("Perceiver",),
    "maskwright.robot.perceiver_values": ("PerceiverSettings",),
    "maskwright.workflows.pictures": ("example_path",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

if TYPE_CHECKING:
    from maskwright.client import AsyncClient as AsyncClient
    from maskwright.client import Client as Client
    from maskwright.core import RLE as RLE
    from maskwright.core import BoxPrompt as BoxPrompt
    from maskwright.core import CombinedPrompt as CombinedPrompt
    from maskwright.core import Frame as Frame
    from maskwright.core import FrameRef as FrameRef
    from maskwright.core import Image as Image
    from maskwright.core import MaskPrompt as MaskPrompt
    from maskwright.core import MaskRecord as MaskRecord
    from maskwright.core import PointPrompt as PointPrompt
    from maskwright.core import Prompt as Prompt
    from maskwright.core import Provenance as Provenance
    from maskwright.core import ReviewEvent as ReviewEvent
    from maskwright.core import TextPrompt as TextPrompt
    from maskwright.datasets import read_image as read_image
    from maskwright.models import list_models as list_models
    from maskwright.models import load_model as load_model
    from maskwright.predict import embed as embed
    from maskwright.predict import embed_batch as embed_batch
    from maskwright.predict import everything as everything
    from maskwright.predict import look as look
    from maskwright.predict import look_closer as look_closer
    from maskwright.predict import predict as predict
    from maskwright.predict import refine as refine
    from maskwright.predict import to_records as to_records
    from maskwright.predict.tracking import TrackSettings as TrackSettings
    from maskwright.predict.tracking import make_tracker as make_tracker
    from maskwright.predict.tracking import propagate as propagate
    from maskwright.predict.tracking import propagate_both_ways as propagate_both_ways
    from maskwright.robot.perceiver import Perceiver as Perceiver
    from maskwright.robot.perceiver_values import PerceiverSettings as PerceiverSettings
    from maskwright.workflows.pictures import example_path as example_path


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'maskwright' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*_HOME_OF, "__version__"])


__all__ = ["__version__", *_HOME_OF]
