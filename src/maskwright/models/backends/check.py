"""How far a runtime's numbers are from PyTorch's, on random images and prompts."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from maskwright.models.backends.manifest import Port
from maskwright.models.backends.parts import NetworkPart
from maskwright.models.backends.runtime import Runtime

# One image for all prompts and one for each, with masks and without, no points at all; rows of a picture.
_NAMES: tuple[str, ...] = ("num_images", "num_prompts", "num_points", "num_mask_inputs", "num_rows")
_COUNTS = ((1, 1, 2, 1, 1), (1, 5, 3, 5, 7), (3, 3, 0, 3, 4))
_LABELS = (-1.0, 0.0, 1.0, 2.0, 3.0)


@torch.no_grad()
def largest_difference(runtime: Runtime, part: NetworkPart, seed: int = 0) -> float:
    """The largest difference of a part's outputs, as a share of the largest value of that output."""
    worst = 0.0
    for inputs in random_inputs(part, seed):
        expected = part.module(*inputs)
        for ours, theirs in zip(runtime.run(part.name, inputs), expected, strict=True):
            if ours.shape != theirs.shape:
                return float("inf")
            worst = max(worst, float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-9)))
    return worst


def random_inputs(part: NetworkPart, seed: int) -> Iterator[tuple[Tensor, ...]]:
    """Make inputs of several counts, each shape once; features come from the examples, since noise is unlike any."""
    generator = torch.Generator().manual_seed(seed)
    seen = set[tuple[tuple[int, ...], ...]]()
    for counts in _COUNTS:
        sizes: dict[str, int] = dict(zip(_NAMES, counts, strict=True))
        shapes = tuple(port.sized(sizes) for port in part.ports.inputs)
        if shapes in seen:  # an encoder knows images only, and those of ViT-H take a minute each
            continue
        seen.add(shapes)
        yield tuple(
            _random(port, example, sizes, generator)
            for port, example in zip(part.ports.inputs, part.examples, strict=True)
        )


def _random(port: Port, example: Tensor, sizes: Mapping[str, int], generator: torch.Generator) -> Tensor:
    shape = port.sized(sizes)
    if port.name == "point_labels":
        return torch.tensor(_LABELS)[torch.randint(len(_LABELS), shape, generator=generator)]
    if port.name == "point_coords":
        return torch.rand(shape, generator=generator) * example.max()
    if port.name == "has_mask_input":
        return torch.full(shape, float(shape[0] > 1))
    if port.name in ("images", "mask_input", "mask_numbers"):
        return torch.randn(shape, generator=generator)
    seen = example[(slice(None), *(slice(0, size) for size in shape[1:]))]
    return seen[torch.arange(shape[0]) % len(seen)]


__all__ = ["largest_difference", "random_inputs"]
