"""JSON of every value of core: what is written reads back the same, and what cannot be read says where and why."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import (
    RLE,
    Accept,
    BoxPrompt,
    CombinedPrompt,
    Comment,
    Edit,
    FrameRef,
    MaskPrompt,
    MaskRecord,
    Merge,
    ModelRef,
    PointPrompt,
    ProcessingStep,
    Provenance,
    Reject,
    Relabel,
    Retrack,
    Revert,
    ReviewEvent,
    Scores,
    Split,
    TextPrompt,
    from_json,
    to_json,
)
from maskwright.core.errors import RecordError
from maskwright.core.review_event import MOST_COMMENT
from maskwright.testing.labelled_frames import track_points
from maskwright.testing.strategies import rles

text = st.text(max_size=8)
ids = st.text(min_size=1, max_size=8)
number = st.floats(allow_nan=False, allow_infinity=False)
moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))
pixels = st.integers(-100, 100).map(float)

points = st.lists(st.tuples(pixels, pixels), min_size=1, max_size=3).flatmap(
    lambda xy: st.builds(PointPrompt, st.just(xy), st.lists(st.integers(0, 1), min_size=len(xy), max_size=len(xy)))
)
boxes = st.builds(
    lambda x, y, w, h: BoxPrompt((x, y, x + w, y + h)), pixels, pixels, st.integers(1, 9), st.integers(1, 9)
)
single_prompts = st.one_of(
    points, boxes, st.builds(MaskPrompt, rles(max_side=5)), st.builds(TextPrompt, st.just("red cup"))
)
prompts = single_prompts | st.builds(CombinedPrompt, st.lists(points, min_size=1, max_size=2).map(tuple))
steps = st.builds(
    ProcessingStep,
    name=text,
    parameters=st.dictionaries(text, st.booleans() | st.integers() | number | text, max_size=3),
)
model_refs = st.builds(ModelRef, name=text, family=text, checkpoint_sha256=text, precision=text)
provenances = st.builds(
    Provenance,
    method=st.sampled_from(["sam_raw", "sam_refined", "human_drawn", "simulator", "imported"]),
    created_at=moments,
    model=model_refs,
    prompt=st.none() | prompts,
    steps=st.lists(steps, max_size=2).map(tuple),
    actor=st.none() | text,
    captured_at=st.none() | moments,
    licence=st.none() | text,
    derived_from=st.lists(text, max_size=2).map(tuple),
)
frames = st.builds(
    FrameRef, dataset=text, episode=text, camera=text, frame_index=st.integers(0, 99), timestamp_s=st.none() | number
)
records = st.builds(
    MaskRecord,
    id=ids,
    image_digest=text,
    rle=rles(max_side=5),
    box_xyxy=st.tuples(number, number, number, number),
    area=st.just(1),
    provenance=provenances,
    frame=st.none() | frames,
    label=st.none() | text,
    track=st.none() | text,
    parent=st.none() | text,
    track_point=st.none() | track_points(),
    scores=st.builds(Scores, predicted_iou=st.none() | number, stability=st.none() | number),
)
actions = st.one_of(
    st.just(Accept()),
    st.builds(Reject, st.none() | text),
    st.builds(Edit, rles(max_side=5)),
    st.builds(Relabel, st.none() | text),
    st.builds(Comment, st.text(min_size=1, max_size=2000).filter(str.strip)),
    st.builds(Retrack, st.none() | text),
    st.builds(Merge, st.lists(text, max_size=2).map(tuple)),
    st.builds(Split, st.lists(text, max_size=2).map(tuple)),
    st.builds(Revert, text),
)
events = st.builds(ReviewEvent, id=text, record_id=text, actor=text, at=moments, action=actions)


def through_json(value):
    return from_json(type(value), json.loads(json.dumps(to_json(value))))


@given(records)
def test_a_record_reads_back_the_same(record):
    assert through_json(record) == record


@given(events)
def test_a_review_event_reads_back_the_same(event):
    assert through_json(event) == event


@given(prompts)
def test_a_prompt_reads_back_the_same(prompt):
    assert through_json(prompt) == prompt


def test_whole_numbers_stay_whole_where_any_number_may_stand():
    step = through_json(ProcessingStep(name="fill_holes", parameters={"max_area": 4, "sigma": 2.0, "edge": True}))

    assert {key: type(value) for key, value in step.parameters.items()} == {
        "max_area": int,
        "sigma": float,
        "edge": bool,
    }


def test_what_is_left_out_takes_its_default():
    read = from_json(Provenance, {"method": "imported", "created_at": "2026-11-23T01:02:03Z"})

    assert read == Provenance(method="imported", created_at=datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (RLE, {"size_hw": [2, 2]}, r"\$: missing field counts in a RLE"),
        (RLE, {"size_hw": [2, 2], "counts": "4", "zip": 1}, r"\$: unknown field zip in a RLE"),
        (RLE, {"size_hw": [2, 2, 2], "counts": "4"}, r"\$.size_hw: expected 2 items, got 3"),
        (RLE, {"size_hw": [2, "2"], "counts": "4"}, r"\$.size_hw\[1\]: expected int, got str '2'"),
        (RLE, {"size_hw": [2, True], "counts": "4"}, r"\$.size_hw\[1\]: expected int, got bool True"),
        (RLE, {"size_hw": [0, 2], "counts": "4"}, r"\$: a mask needs a size of at least 1x1"),
        (RLE, {"size_hw": [2, 2], "counts": "é"}, r"\$.counts: "),
        (RLE, "4", r"\$: expected a RLE object, got '4'"),
        (RLE, {"kind": "Scores"}, r"\$: expected a RLE object, got {'kind': 'Scores'}"),
        (PointPrompt, {"points_xy": []}, r"\$: a point prompt needs at least one"),
        (PointPrompt, {"points_xy": [[1, 2]], "labels": "1"}, r"\$.labels: expected "),
        (Scores, {"predicted_iou": "high"}, r"\$.predicted_iou: expected "),
        (ProcessingStep, {"name": "a", "parameters": {"b": [1]}}, r"\$.parameters.b: expected .*, got list"),
        (
            Provenance,
            {"method": "guess", "created_at": "2026-11-23T00:00:00Z"},
            r"\$.method: expected .* got str 'guess'",
        ),
        (Provenance, {"method": "imported", "created_at": "yesterday"}, r"\$.created_at: "),
        (Provenance, {"method": "imported", "created_at": "2026-11-23"}, r"\$: created_at must have a time zone"),
        (
            Provenance,
            {"method": "imported", "created_at": "2026-11-23T00:00:00Z", "prompt": {"kind": "Wish"}},
            r"\$.prompt.kind: expected one of BoxPrompt, CombinedPrompt, MaskPrompt, PointPrompt, TextPrompt, got",
        ),
        (
            Provenance,
            {"method": "imported", "created_at": "2026-11-23T00:00:00Z", "prompt": {"text": "cup"}},
            r"\$.prompt: expected an object with a kind, got dict",
        ),
        (
            Provenance,
            {"method": "imported", "created_at": "2026-11-23T00:00:00Z", "steps": [{"name": "a"}]},
            r"\$.steps\[0\]: missing field parameters",
        ),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_place(kind, data, message):
    with pytest.raises(RecordError, match=message):
        from_json(kind, data)


def test_the_place_starts_where_the_caller_says():
    with pytest.raises(RecordError, match=r"^line 7: missing field counts"):
        from_json(RLE, {"size_hw": [2, 2]}, where="line 7")


def test_what_is_no_value_of_core_is_not_written():
    with pytest.raises(RecordError, match="a set cannot be written as JSON; expected a value of maskwright.core"):
        to_json({1, 2})


@pytest.mark.parametrize("text", ["", "  \n", "x" * (MOST_COMMENT + 1)])
def test_a_comment_says_something_and_not_too_much(text):
    with pytest.raises(RecordError, match=f"a comment has 1 to {MOST_COMMENT} characters"):
        Comment(text)
