"""The pure parts: when a loop has done enough, how sure a gain is, what is asked again and drawn, what it costs."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import BoxPrompt, CombinedPrompt, MaskPrompt, PointPrompt, TextPrompt
from maskwright.core.errors import InputError
from maskwright.testing.store_values import make_record, rectangle
from maskwright.workflows.loop.book import Book
from maskwright.workflows.loop.gain import gain_of
from maskwright.workflows.loop.plots import Dot, round_plot
from maskwright.workflows.loop.propose import question_of
from maskwright.workflows.loop.rounds import AuditOutcome, Figures, Learnt, Round
from maskwright.workflows.loop.settings import LoopSettings, mode_of, settings_of
from maskwright.workflows.loop.standing import cost_of
from maskwright.workflows.loop.stopping import stop_of

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def learnt(gain=0.03, low=0.01, high=0.05, **changes):
    told = {
        "checkpoint": "checkpoints/round-1",
        "base": "tiny",
        "before": {"box": 0.8},
        "after": {"box": 0.8 + gain},
        "gain": gain,
        "gain_low": low,
        "gain_high": high,
        "num_pictures": 9,
        "num_objects": 40,
        "num_training": 100,
        "general_before": {"box": 0.9},
        "general_after": {"box": 0.9},
        "suggested_replay": 0.0,
        "is_adopted": gain > 0,
        "why": "it is better",
    }
    return Learnt(**(told | changes))


def done(number=1, **changes):
    told = {"mode": "assisted_manual", "proposer": "tiny", "began_at": NOW, "from_at": NOW, "num_queued": 50}
    return Round(number=number, stage="done", **(told | changes))


def people(accepted, corrected=0, rejected=0):
    return Figures(num_accepted=accepted, num_corrected=corrected, num_rejected=rejected)


@pytest.mark.parametrize(
    ("rounds", "changes", "rule"),
    [
        ([], {}, None),
        ([done(learnt=learnt(), figures=people(10, 10))], {}, None),
        ([done(learnt=learnt(), figures=people(96, 2, 2))], {}, "goal"),
        ([done(learnt=learnt(), figures=people(96, 2, 2))], {"goal": 0.99}, None),
        ([done(learnt=learnt(), figures=people(19))], {}, None),  # too few to tell
        ([done(learnt=learnt(0.001, -0.002, 0.004))], {}, "gain"),
        ([done(learnt=learnt(0.001, -0.02, 0.03))], {}, None),  # may still be worth it
        ([done(learnt=learnt(0.001, -0.02, 0.03)), done(2, learnt=learnt(-0.01, -0.02, 0.03))], {}, "gain"),
        ([done(learnt=learnt(0.0, 0.0, 0.0))], {}, None),  # one that nothing came of is no proof
        ([done(learnt=learnt(0.001, -0.002, 0.004, num_pictures=1))], {}, None),
        ([done(learnt=learnt())], {"rounds": 1}, "budget"),
        ([done(learnt=learnt()), done(2, not_learnt="nothing was accepted in this round")], {"rounds": 3}, None),
        ([done(num_queued=0)], {}, "complete"),
    ],
)
def test_a_loop_ends_by_the_rule_that_holds(rounds, changes, rule):
    found = stop_of(rounds, LoopSettings(**changes))

    assert (found and found.rule) == rule
    assert found is None or (found.why and found.to_go_on)


def test_an_audit_that_failed_in_another_mode_stops_nothing():
    failed = AuditOutcome(num_audited=20, num_wrong=9, low=0.26, high=0.66, verdict="fall_back", num_taken_back=80)
    rounds = [done(mode="fully_automatic", audit=failed)]

    assert stop_of(rounds, LoopSettings(mode="fully_automatic")).rule == "audit"
    assert stop_of(rounds, LoopSettings(mode="semi_automatic")) is None


def rows(changes_by_picture):
    lines = ["segmenter,kind,picture,asked,draw,step,iou"]
    for picture, changes in changes_by_picture.items():
        for at, change in enumerate(changes):
            for kind in ("box", "click"):
                lines.append(f"before,{kind},{picture},{picture}#{at},0,1,0.5")
                lines.append(f"after,{kind},{picture},{picture}#{at},0,1,{0.5 + change}")
                lines.append(f"after,{kind},{picture},{picture}#{at},0,2,0.99")
    return "\n".join(lines)


def test_a_gain_is_the_mean_over_objects_with_bounds_over_pictures():
    dice = random.Random(0)
    told = {f"p{i}": [0.1 + dice.uniform(-0.05, 0.05)] * 3 for i in range(20)}

    found = gain_of(rows(told), "before", "after")

    assert found.mean == pytest.approx(sum(one[0] for one in told.values()) / 20)
    assert found.low < found.mean < found.high
    assert found.high - found.low < 0.04
    assert (found.num_pictures, found.num_objects) == (20, 60)
    assert gain_of(rows(told), "before", "after") == found


def test_one_picture_says_nothing_of_others_and_none_cannot_be_compared():
    found = gain_of(rows({"only": [0.1, 0.2]}), "before", "after")

    assert (found.mean, found.low, found.high) == (pytest.approx(0.15), -1, 1)
    with pytest.raises(InputError, match="no object was asked of both before and other"):
        gain_of(rows({"only": [0.1]}), "before", "other")


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        (BoxPrompt((1, 1, 5, 5)), BoxPrompt((1, 1, 5, 5))),
        (PointPrompt([(3, 4)]), CombinedPrompt([PointPrompt([(3, 4)]), BoxPrompt((2, 3, 9, 8))])),
        (PointPrompt([(3, 4), (5, 5)]), PointPrompt([(3, 4), (5, 5)])),
        (TextPrompt("cup"), BoxPrompt((2, 3, 9, 8))),
        (CombinedPrompt([TextPrompt("cup"), BoxPrompt((1, 1, 5, 5))]), BoxPrompt((2, 3, 9, 8))),
        (MaskPrompt(rectangle(1, 1, 3, 3)), MaskPrompt(rectangle(1, 1, 3, 3))),
        (None, BoxPrompt((2, 3, 9, 8))),
    ],
)
def test_a_proposal_is_asked_for_again_by_the_question_that_it_answers(prompt, asked):
    record = make_record()

    assert question_of(replace(record, provenance=replace(record.provenance, prompt=prompt))) == asked


@given(
    st.lists(st.tuples(st.integers(1, 40), st.floats(-1e6, 1e6)), max_size=8),
    st.sampled_from([None, 0.0]),
)
def test_a_plot_holds_all_its_dots(values, floor):
    dots = [Dot(number, abs(value) if floor == 0.0 else value) for number, value in values]

    drawn = round_plot("t", "y", {"line": dots}, floor=floor)

    assert drawn.count("<circle") == len(dots)
    assert "nan" not in drawn


def test_settings_and_rounds_come_back_as_they_were_written(tmp_path):
    settings = LoopSettings(mode="semi_automatic", text=("red mug",), source=tmp_path, sure=0.9, rounds=3)
    audit = AuditOutcome(num_audited=5, num_wrong=0, low=0.0, high=0.4, verdict="go_on")
    one = done(figures=people(1, 2, 3), learnt=learnt(), audit=audit, chosen_at=NOW, notes=("a", "b"))
    book = Book(tmp_path)

    book.write_settings(settings)
    book.write(one)

    assert book.settings() == settings == settings_of({**settings.as_json(), "of a later version": 1})
    assert book.rounds() == [one]


def test_a_round_costs_the_time_of_people_and_of_the_machine():
    one = done(figures=Figures(seconds=1800), machine_s=3600)

    cost = cost_of(one, LoopSettings())

    assert (cost.low, cost.high) == (8.0, 16.5)


def test_modes_are_read_as_people_type_them():
    assert mode_of("automatic") == mode_of("fully-automatic") == "fully_automatic"
    assert mode_of("semi_automatic") == "semi_automatic"
