"""`import_masks`: masks of any annotation format into a store. Doing it again adds nothing that is there already.

A frame that the store does not have goes in whole. On one that it has, masks that are there are known again, and what
was changed elsewhere becomes review events (`merge_masks`). A kill loses at most what was not flushed; the same command
does the rest.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from maskwright.core.errors import MaskwrightError
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.review_event import ReviewEvent
from maskwright.datasets.formats import find_format
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog, LossReport
from maskwright.predict.records import utc_now
from maskwright.store import ANY_STATUS, MaskStore, Query, SeenFrame
from maskwright.store.bulk_writer import BulkWriter
from maskwright.workflows.annotate import open_or_create
from maskwright.workflows.imported_frames import FramePlaces
from maskwright.workflows.merge_masks import merge_masks, outcome_events
from maskwright.workflows.recognise_format import recognise_format
from maskwright.workflows.run_manifest import RunManifest, versions

GONE = "masks that were merged or split, in whose place others stand"
_FRAMES_A_FLUSH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came in: `num_known` masks were in the store already, `num_events` say what differed or had been decided."""

    store: Path
    run: str
    format: str
    num_frames: int
    num_new: int
    num_known: int
    num_events: int
    report: LossReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """Who imports, who recorded the frames, and the terms of the masks, where the file does not say."""

    actor: str | None = None
    collector: str | None = None
    licence: str | None = None


def import_masks(
    path: Path,
    out: Path,
    *,
    format_name: str | None = None,
    images: Path | None = None,
    credits: Credits | None = None,
    command: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Imported:
    """Read `path` into the store at `out`, which is made if nothing is there. `images` is where the pictures lie.

    Without a format it is recognised. Pictures give masks their identity: a frame of a source, or a digest; where they
    are not at hand, masks are kept by the names of their pictures.

    Raises:
        InputError: nothing is there, it is not of the format, or the format is not recognised.
        SettingError: there is no such format.
        StoreError: the store cannot be opened or written, or another process imports the same.
    """
    chosen = find_format(format_name or recognise_format(path))
    log = LossLog()
    places = FramePlaces(path, images, log)
    frames = iter(chosen.read(path, images=images, log=log))
    first = list(islice(frames, 1))  # a file that is wrong as a whole is told before a store is made
    run = f"import-{hashlib.sha256(f'{path.resolve()}:{chosen.name}'.encode()).hexdigest()[:16]}"
    began = clock()
    with open_or_create(out) as store:
        manifest = RunManifest.of(store, run)
        with manifest.lock():
            facts = {
                "verb": "import",
                "settings": {"format": chosen.name},
                "import": {"path": str(path.resolve()), "images": None if images is None else str(images.resolve())},
            }
            about = {"started_at": began.isoformat(), "command": command, "versions": versions()}
            content = manifest.begin(facts, about)
            taker = _Taker(store, run, path, log, credits or Credits(), began)
            outcome = "failed"
            try:
                taker.take_all(places.placed(chain(first, frames)), progress)
                outcome = "done"
            except KeyboardInterrupt:
                outcome = "interrupted"
                raise
            finally:
                manifest.end(content, outcome, clock(), session=taker.counts(log.report()))
    return Imported(
        store=out,
        run=run,
        format=chosen.name,
        num_frames=taker.num_frames,
        num_new=taker.num_new,
        num_known=taker.num_known,
        num_events=taker.num_events,
        report=log.report(),
    )


class _Taker:
    """Takes frames into the store, new ones in bulk, known ones mask by mask."""

    def __init__(self, store: MaskStore, run: str, path: Path, log: LossLog, credits: Credits, began: datetime) -> None:
        self._store, self._run, self._log, self._credits, self._began = store, run, log, credits, began
        self._actor = credits.actor or f"import of {path.name}"
        self._known = {hash(frame.key) for frame in store.seen_frames()}
        self._ids: set[str] = set()
        self._events: list[ReviewEvent] = []
        self.num_frames = self.num_new = self.num_known = self.num_events = 0

    def take_all(
        self, frames: Iterator[tuple[SeenFrame, LabelledFrame]], progress: Callable[[int, int | None], None] | None
    ) -> None:
        """Take frames until they end."""
        with self._store.bulk_writer(run=self._run) as writer:
            for number, (seen, frame) in enumerate(frames, 1):
                self._take(writer, seen, frame)
                if number % _FRAMES_A_FLUSH == 0:
                    self._flush(writer)
                if progress is not None:
                    progress(number, None)
            self._flush(writer)

    def counts(self, report: LossReport) -> dict[str, Any]:
        """What the manifest says."""
        return {
            "num_frames": self.num_frames,
            "num_masks": self.num_new,
            "num_known": self.num_known,
            "num_events": self.num_events,
            "skipped": [{"item": one.item, "reason": one.reason} for one in report.skipped],
            "lost": [{"what": one.what, "count": one.count, "example": one.example} for one in report.losses],
        }

    def _take(self, writer: BulkWriter, seen: SeenFrame, frame: LabelledFrame) -> None:
        masks = [placed for mask in frame.masks if (placed := self._placed(mask, seen)) is not None]
        self.num_frames += 1
        key = hash(seen.key)
        if key in self._known:
            self._flush(writer)  # what came before in this file counts too
            self._merge(seen, masks)
            return
        self._known.add(key)
        writer.add(seen, [mask.record for mask in masks])
        self.num_new += len(masks)
        for mask in masks:
            self._events += outcome_events(mask, actor=self._actor, at=self._began)

    def _placed(self, mask: ResolvedRecord, seen: SeenFrame) -> ResolvedRecord | None:
        """Give a mask its frame; None for one that others replaced, or whose id is taken elsewhere."""
        record = mask.record
        item = f"{seen.name}#{record.id}"
        if mask.status in ("merged", "split"):
            self._log.lose(GONE, item)
            return None
        if not self._is_fresh(mask):
            if record.id in self._ids or not self._is_free(record.id, seen):
                self._log.skip(item, "a mask of this id is on another frame")
                return None
            self._ids.add(record.id)
        provenance = replace(
            record.provenance,
            collector=record.provenance.collector or self._credits.collector,
            licence=record.provenance.licence or self._credits.licence,
            actor=record.provenance.actor or (self._credits.actor if self._is_fresh(mask) else None),
        )
        placed = replace(record, frame=seen.ref, image_digest=seen.image_digest or "", provenance=provenance)
        return replace(mask, record=placed)

    def _is_fresh(self, mask: ResolvedRecord) -> bool:
        """Whether a mask got its id just now."""
        provenance = mask.record.provenance
        return provenance.method == "imported" and provenance.created_at >= self._began

    def _is_free(self, record_id: str, seen: SeenFrame) -> bool:
        try:
            record = self._store.history(record_id).record
        except MaskwrightError:
            return True
        here = (seen.ref, seen.image_digest) if seen.ref is None else (seen.ref, None)
        return here == ((record.frame, record.image_digest) if seen.ref is None else (record.frame, None))

    def _merge(self, seen: SeenFrame, masks: list[ResolvedRecord]) -> None:
        merged = merge_masks(masks, self._here(seen), actor=self._actor, at=self._began)
        self._store.put(merged.records, frames=())
        self._events += merged.events
        self.num_new += len(merged.records)
        self.num_known += merged.num_known

    def _here(self, seen: SeenFrame) -> list[ResolvedRecord]:
        """Read the masks that the store has of a frame."""
        if seen.ref is None:
            query = Query(image_digest=seen.image_digest, status=ANY_STATUS)
            return [one for one in self._store.query(query) if one.record.frame is None]
        ref = seen.ref
        query = Query(
            dataset=ref.dataset,
            episode=ref.episode,
            camera=ref.camera,
            first_frame=ref.frame_index,
            last_frame=ref.frame_index,
            status=ANY_STATUS,
        )
        return list(self._store.query(query))

    def _flush(self, writer: BulkWriter) -> None:
        """Put masks on the disk, then the events about them; events that a kill takes are found missing next time."""
        writer.flush()
        events, self._events = self._events, []
        self._store.append(events)
        self.num_events += len(events)


__all__ = ["Credits", "Imported", "import_masks"]
