"""Queues: each is in its order, whole in pages of any size, and without what is decided."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.core import Accept, Edit, Reject, TrackPoint
from maskwright.core.errors import SettingError
from maskwright.core.record import Scores
from maskwright.review.agreement import AgreementBook
from maskwright.review.queues import QUEUES, queue_page
from maskwright.store import Query, create_store
from maskwright.testing.store_values import make_event, make_record, make_ref, rectangle

WHOLE, HALF = rectangle(0, 0, 8, 8), rectangle(0, 0, 8, 4)


@pytest.fixture
def store(tmp_path):
    with create_store(tmp_path / "masks") as store:
        yield store


def ids(page):
    return [one.mask.record.id for one in page.items]


def walk(pages, name, limit, **asked):
    found, after = [], None
    while True:
        page = queue_page(pages, name, after=after, limit=limit, **asked)
        assert len(page.items) <= limit
        found += page.items
        after = page.next
        if after is None:
            return found


def scored(index, iou=None, stability=None, **changes):
    return make_record(make_ref(index), scores=Scores(predicted_iou=iou, stability=stability), **changes)


def test_the_least_sure_comes_first_and_what_nothing_is_known_of_last(store):
    records = [scored(0, 0.9, 0.95), scored(1, 0.99, 0.5), scored(2, 0.7), scored(3), scored(4, 0.1)]
    store.put(records)
    store.append([make_event(records[4], Accept())])

    page = queue_page(store.pages(), "uncertain")

    assert ids(page) == [records[index].id for index in (1, 2, 0, 3)]
    assert [one.value for one in page.items] == [0.5, 0.7, 0.9, None]
    assert page.next is None
    assert ids(queue_page(store.pages(), "uncertain", Query(first_frame=2))) == [records[2].id, records[3].id]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([None, 0.1, 0.2, 1.0]), max_size=12), st.integers(1, 5))
def test_pages_of_any_size_give_each_mask_once_in_order(tmp_path_factory, scores, limit):
    with create_store(tmp_path_factory.mktemp("queues") / "masks") as store:
        store.put([scored(index, score) for index, score in enumerate(scores)])

        found = walk(store.pages(), "uncertain", limit)

    values = [2.0 if one.value is None else one.value for one in found]
    assert values == sorted(2.0 if score is None else score for score in scores)
    assert len({one.mask.record.id for one in found}) == len(scores)


def test_deciding_on_the_way_moves_nobody_else(store):
    store.put([scored(index, index / 10) for index in range(6)])
    pages = store.pages()
    first = queue_page(pages, "uncertain", limit=2)
    store.append([make_event(one.mask.record, Reject()) for one in first.items])

    second = queue_page(pages, "uncertain", after=first.next, limit=10)

    assert [one.value for one in second.items] == [0.2, 0.3, 0.4, 0.5]


def tracked(index, rle, confidence, source="carried", state="visible"):
    point = TrackPoint(source=source, state=state, confidence=confidence)
    return make_record(make_ref(index), rle, track="t", track_point=point)


def test_tracks_are_looked_at_first_where_they_were_unsure_or_jumped(store):
    records = [
        tracked(0, WHOLE, 1.0, source="keyframe"),
        tracked(1, WHOLE, 0.95),
        tracked(2, HALF, 0.9),
        tracked(3, HALF, 0.2),
        tracked(4, HALF, 0.0, state="outside"),
        tracked(5, HALF, 0.8),
    ]
    store.put([*records, make_record(make_ref(9), track=None, track_point=None)])
    store.append([make_event(records[5], Accept())])

    page = queue_page(store.pages(), "drifting")

    assert ids(page) == [records[3].id, records[2].id, records[1].id]
    assert [one.value for one in page.items] == [0.2, pytest.approx(0.9 * 33 / 65), 0.95]


def test_a_second_look_is_at_what_one_other_person_accepted(store):
    records = [make_record(make_ref(index)) for index in range(5)]
    drawn = replace(records[4], provenance=replace(records[4].provenance, method="human_drawn", actor="bob"))
    store.put([*records[:4], drawn])
    store.append(
        [
            make_event(records[0], Accept(), actor="ann"),
            make_event(records[1], Accept(), actor="bob"),
            make_event(records[2], Edit(HALF), actor="bob"),
            make_event(records[2], Accept(), actor="ann"),
            make_event(drawn, Accept(), actor="ann"),
        ]
    )

    assert ids(queue_page(store.pages(), "second_look", actor="bob")) == [records[0].id]
    assert ids(queue_page(store.pages(), "second_look", actor="ann")) == [records[1].id]
    assert len(ids(queue_page(store.pages(), "second_look", actor="cy"))) == 2


def test_what_people_see_differently_comes_worst_first(store):
    records = [make_record(make_ref(index), WHOLE) for index in range(3)]
    store.put(records)
    store.append([make_event(record, Accept(), actor="ann") for record in records])
    store.append(
        [
            make_event(records[0], Edit(HALF), actor="bob"),
            make_event(records[1], Accept(), actor="bob"),
            make_event(records[2], Reject(), actor="bob"),
        ]
    )
    pages = store.pages()
    agreement = AgreementBook(pages).agreement()

    page = queue_page(pages, "disagreed", agreement=agreement)

    assert [(one.mask.record.id, one.value) for one in page.items] == [(records[2].id, 0.0), (records[0].id, 0.5)]
    assert queue_page(pages, "disagreed").items == ()


def test_an_audit_is_a_random_order_that_a_seed_repeats(store):
    records = [make_record(make_ref(index)) for index in range(30)]
    store.put(records)
    store.append([make_event(record, Accept()) for record in records[:20]])
    pages = store.pages()

    orders = [[one.mask.record.id for one in walk(pages, "audit", 7, seed=seed)] for seed in (1, 1, 2)]

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == sorted(record.id for record in records[:20])
    assert any(first > second for first, second in pairwise(map([one.id for one in records].index, orders[0])))


def test_there_is_no_other_queue(store):
    with pytest.raises(SettingError, match="a queue is one of uncertain, drifting, second_look, disagreed, audit; got"):
        queue_page(store.pages(), "worst")
    for name in QUEUES:
        assert queue_page(store.pages(), name).items == ()


def test_a_page_says_how_many_are_left_and_each_mask_where_to_go_on(store):
    records = [scored(index, index / 10) for index in range(5)]
    store.put(records)

    first = queue_page(store.pages(), "uncertain", limit=2)
    second = queue_page(store.pages(), "uncertain", limit=2, after=first.items[0].place)
    beyond = queue_page(store.pages(), "uncertain", limit=2, after=second.items[-1].place)

    assert (first.num_left, second.num_left, beyond.num_left) == (5, 4, 2)
    assert ids(second) == [one.id for one in records[1:3]]
    assert queue_page(store.pages(), "audit").num_left == 0


def test_what_a_third_has_settled_is_no_longer_disagreed_about(store):
    record = make_record(make_ref(0), WHOLE)
    store.put([record])
    pages = store.pages()
    for actor, action, expected in (("ann", Accept(), 0), ("bob", Edit(HALF), 1), ("ria", Accept(), 0)):
        store.append([make_event(record, action, actor=actor)])
        agreement = AgreementBook(pages).agreement()
        assert len(queue_page(pages, "disagreed", agreement=agreement).items) == expected
