"""One module per format: frames are read from it, records written to it. No torch, so a reader pays for no network."""

from maskwright.datasets.images import find_images, iter_images, read_image
from maskwright.datasets.medical import (
    CT_WINDOWS,
    Intensity,
    Percentiles,
    Window,
    parse_percentiles,
    parse_window,
)
from maskwright.datasets.sources import open_source

__all__ = [
    "CT_WINDOWS",
    "Intensity",
    "Percentiles",
    "Window",
    "find_images",
    "iter_images",
    "open_source",
    "parse_percentiles",
    "parse_window",
    "read_image",
]
