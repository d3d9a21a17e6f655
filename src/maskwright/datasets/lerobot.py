"""LeRobot data sets with masks: a column of JSON texts for each camera, and id maps as PNG beside the rows.

Written: `annotation.masks.<camera>` (a string feature, which no policy takes for an input) with the cells of
`mask_cells`; `masks/<camera>/episode_.../frame_....png`, 16-bit ids in the order of the cell's objects; and in
`meta/info.json` under "maskwright" what links them. With a `source` its rows, videos and metadata are kept and the
column is added; without, the frames themselves become a data set. Layout: `lerobot_layout`; no lerobot is needed.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from maskwright.core.errors import InputError, RecordError, SettingError
from maskwright.core.image import FrameRef
from maskwright.datasets.cell_spool import CellSpool
from maskwright.datasets.frame_opener import FrameOpener
from maskwright.datasets.imported import Importer
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.lerobot_from_frames import FramesWriter
from maskwright.datasets.lerobot_from_source import SourceWriter
from maskwright.datasets.lerobot_layout import PATHS, LeRobotVersion
from maskwright.datasets.lerobot_masks import KEY
from maskwright.datasets.lerobot_meta import (
    MASKS_PREFIX,
    LeRobotEpisode,
    LeRobotMeta,
    is_lerobot,
    read_meta,
)
from maskwright.datasets.lerobot_rows import iter_rows
from maskwright.datasets.lerobot_source import LeRobotSource
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_cells import frame_from_cell
from maskwright.datasets.new_folder import new_folder


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read the frames of a data set that somebody looked at, camera by camera; `images` is not needed.

    Raises:
        InputError: it is not a LeRobot data set, has no masks, or its rows are damaged.
    """
    if not is_lerobot(path):
        raise InputError(f"expected a LeRobot data set, a folder with meta/info.json: {path}")
    meta = read_meta(path)
    keys = [key for key in meta.info["features"] if key.startswith(MASKS_PREFIX)]
    if not keys and KEY not in meta.info:  # ours may be empty
        raise InputError(f"the data set has no masks (no feature {MASKS_PREFIX}<camera>): {path}")
    return _frames(meta, keys, Importer.of(path, "lerobot", log))


def write(
    frames: Iterable[LabelledFrame],
    out: Path,
    *,
    log: LossLog,
    source: Path | None = None,
    version: LeRobotVersion = "v3.0",
    pictures: Literal["image", "video"] = "image",
    id_maps: bool = True,
) -> None:
    """Write a data set with masks.

    With `source`, a LeRobot data set, each frame goes to the row that its `ref` names, and frames that are not of the
    source are left out and told. Without it, each episode of the frames becomes one, with `pictures` as columns of
    PNG files (exact) or as H.264 video (small).

    Raises:
        SettingError: `out` exists and is not empty, the version is not one that is written, or a source of v3.0
            should become v2.1, whose videos would have to be cut.
        InputError: the source is damaged.
    """
    if version not in PATHS:
        raise SettingError(f"LeRobot data sets are written as {' or '.join(PATHS)}; got {version!r}")
    with new_folder(out) as folder, CellSpool(folder / ".cells") as spool:
        if source is not None:
            writer: SourceWriter | FramesWriter = SourceWriter(source, folder, spool, version, log)
        else:
            writer = FramesWriter(folder, spool, version, pictures, log)
        for frame in frames:
            writer.take(frame, id_maps=id_maps)
        writer.finish()


def _frames(meta: LeRobotMeta, keys: list[str], importer: Importer) -> Iterator[LabelledFrame]:
    source = LeRobotSource(meta.root) if meta.cameras else None
    for episode in meta.episodes:
        for key in keys if episode.num_frames else ():
            yield from _frames_of(meta, source, episode, key, importer)


def _frames_of(
    meta: LeRobotMeta, source: LeRobotSource | None, episode: LeRobotEpisode, key: str, importer: Importer
) -> Iterator[LabelledFrame]:
    camera = key.removeprefix(MASKS_PREFIX)
    pixels = None
    if source is not None and camera in source.episodes[0].cameras:
        place = next(one for one in source.episodes if one.key == episode.key)
        pixels = FrameOpener(source, place, camera)
    for row in iter_rows(meta, episode, ["frame_index", "timestamp", key]):
        text, number = row[key], int(row["frame_index"])
        if not text:
            continue
        name = f"{episode.key}/{camera}/frame_{number:06d}.png"
        ref = FrameRef(
            dataset=meta.root.resolve().name,
            episode=episode.key,
            camera=camera,
            frame_index=number,
            timestamp_s=round(_scalar(row["timestamp"]), 6),
        )
        try:
            opener = pixels.opener(number) if pixels else None
            frame = frame_from_cell(text, importer, name=name, ref=ref, open_image=opener)
        except RecordError as error:
            importer.log.skip(name, str(error))
            continue
        importer.log.count(frames=1, masks=len(frame.masks))
        yield frame


def _scalar(value: Any) -> float:
    return float(value[0] if isinstance(value, list) else value)


__all__ = ["read", "write"]
