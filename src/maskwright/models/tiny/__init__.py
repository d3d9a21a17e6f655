"""`tiny`, the embedded model: trained by this project, weights in the package, the default of every command."""

from maskwright.models.tiny.model import TinySam
from maskwright.models.tiny.presets import TINY_WEIGHTS, TinyConfig, build_tiny, build_tiny_network, tiny_card

__all__ = ["TINY_WEIGHTS", "TinyConfig", "TinySam", "build_tiny", "build_tiny_network", "tiny_card"]
