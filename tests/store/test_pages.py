"""Pages: a walk by pages of any size gives what one stream gives, whatever is written on the way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.core import Accept, Reject
from maskwright.store import ANY_STATUS, Query, create_store
from maskwright.store.pages import BEGIN, query_of
from maskwright.testing.store_values import SIZE_HW, make_event, make_frame, make_record, make_ref

ALL = Query(status=ANY_STATUS)
PLACES = st.lists(st.one_of(st.integers(0, 9), st.tuples(st.integers(0, 2), st.integers(0, 40))), max_size=30)


def placed(place):
    if isinstance(place, int):
        return make_record(None, image_digest=f"picture {place}")
    return make_record(make_ref(place[1], episode=f"episode-{place[0]}"))


def walk(pages, query, limit):
    after, found = None, []
    while True:
        masks, after = pages.masks(query, after=after, limit=limit)
        assert len(masks) <= limit
        found += masks
        if after is None:
            return found


def walk_frames(pages, query, limit):
    after, found = BEGIN, []
    while True:
        frames, after = pages.frames(query, after=after, limit=limit)
        found += frames
        if after is None:
            return found


@settings(max_examples=15, deadline=None)
@given(writes=st.lists(PLACES, min_size=1, max_size=3), limit=st.sampled_from([1, 3, 50]), data=st.data())
def test_pages_give_what_a_stream_gives(tmp_path_factory, writes, limit, data):
    with create_store(tmp_path_factory.mktemp("pages") / "masks") as store:
        for places in writes:
            store.put(placed(place) for place in places)
        ids = [one.record.id for one in store.query(ALL)]
        for record_id in data.draw(st.lists(st.sampled_from(ids), max_size=5)) if ids else ():
            store.append([make_event(record_id, data.draw(st.sampled_from([Accept(), Reject()])))])
        pages = store.pages()

        for query in (ALL, Query(), Query(episode="episode-1", first_frame=3, last_frame=30), Query(status="rejected")):
            assert walk(pages, query, limit) == list(store.query(query))
        frames = walk_frames(pages, None, limit)
        assert [one.frame.key for one in frames] == list(dict.fromkeys(one.key for one in store.seen_frames()))
        assert sum(sum(one.num_masks.values()) for one in frames) == len(ids)
        for one in frames:
            assert pages.frame(one.frame.key).key == one.frame.key
            on_it = list(store.query(query_of(one.frame.key)))
            assert one.num_masks == count_by_status(on_it)


def count_by_status(masks):
    return {status: sum(one.status == status for one in masks) for status in {one.status for one in masks}}


def test_a_walk_goes_on_through_writes_and_a_compaction(store):
    store.put(make_record(make_ref(index)) for index in range(20))
    pages = store.pages()
    before = [one.record.id for one in store.query(ALL)]

    first, after = pages.masks(ALL, limit=7)
    store.put([make_record(make_ref(index)) for index in (0, 19, 25)])
    store.append([make_event(before[3], Reject()), make_event(before[12], Accept())])
    store.compact(grace_s=0)
    rest, end = pages.masks(ALL, after=after, limit=50)

    seen = [one.record.id for one in (*first, *rest)]
    assert end is None
    assert len(set(seen)) == len(seen) == 22  # the new mask on frame 0 lies before the place
    assert [one for one in seen if one in before] == before
    assert {one.record.id: one.status for one in rest}[before[12]] == "accepted"


def test_frames_without_masks_are_in_pages_and_a_frame_that_is_not_there_is_none(store):
    with store.bulk_writer(run="looked") as writer:
        for index in range(5):
            writer.add(make_frame(make_ref(index)))
        writer.add(make_frame(None, "loose"))
    pages = store.pages()

    frames = walk_frames(pages, Query(dataset="böxes", first_frame=1), 2)

    assert [one.frame.ref.frame_index for one in frames] == [1, 2, 3, 4]
    assert [one.num_masks for one in frames] == [{}] * 4
    assert pages.frame((False, "böxes", "episode-0", "wrist", 9, "")) is None
    assert pages.frame((True, "", "", "", -1, "digest of loose")).size_hw == SIZE_HW


def test_what_was_touched_names_records_and_where_masks_were_put(store):
    records = [make_record(make_ref(index)) for index in range(3)]
    store.put(records)
    pages, before = store.pages(), store.moment()

    store.append([make_event(records[1], Accept())])
    store.put([make_record(make_ref(8))])
    touched = pages.touched(before, pages.head())

    assert touched.records == {records[1].id}
    assert [one["frame_index"] for one in touched.put] == [[8, 8]]
    assert pages.touched(pages.head(), pages.head()).records == set()


def test_events_come_in_pages_with_positions_that_grow(store):
    record = make_record(make_ref(0))
    store.put([record])
    events = [make_event(record, Accept()) for _ in range(5)]
    store.append(events[:3])
    store.append(events[3:])
    pages = store.pages()

    first = pages.events(after=0, limit=2)
    rest = pages.events(after=first[-1].position, limit=10)

    assert [one.event for one in (*first, *rest)] == events
    assert pages.last_event() == rest[-1].position
    assert rest[0].moment < rest[-1].moment
    with pytest.raises(IndexError):
        pages.events(after=pages.last_event(), limit=1)[0]
