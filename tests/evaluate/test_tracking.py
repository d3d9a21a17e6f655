from collections.abc import Mapping

import pytest

from maskwright.core import RLE, BoxPrompt, MaskPrompt, PointPrompt
from maskwright.core.errors import InputError, SettingError
from maskwright.evaluate import (
    Contender,
    LabelledSequence,
    TrackEvaluation,
    evaluate_tracking,
    format_tracking,
    summarise_tracking,
    tracking_csv,
    tracking_json,
    tracking_report,
)
from rectangle_video import NOTHING, Script, ScriptedTracker, rectangle, sequence

A = [rectangle(5 + 2 * i, 8) for i in range(10)]
B = [rectangle(40, 5 + 2 * i) for i in range(10)]
BOTH = [{"a": a, "b": b} for a, b in zip(A, B, strict=True)]


def scored(script: Script, *videos: LabelledSequence, **options: object) -> TrackEvaluation:
    contender = Contender(name="scripted", make=lambda: ScriptedTracker(script))
    return evaluate_tracking([contender], videos, dataset="constructed", **options)  # type: ignore[arg-type]


def exact(index: int) -> Mapping[str, RLE]:
    return BOTH[index]


def test_the_frame_of_the_prompt_and_the_last_one_do_not_count_unless_they_are_asked_for() -> None:
    def wrong_at_the_ends(index: int) -> Mapping[str, RLE]:
        return {"a": NOTHING, "b": NOTHING} if index in (0, 9) else BOTH[index]

    (usual,) = scored(wrong_at_the_ends, sequence(BOTH)).scores
    (whole,) = scored(wrong_at_the_ends, sequence(BOTH), keep_ends=True).scores

    assert [one.frames for one in usual.objects] == [tuple(range(1, 9))] * 2
    assert all(set(one.scores.j) == {1.0} for one in usual.objects)
    assert [one.frames for one in whole.objects] == [tuple(range(10))] * 2
    assert all(one.scores.j == (0.0, *[1.0] * 8, 0.0) for one in whole.objects)


def test_every_object_is_given_once_on_the_first_frame_on_which_it_is_seen() -> None:
    truths = [{"a": a, "b": b if i >= 3 else NOTHING} for i, (a, b) in enumerate(zip(A, B, strict=True))]
    tracker = ScriptedTracker(exact)

    done = evaluate_tracking([Contender(name="one", make=lambda: tracker)], [sequence(truths)], dataset="x")

    assert [set(prompts) for prompts in tracker.asked] == [{"a"}, set(), set(), {"b"}, *[set()] * 6]
    assert tracker.asked[3]["b"] == MaskPrompt(B[3])
    assert {one.key: (one.start, one.frames[0]) for one in done.scores[0].objects} == {"a": (0, 1), "b": (3, 4)}


def test_nothing_is_shown_before_the_first_object_is_seen_and_specks_are_none() -> None:
    speck = rectangle(5, 5, width=9)
    tracker = ScriptedTracker(lambda index: {"a": A[index + 2]})

    done = evaluate_tracking(
        [Contender(name="one", make=lambda: tracker)],
        [sequence([None, {"a": speck}, *({"a": a} for a in A[2:])])],
        dataset="x",
    )

    assert len(tracker.asked) == 8
    assert done.scores[0].objects[0].start == 2


@pytest.mark.parametrize("start", ["box", "click"])
def test_objects_are_given_by_the_box_or_a_click_inside_if_that_is_asked(start: str) -> None:
    tracker = ScriptedTracker(exact)

    evaluate_tracking(
        [Contender(name="one", make=lambda: tracker)], [sequence(BOTH)], dataset="x", start=start  # type: ignore[arg-type]
    )  # fmt: skip

    prompt = tracker.asked[0]["a"]
    if start == "box":
        assert prompt == BoxPrompt((5, 8, 15, 18))
    else:
        assert isinstance(prompt, PointPrompt)
        ((x, y),) = prompt.points_xy
        assert 8 < x < 12
        assert 11 < y < 15


def test_a_track_that_ended_has_no_mask_and_one_on_nothing_is_a_phantom() -> None:
    truths = [{"a": a} if i < 6 else {} for i, a in enumerate(A)]

    (ended,) = scored(lambda i: {"a": A[i]} if i < 6 else {}, sequence(truths)).scores
    (phantom,) = scored(lambda i: {"a": A[i]}, sequence(truths)).scores

    assert ended.objects[0].scores.num_phantoms == 0
    assert phantom.objects[0].scores.num_phantoms == 3  # frames 6 to 8; 9 is the last
    assert set(ended.objects[0].scores.j) == {1.0}


def test_switches_are_counted_with_strangers_too() -> None:
    (swapped,) = scored(lambda i: {"a": BOTH[i]["b"], "b": BOTH[i]["a"]} if i >= 5 else BOTH[i], sequence(BOTH)).scores
    (stranger,) = scored(lambda i: {"a": NOTHING, "new": A[i], "b": B[i]} if i >= 5 else BOTH[i], sequence(BOTH)).scores

    assert swapped.num_switches == 2
    assert stranger.num_switches == 1
    assert [one.scores.num_lost for one in swapped.objects] == [1, 1]


def test_frames_without_masks_are_shown_and_not_scored() -> None:
    truths = [one if i % 3 == 0 else None for i, one in enumerate(BOTH)]
    tracker = ScriptedTracker(exact)

    done = evaluate_tracking([Contender(name="one", make=lambda: tracker)], [sequence(truths)], dataset="x")

    assert len(tracker.asked) == 10
    assert done.scores[0].objects[0].frames == (3, 6)  # 9 is the last
    assert done.scores[0].objects[0].scores.flicker is None


def test_a_frame_that_cannot_be_read_is_skipped_and_told() -> None:
    tracker = ScriptedTracker(lambda index: BOTH[index + (index >= 4)])

    done = evaluate_tracking([Contender(name="one", make=lambda: tracker)], [sequence(BOTH, broken=[4])], dataset="x")

    assert len(tracker.asked) == 9
    assert done.scores[0].objects[0].frames == (1, 2, 3, 5, 6, 7, 8)
    assert done.notes == ("frame 4 of video was skipped: the picture is damaged",)


def test_a_video_without_anything_to_follow_is_left_out_unless_it_is_the_only_one() -> None:
    nothing = sequence([{"a": NOTHING}] * 3, name="void")

    done = scored(exact, sequence(BOTH), nothing)

    assert done.sequences == ("video",)
    assert done.notes == (
        "void could not be used: no object of void has 100 pixels on any frame with masks",
    )  # fmt: skip
    with pytest.raises(InputError, match="no object of void has 100 pixels"):
        scored(exact, nothing)


def test_trackers_need_names_of_their_own_and_starts_are_known() -> None:
    with pytest.raises(SettingError, match="expected trackers of different names, at least one; got x, x"):
        evaluate_tracking([Contender(name="x", make=lambda: ScriptedTracker(exact))] * 2, [], dataset="x")
    with pytest.raises(SettingError, match="tracks start from one of mask, box, click; got text"):
        scored(exact, sequence(BOTH), start="text")
    with pytest.raises(InputError, match="there is no video"):
        scored(exact)


def test_times_are_of_every_frame_but_the_first() -> None:
    times = iter(range(1000))

    (one,) = scored(exact, sequence(BOTH), clock=lambda: float(next(times))).scores
    (summary,) = summarise_tracking(scored(exact, sequence(BOTH), clock=lambda: float(next(times)) / 100))

    assert one.step_s == (1.0,) * 9
    assert summary.scores["frames/s"] == pytest.approx(100)
    assert summary.scores["ms p95"] == pytest.approx(10)


def test_progress_counts_the_frames_of_all_trackers() -> None:
    told: list[tuple[int, int]] = []

    scored(exact, sequence(BOTH), sequence(BOTH, name="other"), progress=lambda done, total: told.append((done, total)))

    assert told == [(i, 20) for i in range(1, 21)]


def test_means_are_over_objects_and_counts_over_all() -> None:
    def half_wrong(index: int) -> Mapping[str, RLE]:
        return {"a": A[index], "b": NOTHING}

    done = scored(half_wrong, sequence(BOTH), sequence([{"a": a} for a in A], name="alone"))
    (summary,) = summarise_tracking(done)

    assert summary.scores["J"] == pytest.approx(2 / 3)
    assert summary.sequences["video"]["J"] == pytest.approx(1 / 2)
    assert summary.sequences["alone"]["J&F"] == 1
    assert (summary.scores["lost"], summary.scores["re-found"]) == (1, 0)
    table = format_tracking([summary])
    assert "| J&F      |    0.667 |" in table
    assert "| alone | 1.000 |" in " ".join(table.split())


def test_results_say_how_they_were_reached_and_rows_hold_every_frame() -> None:
    done = scored(exact, sequence(BOTH), clock=lambda: 0.0)
    summaries = summarise_tracking(done)

    results = tracking_json(done, summaries, {"command": "test"})
    rows = tracking_csv(done).splitlines()

    assert results["ends"] == "the frame of the prompt and the last frame are not scored"
    assert results["data"] == {"name": "constructed", "num_sequences": 1, "num_frames": 10, "num_objects": 2}
    assert results["trackers"][0]["scores"]["switches"] == 0
    assert results["trackers"][0]["scores"]["frames/s"] is None
    assert results["trackers"][0]["sequences"][0]["objects"][1]["key"] == "b"
    assert rows[:2] == ["tracker,sequence,object,label,frame,j,f", "scripted,video,a,,1,1,1"]
    assert len(rows) == 1 + 2 * 8


def test_the_report_draws_the_worst_stretch_of_each_video() -> None:
    long = [{"a": A[i % 10], "b": B[i % 10]} for i in range(40)]
    video = sequence(long)
    done = evaluate_tracking(
        [Contender(name="one", make=lambda: ScriptedTracker(lambda i: {"a": long[i]["a"], "b": NOTHING}
         if 25 <= i < 37 else long[i]))], [video], dataset="x",
    )  # fmt: skip
    worst = done.scores[0].worst

    page = tracking_report(done, summarise_tracking(done), [video], {"command": "test"})

    assert worst is not None
    assert [frame.index for frame in worst.frames] == list(range(25, 37))
    assert worst.mean_j == pytest.approx(0.5)
    assert page.count("data:image/jpeg") == 6
    assert "one, mean J 0.50" in page
