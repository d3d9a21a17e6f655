"""Two people's versions of a mask, and how much they agree."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import Accept, Comment, Edit, Reject, Relabel, Revert
from maskwright.masks import iou
from maskwright.review.agreement import SAME_IOU, AgreementBook, compare, versions_of
from maskwright.store import Query, create_store
from maskwright.testing.store_values import make_event, make_record, make_ref, rectangle

WHOLE, HALF = rectangle(0, 0, 8, 8), rectangle(0, 0, 8, 4)


def by(actor, record, action):
    return make_event(record, action, actor=actor)


@pytest.fixture
def record():
    return make_record(make_ref(0), WHOLE, label="cup")


def test_two_who_accept_the_same_pixels_agree(record):
    (found,) = compare(record, [by("ann", record, Accept()), by("bob", record, Accept())])

    assert (found.first, found.second, found.iou, found.difference) == ("ann", "bob", 1.0, "none")
    assert (found.record_id, found.frame) == (record.id, record.frame)


def test_who_draws_it_otherwise_disagrees_by_the_pixels(record):
    (found,) = compare(record, [by("ann", record, Accept()), by("bob", record, Edit(HALF))])

    assert (found.iou, found.difference) == (iou(WHOLE, HALF), "pixels")


def test_who_rejects_what_another_accepts_disagrees_wholly_and_two_who_reject_agree(record):
    ann = by("ann", record, Reject())

    (against,) = compare(record, [ann, by("bob", record, Accept())])
    (together,) = compare(record, [ann, by("bob", record, Reject("blurred"))])

    assert (against.iou, against.difference) == (0.0, "decision")
    assert (together.iou, together.difference) == (1.0, "none")


def test_another_label_for_the_same_pixels_is_a_difference_of_its_own(record):
    events = [by("ann", record, Accept()), by("bob", record, Relabel("mug")), by("bob", record, Accept())]

    (found,) = compare(record, events)

    assert (found.iou, found.difference, found.labels) == (1.0, "label", ("cup", "mug"))


def test_the_last_word_counts_and_what_was_undone_was_not_said(record):
    mistake = by("ann", record, Reject())
    events = [mistake, by("ann", record, Revert(mistake.id)), by("ann", record, Accept()), by("bob", record, Accept())]

    assert [one.difference for one in compare(record, events)] == ["none"]
    assert compare(record, events[:2] + events[3:]) == ()


def test_who_drew_a_mask_by_hand_has_said_what_it_is(record):
    drawn = replace(record, provenance=replace(record.provenance, method="human_drawn", actor="zoe"))

    (found,) = compare(drawn, [by("bob", drawn, Edit(HALF))])

    assert (found.first, found.second, found.difference) == ("zoe", "bob", "pixels")


ACTIONS = st.one_of(
    st.just(Accept()), st.just(Reject()), st.sampled_from([Edit(WHOLE), Edit(HALF)]), st.builds(Relabel, st.text())
)


@given(st.lists(st.tuples(st.sampled_from("abc"), ACTIONS), max_size=12))
def test_each_person_has_one_version_and_each_pair_is_compared_once(told):
    record = make_record(make_ref(0), WHOLE)
    events = [by(actor, record, action) for actor, action in told]

    versions, found = versions_of(record, events), compare(record, events)

    decided = {actor for actor, action in told if not isinstance(action, Relabel)}
    assert {one.actor for one in versions} == decided
    assert len(versions) == len(decided)
    assert (
        len({frozenset((one.first, one.second)) for one in found})
        == len(found)
        == len(decided) * (len(decided) - 1) // 2
    )
    assert all(0 <= one.iou <= 1 and (one.difference != "none" or one.iou >= SAME_IOU) for one in found)


@pytest.fixture
def store(tmp_path):
    with create_store(tmp_path / "masks") as store:
        yield store


def test_a_store_is_compared_worst_first_and_by_pairs_of_people(store):
    records = [make_record(make_ref(index), WHOLE, label="cup" if index else "lid") for index in range(4)]
    store.put(records)
    store.append([by("ann", record, Accept()) for record in records])
    store.append([by("bob", records[0], Accept()), by("bob", records[1], Edit(HALF)), by("cy", records[2], Reject())])

    found = AgreementBook(store.pages()).agreement()

    assert [one.record_id for one in found.comparisons] == [records[2].id, records[1].id, records[0].id]
    ann_bob, ann_cy = found.pairs
    assert (ann_bob.first, ann_bob.second, ann_bob.num_masks, ann_bob.num_same) == ("ann", "bob", 2, 1)
    assert ann_bob.mean_iou == pytest.approx((1 + iou(WHOLE, HALF)) / 2)
    assert (ann_cy.num_masks, ann_cy.mean_iou) == (1, 0)
    assert not found.is_cut
    only = AgreementBook(store.pages()).agreement(Query(label="lid"))
    assert [one.record_id for one in only.comparisons] == [records[0].id]


def test_what_was_compared_is_compared_again_only_after_somebody_spoke(store, monkeypatch):
    records = [make_record(make_ref(index), WHOLE) for index in range(3)]
    store.put(records)
    store.append([by(actor, record, Accept()) for record in records for actor in ("ann", "bob")])
    pages, asked = store.pages(), []
    lives = pages.lives
    monkeypatch.setattr(pages, "lives", lambda ordinals: asked.append(len(ordinals)) or lives(ordinals))
    book = AgreementBook(pages)

    first = book.agreement()
    assert book.agreement() == first
    store.append([by("bob", records[1], Reject())])
    again = book.agreement()

    assert asked == [3, 1]
    assert [one.difference for one in again.comparisons] == ["decision", "none", "none"]


def test_beyond_a_number_only_those_looked_at_last_are_compared_and_it_is_told(store, monkeypatch):
    records = [make_record(make_ref(index), WHOLE) for index in range(3)]
    store.put(records)
    store.append([by(actor, record, Accept()) for record in records for actor in ("ann", "bob")])
    monkeypatch.setattr("maskwright.review.agreement.MOST_COMPARED", 2)

    found = AgreementBook(store.pages()).agreement()

    assert found.is_cut
    assert {one.record_id for one in found.comparisons} == {records[1].id, records[2].id}


def test_a_third_persons_word_settles_what_two_saw_differently(record):
    events = [by("ann", record, Accept()), by("bob", record, Edit(HALF))]

    (before,) = compare(record, events)
    after = compare(record, [*events, by("ria", record, Edit(WHOLE)), by("ria", record, Accept())])

    assert (before.settled_by, before.is_open) == (None, True)
    assert [(one.first, one.second, one.difference, one.settled_by) for one in after] == [
        ("ann", "bob", "pixels", "ria"),
        ("ann", "ria", "none", "ria"),
        ("bob", "ria", "pixels", "ria"),
    ]
    assert not any(one.is_open for one in after)


def test_a_version_says_when_it_was_said_and_what_is_only_remarked_is_none(record):
    events = [by("ann", record, Accept()), by("bob", record, Comment("are you sure?"))]

    (found,) = versions_of(record, events)

    assert (found.actor, found.at) == ("ann", events[0].at)
