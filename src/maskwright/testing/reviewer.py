"""A reviewer who knows the truth: walks a queue as a person does, by the events that a person makes.

For tests and experiments with the data engine. What is nearly right is accepted, what is roughly there is corrected to
the true mask and accepted, and what is no object is rejected.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from maskwright.core import Accept, Edit, Reject, ReviewEvent, new_id
from maskwright.core.review_event import Action
from maskwright.core.rle import RLE
from maskwright.masks import iou_matrix
from maskwright.review.named_queues import named_page, read_queue
from maskwright.store import open_store


@dataclass(slots=True, kw_only=True)
class Reviewer:
    """`truth_of` gives the true masks of a picture by its digest; `seconds` go by between two decisions."""

    truth_of: Callable[[str], Sequence[RLE]]
    name: str = "ann"
    accepts_from: float = 0.9
    corrects_from: float = 0.4
    seconds: float = 6.0
    at: datetime
    num_done: int = field(default=0, init=False)

    def walk(self, store: Path, queue: str, *, most: int | None = None) -> int:
        """Decide about the next masks of a queue, and give how many they were.

        Raises:
            UnknownRecord: there is no such queue.
        """
        with open_store(store) as opened:
            page = named_page(opened.pages(), read_queue(store, queue), limit=most or 100_000)
            for item in page.items:
                record = item.mask.record
                self.at += timedelta(seconds=self.seconds)
                opened.append([self._event(record.id, one) for one in self.decide(record.rle, record.image_digest)])
        self.num_done += len(page.items)
        return len(page.items)

    def decide(self, rle: RLE, digest: str) -> tuple[Action, ...]:
        """Say what is done about a mask."""
        truths = list(self.truth_of(digest))
        ious = iou_matrix([rle], truths)[0] if truths else np.zeros(0)
        best = int(np.argmax(ious)) if len(ious) else 0
        iou = float(ious[best]) if len(ious) else 0.0
        if iou >= self.accepts_from:
            return (Accept(),)
        return (Edit(truths[best]), Accept()) if iou >= self.corrects_from else (Reject("no object"),)

    def _event(self, record_id: str, action: Action) -> ReviewEvent:
        return ReviewEvent(id=new_id(), record_id=record_id, actor=self.name, at=self.at, action=action)


__all__ = ["Reviewer"]
