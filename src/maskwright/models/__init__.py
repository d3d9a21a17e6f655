"""The networks, one folder per family; what is known about each (cards), by name (registry), and where weights lie.

`load_model` gives a model ready to run, `load_video_model` one that follows objects through video, `build_model` one
with random weights, `list_models` the cards. Names are resolved on first use, so that listing models costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskwright.models.cards import ModelCard as ModelCard
    from maskwright.models.frame import FrameSpec as FrameSpec
    from maskwright.models.frame import ModelFrame as ModelFrame
    from maskwright.models.loading import load_model as load_model
    from maskwright.models.protocol import Features as Features
    from maskwright.models.protocol import FramePrompts as FramePrompts
    from maskwright.models.protocol import Model as Model
    from maskwright.models.registry import build_model as build_model
    from maskwright.models.registry import find_card as find_card
    from maskwright.models.registry import list_models as list_models
    from maskwright.models.transformers_video.loading import load_video_model as load_video_model
    from maskwright.models.video_protocol import VideoModel as VideoModel
    from maskwright.models.weights import has_weights as has_weights
    from maskwright.models.weights import import_file as import_file
    from maskwright.models.weights import pull as pull
    from maskwright.models.weights import verify as verify

_HOME_OF = {
    "ModelCard": "cards",
    "FrameSpec": "frame",
    "ModelFrame": "frame",
    "load_model": "loading",
    "Features": "protocol",
    "FramePrompts": "protocol",
    "Model": "protocol",
    "build_model": "registry",
    "find_card": "registry",
    "list_models": "registry",
    "load_video_model": "transformers_video.loading",
    "VideoModel": "video_protocol",
    "has_weights": "weights",
    "import_file": "weights",
    "pull": "weights",
    "verify": "weights",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'maskwright.models' has no attribute {name!r}")
    return getattr(import_module(f"maskwright.models.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOME_OF)


__all__ = [
    "Features",
    "FramePrompts",
    "FrameSpec",
    "Model",
    "ModelCard",
    "ModelFrame",
    "VideoModel",
    "build_model",
    "find_card",
    "has_weights",
    "import_file",
    "list_models",
    "load_model",
    "load_video_model",
    "pull",
    "verify",
]
