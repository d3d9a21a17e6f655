"""An overlay video of tracks: each object in a colour of its own, with its name, on every frame."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from maskwright.core import Image, MaskRecord, ResolvedRecord, Scores
from maskwright.core.errors import SettingError
from maskwright.datasets.frame_source import Episode
from maskwright.datasets.part_path import part_path
from maskwright.masks import resize
from maskwright.store import MaskStore, Query
from maskwright.store.folder import publish_file
from maskwright.workflows.annotate_plan import Footage, Selection, Stretch
from maskwright.workflows.overlay import draw_overlay
from maskwright.workflows.stages import DecodedFrame, decode_frames

_FPS = 30  # of sources that have none
# Names would hide the objects of small pictures: these are enlarged, until the longer side has so many pixels.
_LEAST_SIDE = 640
_MOST_TIMES = 4


def write_track_video(
    store: MaskStore,
    footage: Footage,
    selection: Selection,
    out: Path,
    *,
    progress: Callable[[int, int | None], None] | None = None,
) -> int:
    """Draw the tracks of one recording over its frames, into a video that replaces `out`; give the number of frames.

    Small pictures are enlarged a whole number of times. Frames that cannot be decoded are left out. A
    keyframe's name has a star, that of an occluded object says so.

    Raises:
        SettingError: the selection is of several recordings, or no frame can be decoded.
    """
    recordings = selection.recordings(footage.source)
    if len(recordings) != 1:
        raise SettingError(f"a video is of one recording, and the selection has {len(recordings)}: {footage.path}")
    episode, camera = recordings[0]
    numbers = selection.numbers(episode)
    names = _names(store, footage, episode, camera)
    masks = _by_frame(store, footage, episode, camera, numbers)
    pending = next(masks, None)
    from maskwright.datasets.video_writer import VideoWriter

    num_frames = 0
    with part_path(out.absolute()) as folder:
        folder.mkdir()
        part = folder / (out.name if out.suffix else f"{out.name}.mp4")
        with VideoWriter(part, fps=max(1, round(episode.fps or _FPS))) as writer:
            for item in decode_frames(footage, [Stretch(episode=episode, camera=camera, numbers=numbers)]):
                if not isinstance(item, DecodedFrame):
                    continue
                index = item.frame.ref.frame_index
                while pending is not None and pending[0] < index:
                    pending = next(masks, None)
                here = pending[1] if pending is not None and pending[0] == index else []
                writer.write(_even(_draw(item.frame.image, here, names)))
                num_frames += 1
                if progress is not None:
                    progress(num_frames, len(numbers))
        if not num_frames:
            raise SettingError(f"no frame can be decoded, so there is no video to write: {footage.path}")
        publish_file(part, out.absolute())
    return num_frames


def _names(store: MaskStore, footage: Footage, episode: Episode, camera: str) -> tuple[str, ...]:
    """Name the tracks of a recording, so that each has its colour from the first frame on."""
    with store.sql() as views:
        rows = views.execute(
            "SELECT DISTINCT track FROM masks WHERE track IS NOT NULL AND status IN ('proposed', 'accepted') "
            "AND dataset = ? AND episode = ? AND camera = ? ORDER BY 1",
            [footage.source.name, episode.key, camera],
        ).fetchall()
    return tuple(row[0] for row in rows)


def _by_frame(
    store: MaskStore, footage: Footage, episode: Episode, camera: str, numbers: range
) -> Iterator[tuple[int, list[ResolvedRecord]]]:
    query = Query(
        dataset=footage.source.name,
        episode=episode.key,
        camera=camera,
        first_frame=numbers.start,
        last_frame=max(numbers.start, numbers.stop - 1),
        where="track IS NOT NULL",
    )
    stream = ((mask.record.frame.frame_index, mask) for mask in store.query(query) if mask.record.frame is not None)
    for index, group in groupby(stream, key=lambda one: one[0]):
        yield index, [mask for _, mask in group]


def _draw(image: Image, here: list[ResolvedRecord], names: tuple[str, ...]) -> UInt8[np.ndarray, "H W 3"]:
    times = min(_MOST_TIMES, math.ceil(_LEAST_SIDE / max(image.size_hw)))
    if times > 1:
        image = Image(cv2.resize(image.pixels, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC))
    by_track = {mask.record.track: mask for mask in here if mask.record.area}
    if not by_track:
        return image.pixels
    some = next(iter(by_track.values())).record
    nothing = replace(some, area=0, box_xyxy=(0, 0, 0, 0), label=None, scores=Scores())
    shown = [_enlarged(_shown(by_track[name]), times) if name in by_track else nothing for name in names]
    return draw_overlay(image, shown, with_prompts=False)


def _enlarged(record: MaskRecord, times: int) -> MaskRecord:
    if times == 1:
        return record
    height, width = record.rle.size_hw
    x1, y1, x2, y2 = (times * value for value in record.box_xyxy)
    rle = resize(record.rle, (times * height, times * width))
    return replace(record, rle=rle, area=times * times * record.area, box_xyxy=(x1, y1, x2, y2))


def _shown(mask: ResolvedRecord) -> MaskRecord:
    record, point = mask.record, mask.record.track_point
    star = "*" if mask.is_keyframe else ""
    state = f" ({point.state})" if point is not None and point.state != "visible" else ""
    return replace(record, label=f"{record.track}{star}{state}", scores=Scores())


def _even(pixels: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """Leave out a last odd row and column, which this kind of video cannot hold."""
    height, width = pixels.shape[:2]
    return pixels[: height - height % 2, : width - width % 2]


__all__ = ["write_track_video"]
