"""Small layers that the families share: a LayerNorm over channels, an MLP head, an MLP block."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class LayerNorm2d(nn.Module):
    """LayerNorm over the channels of B C H W maps (ConvNeXt's, eps 1e-6 as in SAM)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Normalise each pixel's channels."""
        return F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps).permute(
            0, 3, 1, 2
        )


class MLP(nn.Module):
    """Linear layers with ReLU between them: SAM's hypernetworks and IoU head. `layers.i` as in the checkpoints."""

    def __init__(self, in_width: int, hidden: int, out_width: int, num_layers: int) -> None:
        super().__init__()
        widths = [in_width, *[hidden] * (num_layers - 1), out_width]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Float[Tensor, "*n D"]) -> Float[Tensor, "*n E"]:
        """Apply the layers; no activation after the last."""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class MLPBlock(nn.Module):
    """The transformer's feed-forward: lin1, activation, lin2."""

    def __init__(self, width: int, hidden: int, activation: type[nn.Module]) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)
        self.act = activation()

    def forward(self, x: Float[Tensor, "*n D"]) -> Float[Tensor, "*n D"]:
        """Apply both layers."""
        return self.lin2(self.act(self.lin1(x)))


__all__ = ["MLP", "LayerNorm2d", "MLPBlock"]
