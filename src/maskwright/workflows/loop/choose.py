"""The queue of a round: first a sample of what the rule accepted, then what people should see most, within the budget.

STORE/queues/loop-N.json, walked in the review application like any other. Queues of earlier rounds are deleted: what
was decided on the way is in the store, and what was left is chosen anew.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from maskwright.core.errors import StoreDamaged
from maskwright.core.resolved import ResolvedRecord
from maskwright.review.active import PickSettings
from maskwright.review.named_queues import (
    NamedQueue,
    QueueEntry,
    delete_queue,
    named_page,
    queue_names,
    read_queue,
    write_queue,
)
from maskwright.store import MaskStore, Query, open_store
from maskwright.workflows.pick_masks import pick_masks

PREFIX = "loop-"
_AUDITED = "accepted by the rule, unseen: is it right?"


def queue_of(number: int) -> str:
    """The name of a round's queue."""
    return f"{PREFIX}{number}"


def choose(
    path: Path,
    number: int,
    *,
    audited: Sequence[ResolvedRecord],
    budget: int,
    is_picking: bool,
    images: Path | None,
    seed: int,
    progress: Callable[[int, int], None] | None,
    clock: Callable[[], datetime],
) -> NamedQueue | None:
    """Write the queue of a round; None where there is nothing to look at.

    `audited` come first, at most `budget` of them; `is_picking` fills the rest with proposals.

    Raises:
        StoreError: the store cannot be read, or the queue not be written.
    """
    name = queue_of(number)
    for old in queue_names(path):
        if old.startswith(PREFIX) and old.removeprefix(PREFIX).isdecimal() and old != name:
            delete_queue(path, old)
    sample = [
        QueueEntry(record=one.record.id, status="accepted", score=1.0, reasons=(_AUDITED,)) for one in audited[:budget]
    ]
    picked, settings = (), {}
    left = budget - len(sample)
    if is_picking and left and _has_proposals(path, name):
        made = pick_masks(
            path,
            PickSettings(budget=left, seed=seed),
            name=name,
            replaces=True,
            images=images,
            progress=progress,
            clock=clock,
        ).queue
        picked, settings = made.entries, made.settings
    if not sample and not picked:
        return None
    about = [f"round {number}"]
    about += [f"{len(sample)} of what the rule accepted"] if sample else []
    about += [f"{len(picked)} that need people most"] if picked else []
    queue = NamedQueue(
        name=name, about=": ".join([about[0], ", ".join(about[1:])]), made_at=clock(), entries=(*sample, *picked),
        settings={**settings, "round": number, "num_audit": len(sample)},
    )  # fmt: skip
    write_queue(path, queue)
    return queue


def num_left(store: MaskStore, name: str) -> int:
    """Count what is left of a queue.

    Raises:
        UnknownRecord, StoreDamaged: it was deleted, or cannot be read.
    """
    return named_page(store.pages(), read_queue(store.path, name), limit=1).num_left


def _has_proposals(path: Path, name: str) -> bool:
    """Whether something is proposed that waits in no other queue."""
    waiting: set[str] = set()
    for other in queue_names(path):
        if other != name:
            with suppress(StoreDamaged):  # one that cannot be read holds nobody back
                waiting |= {one.record for one in read_queue(path, other).entries}
    with open_store(path, read_only=True) as store:
        return any(one.record.id not in waiting for one in store.query(Query(status=("proposed",))))


__all__ = ["PREFIX", "choose", "num_left", "queue_of"]
