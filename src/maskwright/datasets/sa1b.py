"""SA-1B and SAM's automatic mask generator: `sa_1.json` beside `sa_1.jpg`, a JSON a picture.

Masks have no label there; ours, tracks and history stand under "maskwright". `predicted_iou` and `stability_score` are
null where no model gave them. Read: a file or a folder of them, compressed and plain run lengths.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from maskwright.core.errors import ImageError, MaskError, RecordError
from maskwright.core.prompt import PointPrompt
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.shapes import SizeHW
from maskwright.datasets.coco_file import draw_mask
from maskwright.datasets.features import tell_losses
from maskwright.datasets.formats import find_format
from maskwright.datasets.imported import Importer, scores_of
from maskwright.datasets.json_files import dump_line, load_json
from maskwright.datasets.json_folder import frames_of_json
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_index import finish
from maskwright.datasets.new_folder import OutputNames, new_folder, without_suffix, write_file
from maskwright.datasets.notes import KEY, frame_facts, frame_note, mask_note
from maskwright.datasets.picture_files import PictureFinder, picture_path, write_picture
from maskwright.masks import to_coco

_EXPECTED = "expected a JSON of SA-1B, an object with image and annotations"
PROMPTS = "prompts of masks (point_coords, crop_box)"


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write a JSON a frame, the pictures beside them."""
    names, holds, num_masks = OutputNames(), find_format("sa1b").holds, 0
    with new_folder(out) as folder:
        for number, frame in enumerate(frames, 1):
            path = picture_path(names.claim(frame.name))
            write_picture(frame, folder / path, log)
            tell_losses(frame, holds, log)
            document = _document(number, num_masks, path, frame)
            write_file(folder / f"{without_suffix(path)}.json", dump_line(document) + "\n")
            num_masks += len(frame.masks)
            log.count(frames=1, masks=len(frame.masks))


def _document(number: int, first: int, path: PurePosixPath, frame: LabelledFrame) -> dict[str, Any]:
    height, width = frame.size_hw
    image = {"image_id": number, "width": width, "height": height, "file_name": path.name}
    annotations = [_annotation(first + i, mask, frame.size_hw) for i, mask in enumerate(frame.masks, 1)]
    note = frame_note(frame, written_as=str(path))
    return {"image": {**image, KEY: note} if note else image, "annotations": annotations}


def _annotation(number: int, mask: ResolvedRecord, size_hw: SizeHW) -> dict[str, Any]:
    record = mask.record
    x1, y1, x2, y2 = map(int, record.box_xyxy)
    prompt = record.provenance.prompt
    return {
        "id": number,
        "segmentation": to_coco(record.rle),
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": record.area,
        "predicted_iou": record.scores.predicted_iou,
        "stability_score": record.scores.stability,
        "crop_box": [0, 0, size_hw[1], size_hw[0]],
        "point_coords": [list(map(float, point)) for point in prompt.points_xy]
        if isinstance(prompt, PointPrompt)
        else [],
        KEY: mask_note(mask),
    }


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read a JSON, or all of a folder.

    Raises:
        InputError: there is none, or none is of SA-1B.
    """
    importer = Importer.of(path, "sa1b", log)
    read_file = partial(_frame, images=images, importer=importer)
    return frames_of_json(path, read_file, expected=_EXPECTED, log=log)


def _frame(file: Path, folder: PurePosixPath, *, images: Path | None, importer: Importer) -> LabelledFrame:
    content = load_json(file, what="the JSON of SA-1B")
    image = content.get("image") if isinstance(content, dict) else None
    annotations = content.get("annotations") if isinstance(content, dict) else None
    if (
        not isinstance(image, Mapping)
        or not isinstance(annotations, list)
        or not isinstance(image.get("file_name"), str)
    ):
        raise RecordError(f"{_EXPECTED}: {file}")
    name = (folder / image["file_name"]).as_posix()
    pictures = PictureFinder((file.parent, *PictureFinder.beside(file, images).folders))
    frame = LabelledFrame(
        size_hw=_size_hw(image, pictures, file),
        open_image=pictures.opener(image["file_name"], importer.log),
        **frame_facts(image.get(KEY), name=name),
    )
    masks = [_mask(one, i, frame, importer) for i, one in enumerate(annotations)]
    return finish(frame, [one for one in masks if one is not None], importer)


def _size_hw(image: Mapping[str, Any], pictures: PictureFinder, file: Path) -> SizeHW:
    height, width = image.get("height"), image.get("width")
    if not isinstance(height, int) or not isinstance(width, int) or height < 1 or width < 1:
        raise RecordError(f"height and width must be positive whole numbers, got {height!r}, {width!r}: {file}")
    actual = pictures.size_hw(image["file_name"])
    if actual is not None and actual != (height, width):
        raise ImageError(f"the file says (h, w) {(height, width)}, the picture is {actual}: {file}")
    return height, width


def _mask(one: Any, number: int, frame: LabelledFrame, importer: Importer) -> ResolvedRecord | None:
    item = f"{frame.name}#{one.get('id', number) if isinstance(one, Mapping) else number}"
    try:
        if not isinstance(one, Mapping):
            raise MaskError(f"an annotation must be an object, got {type(one).__name__}")
        rle = draw_mask(one.get("segmentation"), frame.size_hw)
    except MaskError as error:
        importer.log.skip(item, str(error))
        return None
    importer.check_facts(rle, item=item, stated_area=one.get("area"), bbox_xywh=one.get("bbox"))
    if one.get("point_coords") and KEY not in one:
        importer.log.lose(PROMPTS, item)
    known = {"ref": frame.ref, "image_digest": frame.image_digest}
    return importer.mask(rle, item=item, scores=scores_of(one), note=one.get(KEY), **known)


__all__ = ["read", "write"]
