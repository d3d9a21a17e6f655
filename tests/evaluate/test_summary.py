"""Averages of constructed trials, recall of proposals, calibration, and how they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.evaluate import (
    METRICS,
    Evaluation,
    Facts,
    Step,
    Summary,
    Trial,
    average_recall,
    calibration_error,
    format_slices,
    format_table,
    reliability_bins,
    summarise,
)


def _trial(
    kind: str, *ious: float, asked: str = "a", draw: int = 0, facts: Facts | None = None, belief: float | None = None
) -> Trial:
    steps = tuple(Step(iou=iou, boundary_iou=iou / 2, predicted_iou=belief) for iou in ious)
    return Trial(segmenter="s", kind=kind, picture="p", asked=asked, steps=steps, facts=facts, draw=draw)


def _summary(*trials: Trial, tasks: tuple[str, ...] = ("box", "noc")) -> Summary:
    evaluation = Evaluation(
        dataset="d",
        num_pictures=1,
        num_objects=2,
        tasks=tasks,
        segmenters=("s",),
        trials=trials,
        cases=(),
        timings={},
        num_kept={},
        notes=(),
    )
    return summarise(evaluation)[0]


def test_means_are_over_objects_and_an_early_end_stands_for_later_clicks() -> None:
    scores = _summary(
        _trial("box", 0.5), _trial("box", 0.9, asked="b"), _trial("click", 0.2, 0.6), _trial("click", 1.0, asked="b")
    ).scores

    assert scores["box"] == pytest.approx(0.7)
    assert scores["box boundary"] == pytest.approx(0.35)
    assert scores["1 click"] == pytest.approx(0.6)
    assert scores["5 clicks"] == pytest.approx(0.8)
    assert scores["box + click"] is None
    assert list(scores) == list(METRICS)


def test_clicks_are_counted_to_the_first_good_answer_and_to_twenty_where_there_is_none() -> None:
    scores = _summary(_trial("click", 0.5, 0.86, 0.7, 0.91), _trial("click", *[0.5] * 20, asked="b")).scores

    assert scores["NoC@85"] == (2 + 20) / 2
    assert scores["NoC@90"] == (4 + 20) / 2


def test_spread_is_of_one_object_between_draws() -> None:
    scores = _summary(
        _trial("random", 0.9), _trial("random", 0.1, 0.9, draw=1), _trial("random", 0.1, 0.1, 0.9, draw=2)
    ).scores

    assert scores["NoC@85 random"] == 2
    assert scores["NoC@85 spread"] == pytest.approx(1)


def test_average_recall_counts_ten_thresholds_with_both_ends() -> None:
    assert average_recall([1.0]) == 1
    assert average_recall([0.5]) == pytest.approx(0.1)
    assert average_recall([0.75, 0.0]) == pytest.approx(0.3)
    assert average_recall([0.49]) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_bins_hold_every_answer_once_and_their_error_is_no_larger_than_the_mean_error(
    beliefs: list[tuple[float, float]],
) -> None:
    bins = reliability_bins(beliefs)
    error = calibration_error(beliefs)

    assert sum(one.num_answers for one in bins) == len(beliefs)
    assert error is not None
    assert error <= sum(abs(p - r) for p, r in beliefs) / len(beliefs) + 1e-9


def test_belief_is_compared_with_what_was_reached() -> None:
    summary = _summary(_trial("box", 0.5, belief=0.9), _trial("click", 0.9, 0.9, belief=0.8))

    assert summary.scores["belief error"] == pytest.approx((0.4 + 0.1 + 0.1) / 3)
    assert summary.scores["ECE"] == pytest.approx((0.4 + 0.1 + 0.1) / 3)
    assert calibration_error([]) is None


def test_random_clicks_say_nothing_of_belief_and_nothing_is_no_number() -> None:
    assert _summary(_trial("random", 0.9, belief=0.1)).scores["belief error"] is None


THIN = Facts(area_share=0.01, width_px=4, material="metal", occlusion=0.5)
WIDE = Facts(area_share=0.3, width_px=90)


def test_slices_hold_the_objects_that_belong_to_them_in_order_of_size() -> None:
    summary = _summary(_trial("box", 0.2, facts=THIN), _trial("box", 0.8, asked="b", facts=WIDE))

    rows = {f"{row.dimension}: {row.bucket}": row.scores["box"] for row in summary.slices}
    assert list(rows) == [
        "size: below 2 %", "size: above 10 %", "width: below 10 px", "width: above 40 px", "occlusion: above 40 %",
        "material: metal",
    ]  # fmt: skip
    assert rows["size: below 2 %"] == rows["material: metal"] == pytest.approx(0.2)
    assert rows["width: above 40 px"] == pytest.approx(0.8)


def test_a_table_leaves_out_what_nobody_has_and_dashes_what_one_lacks() -> None:
    full, other = _summary(_trial("box", 0.5)), _summary(_trial("click", 0.25))

    lines = format_table([full, other]).splitlines()

    cells = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:4]] for line in lines}
    assert cells["box"] == ["0.500", "-"]
    assert cells["1 click"] == ["-", "0.250"]
    assert "AR@1000" not in cells
    assert len({len(line) for line in lines}) == 1


def test_slices_are_written_with_the_number_of_their_objects() -> None:
    text = format_slices(_summary(_trial("box", 0.2, facts=THIN)))

    assert "| slice" in text
    assert "NoC@85" not in text
    assert "| size: below 2 %       |       1 | 0.200 |" in text
