"""Masks of one frame as one JSON text, for formats of rows and steps: what a cell of LeRobot or a step of RLDS holds.

    {"size": [h, w], "objects": [{"id": 1, "track": "mug 1", "label": "mug", "rle": "<COCO counts>", "source": "model",
     "score": 0.93, "state": "accepted", "maskwright": {...}}], "maskwright": {...}}

`id` is the object's value in the frame's id map; `track` follows it through frames. An empty text means that nobody
looked at the frame, an empty list that it has no object. What stands under "maskwright" is for us: the whole record.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, get_args

import cv2
import numpy as np
from jaxtyping import UInt16

from maskwright.core.errors import MaskError, RecordError
from maskwright.core.image import FrameRef, Image
from maskwright.core.record import Scores
from maskwright.core.resolved import ResolvedRecord, Status
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.datasets.imported import Importer
from maskwright.datasets.json_files import dump_line
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.notes import KEY, frame_facts, frame_note, mask_note
from maskwright.masks import decode, from_coco

_SOURCES = {"sam_raw": "model", "sam_refined": "model", "human_drawn": "human"}
_MOST_IDS = 65535
_NO_PICTURE = "no_picture"


def cell_from_frame(frame: LabelledFrame, *, has_picture: bool = True) -> str:
    """Write the masks of a frame, and what it is itself, as JSON; `has_picture` tells whether its picture is there."""
    objects = [_object(number, mask) for number, mask in enumerate(frame.masks, 1)]
    note = frame_note(frame, written_as="")
    return dump_line({"size": list(frame.size_hw), "objects": objects, KEY: note | _absent(has_picture)})


def _absent(has_picture: bool) -> dict[str, bool]:
    return {} if has_picture else {_NO_PICTURE: True}


def frame_from_cell(
    cell: str | Mapping[str, Any],
    importer: Importer,
    *,
    name: str,
    ref: FrameRef | None,
    size_hw: SizeHW | None = None,
    open_image: Callable[[], Image] | None = None,
) -> LabelledFrame:
    """Read a frame back from its cell, as text or parsed; `name` and `ref` are for one that says neither.

    Masks that are damaged are left out and told to the log.

    Raises:
        RecordError: the text is not such JSON, or its size is not `size_hw`.
    """
    cell = _checked(cell)
    size = _size_of(cell)
    if size_hw is not None and size != size_hw:
        raise RecordError(f"the masks have the size {size} (h, w), their picture {size_hw}")
    facts: dict[str, Any] = {"name": name, "ref": ref, "image_digest": None}
    try:
        if cell.get(KEY) is not None:
            facts = frame_facts(cell[KEY], name=name)
    except RecordError as error:
        importer.log.lose("notes of maskwright that are damaged", f"{name}: {error}")
    note = cell.get(KEY)
    has_picture = not (isinstance(note, dict) and note.get(_NO_PICTURE))
    masks = []
    for number, one in enumerate(cell.get("objects") or [], 1):
        item = f"{facts['name']}#{number}"
        try:
            masks.append(_mask(one, size, importer, item, facts))
        except (MaskError, RecordError) as error:
            importer.log.skip(item, str(error))
    return LabelledFrame(size_hw=size, masks=tuple(masks), open_image=open_image if has_picture else None, **facts)


def id_map(frame: LabelledFrame) -> UInt16[np.ndarray, "H W"]:
    """Draw the masks as ids 1, 2, ... in their order, later ones over earlier ones; 0 is none of them."""
    ids = np.zeros(frame.size_hw, np.uint16)
    for number, mask in enumerate(frame.masks[:_MOST_IDS], 1):
        ids[decode(mask.record.rle)] = number
    return ids


def png_of(pixels: np.ndarray) -> bytes:
    """Write 8-bit RGB or 16-bit grey as PNG.

    OpenCV with its own filter takes a quarter of Pillow's time for a picture of that size (15 and 66 ms at 640 x 480).
    """
    bgr = pixels[:, :, ::-1] if pixels.ndim == 3 else pixels
    done, content = cv2.imencode(".png", bgr)
    if not done:
        raise MaskError(f"a picture of {pixels.shape} {pixels.dtype} cannot be written as PNG")
    return content.tobytes()


def _object(number: int, mask: ResolvedRecord) -> dict[str, Any]:
    record = mask.record
    return {
        "id": number,
        "track": record.track,
        "label": record.label,
        "rle": record.rle.counts.decode(),
        "source": _SOURCES.get(record.provenance.method, record.provenance.method),
        "score": record.scores.predicted_iou,
        "state": mask.status,
        KEY: mask_note(mask),
    }


def _checked(cell: str | Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        cell = json.loads(cell) if isinstance(cell, str) else cell
    except (ValueError, RecursionError) as error:
        raise RecordError(f"the masks are not JSON ({error})") from None
    if not isinstance(cell, dict) or not isinstance(cell.get("objects") or [], list):
        raise RecordError("the masks must be a JSON object with a size and a list of objects")
    return cell


def _size_of(cell: Mapping[str, Any]) -> SizeHW:
    match cell.get("size"):
        case [int(height), int(width)] if height > 0 and width > 0:
            return height, width
    raise RecordError(f"the masks need a size [h, w], got {cell.get('size')!r:.40}")


def _mask(one: Any, size_hw: SizeHW, importer: Importer, item: str, facts: Mapping[str, Any]) -> ResolvedRecord:
    if not isinstance(one, dict) or not isinstance(one.get("rle"), str):
        raise RecordError("an object needs an rle, a text of COCO's counts")
    rle: RLE = from_coco({"size": list(size_hw), "counts": one["rle"]})
    score, track = one.get("score"), one.get("track")
    known: dict[Any, Status] = {state: state for state in get_args(Status)}
    return importer.mask(
        rle,
        item=item,
        label=None if one.get("label") is None else str(one["label"]),
        track=None if track is None else str(track),
        scores=Scores(predicted_iou=float(score)) if isinstance(score, int | float) else None,
        status=known.get(str(one.get("state")), "proposed"),
        note=one.get(KEY),
        ref=facts["ref"],
        image_digest=facts["image_digest"],
    )


__all__ = ["cell_from_frame", "frame_from_cell", "id_map", "png_of"]
