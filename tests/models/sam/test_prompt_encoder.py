"""Positions keep their digits where a training step has the rest in half precision."""

import torch

from maskwright.models.sam.prompt_encoder import PromptEncoder


def test_positions_are_the_same_under_autocast():
    torch.manual_seed(0)
    encoder = PromptEncoder(side=1024, grid=64, width=64)
    points, labels = torch.rand(3, 2, 2) * 1024, torch.tensor([[1, -1], [2, 3], [0, -1]])

    plain = encoder.tokens(points, labels), encoder.positions()
    with torch.autocast("cpu", torch.bfloat16):
        half = encoder.tokens(points, labels), encoder.positions()

    for a, b in zip(plain, half, strict=True):
        assert torch.equal(a, b)
