"""What a rule accepts before anybody looks, what people see of it, and how it is taken back. No training here."""

from collections import Counter
from dataclasses import replace

import pytest

from loop_data import START, Clock, around, asked, reviewer
from maskwright.core import Accept, Reject
from maskwright.core.errors import InputError
from maskwright.core.record import Scores
from maskwright.core.review_event import Revert
from maskwright.review import progress_of, read_queue
from maskwright.store import Query, create_store, open_store
from maskwright.testing.store_values import make_event, make_record, make_ref
from maskwright.workflows.loop.accept import rule_of
from maskwright.workflows.loop.book import Book
from maskwright.workflows.loop.call import Call
from maskwright.workflows.loop.run import run_loop
from maskwright.workflows.loop.settings import LoopSettings
from maskwright.workflows.loop.step_review import step_review
from maskwright.workflows.loop.stopping import stop_of

SURE = 0.7  # nine of the twelve masks reach it


def begin(root, **changes):
    """The first call of a loop, and what the next one would do after a reviewer has walked the queue."""
    settings = asked(root, sure=SURE, **changes)
    clock = Clock()
    standing = run_loop(root / "masks", settings, around(clock))
    return standing, Call(Book(root / "masks"), settings, around(clock))


def reviewed(call):
    """Count what was reviewed, as the next call would, and give the round."""
    assert step_review(call, call.book.rounds()[-1])
    return call.book.rounds()[-1]


def statuses(store):
    with open_store(store, read_only=True) as opened:
        return Counter(one.status for one in opened.query(Query()))


def test_semi_automatic_accepts_what_is_sure_and_shows_the_rest(root):
    standing, _ = begin(root, mode="semi_automatic", budget=20)
    (one,) = standing.rounds
    queue = read_queue(root / "masks", "loop-1")

    assert statuses(root / "masks") == {"accepted": one.num_by_rule, "proposed": 12 - one.num_by_rule}
    assert 0 < one.num_by_rule < 12
    assert one.num_queued == 12 - one.num_by_rule + one.num_audit
    assert {entry.status for entry in queue.entries[one.num_audit :]} == {"proposed"}
    with open_store(root / "masks", read_only=True) as store:
        events = list(store.events())
        low = [m.record.scores.predicted_iou for m in store.query(Query(status=("proposed",)))]
    assert {(event.actor, event.at) for event in events} == {("rule:semi_automatic", one.chosen_at)}
    assert one.bar_from == "given"
    assert min(low) < SURE


def test_what_a_rule_accepts_is_nobodys_work(root):
    begin(root, mode="semi_automatic", budget=20)

    with open_store(root / "masks") as store:
        told = progress_of(store.pages())

    assert told.pace.annotators == ()
    assert told.pace.assisted.num_masks == 0
    assert [(one.num_accepted, one.acceptance_rate) for one in told.models] == [(0, None)]


def test_automatic_shows_a_sample_of_what_it_accepted_and_nothing_else(root):
    standing, call = begin(root, mode="fully_automatic", budget=20)
    (one,) = standing.rounds
    queue = read_queue(root / "masks", "loop-1")

    assert one.num_queued == one.num_audit == one.num_by_rule
    assert {entry.reasons for entry in queue.entries} == {("accepted by the rule, unseen: is it right?",)}
    assert statuses(root / "masks")["proposed"] == 12 - one.num_by_rule

    reviewer(root / "masks", accepts_from=0.1, at=call.around.clock()).walk(root / "masks", "loop-1")
    done = reviewed(call)

    assert (done.audit.num_audited, done.audit.num_wrong, done.audit.verdict) == (one.num_audit, 0, "go_on")
    assert done.figures.num_accepted == one.num_audit
    assert done.audit.line().startswith(f"0 of {one.num_audit} wrong, 95 % between 0.0 and")


def test_an_audit_that_fails_takes_back_what_nobody_saw_and_ends_the_mode(root):
    standing, call = begin(root, mode="fully_automatic", budget=4)
    num_by_rule = standing.rounds[0].num_by_rule
    reviewer(root / "masks", at=call.around.clock()).walk(root / "masks", "loop-1")

    done = reviewed(call)

    assert (done.audit.num_wrong, done.audit.num_audited, done.audit.verdict) == (4, 4, "fall_back")
    assert done.audit.num_taken_back == num_by_rule - 4
    assert statuses(root / "masks") == {"accepted": 4, "proposed": 8}
    with open_store(root / "masks", read_only=True) as store:
        assert sum(isinstance(event.action, Revert) for event in store.events()) == num_by_rule - 4
    stop = stop_of([replace(done, stage="done")], call.settings)
    assert stop.rule == "audit"
    assert stop.why.startswith("4 of 4 audited masks were wrong (51 % to 100 %), more than 5.0 %")
    assert stop.to_go_on.endswith("--mode semi-automatic")
    assert stop_of([replace(done, stage="done")], replace(call.settings, mode="semi_automatic")) is None


def test_a_rule_never_decides_about_what_somebody_touched(root):
    with open_store(root / "masks") as store:
        first, second = [one.record for one in store.query(Query())][:2]
        store.append([make_event(first, Reject()), make_event(second, Accept())])
        event = next(event for event in store.events() if event.record_id == second.id)
        store.append([make_event(second, Revert(event.id))])

    begin(root, mode="semi_automatic", budget=20)

    with open_store(root / "masks", read_only=True) as store:
        assert store.record(first.id).status == "rejected"
        assert store.record(second.id).status == "proposed"


def test_automatic_without_anything_sure_enough_says_so(root):
    with pytest.raises(InputError, match=r"no proposal is sure enough for the rule.*--mode semi-automatic"):
        run_loop(root / "masks", asked(root, mode="fully_automatic", sure=0.99), around())


@pytest.mark.parametrize(
    ("num_decided", "wrong_below", "origin", "bar"),
    [
        (20, 0, "usual, as people decided about 20 masks, too few to tell", 0.92),
        (100, 0, "found from 100 masks that people decided about", 0.0),
        (400, 100, "found from 400 masks that people decided about", 0.25),
        (100, 100, "none: of 100 masks that people saw, no score was sure enough", 2.0),
    ],
)
def test_how_sure_is_sure_enough_follows_from_what_people_decided(tmp_path, num_decided, wrong_below, origin, bar):
    records = [
        make_record(make_ref(at), scores=Scores(predicted_iou=at / num_decided, stability=1.0))
        for at in range(num_decided)
    ]
    with create_store(tmp_path / "masks") as store:
        store.put(records)
        store.append([make_event(one, Reject() if at < wrong_below else Accept()) for at, one in enumerate(records)])

        rule = rule_of(store, LoopSettings(mode="semi_automatic"))

    assert rule.origin == origin
    assert rule.bar.predicted_iou == pytest.approx(bar, abs=0.03)
    assert make_event(records[0], Accept()).at > START or rule.audit_share == 0.05
