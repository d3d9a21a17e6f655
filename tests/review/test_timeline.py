"""Tracks of a recording over time: lanes, and frames that look the same as spans."""

import pytest

from maskwright.core import Accept, Edit, Reject, Retrack, TrackPoint
from maskwright.masks import empty_mask
from maskwright.review import PointPlace, Recording, Timeline, spans_of, timeline_of
from maskwright.store import create_store
from maskwright.testing.store_values import SIZE_HW, make_event, make_frame, make_record, make_ref, rectangle

HERE = Recording(dataset="böxes", episode="episode-0", camera="wrist")


@pytest.fixture
def store(tmp_path):
    with create_store(tmp_path / "masks") as store:
        yield store


def mask(index, *, track="cup", source=None, state="visible", confidence=1.0, camera="wrist"):
    point = None if source is None else TrackPoint(source=source, state=state, confidence=confidence)
    return make_record(make_ref(index, camera=camera), track=track, label=track, track_point=point)


def looks(spans):
    return [(one.track, one.first, one.last, one.source, one.state, one.status) for one in spans]


def test_lanes_tell_where_tracks_begin_and_end_and_how_many_masks_are_keyframes(store):
    masks = [mask(1, source="keyframe"), *(mask(index, source="carried") for index in range(2, 6))]
    others = [mask(3, track="lid"), mask(4, track=None), mask(9, camera="front"), make_record(None)]
    store.put([*masks, *others], frames=[make_frame(make_ref(8))])
    store.append([make_event(masks[2], Accept()), make_event(masks[4], Reject())])

    found = timeline_of(store.pages(), HERE)

    assert (found.first_frame, found.last_frame) == (1, 8)
    assert [(one.track, one.first_frame, one.last_frame, one.num_masks) for one in found.lanes] == [
        ("cup", 1, 4, 4),
        ("lid", 3, 3, 1),
    ]
    assert [(one.num_keyframes, one.num_proposed) for one in found.lanes] == [(2, 3), (1, 1)]


def test_a_recording_that_is_not_there_has_no_lanes(store):
    nowhere = Recording(dataset="other", episode="e", camera="c")

    assert timeline_of(store.pages(), nowhere) == Timeline(first_frame=None, last_frame=None, lanes=())
    assert spans_of(store.pages(), nowhere, limit=10) == ([], None)


def test_frames_that_look_the_same_are_one_span_with_a_confidence_for_each(store):
    store.put(
        [
            mask(0, source="keyframe"),
            mask(1, source="segmented", confidence=0.75),
            mask(2, source="segmented", confidence=0.5),
            mask(3, source="carried", state="occluded", confidence=0.25),
            mask(5, source="carried", state="occluded", confidence=0.25),
            mask(6, source="carried", state="outside", confidence=0.0),
            mask(7),
        ]
    )

    spans, following = spans_of(store.pages(), HERE, limit=100)

    assert following is None
    assert looks(spans) == [
        ("cup", 0, 0, "keyframe", "visible", "proposed"),
        ("cup", 1, 2, "segmented", "visible", "proposed"),
        ("cup", 3, 3, "carried", "occluded", "proposed"),
        ("cup", 5, 5, "carried", "occluded", "proposed"),
        ("cup", 6, 6, "carried", "outside", "proposed"),
        ("cup", 7, 7, None, "visible", "proposed"),
    ]
    assert [one.confidence for one in spans] == [(1.0,), (0.75, 0.5), (0.25,), (0.25,), (0.0,), None]
    assert [one.is_keyframe for one in spans] == [True, False, False, False, False, True]


def test_what_people_decided_shows_and_one_mask_speaks_for_a_frame(store):
    masks = [mask(index, source="carried") for index in range(5)]
    rejected, drawn = mask(4, source="carried"), mask(4, source="keyframe")
    store.put([*masks, rejected, drawn])
    store.append(
        [
            make_event(masks[0], Accept()),
            make_event(masks[1], Edit(rectangle(0, 0, 3, 3))),
            make_event(masks[2], Edit(empty_mask(SIZE_HW))),
            make_event(masks[3], Reject()),
            make_event(rejected, Reject()),
        ]
    )

    spans, _ = spans_of(store.pages(), HERE, limit=100)

    assert looks(spans) == [
        ("cup", 0, 0, "carried", "visible", "accepted"),
        ("cup", 1, 1, "carried", "visible", "proposed"),
        ("cup", 2, 2, "carried", "outside", "proposed"),
        ("cup", 3, 3, "carried", "visible", "rejected"),
        ("cup", 4, 4, "keyframe", "visible", "proposed"),
    ]
    assert [(one.is_keyframe, one.is_corrected) for one in spans] == [
        (True, False),
        (True, True),
        (True, True),
        (False, False),
        (True, False),
    ]


def test_tracks_and_frames_can_be_chosen_and_a_mask_that_changed_its_track_is_in_the_new_one(store):
    cups, lids = [mask(index) for index in range(6)], [mask(index, track="lid") for index in range(6)]
    store.put([*cups, *lids])
    store.append([make_event(lids[5], Retrack("cup 2"))])

    chosen, _ = spans_of(store.pages(), HERE, tracks=("lid", "cup 2"), first_frame=2, last_frame=5, limit=100)

    assert [(one.track, one.first, one.last) for one in chosen] == [("cup 2", 5, 5), ("lid", 2, 4)]


def test_pages_of_spans_hold_every_point_once(store):
    store.put([mask(index, track=track) for index in range(7) for track in ("a", "b", "ü")])
    points, after = [], None

    while True:
        spans, after = spans_of(store.pages(), HERE, after=after, limit=4)
        points += [(index, one.track) for one in spans for index in range(one.first, one.last + 1)]
        if after is None:
            break

    assert sorted(points) == [(index, track) for index in range(7) for track in ("a", "b", "ü")]
    assert spans_of(store.pages(), HERE, after=PointPlace(6, "ü"), limit=4) == ([], None)
