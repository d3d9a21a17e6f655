import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from maskwright.train.tune.drawing_back import ALL, CORRECTIONS, FIRST, draw_back, furthest


@given(st.floats(0, 1))
def test_the_furthest_share_is_found_to_a_sixteenth_and_never_beyond(limit):
    found = furthest(lambda share: share <= limit)

    assert found <= limit < found + 1 / 16 or found == limit == 1


class Network(nn.Module):
    """Two numbers, each of which costs what it is."""

    def __init__(self, *, has_corrector):
        super().__init__()
        self.first = nn.Parameter(torch.zeros(1))
        if has_corrector:
            self.corrector = nn.Module()
            self.corrector.second = nn.Parameter(torch.zeros(1))

    def scores(self, corrects):
        first = self.first.item()
        second = self.corrector.second.item() if hasattr(self, "corrector") else 3 * first
        found = {"held_out_box": 0.9, "held_out_click": 0.5 - first}
        return {**found, "held_out_corrected": 0.8 - second - first} if corrects else found


def drawn(network, allowed, reach=1.0, **how):
    base = {name: torch.zeros(1) for name, _ in network.named_parameters()}
    learnt = {name: torch.ones(1) for name in base}
    return draw_back(network, base, learnt, network.scores, allowed=allowed, reach=reach, **how)


def test_first_answers_and_corrections_go_as_far_as_each_may():
    network = Network(has_corrector=True)

    assert drawn(network, 0.26) == {FIRST: 0.25, CORRECTIONS: 0.25}
    assert network.first.item() == network.corrector.second.item() == 0.25


def test_one_decoder_for_both_goes_as_far_as_corrections_let_it():
    assert drawn(Network(has_corrector=False), 0.26) == {FIRST: 0.0625}


def test_what_sees_by_an_encoder_that_learnt_goes_together_with_it():
    network = Network(has_corrector=True)

    assert drawn(network, 0.26, together=True) == {ALL: 0.125}  # corrections lose twice as much
    assert network.first.item() == network.corrector.second.item() == 0.125


def test_only_a_part_of_the_way_that_is_allowed_may_be_gone():
    assert drawn(Network(has_corrector=True), 0.26, reach=0.5)[FIRST] == 0.125


@pytest.mark.parametrize(("allowed", "share"), [(0.0, 0.0), (1.0, 1.0)])
def test_nothing_and_all_can_be_what_is_left(allowed, share):
    network = Network(has_corrector=True)

    assert drawn(network, allowed) == {FIRST: share, CORRECTIONS: share}
    assert network.first.item() == share
