"""Unlabelled pictures as labelled scenes: a teacher's everything-mode says what there is, once, into a scene folder.

A scene's map has one object a pixel, so masks are laid from large to small: one that lies within another becomes its
part, any other an object of its own. Nobody knows what the objects are called: each is an "object".
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from maskwright.core.errors import ModelError
from maskwright.datasets import find_images, read_image
from maskwright.masks.rle import decode
from maskwright.models import Model
from maskwright.predict import everything
from maskwright.predict.everything_settings import EverythingSettings, preset_for
from maskwright.train.scene_folder import (
    LabelledObject,
    LabelledScene,
    SceneSource,
    read_scene_folder,
    write_scene_folder,
)

logger = logging.getLogger(__name__)

_MOST_OBJECTS, _MOST_PARTS = 255, 255
_SMALLEST_SHARE, _LARGEST_SHARE = 0.0003, 0.9
_WITHIN, _LEFT = 0.9, 0.5


def label_pictures(
    model: Model, folders: Sequence[Path], out: Path, *, settings: EverythingSettings | None = None
) -> Path:
    """Label every picture of some folders with a model's masks; a folder that holds some of them is continued.

    Raises:
        ImageError: there is no picture, or one cannot be read.
        ModelError: the model finds nothing in any picture.
    """
    settings = settings or preset_for(model.card, "fast")
    pictures = [path for folder in folders for path in find_images(folder)]
    made_by = {"generator": "maskwright.train.label_pictures/1", "teacher": model.checkpoint_sha256}
    done = {source.what for source in read_scene_folder(out).sources} if (out / "objects.json").exists() else set()
    with write_scene_folder(out, made_by=made_by) as writer:
        for count, path in enumerate(pictures, start=1):
            if str(path) in done:
                continue
            image = read_image(path)
            masks = [decode(record.rle) for record in everything(model, image, settings=settings)]
            scene = scene_of(image.pixels, masks)
            if scene.objects:
                writer.add(scene, sources=[SceneSource(what=str(path), licence="the user's own picture")])
            logger.info("labelled %d of %d pictures, %d objects: %s", count, len(pictures), len(scene.objects), path)
        if not writer.num_written:
            raise ModelError(f"{model.card.name} found nothing in {len(pictures)} pictures; take another --teacher")
    return out


def scene_of(pixels: UInt8[np.ndarray, "H W 3"], masks: Sequence[Bool[np.ndarray, "H W"]]) -> LabelledScene:
    """Lay overlapping masks into one map of objects and one of their parts."""
    index_map, parts = np.zeros(pixels.shape[:2], np.uint8), np.zeros(pixels.shape[:2], np.uint8)
    num_objects, num_parts = 0, np.zeros(_MOST_OBJECTS + 1, int)
    for mask in sorted(masks, key=np.count_nonzero, reverse=True):
        area = np.count_nonzero(mask)
        if not _SMALLEST_SHARE < area / mask.size < _LARGEST_SHARE:
            continue
        owners = np.bincount(index_map[mask], minlength=_MOST_OBJECTS + 1)
        owner = int(owners[1:].argmax()) + 1
        if owners[owner] > _WITHIN * area:
            if num_parts[owner] < _MOST_PARTS:
                num_parts[owner] += 1
                parts[mask & (index_map == owner)] = num_parts[owner]
        elif owners[0] > _LEFT * area and num_objects < _MOST_OBJECTS:
            num_objects += 1
            index_map[mask & (index_map == 0)] = num_objects
    seen = np.unique(index_map)
    objects = tuple(LabelledObject(index=int(index), name="object") for index in seen if index)
    return LabelledScene(image=pixels, masks=index_map, parts=parts, objects=objects)


__all__ = ["label_pictures", "scene_of"]
