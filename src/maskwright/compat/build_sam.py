"""`sam_model_registry` and the `build_sam_*` functions: Meta's, MobileSAM's and HQ-SAM's names in one registry.

Without a checkpoint a network has random weights, for a state dict to be loaded; `tiny` has its own in the package.
"""

import os
from collections.abc import Callable
from functools import partial

from maskwright.compat.sam import Sam
from maskwright.models.loading import load_into, load_model
from maskwright.models.registry import build_model

Checkpoint = str | os.PathLike[str]
Builder = Callable[..., Sam]


def _build(name: str, checkpoint: Checkpoint | None = None) -> Sam:
    """Build a network in eval mode, and load `checkpoint` into it.

    Raises:
        CheckpointError: the checkpoint is damaged, unsafe, or of another architecture.
    """
    network = build_model(name)
    if checkpoint is not None:
        load_into(network, checkpoint)
    return Sam(network).eval()


def build_sam_tiny(checkpoint: Checkpoint | None = None) -> Sam:
    """Build maskwright's own small model; without a checkpoint it has the weights in the package.

    Raises:
        WeightsMissing: this installation has no packaged weights.
    """
    return Sam(load_model("tiny")).eval() if checkpoint is None else _build("tiny", checkpoint)


build_sam_vit_h: Builder = partial(_build, "vit_h")
build_sam_vit_l: Builder = partial(_build, "vit_l")
build_sam_vit_b: Builder = partial(_build, "vit_b")
build_sam_vit_t: Builder = partial(_build, "vit_t")
build_sam = build_sam_vit_h

sam_model_registry: dict[str, Builder] = {
    "default": build_sam_vit_h,
    "vit_h": build_sam_vit_h,
    "vit_l": build_sam_vit_l,
    "vit_b": build_sam_vit_b,
    "vit_t": build_sam_vit_t,
    "hq_vit_h": partial(_build, "hq_vit_h"),
    "hq_vit_l": partial(_build, "hq_vit_l"),
    "hq_vit_b": partial(_build, "hq_vit_b"),
    "hq_vit_tiny": partial(_build, "hq_vit_tiny"),
    "tiny": build_sam_tiny,
}

__all__ = [
    "build_sam",
    "build_sam_tiny",
    "build_sam_vit_b",
    "build_sam_vit_h",
    "build_sam_vit_l",
    "build_sam_vit_t",
    "sam_model_registry",
]
