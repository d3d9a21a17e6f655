"""`pick_masks`: the masks of a store that a person should see next, written as a named queue beside it.

The rules are those of `review.active`; here they meet a store, pictures, and files of vectors.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from maskwright.core.errors import DuplicateRecord, ImageError, SettingError, StoreDamaged
from maskwright.review.active import GROUPS, Pick, Picked, PickSettings, Sources, pick, signals_of
from maskwright.review.named_queues import (
    NamedQueue,
    QueueEntry,
    check_name,
    free_name,
    queue_names,
    read_queue,
    write_queue,
)
from maskwright.store import MaskStore, Query, SeenFrame, StoredFrame, open_store
from maskwright.store.folder import told_plainly, write_whole
from maskwright.store.query import ANY_STATUS
from maskwright.workflows.picture_vectors import PictureVectors
from maskwright.workflows.store_pictures import StorePictures

DEFAULT_NAME = "picked"
_MOST_KNOWN = 5_000  # vectors of pictures with accepted masks, to which novelty is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedQueue:
    """The queue that was written, where, and what it was picked from."""

    queue: NamedQueue
    path: Path
    picked: Picked

    def lines(self) -> Iterator[str]:
        """Tell people."""
        picked, num = self.picked, len(self.picked.picks)
        yield f"{num} of {picked.num_items} picked into the queue {self.queue.name}, {picked.num_masks} masks"
        if picked.weights:
            yield "weights: " + ", ".join(f"{name} {weight:g}" for name, weight in picked.weights.items())
        else:
            yield "nothing that was asked for tells these masks apart; they are spread over the recordings"
        for one in islice(picked.picks, 5):
            yield f"  {one.record_ids[0]}  {one.score:.2f}  {'; '.join(one.reasons)}"


def pick_masks(
    path: Path,
    settings: PickSettings,
    *,
    query: Query | None = None,
    name: str | None = None,
    replaces: bool = False,
    out: Path | None = None,
    images: Path | None = None,
    vectors: Path | PictureVectors | None = None,
    progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> PickedQueue:
    """Pick masks of a store into a queue, and write it; `out` gets it as well.

    Conditions of `query` choose the masks; the status that is picked is that of the settings. Masks that wait in other
    queues are left out, so that the next pick is the next best. `vectors` are of the pictures, or a file of them; a
    picture without one counts as far from all.

    Raises:
        DuplicateRecord: there is a queue of that name, and it is not to be replaced.
        SettingError: signals were asked for whose input is missing, or no mask is there to pick.
        StoreError: the store cannot be read or written.
    """
    with open_store(path, read_only=True) as store:
        name = _name(store, name, replaces=replaces)
        waiting = _waiting(store, except_for=name)
        query = replace(query or Query(), status=ANY_STATUS)
        sources = _sources(store, settings, images, vectors)
        frames = _told(store.frames(query), store, progress)
        picked = pick(frames, settings, sources=sources, leave_out=waiting.__contains__)
    if not picked.picks:
        raise SettingError(
            f"there is no mask to pick that is {' or '.join(settings.of_status)} and waits in no other queue. "
            f"Ask for another --status, or annotate more: {path}"
        )
    queue = NamedQueue(
        name=name,
        about=_about(settings, picked),
        made_at=clock(),
        entries=tuple(entry for one in picked.picks for entry in _entries(one)),
        settings=_settings(settings, picked),
    )
    if out is not None:
        with told_plainly(out):
            write_whole(out, (json.dumps(queue.as_json(), indent=1, ensure_ascii=False) + "\n").encode())
    return PickedQueue(queue=queue, path=write_queue(path, queue), picked=picked)


def _name(store: MaskStore, name: str | None, *, replaces: bool) -> str:
    if name is None:
        return free_name(store.path, DEFAULT_NAME)
    if check_name(name) in queue_names(store.path) and not replaces:
        raise DuplicateRecord(f"there is a queue {name} already. Give --replace, or another --name: {store.path}")
    return name


def _waiting(store: MaskStore, *, except_for: str) -> set[str]:
    waiting: set[str] = set()
    for name in queue_names(store.path):
        if name != except_for:
            with suppress(StoreDamaged):  # one that cannot be read holds nobody back
                waiting |= {one.record for one in read_queue(store.path, name).entries}
    return waiting


def _sources(
    store: MaskStore, settings: PickSettings, images: Path | None, vectors: Path | PictureVectors | None
) -> Sources:
    found = PictureVectors.read(vectors) if isinstance(vectors, Path) else vectors
    sources = Sources() if found is None else Sources(vectors_of=found.of)
    if "novelty" in settings.by:
        if found is None:
            raise SettingError(
                "novelty needs the embeddings of the pictures. Have them made: --vectors auto, or give a file of them"
            )
        sources = replace(sources, known=_known(store, found))
    if "looks" in settings.by:
        sources = replace(sources, pixels_of=_pixels_of(StorePictures(store, images)))
    return sources


def _known(store: MaskStore, vectors: PictureVectors) -> Float[np.ndarray, "K D"]:
    """Vectors of pictures on which something is accepted."""
    digests: dict[str, None] = {}
    for mask in store.query(Query(status="accepted")):
        digests.setdefault(mask.record.image_digest)
        if len(digests) >= _MOST_KNOWN:
            break
    found = vectors.of(list(digests))
    return found[found.any(axis=1)]


def _pixels_of(pictures: StorePictures) -> Callable[[SeenFrame], UInt8[np.ndarray, "H W 3"] | None]:
    def read(frame: SeenFrame) -> UInt8[np.ndarray, "H W 3"] | None:
        opener = pictures.opener(frame)
        try:
            return None if opener is None else opener().pixels
        except ImageError:
            return None  # of this picture nothing is known

    return read


def _told(
    frames: Iterable[StoredFrame], store: MaskStore, progress: Callable[[int, int], None] | None
) -> Iterator[StoredFrame]:
    total = 0 if progress is None else sum(1 for _ in store.seen_frames())
    for done, frame in enumerate(frames, 1):
        yield frame
        if progress is not None:
            progress(done, total)


def _entries(one: Pick) -> Iterator[QueueEntry]:
    for record, status in zip(one.record_ids, one.statuses, strict=True):
        yield QueueEntry(record=record, status=status, score=one.score, reasons=one.reasons)


def _about(settings: PickSettings, picked: Picked) -> str:
    what = "frames" if settings.of_frames else "masks"
    heard = {one.group for one in signals_of(settings.by) if one.name in picked.weights}
    by = ", ".join(name for name in GROUPS if name in heard) or "time alone"  # what had something to say, and no more
    return f"{len(picked.picks)} of {picked.num_items} {what}, picked by {by}"


def _settings(settings: PickSettings, picked: Picked) -> dict[str, object]:
    told = dataclasses.asdict(settings)
    return {**told, "weights": picked.weights, "num_items": picked.num_items, "num_decided": picked.num_decided}


__all__ = ["DEFAULT_NAME", "PickedQueue", "pick_masks"]
