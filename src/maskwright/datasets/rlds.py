"""RLDS data sets with masks: TFRecord files that tensorflow_datasets reads, written without it.

Each step has, beside `observation/<camera>`, `observation/<camera>_mask` (a 16-bit PNG of ids 1, 2, ... in the order of
the objects, 0 for none) and one text `mask_rle` with the cells of `mask_cells` by camera: overlaps, tracks, scores and
provenance. Id maps of others, without such a text, are read as masks without labels.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image as PillowImage

from maskwright.core.errors import InputError, RecordError
from maskwright.core.image import FrameRef
from maskwright.datasets.cell_spool import CellSpool
from maskwright.datasets.frame_opener import FrameOpener
from maskwright.datasets.imported import Importer
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_cells import frame_from_cell
from maskwright.datasets.new_folder import new_folder
from maskwright.datasets.rlds_meta import find_rlds
from maskwright.datasets.rlds_source import OBSERVATION, STEPS, RldsEpisode, RldsSource
from maskwright.datasets.rlds_writer import MASK, MASK_RLE, RldsWriter
from maskwright.datasets.tfrecord import RecordFile
from maskwright.masks import encode


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read the steps of a data set that have masks, camera by camera; `images` is not needed.

    An episode that is damaged is left out and told to the log.

    Raises:
        InputError: it is no RLDS data set.
    """
    root = find_rlds(path)
    if root is None:
        raise InputError(f"expected an RLDS data set, a folder with dataset_info.json and TFRecord files: {path}")
    return _frames(RldsSource(root, needs_pictures=False), Importer.of(root, "rlds", log))


def write(
    frames: Iterable[LabelledFrame],
    out: Path,
    *,
    log: LossLog,
    pictures: Literal["png", "jpeg"] = "png",
    id_maps: bool = True,
) -> None:
    """Write a data set of one split, `train`, whose version's folder is `out`; steps are the frames of an episode.

    Raises:
        SettingError: `out` exists and is not empty, or an episode would be above the 2 GB that an Example can have.
    """
    with new_folder(out) as folder, CellSpool(folder / ".cells") as spool:
        writer = RldsWriter(folder, spool, name=out.resolve().name, pictures=pictures, log=log)
        for frame in frames:
            writer.take(frame, id_maps=id_maps)
        writer.finish()


def _frames(source: RldsSource, importer: Importer) -> Iterator[LabelledFrame]:
    for record in source.records:
        try:
            with RecordFile(record.path) as file:
                example = file.example(record.place)
                texts = [bytes(one).decode() for one in example[MASK_RLE].bytes_list()] if MASK_RLE in example else None
                maps = {} if texts else {key: one.bytes_list() for key, one in example.items() if key.endswith(MASK)}
                if texts is not None:
                    yield from _from_cells(source, record, texts, importer)
                else:
                    yield from _from_maps(source, record, maps, importer)
        except (InputError, UnicodeDecodeError) as error:
            importer.log.skip(record.key, str(error))


def _from_cells(
    source: RldsSource, record: RldsEpisode, texts: list[str], importer: Importer
) -> Iterator[LabelledFrame]:
    openers: dict[str, FrameOpener | None] = {}
    for number, text in enumerate(texts):
        name = f"{record.key}/{number:06d}"
        try:
            cells = json.loads(text) if text else {}
        except ValueError as error:
            importer.log.skip(name, f"the masks are not JSON ({error})")
            continue
        for camera, cell in cells.items() if isinstance(cells, dict) else ():
            opener = openers.setdefault(camera, _opener(source, record, camera))
            frame_name, ref = _identity(source, record, camera, number)
            open_image = opener.opener(number) if opener else None
            try:
                frame = frame_from_cell(cell, importer, name=frame_name, ref=ref, open_image=open_image)
            except RecordError as error:
                importer.log.skip(frame_name, str(error))
                continue
            importer.log.count(frames=1, masks=len(frame.masks))
            yield frame


def _from_maps(
    source: RldsSource, record: RldsEpisode, maps: dict[str, list[memoryview]], importer: Importer
) -> Iterator[LabelledFrame]:
    for key, pictures in sorted(maps.items()):
        camera = key.removeprefix(OBSERVATION).removeprefix(STEPS).removesuffix(MASK)
        opener = _opener(source, record, camera)
        for number, content in enumerate(pictures):
            name, ref = _identity(source, record, camera, number)
            ids = _ids(bytes(content))
            if ids is None:
                importer.log.skip(name, f"{key} is no map of ids (a PNG of one channel)")
                continue
            masks = tuple(
                importer.mask(encode(ids == one), item=f"{name}#{one}", track=str(one), ref=ref)
                for one in np.unique(ids[ids > 0]).tolist()
            )
            open_image = opener.opener(number) if opener else None
            importer.log.count(frames=1, masks=len(masks))
            yield LabelledFrame(name=name, size_hw=ids.shape, masks=masks, ref=ref, open_image=open_image)


def _identity(source: RldsSource, record: RldsEpisode, camera: str, number: int) -> tuple[str, FrameRef]:
    ref = FrameRef(dataset=source.name, episode=record.key, camera=camera, frame_index=number)
    return f"{record.key}/{camera}/{number:06d}.png", ref


def _opener(source: RldsSource, record: RldsEpisode, camera: str) -> FrameOpener | None:
    episode = next(one for one in source.episodes if one.key == record.key)
    return FrameOpener(source, episode, camera) if camera in source.cameras else None


def _ids(content: bytes) -> Any:
    import io

    try:
        with PillowImage.open(io.BytesIO(content), formats=["PNG"]) as picture:
            ids = np.array(picture)
    except Exception:  # decoders of damaged files raise nearly every type there is
        return None
    return ids if ids.ndim == 2 and ids.dtype != np.bool_ else None


__all__ = ["read", "write"]
