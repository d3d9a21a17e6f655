"""Figures of a review: what is done, how fast people are, how good a model's proposals are."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import Accept, Comment, Edit, ModelRef, Reject, Relabel
from maskwright.review.progress import IDLE_S, Act, Effort, pace_of, progress_of
from maskwright.store import Query, create_store
from maskwright.testing.store_values import START, make_event, make_record, make_ref, rectangle


@pytest.fixture
def store(tmp_path):
    with create_store(tmp_path / "masks") as store:
        yield store


def at(seconds):
    return START + timedelta(seconds=seconds)


def act(seconds, *, actor="ann", method="sam_raw", is_new=True):
    return Act(actor=actor, at=at(seconds), method=method, is_new=is_new, is_new_to_actor=is_new)


def event(record, action, seconds, *, actor="ann"):
    return replace(make_event(record, action, actor=actor), at=at(seconds))


def drawn_by(record, actor, seconds):
    provenance = replace(record.provenance, method="human_drawn", actor=actor, created_at=at(seconds), model=None)
    return replace(record, provenance=provenance)


def by_model(record, name, sha):
    model = ModelRef(name=name, family="tiny", checkpoint_sha256=sha)
    return replace(record, provenance=replace(record.provenance, model=model))


def test_masks_are_counted_by_episode_and_label_and_frames_by_what_is_left_on_them(store):
    records = [make_record(make_ref(index, episode=f"e{index // 2}"), label="cup") for index in range(4)]
    records += [make_record(make_ref(0, episode="e0"), label=None), make_record(None)]
    store.put(records)
    store.append([make_event(records[0], Accept()), make_event(records[1], Reject())])

    found = progress_of(store.pages())

    assert found.num_masks == {"proposed": 4, "accepted": 1, "rejected": 1, "merged": 0, "split": 0}
    assert [(one.dataset, one.name, one.num_frames, one.num_frames_left) for one in found.episodes] == [
        ("böxes", "e0", 2, 1),
        ("böxes", "e1", 2, 2),
        (None, None, 1, 1),
    ]
    assert found.episodes[0].num_masks == {"proposed": 1, "accepted": 1, "rejected": 1, "merged": 0, "split": 0}
    assert {one.name: sum(one.num_masks.values()) for one in found.labels} == {"cup": 5, None: 1}
    assert (found.num_frames, found.num_frames_left) == (5, 4)


def test_a_checkpoint_is_judged_by_what_people_left_as_it_was(store):
    old = [by_model(make_record(make_ref(index)), "tiny", "aa") for index in range(4)]
    new = [by_model(make_record(make_ref(index)), "tiny", "bb") for index in range(2)]
    store.put(old + new)
    store.append(
        [
            make_event(old[0], Accept()),
            make_event(old[1], Edit(rectangle(1, 1, 4, 4)), minute=1),
            make_event(old[1], Accept(), minute=2),
            make_event(old[2], Reject(), minute=3),
            make_event(new[0], Accept(), minute=4),
        ]
    )

    first, second = progress_of(store.pages()).models

    assert (first.checkpoint_sha256, first.num_masks) == ("aa", 4)
    assert (first.num_accepted, first.num_corrected, first.num_rejected) == (1, 1, 1)
    assert first.acceptance_rate == pytest.approx(1 / 3)
    assert second.acceptance_rate == 1
    assert replace(second, num_accepted=0).acceptance_rate is None


def test_drawing_by_hand_and_correcting_are_timed_apart_and_what_is_left_is_estimated(store):
    proposed = [make_record(make_ref(index)) for index in range(5)]
    by_hand = [drawn_by(make_record(make_ref(9)), "ann", 100), drawn_by(make_record(make_ref(9)), "ann", 160)]
    store.put(proposed + by_hand)
    store.append([event(proposed[0], Accept(), 10), event(proposed[1], Accept(), 20), event(proposed[2], Reject(), 40)])

    found = progress_of(store.pages())

    assert found.pace.assisted == Effort(num_masks=2, seconds=30)  # the first has no beginning
    assert found.pace.drawn == Effort(num_masks=2, seconds=120)
    assert (found.pace.assisted.seconds_per_mask, found.pace.drawn.seconds_per_mask) == (15, 60)
    assert found.num_masks["proposed"] == 4
    assert found.hours_left == pytest.approx(4 * 15 / 3600)
    (ann,) = found.pace.annotators
    assert (ann.name, ann.num_acts, ann.num_masks, ann.last_at) == ("ann", 5, 5, at(160))
    assert ann.effort.masks_per_hour == pytest.approx(3600 * 4 / 150)


def test_conditions_narrow_what_is_looked_at_and_an_empty_store_has_no_pace(store):
    assert progress_of(store.pages()).hours_left is None
    assert progress_of(store.pages()).pace.annotators == ()
    records = [make_record(make_ref(0), label="cup"), make_record(make_ref(1), label="lid")]
    store.put(records)
    store.append([event(records[0], Accept(), 0), event(records[1], Relabel("top"), 5)])

    found = progress_of(store.pages(), Query(label="cup"))

    assert found.num_masks["accepted"] == 1
    assert [one.num_acts for one in found.pace.annotators] == [1]


def test_a_pause_counts_for_nothing_and_people_do_not_stop_each_others_clocks():
    acts = [act(0), act(10), act(11, actor="bob"), act(10 + IDLE_S), act(11 + 2 * IDLE_S), act(15 + 2 * IDLE_S)]

    pace = pace_of(acts)

    ann, bob = pace.annotators
    assert ann.effort == Effort(num_masks=3, seconds=10 + IDLE_S + 4)
    assert bob.effort.seconds_per_mask is None


def test_a_bulk_decision_costs_what_it_took():
    pace = pace_of([act(0), *[act(20) for _ in range(100)]])

    assert pace.assisted == Effort(num_masks=100, seconds=20)


@given(st.lists(st.tuples(st.floats(0, 1e5), st.sampled_from("ab"), st.booleans())))
def test_nobody_works_longer_than_from_the_first_act_to_the_last(told):
    acts = [act(seconds, actor=actor, is_new=is_new) for seconds, actor, is_new in sorted(told)]

    for one in pace_of(acts).annotators:
        own = [one_act.at for one_act in acts if one_act.actor == one.name]
        assert one.num_acts == len(own)
        assert 0 <= one.effort.seconds <= (own[-1] - own[0]).total_seconds() + 1e-6
        assert one.effort.num_masks <= one.num_masks <= one.num_acts


def test_the_time_of_a_comment_is_that_of_the_decision_after_it(tmp_path):
    record = make_record(make_ref(0))
    with create_store(tmp_path / "masks") as store:
        store.put([record])
        store.append(
            [
                make_event(record, Comment("a cup?"), actor="ann", minute=0),
                make_event(record, Accept(), actor="ann", minute=1),
                make_event(record, Reject(), actor="ann", minute=2),
            ]
        )
        (ann,) = progress_of(store.pages()).pace.annotators

    assert (ann.num_acts, ann.num_masks, ann.effort.seconds) == (2, 1, 60)
