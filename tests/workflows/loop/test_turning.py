"""A whole loop: two rounds with a reviewer who knows the truth, on real events and real training."""

import json
import shutil

import pytest

from loop_data import QUICK, Clock, around, asked, reviewer
from maskwright.cli.__main__ import run
from maskwright.core.review_event import Split
from maskwright.review.engine import is_person
from maskwright.store import ANY_STATUS, Query, open_store
from maskwright.workflows.loop.run import run_loop
from maskwright.workflows.loop.standing import planned, read_standing


@pytest.fixture(scope="module")
def turned(template, tmp_path_factory):
    root = tmp_path_factory.mktemp("turned")
    shutil.copytree(template / "masks", root / "masks")
    shutil.copytree(template / "general", root / "general")
    store, said, clock = root / "masks", [], Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASKWRIGHT_CACHE", str(template / "cache"))
        settings = asked(root, rounds=2, goal=1.0)
        plans = [planned(read_standing(store, settings))]
        ann = reviewer(store)
        stands = [run_loop(store, settings, around(clock, says=said.append))]
        ann.walk(store, "loop-1")
        decided = decisions(store)
        clock.at = ann.at
        plans.append(planned(read_standing(store)))
        stands.append(run_loop(store, settings, around(clock, says=said.append)))
        ann.at = clock.at
        ann.walk(store, "loop-2")
        clock.at = ann.at
        stands.append(run_loop(store, settings, around(clock, says=said.append)))
    return root, stands, said, plans, decided


def decisions(store):
    """What people decided: the masks as they are, by id."""
    with open_store(store, read_only=True) as opened:
        people = {one.record_id for one in opened.events() if is_person(one.actor)}
        return {name: opened.record(name) for name in people}


def test_the_loop_stops_where_people_are_needed_and_says_the_command(turned):
    root, (first, *_), _, _, _ = turned

    assert (first.num_left, first.rounds[0].stage, first.rounds[0].num_queued) == (8, "review", 8)
    assert first.next_lines() == [
        "round 1 waits for people: 8 of 8 masks are left in the queue loop-1",
        f"next: maskwright review {root}/masks --model test-sam    (Queues, then loop-1)",
        f"then: maskwright loop {root}/masks",
    ]


def test_a_round_is_trained_judged_and_followed_by_the_next(turned):
    root, (_, second, _), said, _, _ = turned
    one = second.rounds[0]

    assert one.stage == "done"
    assert one.learnt.is_adopted
    assert one.learnt.after["box"] > one.learnt.before["box"]
    assert one.learnt.gain_low <= one.learnt.gain <= one.learnt.gain_high
    assert one.figures.num_corrected == 8
    assert one.figures.iou == pytest.approx(0.29, abs=0.03)
    assert one.figures.masks_per_hour == pytest.approx(600)
    assert one.figures.people == ("ann",)
    assert second.rounds[1].proposer == f"{root}/checkpoints/round-1"
    assert any(line.startswith(f"round 1: {root}/checkpoints/round-1 takes over: it is better") for line in said)


def test_what_nobody_decided_about_is_proposed_again_with_its_history(turned):
    root, (_, second, _), _, _, _ = turned
    again = second.rounds[1]

    with open_store(root / "masks", read_only=True) as store:
        made = [m for m in store.query(Query(status=ANY_STATUS)) if m.record.provenance.derived_from]
        (old,) = made[0].record.provenance.derived_from
        history = store.history(old)

    assert again.num_replaced == len(made) == 4
    assert {one.record.label for one in made} == {"square"}
    assert made[0].record.provenance.model.checkpoint_sha256 == again.proposer_sha256
    assert history.resolved.status == "split"
    assert [type(event.action) for event in history.events] == [Split]
    assert history.events[0].actor == "rule:loop"


def test_what_people_decided_is_not_touched_by_later_rounds(turned):
    root, _, _, _, decided = turned

    with open_store(root / "masks", read_only=True) as store:
        assert {name: store.record(name) for name in decided} == decided


def test_the_loop_ends_by_a_rule_that_is_named(turned):
    _, (*_, third), _, _, _ = turned

    assert third.stop.rule == "budget"
    assert third.next_lines() == [
        "the loop is over (budget): 2 of 2 rounds are done, 12 masks were shown to people",
        "go on with more: --rounds 3",
        f"the model: {third.checkpoint}",
    ]


def test_what_would_be_done_is_said_beforehand_and_nothing_is_done(turned):
    _, _, _, (before, after), _ = turned

    assert before == [
        "round 1 (assisted-manual):",
        "  take the proposals there are",
        "  choose up to 8 of 12 proposals for people, and wait for them",
    ]
    assert after[0] == "round 1 (assisted-manual):"
    assert after[1].startswith("  train on what is accepted, into ")


def test_the_report_stands_alone_and_has_everything(turned):
    root, _, _, _, _ = turned

    page = (root / "masks" / "loop" / "report.html").read_text()

    assert page.count("data:image/jpeg;base64") == 12
    assert "http" not in page
    for part in (
        "Rounds",
        "Curves",
        "Right as it came",
        "Masks an hour",
        "Held-out masks",
        "Cost",
        "Worst corrections",
    ):
        assert part in page, part
    assert "people (ann): 0 accepted as they came, 8 corrected, 0 rejected, 0 drawn anew" in page


def test_programs_get_the_same_numbers(turned):
    root, (*_, third), _, _, _ = turned

    told = json.loads((root / "masks" / "loop" / "loop.json").read_text())

    assert [one["stage"] for one in told["rounds"]] == ["done", "done"]
    assert told["rounds"][0]["figures"]["acceptance_rate"] == 0
    assert told["rounds"][0]["learnt"]["gain"] == third.rounds[0].learnt.gain
    assert told["rounds"][0]["cost"][0] < told["rounds"][0]["cost"][1]
    assert told["stop"]["rule"] == "budget"
    assert told["checkpoint"] == third.checkpoint


def test_the_command_shows_rounds_and_needs_no_option_again(turned, capsys):
    root, _, _, _, _ = turned

    assert run(["loop", str(root / "masks"), "--status"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[0].split()[:4] == ["round", "stage", "mode", "shown"]
    assert told.out.splitlines()[1].split()[:6] == ["1", "done", "assisted-manual", "8", "0", "8"]
    assert "the loop is over (budget)" in told.err
    assert run(["loop", str(root / "masks"), "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("the loop is over")
    assert run(["loop", str(root / "masks"), "--status", "--rounds", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stop"] is None
    assert read_standing(root / "masks").settings.recipe == QUICK
