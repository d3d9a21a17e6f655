"""Label Studio: `tasks.json` to import, a task a picture with brush regions; `images`, and `label_config.xml`.

Masks that people drew or accepted are annotations, all others predictions: if a person decided about one mask of a
picture, all of that picture stand in the annotation. Our notes are in `meta` of task and region. Pictures are named as
files of local storage (`/data/local-files/?d=...`). Read: exports of JSON and JSON_MIN, brushes and polygons; where
people annotated a task, its predictions are not read.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from maskwright.core.errors import ImageError, MaskError, RecordError
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.rle import RLE
from maskwright.core.settings import MAX_PIXELS
from maskwright.core.shapes import SizeHW
from maskwright.datasets.brush_rle import decode_brush, encode_brush
from maskwright.datasets.cvat_xml import open_tag
from maskwright.datasets.features import tell_losses
from maskwright.datasets.formats import find_format
from maskwright.datasets.images import SUFFIXES
from maskwright.datasets.imported import Importer
from maskwright.datasets.json_files import dump_line, load_json
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_index import finish
from maskwright.datasets.new_folder import OutputNames, new_folder, write_file
from maskwright.datasets.notes import KEY, frame_facts, frame_note, mask_note
from maskwright.datasets.picture_files import PictureFinder, picture_path, write_picture
from maskwright.masks import from_coco_polygons

FILE, CONFIG = "tasks.json", "label_config.xml"
_LOCAL = "/data/local-files/?d="
_FROM, _TO = "tag", "image"


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write tasks, pictures and the labelling interface."""
    names, labels, holds = OutputNames(), {}, find_format("label-studio").holds
    with new_folder(out) as folder:
        with (folder / FILE).open("w", encoding="utf-8") as file:
            file.write("[\n")
            for number, frame in enumerate(frames, 1):
                path = str(picture_path(names.claim(frame.name)))
                write_picture(frame, folder / "images" / path, log)
                tell_losses(frame, holds, log)
                labels |= {one.record.label: None for one in frame.masks if one.record.label}
                file.write((",\n" if number > 1 else "") + dump_line(_task(number, path, frame)))
                log.count(frames=1, masks=len(frame.masks))
            file.write("\n]\n")
        write_file(folder / CONFIG, _config(labels))


def _task(number: int, path: str, frame: LabelledFrame) -> dict[str, Any]:
    results = [_region(mask, frame.size_hw) for mask in frame.masks]
    height, width = frame.size_hw
    task = {
        "id": number,
        "data": {"image": _LOCAL + quote(f"images/{path}")},
        "meta": {KEY: {**frame_note(frame, written_as=path), "size_hw": [height, width]}},
    }
    if not results:
        return task
    if any(_is_of_people(mask) for mask in frame.masks):
        return {**task, "annotations": [{"result": results}]}
    models = {mask.record.provenance.model.name for mask in frame.masks if mask.record.provenance.model}
    return {**task, "predictions": [{"model_version": ", ".join(sorted(models)) or "maskwright", "result": results}]}


def _is_of_people(mask: ResolvedRecord) -> bool:
    return mask.status == "accepted" or mask.edited_by is not None or mask.record.provenance.method == "human_drawn"


def _region(mask: ResolvedRecord, size_hw: SizeHW) -> dict[str, Any]:
    record = mask.record
    kind = "brushlabels" if record.label else "brush"
    value: dict[str, Any] = {"format": "rle", "rle": encode_brush(record.rle)}
    region: dict[str, Any] = {
        "id": record.id,
        "type": kind,
        "from_name": _FROM,
        "to_name": _TO,
        "original_width": size_hw[1],
        "original_height": size_hw[0],
        "image_rotation": 0,
        "value": {**value, "brushlabels": [record.label]} if record.label else value,
        "meta": {KEY: mask_note(mask)},
    }
    return region if record.scores.predicted_iou is None else {**region, "score": record.scores.predicted_iou}


def _config(labels: Iterable[str]) -> str:
    listed = "".join(f"    {open_tag('Label', {'value': label})[:-1]}/>\n" for label in labels)
    brush = f'  <BrushLabels name="{_FROM}" toName="{_TO}">\n{listed}  </BrushLabels>\n'
    return f'<View>\n  <Image name="{_TO}" value="$image" zoom="true"/>\n{brush}</View>\n'


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read an export, or the tasks.json of a folder.

    Raises:
        InputError: there is none, or it is not Label Studio's.
    """
    file = path / FILE if path.is_dir() else path
    tasks = load_json(file, what="the export of Label Studio")
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise RecordError(f"expected an export of Label Studio, a list of tasks: {file}")
    if tasks and not any("data" in task or _is_minimal(task) for task in tasks):
        raise RecordError(f"expected tasks of Label Studio with data or regions, and there are none: {file}")
    reader = _Reader(PictureFinder.beside(file, images), Importer.of(file, "label-studio", log))
    return reader.frames(tasks)


class _Reader:
    """Turns tasks into frames."""

    def __init__(self, pictures: PictureFinder, importer: Importer) -> None:
        self.pictures, self.importer, self.log = pictures, importer, importer.log

    def frames(self, tasks: Iterable[Mapping[str, Any]]) -> Iterator[LabelledFrame]:
        for number, task in enumerate(tasks, 1):
            try:
                yield self._frame(task, f"task {task.get('id', number)}")
            except (RecordError, ImageError, MaskError) as error:
                self.log.skip(f"task {task.get('id', number)}", str(error))

    def _frame(self, task: Mapping[str, Any], item: str) -> LabelledFrame:
        results = self._results(task, item)
        note = _mapping(_mapping(task.get("meta")).get(KEY))
        name = _picture_name(task)
        facts = frame_facts(note, name=name)
        size_hw = self.pictures.size_hw(name) or _stated_size([*results, _size_of_note(note)])
        frame = LabelledFrame(size_hw=size_hw, open_image=self.pictures.opener(name, self.log), **facts)
        masks = [self._mask(group, frame) for group in _by_region(results)]
        return finish(frame, [one for one in masks if one is not None], self.importer)

    def _results(self, task: Mapping[str, Any], item: str) -> list[Mapping[str, Any]]:
        """Choose the regions of a task: what people drew, or else what a model did."""
        if _is_minimal(task) and "data" not in task:
            return [_from_minimal(one) for value in task.values() if isinstance(value, list) for one in value]
        drawn = [one for one in _list(task.get("annotations", task.get("completions"))) if not one.get("was_cancelled")]
        predicted = _list(task.get("predictions"))
        if drawn and predicted:
            self.log.lose("predictions of tasks that people annotated", item)
        chosen = next((one for one in drawn if one.get("ground_truth")), None) or (drawn or predicted or [{}])[-1]
        for other in drawn or predicted:
            if other is not chosen:
                self.log.skip(f"{item}, result {other.get('id', '?')}", "another result of this task is read")
        return _list(chosen.get("result"))

    def _mask(self, group: list[Mapping[str, Any]], frame: LabelledFrame) -> ResolvedRecord | None:
        region = next((one for one in group if _mapping(one.get("value")).keys() & {"rle", "points"}), group[0])
        item = f"{frame.name}#{region.get('id', '?')}"
        try:
            rle = _draw(region, frame.size_hw)
        except MaskError as error:
            self.log.skip(item, str(error))
            return None
        if rle is None:
            self.log.lose(f"results of the type {region.get('type')}, which are no masks", item)
            return None
        labels = [label for one in group for label in _labels(one)]
        if len(labels) > 1:
            self.log.lose("labels beyond the first of a region", item)
        return self.importer.mask(
            rle,
            item=item,
            label=labels[0] if labels else None,
            note=_mapping(region.get("meta")).get(KEY),
            ref=frame.ref,
            image_digest=frame.image_digest,
        )


def _draw(region: Mapping[str, Any], size_hw: SizeHW) -> RLE | None:
    value = _mapping(region.get("value"))
    stated = _stated_size([region]) if "original_width" in region else size_hw
    if region.get("image_rotation"):
        raise MaskError(f"the picture was turned by {region['image_rotation']} degrees; turn it back first")
    if stated != size_hw:
        raise MaskError(f"the mask is {stated}, its picture {size_hw}; both must agree")
    if "rle" in value:
        return decode_brush(value["rle"], size_hw)
    if "points" in value and str(region.get("type")).startswith("polygon"):
        return from_coco_polygons([_percent_to_pixels(value["points"], size_hw)], size_hw)
    return None


def _percent_to_pixels(points: Any, size_hw: SizeHW) -> list[float]:
    try:
        return [float(v) * side / 100 for point in points for v, side in zip(point, size_hw[::-1], strict=True)]
    except (TypeError, ValueError):
        raise MaskError(f"a polygon's points must be a list of x, y in percent, got {points!r:.60}") from None


def _stated_size(regions: Iterable[Mapping[str, Any]]) -> SizeHW:
    for one in regions:
        height, width = one.get("original_height"), one.get("original_width")
        if isinstance(height, int) and isinstance(width, int) and 0 < height * width <= MAX_PIXELS.get() and height > 0:
            return height, width
    raise RecordError("its picture is not at hand, and no region tells its original_width and original_height")


def _size_of_note(note: Mapping[str, Any]) -> dict[str, Any]:
    size = note.get("size_hw")
    return dict(zip(("original_height", "original_width"), size, strict=False)) if isinstance(size, list) else {}


def _by_region(results: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Put results of one id together: a brush and its labels may be two."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for number, one in enumerate(results):
        groups.setdefault(str(one.get("id") or number), []).append(one)
    yield from groups.values()


def _labels(result: Mapping[str, Any]) -> list[str]:
    value = _mapping(result.get("value"))
    found = [labels for key, labels in value.items() if key.endswith("labels") and isinstance(labels, list)]
    return [label for labels in found for label in labels if isinstance(label, str) and label]


def _picture_name(task: Mapping[str, Any]) -> str:
    """Take the picture's name out of its address: a file of local storage, an upload, a URL."""
    data = _mapping(task.get("data", task))
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    names = {key: _name_in(value) for key, value in texts.items()}
    looks = (name for name in names.values() if Path(name).suffix.lower() in SUFFIXES)
    name = names.get("image") or next(looks, None)
    if not name:
        raise RecordError("its data names no picture")
    return name


def _name_in(address: str) -> str:
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d")
    name = local[0] if local else unquote(parts.path)
    if "/upload/" in name:
        return re.sub(r"^[0-9a-f]{8}-", "", name.rsplit("/", 1)[1])  # Label Studio puts a hash before uploads
    return name.lstrip("/").removeprefix("images/")


def _is_minimal(task: Mapping[str, Any]) -> bool:
    return any(isinstance(one, Mapping) and "rle" in one for value in task.values() for one in _list(value))


def _from_minimal(one: Any) -> dict[str, Any]:
    flat = _mapping(one)
    sides = {key: flat[key] for key in ("original_width", "original_height") if key in flat}
    return {"type": "brushlabels", "value": dict(flat), "id": flat.get("id"), **sides}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


__all__ = ["read", "write"]
