"""DAVIS 2017 and YouTube-VOS: a palette PNG a frame, in which a number is one object through a whole sequence.

    JPEGImages/480p/SEQ/00000.jpg   Annotations/480p/SEQ/00000.png   ImageSets/2017/val.txt   meta.json

Written: `480p`, which DAVIS's tools look for, whatever the size; the folder of a frame's name is its sequence, a track
is a number of the palette, and `meta.json` is that of YouTube-VOS (categories), with tracks and names of frames under
"maskwright". A mask without a track gets a number that no other frame has. 255 is void, so a sequence holds 254
objects; where masks overlap the smaller one is seen. Read: either layout, with or without the resolution's folder.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from maskwright.core.errors import ImageError, InputError, MaskError, RecordError
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.rle import RLE
from maskwright.datasets.features import tell_losses
from maskwright.datasets.formats import find_format
from maskwright.datasets.images import read_image
from maskwright.datasets.imported import Importer
from maskwright.datasets.json_files import dump_line, load_json
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_files import VOID, objects_in, paint, palette_png, read_values
from maskwright.datasets.mask_index import finish
from maskwright.datasets.new_folder import OutputNames, new_folder, without_suffix, write_file
from maskwright.datasets.notes import KEY
from maskwright.datasets.picture_files import MISSING, iter_files, read_size_hw, write_picture
from maskwright.datasets.png_ids import HIDDEN
from maskwright.masks import encode, union

_LEVEL = "480p"
_LEVELS = (_LEVEL, "Full-Resolution", "1080p", "720p")
_ROOT_SEQUENCE = "video"
_MOST = VOID - 1
LABELS_CHANGE = "labels that change along a track"
TRACK_TWICE = "tracks: masks of one track in one frame become one"


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write annotations, pictures, the list of sequences and meta.json."""
    videos, names, holds = _Videos(), OutputNames(), find_format("davis").holds
    with new_folder(out) as folder:
        for kind in ("Annotations", "JPEGImages"):
            (folder / kind / _LEVEL).mkdir(parents=True)
        for frame in frames:
            tell_losses(frame, holds, log)
            stem = videos.place(frame, names)
            write_picture(frame, folder / "JPEGImages" / _LEVEL / f"{stem}.jpg", log)
            values, num_seen = videos.draw(frame, stem, log)
            write_file(folder / "Annotations" / _LEVEL / f"{stem}.png", palette_png(values.astype(np.uint8)))
            log.count(frames=1, masks=num_seen)
        write_file(folder / "ImageSets" / "2017" / "val.txt", "".join(f"{name}\n" for name in videos.sequences))
        write_file(folder / "meta.json", dump_line({"videos": videos.meta()}) + "\n")


@dataclass(slots=True)
class _Sequence:
    """What a sequence has had so far. `names` are those of frames, `objects` what each number is."""

    names: dict[str, str] = field(default_factory=dict)
    objects: dict[int, dict[str, Any]] = field(default_factory=dict)
    number_of: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Videos:
    """Deals out sequences, and numbers within each."""

    sequences: dict[str, _Sequence] = field(default_factory=dict)
    _folders: dict[str, str] = field(default_factory=dict)
    _names: OutputNames = field(default_factory=OutputNames)

    def place(self, frame: LabelledFrame, names: OutputNames) -> PurePosixPath:
        """Give a frame its path below the folders, without a suffix."""
        folder, _, last = frame.name.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = str(self._names.claim(folder.strip("/").replace("/", "_") or _ROOT_SEQUENCE))
        path = without_suffix(names.claim(f"{self._folders[folder]}/{last}"))
        self.sequences.setdefault(self._folders[folder], _Sequence()).names[path.name] = frame.name
        return path

    def draw(self, frame: LabelledFrame, path: PurePosixPath, log: LossLog) -> tuple[np.ndarray, int]:
        """Draw a frame's masks with their numbers; tell how many are seen."""
        sequence = self.sequences[str(path.parent)]
        masks: dict[int, RLE] = {}
        for mask in frame.masks:
            item = f"{frame.name}#{mask.record.id}"
            number = _number(sequence, mask, item, log)
            if number is None:
                log.skip(item, f"a sequence holds {_MOST} objects")
            elif number in masks:
                log.lose(TRACK_TWICE, item)
                masks[number] = union([masks[number], mask.record.rle])
            else:
                masks[number] = mask.record.rle
        values = paint(masks, frame.size_hw)
        seen = set(np.unique(values).tolist()) - {0}
        for number in masks:
            if number in seen:
                sequence.objects[number]["frames"].append(path.name)
            else:
                log.skip(f"{frame.name}#{number}", HIDDEN)
        return values, len(seen)

    def meta(self) -> dict[str, Any]:
        """Describe the sequences as YouTube-VOS does."""
        return {
            name: {"objects": {str(i): one for i, one in seen.objects.items()}, KEY: {"names": seen.names}}
            for name, seen in self.sequences.items()
        }


def _number(sequence: _Sequence, mask: ResolvedRecord, item: str, log: LossLog) -> int | None:
    """Find the number of a mask's track, or deal a new one; None where there is none left."""
    track, label = mask.record.track, mask.record.label or None
    known = sequence.number_of.get(track) if track is not None else None
    if known is not None:
        if sequence.objects[known]["category"] != label:
            log.lose(LABELS_CHANGE, item)
        return known
    number = len(sequence.objects) + 1
    if number > _MOST:
        return None
    sequence.objects[number] = {"category": label, "frames": [], KEY: {"track": track}}
    if track is not None:
        sequence.number_of[track] = number
    return number


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read the frames that have an annotation, sequence by sequence.

    Raises:
        InputError: there are no annotations, or meta.json is damaged.
    """
    annotations = _level(path / "Annotations")
    if annotations is None:
        raise InputError(f"expected DAVIS or YouTube-VOS, a folder with Annotations and JPEGImages: {path}")
    pictures = images or path / "JPEGImages"
    videos = _read_meta(path / "meta.json")
    reader = _Reader(annotations, _level(pictures) or pictures, videos, Importer.of(path, "davis", log))
    return reader.frames()


def _level(folder: Path) -> Path | None:
    if not folder.is_dir():
        return None
    return next((folder / level for level in _LEVELS if (folder / level).is_dir()), folder)


def _read_meta(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    content = load_json(path, what="meta.json")
    videos = content.get("videos") if isinstance(content, dict) else None
    if not isinstance(videos, dict):
        raise RecordError(f"expected meta.json to hold videos: {path}")
    return videos


@dataclass(frozen=True, slots=True)
class _Reader:
    annotations: Path
    pictures: Path
    videos: Mapping[str, Any]
    importer: Importer

    def frames(self) -> Iterator[LabelledFrame]:
        for file in iter_files(self.annotations, ".png"):
            try:
                yield self._frame(file)
            except (MaskError, ImageError) as error:
                self.importer.log.skip(file.relative_to(self.annotations).as_posix(), str(error))

    def _frame(self, file: Path) -> LabelledFrame:
        place = file.relative_to(self.annotations).with_suffix("")
        video = _mapping(self.videos.get(place.parent.as_posix()))
        found = (self.pictures / place.with_name(place.name + suffix) for suffix in (".jpg", ".jpeg", ".png"))
        picture = next((path for path in found if path.is_file()), None)
        usual = place.with_name(place.name + (picture.suffix if picture else ".jpg")).as_posix()
        name = _mapping(_mapping(video.get(KEY)).get("names")).get(place.name, usual)
        values = read_values(file)
        if picture is None:
            self.importer.log.lose(MISSING, usual)
        elif (size_hw := read_size_hw(picture)) != values.shape:
            raise MaskError(f"the mask is {values.shape}, its picture {size_hw}; both must agree")
        frame = LabelledFrame(
            name=name if isinstance(name, str) and name else usual,
            size_hw=(values.shape[0], values.shape[1]),
            open_image=partial(read_image, picture) if picture else None,
        )
        objects = _mapping(video.get("objects"))
        masks = [self._mask(frame, value, bitmap, objects) for value, bitmap in objects_in(values)]
        return finish(frame, masks, self.importer)

    def _mask(self, frame: LabelledFrame, value: int, bitmap: Any, objects: Mapping[str, Any]) -> ResolvedRecord:
        number = 1 if value == VOID else value  # DAVIS 2016 knows one object, and calls it 255
        known = _mapping(objects.get(str(number)))
        if objects and not known:
            self.importer.log.lose("objects that meta.json does not list", f"{frame.name}#{number}")
        category = known.get("category")
        note = known.get(KEY)
        track = _mapping(note).get("track") if isinstance(note, Mapping) else str(number)
        return self.importer.mask(
            encode(bitmap),
            item=f"{frame.name}#{number}",
            label=category if isinstance(category, str) and category else None,
            track=track if isinstance(track, str) else None,
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


__all__ = ["read", "write"]
