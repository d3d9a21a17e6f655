"""`run_loop`: go on with a loop until people are needed or a rule says that it is enough.

Each step begins from what is written down and writes what it did, so that a kill at any point costs at most the step
that was at work, and steps that take long (proposing, training) go on where they were.
"""

from dataclasses import replace
from pathlib import Path

from maskwright.core.errors import StoreMissing
from maskwright.store import open_store
from maskwright.workflows.loop.book import Book
from maskwright.workflows.loop.call import Call, Surroundings
from maskwright.workflows.loop.report import write_report
from maskwright.workflows.loop.rounds import Round
from maskwright.workflows.loop.settings import LoopSettings
from maskwright.workflows.loop.standing import Standing, standing_of
from maskwright.workflows.loop.step_choose import step_choose
from maskwright.workflows.loop.step_review import step_review
from maskwright.workflows.loop.step_train import step_train
from maskwright.workflows.loop.stopping import stop_of


def run_loop(path: Path, settings: LoopSettings, around: Surroundings) -> Standing:
    """Go on with the loop of a store, or begin one; the store is made if pictures are named and nothing is there.

    Raises:
        StoreError: the store cannot be read or written, or another process is at the loop.
        InputError: nothing is proposed, nothing was reviewed, or training cannot hold anything out.
        ModelError: the model is not there, or cannot be trained.
    """
    _make_ready(path, settings)
    book = Book(path)
    with book.held():
        if book.settings() != settings:
            book.write_settings(settings)
        call = Call(book, settings, around)
        while _step(call):
            pass
        rounds = book.rounds()
        report = write_report(book, rounds, settings, around.clock())
        return replace(standing_of(path, rounds, settings), report=report)


def _make_ready(path: Path, settings: LoopSettings) -> None:
    if (path / "store.json").exists():
        open_store(path).close()  # damage, and what nothing can be written to, are told before anything begins
        return
    if settings.source is None:
        raise StoreMissing(
            "there is no mask store here. Name the pictures that it is to be made of, --source PICTURES, or make one: "
            f"maskwright annotate PICTURES --everything -o {path}"
        )
    from maskwright.workflows.annotate import open_or_create

    open_or_create(path).close()


def _step(call: Call) -> bool:
    """Do the next step; False where there is none to do."""
    rounds = call.book.rounds()
    if not rounds or rounds[-1].stage == "done":
        if stop_of(rounds, call.settings) is not None:
            return False
        _begin(call, rounds)
        return True
    one, before = rounds[-1], rounds[:-1]
    match one.stage:
        case "propose":
            from maskwright.workflows.loop.step_propose import step_propose

            newest = replace(one, mode=call.settings.mode, proposer=_proposer(before, call.settings))
            step_propose(call, newest)
        case "choose":
            step_choose(call, one)
        case "review":
            return step_review(call, one)
        case _:
            step_train(call, one, before)
    return True


def _begin(call: Call, rounds: list[Round]) -> None:
    """Write down a round in which nothing is done yet."""
    last = rounds[-1] if rounds else None
    now = call.around.clock()
    with open_store(call.path, read_only=True) as store:
        moment = store.moment()
    begun = Round(
        number=len(rounds) + 1,
        stage="propose",
        mode=call.settings.mode,
        proposer=_proposer(rounds, call.settings),
        is_new_proposer=bool(last and last.learnt and last.learnt.is_adopted),
        began_at=now,
        from_at=now if last is None or last.reviewed_at is None else last.reviewed_at,
        from_moment=moment if last is None or last.reviewed_moment is None else last.reviewed_moment,
    )
    call.book.write(begun)


def _proposer(rounds: list[Round], settings: LoopSettings) -> str:
    """The newest checkpoint that was adopted, or the model to begin with."""
    adopted = [one.learnt.checkpoint for one in rounds if one.learnt is not None and one.learnt.is_adopted]
    return adopted[-1] if adopted else settings.model


__all__ = ["Surroundings", "run_loop"]
