"""What a command leaves behind for one picture: mask PNGs, one JSON with COCO annotations and full records, overlays.

    photo.mask-1.png       the first object's mask, 0 and 255 (photo.mask-1-2.png: its second candidate)
    photo.masks.json       COCO (images, categories, annotations with RLE), and under "maskwright" every record whole
    photo.overlay.jpg      the masks drawn over the picture (photo.overlay-2.jpg: the second candidates)

Every file is written under a temporary name; only when all are complete are they renamed, the JSON last. Results of an
earlier run are replaced, and its masks that the new run does not have are removed. An input is never written to.
"""

import contextlib
import io
import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image as PillowImage

from maskwright import __version__
from maskwright.core import Image, MaskRecord, to_json
from maskwright.core.errors import SettingError
from maskwright.masks import decode, to_coco
from maskwright.workflows.overlay import draw_overlay
from maskwright.workflows.pictures import Picture

_OVERLAY_QUALITY = 92


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFiles:
    """Where the results of one picture are."""

    annotations: Path
    masks: tuple[Path, ...]
    overlays: tuple[Path, ...]

    def as_json(self) -> dict[str, Any]:
        """The paths as text."""
        return {
            "annotations": str(self.annotations),
            "masks": [str(path) for path in self.masks],
            "overlays": [str(path) for path in self.overlays],
        }


def save_prompted(
    folder: Path, picture: Picture, image: Image, records: Sequence[MaskRecord], *, num_masks: int = 1
) -> SavedFiles:
    """Write the masks of prompts: `records` holds `num_masks` candidates for each prompt, best first.

    Raises:
        SettingError: the folder cannot be written, or a result would replace the picture itself.
    """
    ranks = range(num_masks)
    contents = {
        f"mask-{i // num_masks + 1}{_rank(i % num_masks)}.png": _png(decode(record.rle).astype(np.uint8) * 255)
        for i, record in enumerate(records)
    }
    for rank in ranks:
        drawn = draw_overlay(image, records[rank::num_masks])
        contents[f"overlay{_rank(rank)}.jpg"] = _jpeg(drawn)
    return _save(folder, picture, image, records, contents)


def save_everything(folder: Path, picture: Picture, image: Image, records: Sequence[MaskRecord]) -> SavedFiles:
    """Write every mask of a picture: one JSON and one overlay.

    Raises:
        SettingError: the folder cannot be written, or a result would replace the picture itself.
    """
    drawn = draw_overlay(image, records, with_prompts=False, with_labels=False)
    return _save(folder, picture, image, records, {"overlay.jpg": _jpeg(drawn)})


def coco_document(
    picture: Picture, image: Image, records: Sequence[MaskRecord], files: Sequence[str]
) -> dict[str, Any]:
    """Make the JSON of one picture: what COCO's tools read, and our records whole under "maskwright"."""
    height, width = image.size_hw
    labels = sorted({record.label or "object" for record in records})
    categories = {label: i + 1 for i, label in enumerate(labels)}
    annotations = [_coco_annotation(i + 1, record, categories) for i, record in enumerate(records)]
    return {
        "info": {"description": "masks by maskwright", "version": __version__},
        "licenses": [],
        "images": [{"id": 1, "file_name": picture.path.name, "height": height, "width": width}],
        "categories": [{"id": number, "name": label, "supercategory": ""} for label, number in categories.items()],
        "annotations": annotations,
        "maskwright": {
            "version": __version__,
            "image_digest": image.digest,
            "files": list(files),
            "records": [to_json(record) for record in records],
        },
    }


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write files so that either all appear, in their order, or none does.

    Raises:
        SettingError: a file cannot be written.
    """
    temporary = {path.with_name(f".{path.name}.{uuid.uuid4().hex}.part"): path for path in contents}
    try:
        for part, path in temporary.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(part, contents[path])
        for part, path in temporary.items():
            os.replace(part, path)
    except OSError as error:
        raise SettingError(
            f"the results cannot be written ({error.strerror or error}). Choose another folder with --out: "
            f"{error.filename or next(iter(contents)).parent}"
        ) from error
    finally:
        for part in temporary:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def _save(
    folder: Path, picture: Picture, image: Image, records: Sequence[MaskRecord], contents: dict[str, bytes]
) -> SavedFiles:
    paths = {folder / f"{picture.stem}.{ending}": content for ending, content in contents.items()}
    annotations = folder / f"{picture.stem}.masks.json"
    document = coco_document(picture, image, records, [path.name for path in paths])
    targets = {**paths, annotations: (json.dumps(document, indent=1) + "\n").encode()}
    _check_not_the_input(targets, picture)
    stale = _files_of_earlier_run(annotations) - {path.name for path in targets}
    write_all(targets)
    for name in stale:
        with contextlib.suppress(OSError):
            (annotations.parent / name).unlink()
    return SavedFiles(
        annotations=annotations,
        masks=tuple(path for path in paths if path.suffix == ".png"),
        overlays=tuple(path for path in paths if path.suffix == ".jpg"),
    )


def _coco_annotation(number: int, record: MaskRecord, categories: Mapping[str, int]) -> dict[str, Any]:
    x1, y1, x2, y2 = record.box_xyxy
    return {
        "id": number,
        "image_id": 1,
        "category_id": categories[record.label or "object"],
        "segmentation": to_coco(record.rle),
        "area": record.area,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "iscrowd": 0,
        "predicted_iou": record.scores.predicted_iou,
        "stability_score": record.scores.stability,
        "record_id": record.id,
    }


def _files_of_earlier_run(annotations: Path) -> set[str]:
    """Names that an earlier run wrote beside its JSON; only those may be removed, and only ours."""
    try:
        names = json.loads(annotations.read_bytes())["maskwright"]["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    stem = annotations.name.removesuffix(".masks.json")
    ours = (f"{stem}.mask-", f"{stem}.overlay")
    return {name for name in names if isinstance(name, str) and name.startswith(ours) and Path(name).name == name}


def _check_not_the_input(targets: Iterable[Path], picture: Picture) -> None:
    source = picture.path.resolve()
    for target in targets:
        if target.resolve() == source:
            raise SettingError(f"a result would replace the picture it was made from. Choose another --out: {target}")


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _rank(rank: int) -> str:
    return f"-{rank + 1}" if rank else ""


def _png(pixels: UInt8[np.ndarray, "H W"]) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def _jpeg(pixels: UInt8[np.ndarray, "H W 3"]) -> bytes:
    buffer = io.BytesIO()
    PillowImage.fromarray(pixels).save(buffer, "JPEG", quality=_OVERLAY_QUALITY, subsampling=0)
    return buffer.getvalue()


__all__ = ["SavedFiles", "coco_document", "save_everything", "save_prompted", "write_all"]
