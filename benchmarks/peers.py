"""The peers: Meta's repository from a checkout that the user names, and `transformers` from PyPI, with our weights.

All contenders load the same state dict (golden-like random weights by parameter name), written once to a file. Meta's
package imports torchvision for a resize and for NMS; where torchvision is not installed, those functions are stood in
for, so that the reference runs as it is. MobileSAM's package also imports timm for four small things, which are stood
in for in the same way: timm itself does not import without torchvision.
"""

import hashlib
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def random_weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Draw weights by name, at a scale that keeps activations in range; the same on every machine."""
    weights: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.zeros(shape, dtype=torch.long)
            continue
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
        draw = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
            draw = 1 + 0.1 * draw.clip(-3, 3)
        elif len(shape) == 1:
            draw *= 0.05
        elif "pos" not in name and "embed" not in name.split(".")[-2]:
            draw /= np.sqrt(fan_in)
        else:
            draw *= 0.2
        weights[name] = torch.from_numpy(np.asarray(draw, np.float32))
    return weights


def stand_in_for_torchvision() -> None:
    """Give Meta's package the four torchvision functions that it imports, where torchvision is absent."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        pass
    else:
        return
    from PIL import Image

    def resize(image: Image.Image, size: list[int]) -> Image.Image:
        return image.resize((size[1], size[0]), Image.Resampling.BILINEAR)

    def to_pil_image(array: np.ndarray) -> Image.Image:
        return Image.fromarray(array)

    def box_area(boxes: Tensor) -> Tensor:
        return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])

    def batched_nms(boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
        shifted = boxes + (groups.float() * (boxes.max() + 1))[:, None] if len(boxes) else boxes
        order = scores.argsort(descending=True, stable=True)
        areas = box_area(shifted)
        kept = []
        while len(order):
            i, order = order[0], order[1:]
            kept.append(i)
            low, high = (
                torch.maximum(shifted[i, :2], shifted[order, :2]),
                torch.minimum(shifted[i, 2:], shifted[order, 2:]),
            )
            inside = (high - low).clamp(min=0).prod(-1)
            order = order[~(inside / (areas[i] + areas[order] - inside) > iou_threshold)]
        return torch.stack(kept) if kept else torch.zeros(0, dtype=torch.long)

    _module("torchvision", __version__="stand-in")
    _module("torchvision.ops")
    _module("torchvision.ops.boxes", batched_nms=batched_nms, box_area=box_area)
    _module("torchvision.transforms")
    _module("torchvision.transforms.functional", resize=resize, to_pil_image=to_pil_image)


def stand_in_for_timm() -> None:
    """Give MobileSAM's package what it imports from timm, where timm is absent or does not import.

    None of it does any work in the timed forward pass: drop path is the identity outside training, the rest is used
    while the network is built.
    """
    try:
        import timm.models.layers  # noqa: F401
    except ImportError:
        pass
    else:
        return

    class DropPath(nn.Module):
        def __init__(self, drop_prob: float = 0.0) -> None:
            super().__init__()
            self.drop_prob = drop_prob

        def forward(self, x: Tensor) -> Tensor:
            if self.training and self.drop_prob:
                raise NotImplementedError("the stand-in for timm's DropPath only knows evaluation; install timm")
            return x

    def to_2tuple(value: Any) -> tuple[Any, Any]:
        return tuple(value) if isinstance(value, tuple | list) else (value, value)

    _module("timm")
    _module("timm.models")
    _module("timm.models.layers", DropPath=DropPath, to_2tuple=to_2tuple, trunc_normal_=torch.nn.init.trunc_normal_)
    _module("timm.models.registry", register_model=lambda build: build)


def _module(name: str, **members: Any) -> None:
    made = types.ModuleType(name)
    made.__dict__.update(members)
    sys.modules[name] = made


def reference_model(checkout: str, name: str, weights: str) -> nn.Module:
    """Build Meta's (or MobileSAM's) own network from a checkout, with the weights of the file."""
    if not Path(checkout).is_dir():
        sys.exit(f"--reference must be a checkout of the reference repository, got no folder at {checkout}")
    stand_in_for_torchvision()
    if name == "vit_t":
        stand_in_for_timm()
    sys.path.insert(0, checkout)
    package = "mobile_sam" if name == "vit_t" else "segment_anything"
    registry = __import__(package).sam_model_registry
    model = registry[name](checkpoint=None)
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


def our_model(name: str, weights: str) -> Any:
    """Build our network with the weights of the file."""
    from maskwright.models import build_model

    model = build_model(name)
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


def transformers_model(weights: str, attention: str) -> nn.Module:
    """Build transformers' SamModel (ViT-B) with the weights of the file."""
    from transformers import SamConfig, SamModel

    from maskwright.models.checkpoint import to_our_names

    model = SamModel(SamConfig(attn_implementation=attention))
    weights_by_name = torch.load(weights, weights_only=True)
    for name, tensor in to_our_names(model.state_dict()).items():
        tensor.copy_(weights_by_name[name])
    return model.eval()


def write_weights(name: str, path: Path) -> None:
    """Write the shared weights of a model to a file."""
    from maskwright.models import build_model

    shapes = {key: tuple(value.shape) for key, value in build_model(name).state_dict().items()}
    torch.save(random_weights(shapes), path)
