"""The checks of shapes that run with all tests: they leave out what was right before, and nothing else."""

import itertools
from dataclasses import dataclass

import jaxtyping
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

import typecheck


def checked(function):
    return typecheck.jaxtyped(function, typechecker=typecheck.check)


def test_a_call_of_another_kind_is_checked_whatever_was_right_before():
    @checked
    def stack(rows: list[Float[Tensor, "N 3"]], times: int = 1) -> Float[Tensor, "M N 3"]:
        return torch.stack(rows * times)

    right = torch.zeros(2, 3)
    for _ in range(3):
        assert stack([right, right]).shape == (2, 2, 3)
        with pytest.raises(jaxtyping.TypeCheckError):
            stack([torch.zeros(2, 4)])
        with pytest.raises(jaxtyping.TypeCheckError):
            stack([right.int()])
        with pytest.raises(jaxtyping.TypeCheckError):
            stack([right], times="2")


def test_an_answer_that_becomes_wrong_is_found_by_calls_of_the_same_kind():
    widths = itertools.chain([3], itertools.repeat(4))

    @checked
    def answer(x: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        return x.new_zeros(len(x), next(widths))

    def ask_again_and_again():
        for _ in range(2 * typecheck.AGAIN):
            answer(torch.zeros(2, 3))

    with pytest.raises(jaxtyping.TypeCheckError):
        ask_again_and_again()


def test_values_are_checked_too():
    @checked
    @dataclass(frozen=True)
    class Picture:
        pixels: Float[Tensor, "3 H W"]

    assert Picture(torch.zeros(3, 4, 5)).pixels.shape == (3, 4, 5)
    with pytest.raises(jaxtyping.TypeCheckError):
        Picture(torch.zeros(4, 4, 5))
