"""Where a loop stands, in words: the table of its rounds, what comes next, and which command does it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.core.errors import StoreDamaged, UnknownRecord
from maskwright.store import Query, open_store
from maskwright.workflows.costs import Span
from maskwright.workflows.loop.book import Book
from maskwright.workflows.loop.choose import num_left
from maskwright.workflows.loop.rounds import Round
from maskwright.workflows.loop.settings import LoopSettings, dashed
from maskwright.workflows.loop.stopping import Stop, stop_of

_HEAD = ("round", "stage", "mode", "shown", "rule", "decided", "right", "IoU", "masks/h", "held out", "gain", "cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A loop between two calls. `num_left` masks of the queue wait for people; `stop` where it has ended."""

    store: Path
    settings: LoopSettings
    rounds: tuple[Round, ...]
    num_left: int = 0
    stop: Stop | None = None
    report: Path | None = None

    @property
    def waits_for_people(self) -> bool:
        """Whether the next step is somebody's."""
        return bool(self.num_left)

    @property
    def checkpoint(self) -> str:
        """The best model so far: the last that was adopted, or the first of all."""
        found = [one.learnt.checkpoint for one in self.rounds if one.learnt is not None and one.learnt.is_adopted]
        return found[-1] if found else self.settings.model

    def next_lines(self) -> list[str]:
        """Say what comes next and how."""
        loop = f"maskwright loop {shlex.quote(str(self.store))}"
        if not self.rounds:
            return ["no loop was begun here", f"begin one: {loop}"]
        last = self.rounds[-1]
        if self.stop is not None:
            use = f"the model: {self.checkpoint}"
            return [f"the loop is over ({self.stop.rule}): {self.stop.why}", self.stop.to_go_on, use]
        if last.stage == "review" and self.num_left:
            review = f"maskwright review {shlex.quote(str(self.store))} --model {shlex.quote(last.proposer)}"
            return [
                f"round {last.number} waits for people: {self.num_left} of {last.num_queued} masks are left in the "
                f"queue {last.queue}",
                f"next: {review}    (Queues, then {last.queue})",
                f"then: {loop}",
            ]
        return [f"round {last.number} goes on with: {_STEP_WORDS[last.stage]}", f"next: {loop}"]

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "store": str(self.store),
            "settings": self.settings.as_json(),
            "rounds": [self._round_json(one) for one in self.rounds],
            "num_left": self.num_left,
            "checkpoint": self.checkpoint,
            "stop": None if self.stop is None else {"rule": self.stop.rule, "why": self.stop.why},
            "next": self.next_lines(),
            "report": None if self.report is None else str(self.report),
        }

    def _round_json(self, one: Round) -> dict[str, Any]:
        cost = cost_of(one, self.settings)
        return {**one.as_json(), "cost": [round(cost.low, 4), round(cost.high, 4)]}


_STEP_WORDS = {
    "propose": "proposing masks",
    "choose": "choosing what people see",
    "review": "reading what people decided",
    "train": "training",
    "done": "the next round",
}


def read_standing(path: Path, settings: LoopSettings | None = None) -> Standing:
    """Read where the loop of a store stands, without changing anything; `settings` in place of those of the last call.

    Raises:
        StoreError: the store or the loop's files cannot be read.
    """
    open_store(path, read_only=True).close()
    book = Book(path)
    return standing_of(path, book.rounds(), settings or book.settings() or LoopSettings())


def standing_of(path: Path, rounds: Sequence[Round], settings: LoopSettings) -> Standing:
    """Say where rounds stand."""
    last = rounds[-1] if rounds else None
    left = 0
    if last is not None and last.stage == "review" and last.queue is not None:
        with open_store(path, read_only=True) as store:
            try:
                left = num_left(store, last.queue)
            except (UnknownRecord, StoreDamaged):
                left = 0
    stop = stop_of(rounds, settings) if last is not None and last.stage == "done" else None
    return Standing(store=path, settings=settings, rounds=tuple(rounds), num_left=left, stop=stop)


def cost_of(one: Round, settings: LoopSettings) -> Span:
    """What a round cost: wages for the time that the log tells of, and the machine's."""
    people = settings.wage * ((one.figures.seconds if one.figures else 0.0) / 3600)
    return people + settings.machine_price * (one.machine_s / 3600)


def table(standing: Standing) -> list[list[str]]:
    """The rounds as a table of texts, its head first."""
    return [list(_HEAD), *([*_cells(one, standing.settings)] for one in standing.rounds)]


def _cells(one: Round, settings: LoopSettings) -> list[str]:
    told, learnt = one.figures, one.learnt
    cost = cost_of(one, settings)
    return [
        str(one.number),
        one.stage,
        dashed(one.mode),
        str(one.num_queued),
        str(one.num_by_rule),
        "-" if told is None else str(told.num_decided),
        _share(None if told is None else told.acceptance_rate),
        _number(None if told is None else told.iou),
        "-" if told is None or told.masks_per_hour is None else f"{told.masks_per_hour:.0f}",
        "-" if learnt is None else f"{_mean(learnt.before)} to {_mean(learnt.after)}",
        "-" if learnt is None else f"{learnt.gain:+.3f}" + ("" if learnt.is_adopted else " (not taken)"),
        f"${cost.low:.2f}-{cost.high:.2f}",
    ]


def text_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align a table for a terminal."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def planned(standing: Standing) -> list[str]:
    """Say what the next call would do, step by step until people are needed."""
    settings, rounds = standing.settings, standing.rounds
    last = rounds[-1] if rounds else None
    if standing.stop is not None or standing.waits_for_people:
        return standing.next_lines()
    number = 1 if last is None else last.number + (last.stage == "done")
    at = 0 if last is None or last.stage == "done" else list(_STEP_WORDS).index(last.stage)
    steps = [
        *([f"annotate new pictures of {settings.source}"] if settings.source else []),
        f"propose again with {standing.checkpoint} what nobody has decided about"
        if rounds
        else "take the proposals there are",
    ]
    lines = [f"round {number} ({dashed(settings.mode)}):"]
    if at == 0:
        lines += [f"  {step}" for step in steps]
    if at <= 1:
        if settings.mode != "assisted_manual":
            lines.append("  accept what is sure enough, by the rule, and draw a sample of it for people")
        with open_store(standing.store, read_only=True) as store:
            count = store.count(Query(status=("proposed",)))
        lines.append(f"  choose up to {settings.budget} of {count} proposals for people, and wait for them")
    else:
        out = settings.out / f"round-{number}"
        lines.append(f"  train on what is accepted, into {out}, and take it if it is better on held-out masks")
        lines.append("  begin the next round, unless a rule says that it is enough")
    return lines


def _mean(scores: dict[str, float]) -> str:
    values = [scores[name] for name in ("box", "1 click") if name in scores]
    return f"{sum(values) / len(values):.3f}" if values else "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


__all__ = ["Standing", "cost_of", "planned", "read_standing", "standing_of", "table", "text_table"]
