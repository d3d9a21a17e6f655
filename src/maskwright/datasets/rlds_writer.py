"""Writes labelled frames as RLDS: one `tf.train.Example` an episode, with the JSON files that describe them."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image as PillowImage

from maskwright.core.errors import SettingError
from maskwright.core.image import Image
from maskwright.core.shapes import SizeHW
from maskwright.datasets.cell_spool import CellSpool, SpooledCell
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_cells import cell_from_frame, id_map, png_of
from maskwright.datasets.picture_files import RECODED, picture_of
from maskwright.datasets.rlds_description import (
    MOST_BYTES,
    SHARD_BYTES,
    SPLIT,
    dataset_info,
    dict_feature,
    episodes_features,
    image_feature,
    tensor_feature,
    text_feature,
)
from maskwright.datasets.rlds_source import OBSERVATION, STEPS
from maskwright.datasets.tfrecord import FeatureValues, make_example, write_record

MASK = "_mask"
MASK_RLE = "steps/mask_rle"
_LOOSE, _CAMERA = "frames", "image"


_DESCRIPTION = "Frames with masks, written by maskwright."


class RldsWriter:
    """Takes labelled frames, then writes a data set of them into `folder`."""

    def __init__(
        self, folder: Path, spool: CellSpool, *, name: str, pictures: Literal["png", "jpeg"], log: LossLog
    ) -> None:
        self._folder, self._spool, self._log, self._pictures = folder, spool, log, pictures
        self._name = re.sub(r"\W+", "_", name.lower(), flags=re.ASCII).strip("_") or "masks"
        self._sizes: dict[str, set[SizeHW]] = {}
        self._num_loose = 0
        self._has_ids = False

    def take(self, frame: LabelledFrame, *, id_maps: bool) -> None:
        """Keep a frame and its picture."""
        camera = _safe(frame.ref.camera) if frame.ref else _CAMERA
        episode, number = (frame.ref.episode, frame.ref.frame_index) if frame.ref else (_LOOSE, self._num_loose)
        self._num_loose += frame.ref is None
        self._has_ids = id_maps
        self._sizes.setdefault(camera, set()).add(frame.size_hw)
        image = picture_of(frame, self._log)
        if image is not None and self._pictures == "jpeg":
            self._log.lose(RECODED, frame.name)
        self._spool.add(
            episode,
            camera,
            number,
            cell_from_frame(frame, has_picture=image is not None),
            picture=None if image is None else self._encoded(image),
            ids=png_of(id_map(frame)) if id_maps else None,
        )
        self._log.count(frames=1, masks=len(frame.masks))

    def finish(self) -> None:
        """Write the shards and what describes them."""
        self._spool.close_gaps()
        shard_lengths, num_bytes = self._write_shards()
        width = f"of-{len(shard_lengths):05d}"
        for number in range(len(shard_lengths)):
            name = f"{self._name}-{SPLIT}.tfrecord-{number:05d}-{width}"
            self._shard(number).rename(self._folder / name)
        self._write_json("features.json", self._describe_features())
        self._write_json("dataset_info.json", dataset_info(self._name, _DESCRIPTION, shard_lengths, num_bytes))

    def _encoded(self, image: Image) -> bytes:
        if self._pictures == "png":
            return png_of(image.pixels)
        buffer = io.BytesIO()
        PillowImage.fromarray(image.pixels).save(buffer, "JPEG", quality=95)
        return buffer.getvalue()

    def _shard(self, number: int) -> Path:
        return self._folder / f".shard-{number:05d}"

    def _write_shards(self) -> tuple[list[int], int]:
        lengths, total = [0], 0
        written = 0
        for episode, num_steps in self._spool.episodes():
            content = make_example(self._example(episode, num_steps))
            if len(content) > MOST_BYTES:
                message = f"an episode of RLDS must stay below 2 GB, {episode!r} has {len(content) / 1e9:.1f} GB"
                raise SettingError(f"{message}. Write fewer frames, or pictures as jpeg: {self._folder.parent}")
            if written > SHARD_BYTES:
                lengths.append(0)
                written = 0
            with self._shard(len(lengths) - 1).open("ab") as file:
                write_record(file, content)
            lengths[-1] += 1
            written += len(content)
            total += len(content)
        self._shard(len(lengths) - 1).touch()
        return lengths, total

    def _example(self, episode: str, num_steps: int) -> dict[str, FeatureValues]:
        steps = list(self._steps(episode, num_steps))
        places = np.arange(num_steps)
        features: dict[str, FeatureValues] = {
            "episode_metadata/episode": [episode.encode()],
            f"{STEPS}frame_index": places,
            f"{STEPS}is_first": (places == 0).astype(np.int64),
            f"{STEPS}is_last": (places == num_steps - 1).astype(np.int64),
            f"{STEPS}is_terminal": np.zeros(num_steps, np.int64),
            f"{STEPS}reward": np.zeros(num_steps, np.float32),
            f"{STEPS}discount": np.ones(num_steps, np.float32),
            f"{STEPS}language_instruction": [b""] * num_steps,
            MASK_RLE: [_texts(step) for step in steps],
        }
        for camera in self._sizes:
            features[OBSERVATION + camera] = [self._picture(step.get(camera), camera) for step in steps]
            if self._has_ids:
                features[OBSERVATION + camera + MASK] = [self._ids(step.get(camera), camera) for step in steps]
        return features

    def _steps(self, episode: str, num_steps: int) -> Iterator[dict[str, SpooledCell]]:
        step: dict[str, SpooledCell] = {}
        place = 0
        for cell in self._spool.cells(episode, 0, num_steps):
            if cell.place != place:
                yield step
                step, place = {}, cell.place
            step[cell.camera] = cell
        yield step

    def _picture(self, cell: SpooledCell | None, camera: str) -> bytes:
        """Give a step's picture; RLDS wants one in every step, so a missing one is black, and its cell says so."""
        if cell is not None and cell.picture is not None:
            return cell.picture
        return self._encoded(Image(np.zeros((*self._size_of(cell, camera), 3), np.uint8)))

    def _ids(self, cell: SpooledCell | None, camera: str) -> bytes:
        if cell is not None and cell.ids is not None:
            return cell.ids
        return png_of(np.zeros(self._size_of(cell, camera), np.uint16))

    def _size_of(self, cell: SpooledCell | None, camera: str) -> SizeHW:
        if cell is None:
            return min(self._sizes[camera])
        height, width = json.loads(cell.text)["size"]
        return height, width

    def _describe_features(self) -> dict[str, Any]:
        observation: dict[str, Any] = {}
        for camera, sizes in self._sizes.items():
            size = min(sizes) if len(sizes) == 1 else (-1, -1)  # -1 is any
            observation[camera] = image_feature((*size, 3), "uint8", self._pictures)
            if self._has_ids:
                observation[camera + MASK] = image_feature((*size, 1), "uint16", "png")
        step = {
            "observation": dict_feature(observation),
            "frame_index": tensor_feature("int64"),
            **{name: tensor_feature("bool") for name in ("is_first", "is_last", "is_terminal")},
            **{name: tensor_feature("float32") for name in ("reward", "discount")},
            **{name: text_feature() for name in ("language_instruction", "mask_rle")},
        }
        return episodes_features(step)

    def _write_json(self, name: str, content: Any) -> None:
        (self._folder / name).write_text(json.dumps(content, indent=2))


def _texts(step: dict[str, SpooledCell]) -> bytes:
    """Join the cells of a step's cameras, which are JSON already, into one object."""
    parts = (f"{json.dumps(camera, ensure_ascii=False)}:{cell.text}" for camera, cell in sorted(step.items()))
    return ("{" + ",".join(parts) + "}").encode()


def _safe(camera: str) -> str:
    """Make a feature name of a camera's: the parts of a key are parted by slashes."""
    return re.sub(r"[^\w.-]+", "_", camera.strip("/")).strip(".") or _CAMERA


__all__ = ["MASK", "MASK_RLE", "RldsWriter"]
