"""COCO instances: `annotations.json` with run lengths, its pictures in `images`.

Written: one annotation a mask, compressed RLE, `iscrowd` 0; what COCO has no word for stands under "maskwright", a key
that its tools ignore. Read: polygons, plain and compressed run lengths; crowds and malformed masks are left out and
told; areas and boxes are computed anew. Annotations wait in a second file while writing, so that memory stays small.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from maskwright.core.errors import ImageError, InputError, MaskError, RecordError
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.shapes import SizeHW
from maskwright.datasets.coco_file import CocoFile, draw_mask, is_crowd, load_coco
from maskwright.datasets.features import tell_losses
from maskwright.datasets.formats import find_format
from maskwright.datasets.imported import UNLABELLED, Importer, scores_of
from maskwright.datasets.json_files import dump_line
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.new_folder import OutputNames, new_folder
from maskwright.datasets.notes import KEY, frame_facts, frame_note, mask_note, pixels_digest
from maskwright.datasets.picture_files import PictureFinder, picture_path, write_picture
from maskwright.masks import to_coco

FILE = "annotations.json"
_POLYGON_SLACK = 2  # pixels of outline by which a polygon's area and box may differ from those of its pixels


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read a COCO file, or the one in a folder.

    Raises:
        InputError: there is none, or it is not COCO's.
    """
    file = _find_file(path)
    return _Reader(load_coco(file), PictureFinder.beside(file, images), Importer.of(file, "coco", log)).frames()


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write `annotations.json` and the pictures that frames have."""
    with new_folder(out) as folder:
        parts = [folder / f"{FILE}.{name}" for name in ("images", "annotations")]
        with parts[0].open("w") as pictures, parts[1].open("w") as annotations:
            categories = _write_parts(frames, folder, pictures, annotations, log)
        with (folder / FILE).open("wb") as file:
            _join(file, parts, categories)
        for part in parts:
            part.unlink()


def _write_parts(
    frames: Iterable[LabelledFrame], folder: Path, pictures: IO[str], annotations: IO[str], log: LossLog
) -> dict[str, int]:
    names, categories, num_masks = OutputNames(), {}, 0
    holds = find_format("coco").holds
    for number, frame in enumerate(frames, 1):
        file_name = str(picture_path(names.claim(frame.name)))
        write_picture(frame, folder / "images" / file_name, log)
        tell_losses(frame, holds, log)
        pictures.write(("," if number > 1 else "") + dump_line(_picture(number, file_name, frame)) + "\n")
        for mask in frame.masks:
            num_masks += 1
            category = categories.setdefault(mask.record.label or UNLABELLED, len(categories) + 1)
            line = dump_line(_annotation(num_masks, number, category, mask))
            annotations.write(("," if num_masks > 1 else "") + line + "\n")
        log.count(frames=1, masks=len(frame.masks))
    return categories


def _picture(number: int, file_name: str, frame: LabelledFrame) -> dict[str, Any]:
    height, width = frame.size_hw
    written = {"id": number, "file_name": file_name, "width": width, "height": height}
    return {**written, KEY: frame_note(frame, written_as=file_name)}


def _annotation(number: int, picture: int, category: int, mask: ResolvedRecord) -> dict[str, Any]:
    x1, y1, x2, y2 = map(int, mask.record.box_xyxy)
    return {
        "id": number,
        "image_id": picture,
        "category_id": category,
        "segmentation": to_coco(mask.record.rle),
        "area": mask.record.area,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "iscrowd": 0,
        KEY: mask_note(mask),
    }


def _join(file: IO[bytes], parts: list[Path], categories: Mapping[str, int]) -> None:
    head = {"description": "masks by maskwright"}
    listed = [{"id": number, "name": name, "supercategory": ""} for name, number in categories.items()]
    file.write(b'{"info":%b,"licenses":[],"images":[\n' % json.dumps(head).encode())
    for part, after in zip(parts, (b'],"annotations":[\n', b'],"categories":'), strict=True):
        with part.open("rb") as lines:
            shutil.copyfileobj(lines, file)
        file.write(after)
    file.write(dump_line(listed).encode() + b"}\n")


def _find_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    if (path / FILE).is_file():
        return path / FILE
    found = [*sorted(path.glob("*.json")), *sorted(path.glob("annotations/*.json"))]
    if len(found) != 1:
        listed = f"got {', '.join(one.name for one in found[:5])}. Name one of them" if found else "got none"
        raise InputError(f"expected one COCO .json in the folder or its annotations folder, {listed}: {path}")
    return found[0]


class _Reader:
    """Turns a COCO file into frames, picture by picture."""

    def __init__(self, file: CocoFile, pictures: PictureFinder, importer: Importer) -> None:
        self.file, self.pictures, self.importer, self.log = file, pictures, importer, importer.log

    def frames(self) -> Iterator[LabelledFrame]:
        for picture in self.file.pictures:
            try:
                frame = self._frame(picture)
            except (RecordError, ImageError) as error:
                self.log.skip(picture["file_name"], str(error))
                continue
            self.log.count(frames=1, masks=len(frame.masks))
            yield frame
        known = {picture["id"] for picture in self.file.pictures}
        for stray in self.file.annotations.keys() - known:
            self.log.skip(f"annotations of image {stray!r}", "the file lists no such image")

    def _frame(self, picture: Mapping[str, Any]) -> LabelledFrame:
        name = picture["file_name"]
        try:
            facts = frame_facts(picture.get(KEY), name=name)
        except RecordError as error:
            self.log.lose("notes of maskwright that are damaged", f"{name}: {error}")
            facts = frame_facts(None, name=name)
        frame = LabelledFrame(size_hw=self._size_hw(picture), open_image=self.pictures.opener(name, self.log), **facts)
        annotations = self.file.annotations.get(picture["id"], ())
        masks = (self._mask(one, frame) for one in annotations)
        return replace(frame, masks=tuple(one for one in masks if one is not None))

    def _size_hw(self, picture: Mapping[str, Any]) -> SizeHW:
        """Take the size from the file, and check it against the picture where there is one."""
        size_hw = self.pictures.size_hw(picture["file_name"])
        stated = picture.get("height"), picture.get("width")
        if size_hw is None:
            match stated:
                case (int(height), int(width)) if height > 0 and width > 0:
                    return height, width
            raise RecordError(f"its height and width must be positive whole numbers, got {stated[0]}, {stated[1]}")
        if stated != (None, None) and stated != size_hw:
            raise RecordError(f"the file says (h, w) {stated}, the picture is {size_hw}")
        return size_hw

    def _mask(self, one: Mapping[str, Any], frame: LabelledFrame) -> ResolvedRecord | None:
        item = f"{frame.name}#{one.get('id', '?')}"
        segmentation = one.get("segmentation")
        if is_crowd(one) or not segmentation:
            self.log.skip(item, "a crowd, which is not one object" if is_crowd(one) else "it has no mask")
            return None
        try:
            rle = draw_mask(segmentation, frame.size_hw)
        except MaskError as error:
            self.log.skip(item, str(error))
            return None
        slack = 1 if isinstance(segmentation, Mapping) else _POLYGON_SLACK
        facts = {"stated_area": one.get("area"), "bbox_xywh": one.get("bbox")}
        self.importer.check_facts(rle, item=item, slack_px=slack, **facts)
        label = self.file.name_of(one)
        if label is None and "category_id" in one:
            self.log.lose("categories that the file does not list", f"{item}: {one['category_id']!r}")
        return self.importer.mask(
            rle,
            item=item,
            label=label,
            scores=scores_of(one),
            note=one.get(KEY) or self._note_of_predict(one, rle),
            ref=frame.ref,
            image_digest=frame.image_digest,
        )

    def _note_of_predict(self, one: Mapping[str, Any], rle: Any) -> dict[str, Any] | None:
        record = self.file.notes.get(str(one.get("record_id")))
        if record is None:
            return None
        counts = record.get("rle", {}).get("counts")
        pixels = pixels_digest(rle) if counts == rle.counts.decode() else ""
        return {"pixels": pixels, "record": {k: v for k, v in record.items() if k not in ("rle", "box_xyxy", "area")}}


__all__ = ["read", "write"]
