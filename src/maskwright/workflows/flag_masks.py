"""`flag_masks`: masks of a store that models and sensors get wrong, into a queue for people, and for the audit.

Flags lie in STORE/flags/hard.json, written whole and anew by each run; the queue holds the masks that have some, those
with most first. Depth comes from a folder with the frames' names, or with the frames themselves.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from maskwright.core.errors import DuplicateRecord, ImageError, InputError, StoreDamaged
from maskwright.core.resolved import ResolvedRecord
from maskwright.datasets.depth import Unit, read_depth
from maskwright.masks import decode
from maskwright.review.named_queues import (
    MOST_MASKS,
    NamedQueue,
    QueueEntry,
    check_name,
    queue_names,
    read_queue,
    write_queue,
)
from maskwright.robot.depth_cues import DepthCues, find_cues
from maskwright.robot.depth_maps import DepthMap, depth_map
from maskwright.robot.hard_masks import FLAGS, FlagName, HardFlag, HardLimits, hard_flags
from maskwright.store import LISTED, Query, SeenFrame, open_store
from maskwright.store.folder import told_plainly, write_whole
from maskwright.workflows.depth_masks import STEP, flags_in, own_depth
from maskwright.workflows.findings import MOST_EXAMPLES, Finding
from maskwright.workflows.store_pictures import StorePictures

DEFAULT_NAME = "hard"
FORMAT = "maskwright-flags-1"
_ABOUT = "masks with flags of hard things"
_SAYS: dict[FlagName, tuple[str, str]] = {
    "thin": ("masks that are thin", "look at their outlines; a pixel more or less is much of them"),
    "see_through": (
        "masks of what may be glass or a mirror: depth fails on them",
        "look at their outlines, and trust no distance there",
    ),
    "occluded": ("masks behind something nearer", "is what is hidden meant to be part of the mask?"),
    "texture": ("masks within one flat surface", "if they are pieces of a pattern, reject or merge them"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaggedMasks:
    """The queue that was written (None: no mask has a flag), how many masks have each flag, and what was looked at."""

    queue: NamedQueue | None
    counts: dict[FlagName, int]
    num_masks: int
    num_frames: int
    num_with_depth: int

    def as_json(self) -> dict[str, Any]:
        """Give everything as JSON types."""
        return {**asdict(self), "queue": None if self.queue is None else self.queue.as_json()}

    def lines(self) -> Iterator[str]:
        """Tell people."""
        for name, count in self.counts.items():
            yield f"{name:<12} {count}"
        num = 0 if self.queue is None else len(self.queue.entries)
        yield (
            f"{num} of {self.num_masks} masks flagged; {self.num_with_depth} of {self.num_frames} frames have depth"
            + ("" if self.queue is None else f" -> queue {self.queue.name}")
        )
        if not self.num_with_depth:
            yield "without depth only thin masks can be told; name its folder with --depth"


def flag_masks(
    path: Path,
    *,
    depth: Path | None = None,
    unit: Unit | None = None,
    images: Path | None = None,
    name: str = DEFAULT_NAME,
    limits: HardLimits | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FlaggedMasks:
    """Flag the listed masks of a store; `depth` is a folder with a PNG or TIFF for each frame, by its file's stem.

    Raises:
        InputError: there is no such folder, or it has depth of no frame.
        ImageError: depth is damaged, of another size than the frame, or of another unit than was said.
        DuplicateRecord: a queue of that name was picked by something else.
    """
    if depth is not None and not depth.is_dir():
        raise InputError(f"there is no such folder of depth maps: {depth}")
    check_queue_free(path, name)
    entries: list[QueueEntry] = []
    flags: dict[str, list[HardFlag]] = {}
    num_masks = num_frames = num_with_depth = 0
    with open_store(path, read_only=True) as store:
        pictures = StorePictures(store, images) if depth is None else None
        for stored in store.frames(Query(status=LISTED)):
            cues = _cues(stored.frame, depth, unit, pictures)
            num_frames, num_with_depth = num_frames + 1, num_with_depth + (cues is not None)
            for mask in stored.masks:
                found = list(hard_flags(decode(mask.record.rle), cues, limits))
                num_masks += 1
                if found:
                    flags[mask.record.id] = found
                    entries.append(_entry(mask, found))
            if progress is not None:
                progress(num_frames, None)
    if depth is not None and num_frames and not num_with_depth:
        raise InputError(f"expected depth maps named as the frames (X.png or X.tiff for X.jpg), found none: {depth}")
    settings = {"depth": None if depth is None else str(depth), "limits": asdict(limits or HardLimits())}
    queue = _keep(path, name, entries, flags, settings, clock())
    counts = Counter(one.name for found in flags.values() for one in found)
    return FlaggedMasks(
        queue=queue,
        counts={flag: counts[flag] for flag in get_args(FlagName)},
        num_masks=num_masks,
        num_frames=num_frames,
        num_with_depth=num_with_depth,
    )


def queue_annotated(
    path: Path, *, name: str = DEFAULT_NAME, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> int:
    """Queue the masks that `annotate` flagged by depth as it made them, beside those that are flagged; say how many.

    Raises:
        DuplicateRecord: a queue of that name was picked by something else.
        StoreDamaged: the flags that are there cannot be read.
    """
    check_queue_free(path, name)
    flags = _read_flags(path)
    entries = {one.record: one for one in read_queue(path, name).entries} if name in queue_names(path) else {}
    num = 0
    with open_store(path, read_only=True) as store:
        for mask in store.query(Query(status=LISTED, where=f"""contains(steps, '"{STEP}"')""")):
            found = flags_in(mask.record)
            if found:
                num += 1
                flags[mask.record.id] = list(found)
                entries[mask.record.id] = _entry(mask, found)
    if num:
        _keep(path, name, list(entries.values()), flags, {"depth": "of the frames"}, clock())
    return num


def _entry(mask: ResolvedRecord, flags: Sequence[HardFlag]) -> QueueEntry:
    return QueueEntry(
        record=mask.record.id,
        status=mask.status,
        score=len(flags) / len(FLAGS),
        reasons=tuple(one.words() for one in flags),
    )


def _keep(
    path: Path,
    name: str,
    entries: Sequence[QueueEntry],
    flags: dict[str, list[HardFlag]],
    settings: dict[str, Any],
    made_at: datetime,
) -> NamedQueue | None:
    """Write the queue, those with most flags first, and the flags; no queue where there is none."""
    queue = None
    if entries:
        ordered = tuple(sorted(entries, key=lambda one: -one.score)[:MOST_MASKS])
        queue = NamedQueue(name=name, about=_ABOUT, made_at=made_at, entries=ordered, settings=settings)
        write_queue(path, queue)
    _write_flags(path, flags)
    return queue


def flag_findings(path: Path) -> Iterator[Finding]:
    """Give the flags of a store as notes of its audit; none where nobody has flagged it.

    Raises:
        StoreDamaged: the flags cannot be read.
    """
    pairs = [(one.name, record) for record, found in _read_flags(path).items() for one in found]
    for name, (says, advice) in _SAYS.items():
        records = [record for found, record in pairs if found == name]
        if records:
            yield Finding(
                check=f"flag {name.replace('_', ' ')}", severity="note", count=len(records), says=says, advice=advice,
                examples=tuple(records[:MOST_EXAMPLES]), num_more=max(0, len(records) - MOST_EXAMPLES),
                records=tuple(records[:MOST_EXAMPLES]),
            )  # fmt: skip


def _cues(frame: SeenFrame, depth: Path | None, unit: Unit | None, pictures: StorePictures | None) -> DepthCues | None:
    """The cues of a frame's depth, where there is some."""
    found: DepthMap | None = None
    if depth is not None:
        stem = Path(frame.name).stem
        file = next((f for ending in (".png", ".tiff", ".tif") if (f := depth / f"{stem}{ending}").is_file()), None)
        if file is not None:
            try:
                found = depth_map(read_depth(file, unit=unit), size_hw=frame.size_hw, unit="m")
            except ImageError as error:
                raise ImageError(f"{error}: {file}" if str(file) not in str(error) else str(error)) from None
    elif pictures is not None and (opener := pictures.opener(frame)) is not None:
        found = own_depth(opener())
    return None if found is None else find_cues(found)


def check_queue_free(path: Path, name: str = DEFAULT_NAME) -> None:
    """Refuse a name under which a queue of something else waits.

    Raises:
        DuplicateRecord: there is one.
    """
    if check_name(name) in queue_names(path) and read_queue(path, name).about != _ABOUT:
        raise DuplicateRecord(f"there is a queue {name} already that holds other masks. Give another --name: {path}")


def _read_flags(path: Path) -> dict[str, list[HardFlag]]:
    """The flags that are kept with a store, by mask; none where nobody has flagged it."""
    file = _flags_file(path)
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}, not {FORMAT}")
        return {
            record: [HardFlag(name=one["name"], value=float(one["value"])) for one in found]
            for record, found in content["masks"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreDamaged(
            f"the flags cannot be read ({error}). Flag the store again, or delete them: {file}"
        ) from error


def _write_flags(path: Path, flags: dict[str, list[HardFlag]]) -> None:
    content = {"format": FORMAT, "masks": {record: [asdict(one) for one in found] for record, found in flags.items()}}
    file = _flags_file(path)
    with told_plainly(file):
        file.parent.mkdir(exist_ok=True)
        write_whole(file, (json.dumps(content) + "\n").encode())


def _flags_file(path: Path) -> Path:
    return path / "flags" / "hard.json"


__all__ = ["DEFAULT_NAME", "FlaggedMasks", "check_queue_free", "flag_findings", "flag_masks", "queue_annotated"]
