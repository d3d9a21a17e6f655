"""`export_masks`: the masks of a store that a query finds, as files of any annotation format.

Frames on which nothing was found are written too, since that is knowledge; but where a condition on masks is asked
(a label, a least area, a status), a frame without such a mask says nothing, and is left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from maskwright.core.errors import RecordError
from maskwright.datasets.formats import find_format
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.lerobot_meta import is_lerobot
from maskwright.datasets.loss_report import LossLog, LossReport
from maskwright.store import LISTED, MaskStore, Query, open_store
from maskwright.store.moments import Moment
from maskwright.workflows.export_log import log_export
from maskwright.workflows.store_pictures import StorePictures

_OF_FRAMES = ("dataset", "episode", "camera", "first_frame", "last_frame", "image_digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written where, and what the format could not keep. `source` is the data set that was added to."""

    out: Path
    format: str
    report: LossReport
    source: Path | None = None


def export_masks(
    store: Path,
    format_name: str,
    out: Path,
    *,
    query: Query | None = None,
    as_of: Moment = None,
    images: Path | None = None,
    with_images: bool = True,
    progress: Callable[[int, int | None], None] | None = None,
) -> Exported:
    """Write the masks that a query finds; `out` appears when it is whole.

    Pictures come from `images`, a source or a folder, or else from where the runs of the store found them; one that
    cannot be read is left out and told, its masks are written. LeRobot is written as a copy of the data set with a
    column of masks where that data set is at hand.

    Raises:
        StoreError: there is no store, or it cannot be read.
        SettingError: the format is unknown or only read, or `out` is not empty.
        InputError: `images` holds other pictures.
    """
    chosen = find_format(format_name)
    query = query or Query()
    log = LossLog()
    with open_store(store, read_only=True) as opened:
        moment = opened.moment(as_of)
        pictures = StorePictures(opened, images)
        frames = _frames(opened, query, as_of, pictures if with_images else None, log)
        first = next(frames, None)
        counted = _counted(_again(first, frames), progress)
        source = _source(first, pictures) if chosen.name == "lerobot" and first is not None else None
        if source is not None:
            from maskwright.datasets.lerobot import write

            write(counted, out, log=log, source=source)
        else:
            chosen.write(counted, out, log=log)
        log_export(opened, format_name=chosen.name, out=out, query=query, as_of=moment, num_masks=log.num_masks)
    return Exported(out=out, format=chosen.name, report=log.report(), source=source)


def asks_about_masks(query: Query) -> bool:
    """Whether a query has a condition on masks beside that they are listed."""
    of_frames = Query(**{name: getattr(query, name) for name in _OF_FRAMES}, status=query.status)
    return query != of_frames or not set(LISTED) <= set(query.status or LISTED)


def _frames(
    store: MaskStore, query: Query, as_of: Moment, pictures: StorePictures | None, log: LossLog
) -> Iterator[LabelledFrame]:
    only_masked = asks_about_masks(query)
    for found in store.frames(query, as_of=as_of):
        if only_masked and not found.masks:
            continue
        seen = found.frame
        try:
            yield LabelledFrame(
                name=seen.name,
                size_hw=seen.size_hw,
                masks=found.masks,
                ref=seen.ref,
                image_digest=seen.image_digest,
                open_image=pictures.opener(seen) if pictures else None,
            )
        except RecordError as error:
            log.skip(seen.name, str(error))


def _again(first: LabelledFrame | None, rest: Iterator[LabelledFrame]) -> Iterator[LabelledFrame]:
    if first is not None:
        yield first
        yield from rest


def _counted(
    frames: Iterator[LabelledFrame], progress: Callable[[int, int | None], None] | None
) -> Iterator[LabelledFrame]:
    for number, frame in enumerate(frames, 1):
        yield frame
        if progress is not None:
            progress(number, None)


def _source(first: LabelledFrame, pictures: StorePictures) -> Path | None:
    path = pictures.source_path(first.ref.dataset) if first.ref else None
    return path if path is not None and is_lerobot(path) else None


__all__ = ["Exported", "asks_about_masks", "export_masks"]
