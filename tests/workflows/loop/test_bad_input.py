"""What can be wrong is told in a line, before people have worked for nothing, and can be mended."""

import os

import pytest

from loop_data import Clock, around, asked, reviewer, write_squares
from maskwright.cli.__main__ import run
from maskwright.core import Accept
from maskwright.core.errors import (
    CheckpointError,
    InputError,
    SettingError,
    StoreDamaged,
    StoreMissing,
    StoreReadOnly,
    UnknownModel,
)
from maskwright.store import Query, create_store, open_store
from maskwright.testing.store_values import make_event, make_record, make_ref
from maskwright.workflows.loop.book import Book
from maskwright.workflows.loop.run import run_loop
from maskwright.workflows.loop.settings import LoopSettings


def test_no_store_and_no_pictures(root):
    with pytest.raises(StoreMissing, match="Name the pictures that it is to be made of, --source PICTURES"):
        run_loop(root / "nowhere", asked(root), around())


def test_no_proposals(root):
    create_store(root / "empty").close()

    with pytest.raises(InputError, match="there is nothing to look at: no mask is only proposed"):
        run_loop(root / "empty", asked(root), around())


def test_pictures_make_a_store_and_new_ones_join_it_in_the_next_round(root):
    write_squares(root / "pictures", range(3))
    settings, clock = asked(root, source=root / "pictures", budget=1), Clock()
    first = run_loop(root / "made", settings, around(clock)).rounds[0]
    reviewer(root / "made", accepts_from=2, corrects_from=2).walk(root / "made", "loop-1")
    write_squares(root / "pictures", range(5))

    second = run_loop(root / "made", settings, around(clock)).rounds[1]

    assert (first.num_frames, second.num_frames) == (3, 2)
    assert first.num_proposed > second.num_proposed > 0
    with open_store(root / "made", read_only=True) as store:
        assert len(list(store.seen_frames())) == 5


def test_nothing_reviewed(root):
    run_loop(root / "masks", asked(root), around())

    again = run_loop(root / "masks", asked(root), around())
    assert (again.num_left, again.rounds[0].stage) == (8, "review")
    with pytest.raises(InputError, match="nothing of the queue loop-1 was reviewed yet"):
        run_loop(root / "masks", asked(root), around(trains_now=True))


def test_all_rejected_is_not_trained_on_and_the_next_are_shown(root):
    clock = Clock()
    run_loop(root / "masks", asked(root), around(clock))
    reviewer(root / "masks", corrects_from=2).walk(root / "masks", "loop-1")

    standing = run_loop(root / "masks", asked(root), around(clock))

    assert standing.rounds[0].not_learnt == "nothing was accepted in this round"
    assert (standing.rounds[0].figures.num_rejected, standing.rounds[0].figures.iou) == (8, None)
    assert (standing.rounds[1].stage, standing.num_left) == ("review", 4)
    reviewer(root / "masks", corrects_from=2).walk(root / "masks", "loop-2")
    assert run_loop(root / "masks", asked(root), around(clock)).stop.rule == "complete"


def test_one_episode_is_said_before_people_work_and_can_be_mended(root):
    said, clock = [], Clock()
    with create_store(root / "video") as store:
        store.put([make_record(make_ref(index), track=None, track_point=None) for index in range(3)])
    run_loop(root / "video", asked(root), around(clock, says=said.append))
    with open_store(root / "video") as store:
        store.append([make_event(one.record, Accept()) for one in store.query(Query())])

    with pytest.raises(InputError, match="no picture with masks can be used"):
        run_loop(root / "video", asked(root), around(clock))

    assert any("training holds whole episodes out and needs 3; the store has 1" in line for line in said)
    assert Book(root / "video").rounds()[0].stage == "review"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_cannot_be_written(root):
    (root / "masks").chmod(0o500)
    try:
        with pytest.raises(StoreReadOnly):
            run_loop(root / "masks", asked(root), around())
    finally:
        (root / "masks").chmod(0o700)


def test_a_model_that_is_not_there(root):
    with pytest.raises(CheckpointError, match="expected a checkpoint file, got no file: checkpoints/gone"):
        run_loop(root / "masks", asked(root, model="checkpoints/gone"), around())
    with pytest.raises(UnknownModel, match="teeny"):
        run_loop(root / "masks", asked(root, model="teeny"), around())

    mended = run_loop(root / "masks", asked(root), around())

    assert (mended.rounds[0].proposer, mended.num_left) == ("test-sam", 8)


def test_files_of_the_loop_that_are_damaged_are_named(root):
    run_loop(root / "masks", asked(root), around())
    path = root / "masks" / "loop" / "round-0001.json"
    kept = path.read_text()
    path.write_text("{")

    with pytest.raises(StoreDamaged, match=r"a file of the loop cannot be read.*round-0001\.json"):
        run_loop(root / "masks", asked(root), around())

    path.unlink()
    path.with_name("round-0002.json").write_text(kept.replace('"number": 1', '"number": 2'))
    with pytest.raises(StoreDamaged, match="round 1 is missing"):
        run_loop(root / "masks", asked(root), around())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget": 0}, "the budget must be at least 1"),
        ({"rounds": 0}, "the rounds must be at least 1"),
        ({"goal": 0}, "goal is a share above 0"),
        ({"sure": 1.5}, "what is sure enough lies between 0 and 1"),
        ({"tolerance": -1}, "the tolerance must not be negative"),
        ({"mode": "manual"}, "a mode is one of assisted-manual, semi-automatic, fully-automatic"),
    ],
)
def test_settings_that_cannot_be(changes, said):
    with pytest.raises(SettingError, match=said):
        LoopSettings(**changes)


def test_the_command_line_tells_mistakes(root, capsys):
    store = str(root / "masks")

    assert run(["loop", store, "--mode", "manual"]) == 2
    assert "a mode is assisted-manual, semi-automatic or automatic" in capsys.readouterr().err
    assert run(["loop", store, "--goal", "2"]) == 2
    assert "goal is a share above 0" in capsys.readouterr().err
    assert run(["loop", store, "--wage", "much"]) == 2
    assert "expected a number of at least 0, or a range" in capsys.readouterr().err
    assert run(["loop", str(root / "nowhere"), "--status"]) == 1
    assert "there is no mask store here" in capsys.readouterr().err
    assert run(["loop", store, "--status"]) == 0
    assert capsys.readouterr().err.splitlines() == ["no loop was begun here", f"begin one: maskwright loop {store}"]
