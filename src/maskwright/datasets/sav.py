"""SA-V, the videos of SAM 2. Read only.

    VIDEO_manual.json, VIDEO_auto.json      run lengths of every fourth frame: a list over frames of lists over objects
    Annotations_6fps/VIDEO/000/00000.png    a folder an object, a binary PNG a frame; pictures in JPEGImages_24fps

Frames are named as the pictures, `VIDEO/00008.jpg`, numbered at 24 frames a second; an object is a track.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from maskwright.core.errors import ImageError, InputError, MaskError, RecordError
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.datasets.coco_file import draw_mask
from maskwright.datasets.images import read_image
from maskwright.datasets.imported import Importer
from maskwright.datasets.json_files import load_json
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_files import read_values
from maskwright.datasets.mask_index import finish
from maskwright.datasets.picture_files import MISSING, iter_files, read_size_hw
from maskwright.masks import encode, is_empty

_STEP = 4  # pictures from one annotated frame to the next
_PICTURES, _ANNOTATIONS = "JPEGImages_24fps", "Annotations_6fps"
_EXPECTED = "expected SA-V, a JSON with masklet and masklet_id, or a folder with Annotations_6fps"


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read a JSON, a folder of them, or a folder with Annotations_6fps; frames without an object are given too.

    Raises:
        InputError: it is not SA-V's.
    """
    reader = _Reader(Importer.of(path, "sav", log), images or (path if path.is_dir() else path.parent) / _PICTURES)
    if (path / _ANNOTATIONS).is_dir():
        return reader.pngs(path / _ANNOTATIONS)
    if not path.is_dir():
        return reader.masklets(path, _load(path))
    files = [file for file in iter_files(path, ".json") if file.stem.endswith(("_manual", "_auto"))]
    if not files:
        raise InputError(f"{_EXPECTED}: {path}")
    return (frame for file in files for frame in reader.masklets(file, _load(file)))


def _load(file: Path) -> Mapping[str, Any]:
    content = load_json(file, what="the JSON of SA-V")
    is_whole = isinstance(content, dict) and all(isinstance(content.get(k), list) for k in ("masklet", "masklet_id"))
    sides = [content.get(f"video_{side}") for side in ("height", "width")] if is_whole else []
    if not is_whole or not all(isinstance(side, int | float) and 1 <= side < 1 << 16 for side in sides):
        raise RecordError(f"{_EXPECTED}, video_height and video_width: {file}")
    return content


class _Reader:
    """Turns videos into frames; `pictures` is where those of each video lie."""

    def __init__(self, importer: Importer, pictures: Path) -> None:
        self.importer, self.log, self.pictures = importer, importer.log, pictures

    def masklets(self, file: Path, content: Mapping[str, Any]) -> Iterator[LabelledFrame]:
        """Read the frames of a JSON."""
        video = str(content.get("video_id") or file.stem.rsplit("_", 1)[0])
        size_hw = int(content["video_height"]), int(content["video_width"])
        tracks = [str(one) for one in content["masklet_id"]]
        for number, objects in enumerate(content["masklet"]):
            frame = self._frame(video, f"{number * _STEP:05}", size_hw)
            if not isinstance(objects, list) or len(objects) != len(tracks):
                self.log.skip(frame.name, f"it must have a mask for each of {len(tracks)} objects")
                continue
            named = zip(tracks, objects, strict=True)
            masks = (self._mask(frame, track, partial(draw_mask, one, size_hw)) for track, one in named)
            yield finish(frame, [one for one in masks if one is not None], self.importer)

    def pngs(self, root: Path) -> Iterator[LabelledFrame]:
        """Read the frames of folders an object."""
        for video in sorted(path for path in root.iterdir() if path.is_dir()):
            objects = sorted(path for path in video.iterdir() if path.is_dir())
            for stem in sorted({file.stem for one in objects for file in one.glob("*.png")}):
                files = {one.name: one / f"{stem}.png" for one in objects if (one / f"{stem}.png").is_file()}
                try:
                    frame = self._frame(video.name, stem, read_size_hw(next(iter(files.values()))))
                except ImageError as error:
                    self.log.skip(f"{video.name}/{stem}", str(error))
                    continue
                masks = (self._mask(frame, track, partial(_draw_png, file)) for track, file in files.items())
                yield finish(frame, [one for one in masks if one is not None], self.importer)

    def _frame(self, video: str, stem: str, size_hw: SizeHW) -> LabelledFrame:
        name = f"{video}/{stem}.jpg"
        picture = self.pictures / video / f"{stem}.jpg"
        has_picture = ".." not in picture.parts and picture.is_file()
        if not has_picture:
            self.log.lose(MISSING, name)
        return LabelledFrame(
            name=name, size_hw=size_hw, open_image=partial(read_image, picture) if has_picture else None
        )

    def _mask(self, frame: LabelledFrame, track: str, draw: Any) -> ResolvedRecord | None:
        """Make the record of an object, None where it is not seen in this frame."""
        item = f"{frame.name}#{track}"
        try:
            rle: RLE = draw()
            if rle.size_hw != frame.size_hw:
                raise MaskError(f"the mask is {rle.size_hw}, its frame {frame.size_hw}; both must agree")
        except MaskError as error:
            self.log.skip(item, str(error))
            return None
        return None if is_empty(rle) else self.importer.mask(rle, item=item, track=track)


def _draw_png(file: Path) -> RLE:
    return encode(read_values(file) > 0)


__all__ = ["read"]
