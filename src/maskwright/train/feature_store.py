"""Encoder features of labelled scenes on disk, computed once: what lets two CPU cores train behind a frozen encoder.

One raw fp16 file for each tensor of `Features`, one byte a pixel for which object is there (at half the frame's side),
and `store.json`, which is replaced last: a run that was cut leaves a store that goes on where it was. A store belongs
to one checkpoint; another's is refused.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import UInt8

from maskwright.core.errors import InputError
from maskwright.models.frame import ModelFrame
from maskwright.models.protocol import Features
from maskwright.models.tiny import TinySam
from maskwright.train.scene_folder import LabelledScene, SceneFolder, read_scene_folder
from maskwright.train.words import Words, object_words
from maskwright.train.zoomed import ZoomedScenes

_INDEX_STRIDE = 2
_MOST_OBJECTS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureStore:
    """Features, object maps and words of scenes, or of parts of them; maps are read from disk as they are asked for."""

    tensors: tuple[np.ndarray, ...]
    index_maps: UInt8[np.ndarray, "P s s"]
    words: tuple[tuple[Words, ...], ...]
    is_of_parts: bool = False

    def __len__(self) -> int:
        return len(self.words)

    def every(self, number: int) -> "FeatureStore":
        """Take every so many-th picture."""
        return FeatureStore(
            tensors=tuple(tensor[::number] for tensor in self.tensors),
            index_maps=self.index_maps[::number],
            words=self.words[::number],
            is_of_parts=self.is_of_parts,
        )

    def features(self, pictures: list[int], device: torch.device | str = "cpu") -> Features:
        """Take the features of some pictures as one batch."""
        first, *extra = (torch.from_numpy(tensor[pictures]).to(device).float() for tensor in self.tensors)
        return Features(image_embedding=first, extra=tuple(extra))


def build_store(
    model: TinySam,
    folder: Path,
    out: Path,
    *,
    limit: int | None = None,
    zoom: Callable[[SceneFolder], ZoomedScenes] | None = None,
    progress: Callable[[int, int], None],
) -> FeatureStore:
    """Encode the scenes of a folder, or those that `out` lacks, and open the store; takes 0.4 s a picture on a core.

    With `zoom` these are parts of the scenes, and `limit` counts parts.

    Raises:
        InputError: `out` holds features of another checkpoint.
        PromptError: an object is called something that is not in the vocabulary.
    """
    whole = read_scene_folder(folder)
    scenes = whole if zoom is None else zoom(whole)
    total = min(limit or len(scenes), len(scenes))
    out.mkdir(parents=True, exist_ok=True)
    listing = _read_listing(out, model.checkpoint_sha256)
    with torch.no_grad():
        for index in range(listing["count"], total):
            tensors = _encode(model, scenes[index])
            _write(out, listing, tensors)
            progress(index + 1, total)
    words = tuple(map(_words_of, scenes.objects[:total]))
    *maps, index_maps = (_open(out, listing, name, total) for name in listing["shapes"])
    return FeatureStore(tensors=tuple(maps), index_maps=index_maps, words=words, is_of_parts=zoom is not None)


def _words_of(objects: Any) -> tuple[Words, ...]:
    return tuple(object_words(one.name, one.colour, one.material) for one in objects[:_MOST_OBJECTS])


def _encode(model: TinySam, scene: LabelledScene) -> dict[str, np.ndarray]:
    frame = ModelFrame.of((scene.image.shape[0], scene.image.shape[1]), model.frame)
    features = model.encode(frame.pixels_to_model(scene.image, model.device))
    maps = [features.image_embedding, *features.extra]
    tensors = {f"map{i}": x[0].half().cpu().numpy() for i, x in enumerate(maps)}
    return {**tensors, "index": _index_map(scene, frame)}


def _index_map(scene: LabelledScene, frame: ModelFrame) -> UInt8[np.ndarray, "s s"]:
    """Lay the object indices into the frame at half its side: position in `objects`, from 1."""
    table = np.zeros(int(scene.masks.max()) + 1, np.uint8)
    for position, one in enumerate(scene.objects[:_MOST_OBJECTS]):
        if one.index < len(table):
            table[one.index] = position + 1
    side = frame.spec.side // _INDEX_STRIDE
    height, width = (max(1, n // _INDEX_STRIDE) for n in frame.input_hw)
    laid = np.zeros((side, side), np.uint8)
    laid[:height, :width] = cv2.resize(table[scene.masks], (width, height), interpolation=cv2.INTER_NEAREST)
    return laid


def _read_listing(out: Path, checkpoint: str) -> dict[str, Any]:
    path = out / "store.json"
    if not path.exists():
        return {"checkpoint": checkpoint, "count": 0, "shapes": {}, "dtypes": {}}
    listing = json.loads(path.read_text())
    if listing["checkpoint"] != checkpoint:
        raise InputError(
            f"this store holds features of checkpoint {listing['checkpoint'][:12]}, not of {checkpoint[:12]}. "
            f"Delete it, or give another folder: {out}"
        )
    return listing


def _write(out: Path, listing: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    for name, tensor in tensors.items():
        listing["shapes"][name], listing["dtypes"][name] = list(tensor.shape), str(tensor.dtype)
        with (out / f"{name}.raw").open("r+b" if (out / f"{name}.raw").exists() else "wb") as file:
            file.seek(listing["count"] * tensor.nbytes)  # beyond it lies what a cut run wrote and did not list
            file.write(tensor.tobytes())
    listing["count"] += 1
    partial = out / "store.partial"
    partial.write_text(json.dumps(listing))
    partial.replace(out / "store.json")


def _open(out: Path, listing: dict[str, Any], name: str, count: int) -> np.ndarray:
    shape = (count, *listing["shapes"][name])
    return np.memmap(out / f"{name}.raw", listing["dtypes"][name], "r", shape=shape)


__all__ = ["FeatureStore", "build_store"]
