"""CVAT for images 1.1: `annotations.xml` and `images`, in a folder or, where the name ends so, in a `.zip`.

Track, scores, status and id are attributes of the masks, which people can see and change in CVAT; what else is known of
a record has no place there, so a mask comes back as one that was derived from the record of its id. Read: masks and
polygons of pictures and of videos, whose outside, occluded and keyframe become the moments of tracks; boxes, lines,
points and tags are told as lost.
"""

import shutil
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, get_args

from maskwright.core.errors import ImageError, InputError, MaskError, RecordError
from maskwright.core.record import MaskRecord, Scores
from maskwright.core.resolved import ResolvedRecord, Status
from maskwright.core.shapes import SizeHW
from maskwright.core.track import TrackPoint, TrackSource, TrackState
from maskwright.datasets.cvat_xml import (
    OriginalSize,
    Picture,
    Shape,
    draw_shape,
    iter_elements,
    legal,
    mask_attributes,
    open_tag,
    text_element,
)
from maskwright.datasets.features import tell_losses
from maskwright.datasets.formats import find_format
from maskwright.datasets.imported import NAMELESS, UNLABELLED, Importer
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_index import finish
from maskwright.datasets.new_folder import OutputNames, new_file, new_folder
from maskwright.datasets.picture_files import (
    RENAMED,
    PictureFinder,
    Pictures,
    ZippedPictures,
    picture_path,
    write_picture,
)
from maskwright.masks import empty_mask

FILE = "annotations.xml"
_ID, _TRACK, _STATUS = "maskwright_id", "track", "status"
_SCORES = ("predicted_iou", "stability", "agreement")
_OURS = (_ID, _TRACK, _STATUS, *_SCORES)
_MOMENT = ("track_source", "track_state", "track_confidence")  # of videos
ILLEGAL = "labels with characters that XML cannot write"


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write the XML and the pictures that frames have, into a folder or a zip file."""
    write_output(frames, out, log, _write_folder)


def write_output(
    frames: Iterable[LabelledFrame],
    out: Path,
    log: LossLog,
    write_folder: Callable[[Iterable[LabelledFrame], Path, LossLog], None],
) -> None:
    """Write a folder of CVAT's, or a zip file of it where the name ends so."""
    if out.suffix.lower() != ".zip":
        with new_folder(out) as folder:
            write_folder(frames, folder, log)
        return
    with new_file(out) as part, tempfile.TemporaryDirectory(dir=part.parent, prefix=f"{part.name}.") as staging:
        write_folder(frames, Path(staging), log)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(path for path in Path(staging).rglob("*") if path.is_file()):
                archive.write(file, file.relative_to(staging).as_posix())


def _write_folder(frames: Iterable[LabelledFrame], folder: Path, log: LossLog) -> None:
    body = folder / f"{FILE}.body"
    with body.open("w", encoding="utf-8") as pictures:
        labels, num_frames = _write_pictures(frames, folder, pictures, log)
    with (folder / FILE).open("w", encoding="utf-8") as file, body.open(encoding="utf-8") as pictures:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
        file.write(_meta(labels, num_frames))
        shutil.copyfileobj(pictures, file)
        file.write("</annotations>\n")
    body.unlink()


def _write_pictures(
    frames: Iterable[LabelledFrame], folder: Path, file: IO[str], log: LossLog
) -> tuple[dict[str, None], int]:
    names, labels, number = OutputNames(), {}, 0
    holds = find_format("cvat").holds
    for number, frame in enumerate(frames, 1):
        path = names.claim(frame.name)
        path = path if frame.open_image is None else picture_path(path)
        if str(path) != frame.name:
            log.lose(RENAMED, f"{frame.name!r} to {path}")
        write_picture(frame, folder / "images" / path, log)
        tell_losses(frame, holds, log)
        height, width = frame.size_hw
        size = {"id": str(number - 1), "name": str(path), "width": str(width), "height": str(height)}
        file.write(open_tag("image", size) + "\n")
        num_masks = sum(_write_mask(mask, f"{frame.name}#{mask.record.id}", file, labels, log) for mask in frame.masks)
        file.write("</image>\n")
        log.count(frames=1, masks=num_masks)
    return labels, number


def _write_mask(mask: ResolvedRecord, item: str, file: IO[str], labels: dict[str, None], log: LossLog) -> bool:
    record = mask.record
    if not record.area:
        log.skip(item, "an empty mask, which CVAT has no form for")
        return False
    if not record.label:
        log.lose(NAMELESS, item)
    label = legal(record.label or UNLABELLED)
    if label != (record.label or UNLABELLED):
        log.lose(ILLEGAL, item)
    labels[label] = None
    is_occluded = record.track_point is not None and record.track_point.state == "occluded"
    place = {"label": label, "source": "file", "occluded": str(int(is_occluded))}
    place |= {**mask_attributes(record.rle), "z_order": "0"}
    file.write(open_tag("mask", place) + "\n")
    for name, value in known_attributes(mask).items():
        file.write(text_element("attribute", value, name=name) + "\n")
    file.write("</mask>\n")
    return True


def known_attributes(mask: ResolvedRecord) -> dict[str, str]:
    """What we write of a mask beside its pixels, by the names of the attributes."""
    record: MaskRecord = mask.record
    scores = {name: getattr(record.scores, name) for name in _SCORES}
    told = {_ID: record.id, _TRACK: record.track, _STATUS: mask.status, **scores}
    return {name: str(value) for name, value in told.items() if value is not None}


def _meta(labels: Iterable[str], num_frames: int) -> str:
    attributes = "".join(
        f"<attribute>{text_element('name', name)}<mutable>False</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute>"
        for name in _OURS
    )
    listed = "".join(
        f"<label>{text_element('name', label)}<type>mask</type><attributes>{attributes}</attributes></label>\n"
        for label in labels
    )
    head = f"<name>maskwright</name><size>{num_frames}</size><mode>annotation</mode><overlap>0</overlap>"
    return f"<meta><task>{head}\n<labels>\n{listed}</labels>\n</task></meta>\n"


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read an XML file, a zip file of it, or a folder with annotations.xml.

    Raises:
        InputError: there is none, or it is not CVAT's; what came before the damage has been given.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"expected CVAT's {FILE}, alone, in a folder or in a .zip: {path}")
    try:
        is_zip = zipfile.is_zipfile(file)
        zipped = is_zip and images is None
        pictures = ZippedPictures.of(file) if zipped else PictureFinder.beside(file, images)
    except (OSError, zipfile.BadZipFile) as error:
        raise RecordError(f"the zip file cannot be read ({error}): {path}") from None
    return _Reader(file, is_zip, pictures, Importer.of(path, "cvat", log)).frames()


@contextmanager
def _opened(path: Path, is_zip: bool) -> Iterator[IO[bytes]]:
    if not is_zip:
        with path.open("rb") as file:
            yield file
        return
    try:
        with zipfile.ZipFile(path) as archive, archive.open(FILE) as file:
            yield file
    except KeyError:
        raise InputError(f"expected {FILE} in the zip file, and there is none: {path}") from None
    except (zipfile.BadZipFile, EOFError) as error:
        raise RecordError(f"the zip file cannot be read ({error}): {path}") from None


class _Reader:
    """Turns CVAT's pictures into frames; those of a video wait for the end, since its tracks cross all of them."""

    def __init__(self, file: Path, is_zip: bool, pictures: Pictures, importer: Importer) -> None:
        self.file, self.is_zip, self.pictures = file, is_zip, pictures
        self.importer, self.log = importer, importer.log

    def frames(self) -> Iterator[LabelledFrame]:
        video: dict[int, list[Shape]] = defaultdict(list)
        size_hw: SizeHW | None = None
        with _opened(self.file, self.is_zip) as file:
            for one in iter_elements(file, str(self.file)):
                match one:
                    case Picture():
                        yield from self._picture(one)
                    case OriginalSize():
                        size_hw = one.size_hw
                    case _:
                        for shape in one:
                            video[shape.frame or 0].append(shape)
        if video and size_hw is None:
            raise RecordError(f"expected the original_size of the video: {self.file}")
        for number in sorted(video):
            name = f"frame_{number:06}.PNG"  # as CVAT names the pictures of a video
            yield from self._frame(name, size_hw, video[number])

    def _picture(self, picture: Picture) -> Iterator[LabelledFrame]:
        try:
            size_hw = int(picture.size["height"]), int(picture.size["width"])
            actual = self.pictures.size_hw(picture.name)
            if actual is not None and actual != size_hw:
                raise RecordError(f"the file says (h, w) {size_hw}, the picture is {actual}")
        except (KeyError, ValueError) as error:
            told = isinstance(error, RecordError | ImageError)
            self.log.skip(picture.name, str(error) if told else "its width and height must be whole numbers")
            return
        yield from self._frame(picture.name, size_hw, picture.shapes)

    def _frame(self, name: str, size_hw: Any, shapes: Iterable[Shape]) -> Iterator[LabelledFrame]:
        frame = LabelledFrame(name=name, size_hw=size_hw, open_image=self.pictures.opener(name, self.log))
        masks = [self._mask(shape, frame, f"{name}#{i}") for i, shape in enumerate(shapes)]
        yield finish(frame, [one for one in masks if one is not None], self.importer)

    def _mask(self, shape: Shape, frame: LabelledFrame, item: str) -> ResolvedRecord | None:
        if shape.kind not in ("mask", "polygon"):
            self.log.lose(f"shapes of the kind {shape.kind}, which are no masks", item)
            return None
        try:
            rle = empty_mask(frame.size_hw) if shape.is_outside else draw_shape(shape, frame.size_hw)
        except MaskError as error:
            self.log.skip(item, str(error))
            return None
        known = shape.attributes
        for name in known.keys() - {*_OURS, *_MOMENT}:
            self.log.lose("attributes of masks", f"{item}: {name}")
        mask = self.importer.mask(
            rle,
            item=item,
            label=shape.label or None,
            track=known.get(_TRACK) or (None if _ID in known else shape.track),
            track_point=_track_point(shape),
            scores=_scores(known),
            derived_from=known.get(_ID) or None,
        )
        status: Any = known.get(_STATUS)
        return replace(mask, status=status) if status in get_args(Status) else mask


def _track_point(shape: Shape) -> TrackPoint | None:
    """Read a moment of a track: as we wrote it, or as CVAT's own shapes of a video say it."""
    known, place = shape.attributes, shape.place
    sources: dict[Any, TrackSource] = {one: one for one in get_args(TrackSource)}
    states: dict[Any, TrackState] = {one: one for one in get_args(TrackState)}
    state: TrackState = "outside" if shape.is_outside else "occluded" if place.get("occluded") == "1" else "visible"
    if known.get("track_source") in sources:
        return TrackPoint(
            source=sources[known["track_source"]],
            state=states.get(known.get("track_state"), state),
            confidence=_confidence(known),
        )
    if shape.track is None or _ID in known:
        return None
    return TrackPoint(source="carried" if place.get("keyframe") == "0" else "keyframe", state=state)


def _confidence(known: Mapping[str, str]) -> float:
    try:
        return min(max(float(known["track_confidence"]), 0.0), 1.0)
    except (KeyError, ValueError):
        return 1.0


def _scores(known: Mapping[str, str]) -> Scores:
    values: dict[str, float | None] = {}
    for name in _SCORES:
        try:
            values[name] = float(known[name])
        except (KeyError, ValueError):
            values[name] = None
    return Scores(**values)


__all__ = ["FILE", "ILLEGAL", "known_attributes", "read", "write", "write_output"]
