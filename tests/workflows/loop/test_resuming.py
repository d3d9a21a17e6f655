"""A loop that is stopped anywhere goes on from there: nothing twice, nothing missing, nothing of people's touched."""

import multiprocessing
import os
import signal

import pytest

from loop_data import Clock, around, asked, newer, propose_until_killed, reviewer
from maskwright.core import Accept, Edit, Reject, ReviewEvent, new_id
from maskwright.core.errors import StoreBusy
from maskwright.models import load_model
from maskwright.store import ANY_STATUS, Query, open_store
from maskwright.workflows.loop.book import Book
from maskwright.workflows.loop.propose import propose_again
from maskwright.workflows.loop.run import run_loop


class Stopped(BaseException):
    """As Ctrl+C."""


class StoppingClock(Clock):
    """Stops the program when it is looked at for the n-th time."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def __call__(self):
        self.left -= 1
        if not self.left:
            raise Stopped
        return super().__call__()


def outcome(store):
    """What the rounds and the masks came to, without times."""
    rounds = [
        (one.number, one.stage, one.num_by_rule, one.num_audit, one.num_queued, one.audit_share)
        for one in Book(store).rounds()
    ]
    with open_store(store, read_only=True) as opened:
        masks = sorted(
            (one.record.rle.counts, one.status, one.num_events) for one in opened.query(Query(status=ANY_STATUS))
        )
        return rounds, masks, len(list(opened.events()))


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5])
def test_a_call_that_is_stopped_anywhere_goes_on(root, after):
    settings = asked(root, mode="semi_automatic", sure=0.7)
    with pytest.raises(Stopped):
        run_loop(root / "masks", settings, around(StoppingClock(after)))

    run_loop(root / "masks", settings, around())

    rounds, masks, num_events = outcome(root / "masks")
    ((_, stage, num_by_rule, num_audit, num_queued, _),) = rounds
    assert stage == "review"
    assert num_queued == min(8, 12 - num_by_rule + num_audit)
    assert num_events == num_by_rule == sum(status == "accepted" for _, status, _ in masks)
    assert max(num for _, _, num in masks) == 1
    assert not list((root / "masks" / "loop").glob(".*.part"))


def decide(store, record_id, *actions):
    at = Clock()()
    store.append([ReviewEvent(id=new_id(), record_id=record_id, actor="ann", at=at, action=one) for one in actions])


def test_proposing_again_leaves_what_people_touched_and_keeps_the_history(root):
    with open_store(root / "masks") as store:
        masks = [one.record for one in store.query(Query())]
        decide(store, masks[0].id, Accept())
        decide(store, masks[1].id, Reject())
        decide(store, masks[2].id, Edit(masks[3].rle))
        before = {one.id: store.record(one.id) for one in masks[:3]}

    found = propose_again(root / "masks", newer(load_model("test-sam")), "again", number=2, at=Clock()())

    with open_store(root / "masks", read_only=True) as store:
        assert {name: store.record(name) for name in before} == before
        made = [m.record for m in store.query(Query()) if m.record.provenance.derived_from]
        assert found.num_replaced == len(made) == 9
        assert {store.record(old).status for one in made for old in one.provenance.derived_from} == {"split"}
        assert store.count(Query(status=("proposed",))) == 10


def test_a_proposal_that_somebody_decides_about_meanwhile_stays_and_the_new_one_goes(root):
    def told(what, done, total):
        if done == 1:
            with open_store(root / "masks") as store:
                decide(store, [one.record.id for one in store.query(Query())][5], Accept())

    propose_again(root / "masks", newer(load_model("test-sam")), "again", number=2, at=Clock()(), told=told)

    with open_store(root / "masks", read_only=True) as store:
        masks = list(store.query(Query(status=ANY_STATUS)))
    (kept,) = [one for one in masks if one.status == "accepted"]
    (late,) = [one for one in masks if kept.record.id in one.record.provenance.derived_from]
    assert kept.verified_by == "ann"
    assert late.status == "rejected"


def test_proposing_again_survives_a_kill(root):
    here, there = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=propose_until_killed, args=(root / "masks", there))
    process.start()
    while here.recv() < 7:
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    found = propose_again(root / "masks", newer(load_model("test-sam")), "again", number=2, at=Clock()())

    assert found.num_frames < 12
    with open_store(root / "masks", read_only=True) as store:
        made = [one for one in store.query(Query()) if one.record.provenance.derived_from]
        assert len(made) == store.count(Query()) == 12
        olds = [old for one in made for old in one.record.provenance.derived_from]
        assert len(set(olds)) == 12
        assert {store.record(old).status for old in olds} == {"split"}


def test_two_processes_do_not_turn_one_loop(root):
    with Book(root / "masks").held(), pytest.raises(StoreBusy, match="another process is at this loop"):
        run_loop(root / "masks", asked(root), around())


def test_a_queue_that_somebody_deleted_is_chosen_anew(root):
    clock = Clock()
    run_loop(root / "masks", asked(root), around(clock))
    reviewer(root / "masks").walk(root / "masks", "loop-1", most=3)
    (root / "masks" / "queues" / "loop-1.json").unlink()

    standing = run_loop(root / "masks", asked(root), around(clock))

    assert (standing.num_left, standing.rounds[0].num_queued) == (8, 8)
