"""Ranks and weights: unlike numbers become comparable, and decisions say what each was worth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.review.active.novelty import farthest_first, novelty
from maskwright.review.active.ranking import auc, calibrated, scale_of

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30)


@given(NUMBERS)
def test_ranks_keep_the_order_and_lie_between_0_and_1(numbers):
    values = np.array(numbers)[:, None]

    ranks = scale_of(values, [1.0]).ranks(values)[:, 0]

    assert ((ranks >= 0) & (ranks <= 1)).all()
    assert all(ranks[i] <= ranks[j] for i in range(len(ranks)) for j in range(len(ranks)) if values[i] < values[j])


@given(NUMBERS, st.floats(0.1, 10), st.floats(-5, 5))
def test_ranks_do_not_change_with_the_unit(numbers, factor, offset):
    values = np.round(np.array(numbers)[:, None])
    moved = values * 2.0

    assert np.array_equal(scale_of(values, [1.0]).ranks(values), scale_of(moved, [1.0]).ranks(moved))


def test_what_is_0_for_most_speaks_only_for_the_others():
    values = np.array([0, 0, 0, 0, 0.3])[:, None]

    assert scale_of(values, [1.0]).ranks(values)[:, 0].tolist() == [0, 0, 0, 0, 0.9]


def test_what_is_unknown_counts_for_nothing_and_all_unknown_is_the_middle():
    values = np.array([[0.1, np.nan], [0.9, np.nan], [np.nan, np.nan]])

    scale = scale_of(values, [1.0, 1.0])

    scores = scale.scores(scale.ranks(values))
    assert scores[0] < scores[2] == 0.5 < scores[1]
    assert scale.weights.tolist() == [1, 0]


def test_one_signal_that_cries_out_is_heard_beside_many_that_say_nothing():
    values = np.random.default_rng(0).random((200, 5))
    values[0] = [0.2, 0.2, 0.2, 0.2, 9.0]
    values[1] = [0.4, 0.4, 0.4, 0.4, 0.4]

    scale = scale_of(values, [1.0] * 5)

    scores = scale.scores(scale.ranks(values))
    assert scores[0] > scores[1] + 0.2


def test_auc_is_the_chance_that_wrong_lies_above_right():
    was_wrong = np.array([False, False, True, True])

    assert auc(np.array([1.0, 2, 3, 4]), was_wrong) == 1
    assert auc(np.array([4.0, 3, 2, 1]), was_wrong) == 0
    assert auc(np.ones(4), was_wrong) == 0.5
    assert auc(np.ones(4), np.zeros(4, bool)) == 0.5


def test_decisions_move_weights_to_what_told_beforehand():
    dice = np.random.default_rng(0)
    was_wrong = dice.random(400) < 0.4
    told, noise = was_wrong + 0.1 * dice.random(400), dice.random(400)

    found = calibrated(np.ones(3), np.stack([told, noise, np.full(400, np.nan)], axis=1), was_wrong)

    assert found[0] > 1.5 > 1 > found[1]
    assert found[2] == 1
    assert calibrated(np.ones(1), told[:20, None], was_wrong[:20])[0] == 1


def test_the_farthest_comes_first_and_what_is_known_counts():
    vectors = np.array([[1, 0], [1, 0.01], [0, 1], [-1, 0.0]])

    chosen, radii = farthest_first(vectors, 3, known=np.array([[1.0, 0]]))

    assert chosen[:2] == [3, 2]
    assert radii == sorted(radii, reverse=True)
    assert len(set(farthest_first(vectors, 9)[0])) == 4
    assert novelty(vectors, vectors[:1])[[0, 3]] == pytest.approx([0, 2], abs=1e-3)
    assert np.isnan(novelty(vectors, vectors[:0])).all()


@given(st.integers(0, 1000))
def test_farthest_first_covers_within_twice_the_best_radius(seed):
    vectors = np.random.default_rng(seed).normal(size=(12, 3))
    known = vectors[:1]

    chosen, _ = farthest_first(vectors, 2, known=known)

    def radius(indices):
        return novelty(vectors, vectors[[0, *indices]]).max()

    best = min(radius([i, j]) for i in range(12) for j in range(i))
    assert radius(chosen) <= 2 * best + 1e-3
