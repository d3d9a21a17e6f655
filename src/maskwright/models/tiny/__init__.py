"""`tiny`, the embedded model: trained by this project, weights in the package, the default of every command.

Names are resolved on first use, so that its vocabulary costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskwright.models.tiny.model import TinySam as TinySam
    from maskwright.models.tiny.presets import TINY_WEIGHTS as TINY_WEIGHTS
    from maskwright.models.tiny.presets import TinyConfig as TinyConfig
    from maskwright.models.tiny.presets import build_tiny as build_tiny
    from maskwright.models.tiny.presets import build_tiny_network as build_tiny_network
    from maskwright.models.tiny.presets import tiny_card as tiny_card


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'maskwright.models.tiny' has no attribute {name!r}")
    return getattr(import_module(f"maskwright.models.tiny.{'model' if name == 'TinySam' else 'presets'}"), name)


__all__ = ["TINY_WEIGHTS", "TinyConfig", "TinySam", "build_tiny", "build_tiny_network", "tiny_card"]
