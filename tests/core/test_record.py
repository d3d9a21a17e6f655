"""Records, provenance, RLE values and review events: what they refuse, and that they cannot be changed."""

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest

from maskwright.core import (
    RLE,
    Accept,
    MaskRecord,
    ModelRef,
    Provenance,
    ResolvedRecord,
    ReviewEvent,
    Scores,
    TrackPoint,
    anchor,
    new_id,
)
from maskwright.core.errors import MaskError, RecordError

NOW = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
MODEL = ModelRef(name="tiny", family="tiny", checkpoint_sha256="0" * 64)


def record(**changes):
    values = {
        "id": "a1",
        "image_digest": "f" * 64,
        "rle": RLE((2, 2), b"121"),
        "box_xyxy": (0, 0, 2, 2),
        "area": 2,
        "provenance": Provenance(method="sam_raw", created_at=NOW, model=MODEL),
    }
    return MaskRecord(**(values | changes))


def test_a_record_is_a_value_that_cannot_be_changed():
    first = record()

    assert first == record()
    assert first.scores == Scores()
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.label = "cup"


def test_ids_do_not_repeat():
    assert len({new_id() for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": ""}, r"a mask record needs an id. Use new_id\(\)."),
        ({"area": 5}, "area must lie between 0 and 4 pixels, got 5 in record a1"),
        ({"area": -1}, "got -1 in record a1"),
    ],
)
def test_a_record_that_contradicts_itself_is_an_error(changes, message):
    with pytest.raises(RecordError, match=message):
        record(**changes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"method": "guessed"},
            "method must be one of sam_raw, sam_refined, human_drawn, simulator, imported, got 'gue",
        ),
        ({"method": "sam_raw"}, r"provenance of a sam_raw mask must name its model. Pass model=ModelRef\(...\)."),
        ({"method": "sam_refined"}, "must name its model"),
        ({"created_at": datetime(2026, 1, 1)}, r"created_at must have a time zone, .* Use datetime.now\(UTC\)"),
        ({"captured_at": datetime(2026, 1, 1)}, "captured_at must have a time zone"),
    ],
)
def test_provenance_is_complete_or_an_error(values, message):
    with pytest.raises(RecordError, match=message):
        Provenance(**({"method": "imported", "created_at": NOW} | values))


def test_a_mask_drawn_by_hand_needs_no_model():
    assert Provenance(method="human_drawn", created_at=NOW, actor="ana").model is None


def test_a_review_event_happens_at_a_moment_with_a_time_zone():
    assert ReviewEvent(id="e", record_id="a1", actor="ana", at=NOW, action=Accept()).action == Accept()
    with pytest.raises(RecordError, match="the time of a review event must have a time zone"):
        ReviewEvent(id="e", record_id="a1", actor="ana", at=datetime(2026, 1, 1), action=Accept())


def test_an_rle_is_the_same_value_whatever_held_its_size():
    rle = RLE(np.array([2, 3]), b"6")

    assert rle == RLE((2, 3), b"6") == RLE([2, 3], b"6")
    assert hash(rle) == hash(RLE((2, 3), b"6"))
    assert type(rle.size_hw[0]) is int


@pytest.mark.parametrize(
    ("size_hw", "counts", "message"),
    [
        ((0, 2), b"", r"a size of at least 1x1 \(height, width\), got 0x2"),
        ((2, 2), "4", "RLE counts must be bytes, got str. Use masks.from_coco for COCO's JSON."),
        ((2, 2), b"\xff", "got bytes that are not ASCII"),
        ((2, 2, 1), b"4", r"two whole numbers \(height, width\), got \(2, 2, 1\)"),
        ((2.0, 2), b"4", r"two whole numbers \(height, width\), got \(2.0, 2\)"),
        (4, b"4", "two whole numbers"),
    ],
)
def test_an_rle_without_a_size_or_bytes_is_an_error(size_hw, counts, message):
    with pytest.raises(MaskError, match=message):
        RLE(size_hw, counts)


def test_a_keyframe_is_named_by_its_frame_and_its_pixels():
    rle, other = RLE((2, 2), b"4"), RLE((2, 2), b"04")

    assert anchor(120, rle).startswith("120:")
    assert len({anchor(120, rle), anchor(121, rle), anchor(120, other)}) == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "guessed"}, "a track point's source is one of keyframe, segmented, carried; got 'guessed'"),
        ({"source": "carried", "state": "lost"}, "a track point's state is one of visible, occluded, outside"),
        ({"source": "carried", "confidence": 1.5}, "a track point's confidence lies between 0 and 1, got 1.5"),
    ],
)
def test_a_track_point_that_cannot_be_is_an_error(values, message):
    with pytest.raises(RecordError, match=message):
        TrackPoint(**values)


@pytest.mark.parametrize(
    ("track", "point", "changes", "expected"),
    [
        ("mug", TrackPoint(source="keyframe"), {}, True),
        ("mug", None, {}, True),  # no tracker made it
        ("mug", TrackPoint(source="carried"), {}, False),
        ("mug", TrackPoint(source="carried"), {"edited_by": "ann"}, True),
        ("mug", TrackPoint(source="carried"), {"status": "accepted", "verified_by": "ann"}, True),
        ("mug", TrackPoint(source="keyframe"), {"status": "rejected"}, False),
        (None, TrackPoint(source="keyframe"), {}, False),
    ],
)
def test_what_a_tracker_starts_from(track, point, changes, expected):
    resolved = ResolvedRecord(record=record(track=track, track_point=point), **changes)

    assert resolved.is_keyframe == expected
