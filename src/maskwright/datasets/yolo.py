"""YOLO segmentation: `images/train/X.jpg`, `labels/train/X.txt` with `class x1 y1 x2 y2 ...` a line, and `data.yaml`.

One polygon a mask: islands and holes are joined by bridges (`yolo_polygon`). Shares of the picture's sides need its
size: `frames.jsonl` holds it, with the name, for pictures that are not at hand. Read: any split, boxes told as lost, a
track as the last number of a line.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.core.errors import ImageError, InputError, MaskError, RecordError
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.rle import RLE
from maskwright.datasets.features import tell_losses
from maskwright.datasets.formats import find_format
from maskwright.datasets.images import SUFFIXES, read_image
from maskwright.datasets.imported import NAMELESS, UNLABELLED, Importer
from maskwright.datasets.json_files import dump_line, iter_json_lines
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.mask_index import finish
from maskwright.datasets.new_folder import OutputNames, new_folder, without_suffix, write_file
from maskwright.datasets.picture_files import MISSING, iter_files, picture_path, read_size_hw, write_picture
from maskwright.datasets.yolo_polygon import fill_polygon, polygon_text

CONFIG, FRAMES = "data.yaml", "frames.jsonl"
_SPLIT = "train"
BRIDGES = "gaps of no width: islands and holes are joined by bridges, which OpenCV's filling paints one pixel wide"
_BOX = 5  # numbers of a line that is a box


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write labels, pictures and data.yaml; all frames are in the split `train`."""
    names, holds, classes = OutputNames(), find_format("yolo").holds, {}
    with new_folder(out) as folder:
        for kind in ("images", "labels"):
            (folder / kind / _SPLIT).mkdir(parents=True)
        with (folder / FRAMES).open("w", encoding="utf-8") as index:
            for frame in frames:
                path = picture_path(names.claim(frame.name))
                label_file = f"labels/{_SPLIT}/{without_suffix(path)}.txt"
                write_picture(frame, folder / "images" / _SPLIT / path, log)
                tell_losses(frame, holds, log)
                lines = [_line(mask, f"{frame.name}#{mask.record.id}", classes, log) for mask in frame.masks]
                written = [line for line in lines if line is not None]
                write_file(folder / label_file, "".join(f"{line}\n" for line in written))
                facts = {"labels": label_file, "name": frame.name, "size_hw": list(frame.size_hw)}
                index.write(dump_line(facts) + "\n")
                log.count(frames=1, masks=len(written))
        write_file(folder / CONFIG, _config(classes))


def _line(mask: ResolvedRecord, item: str, classes: dict[str, int], log: LossLog) -> str | None:
    record = mask.record
    if not record.area:
        log.skip(item, "an empty mask, which has no polygon")
        return None
    if not record.label:
        log.lose(NAMELESS, item)
    polygon, num_bridges = polygon_text(record.rle)
    if num_bridges:
        log.lose(BRIDGES, item, num_bridges)
    return f"{classes.setdefault(record.label or UNLABELLED, len(classes))} {polygon}"


def _config(classes: Mapping[str, int]) -> str:
    listed = "".join(f"  {number}: {_quoted(name)}\n" for name, number in classes.items())
    # without a path, Ultralytics takes the folder that data.yaml lies in
    head = f"train: images/{_SPLIT}\nval: images/{_SPLIT}  # the same pictures; hold some out before you train\n"
    return f"{head}names:\n{listed}" if listed else f"{head}names: {{}}\n"


def _quoted(text: str) -> str:
    """Write text as YAML's double-quoted form."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def read(path: Path, *, images: Path | None = None, log: LossLog) -> Iterator[LabelledFrame]:
    """Read a folder with `labels`, or its data.yaml.

    Raises:
        InputError: there is none, or data.yaml is damaged.
    """
    root = path.parent if path.suffix.lower() in (".yaml", ".yml") and path.is_file() else path
    config = (
        path
        if root != path
        else next((root / name for name in (CONFIG, "dataset.yaml") if (root / name).is_file()), None)
    )
    if not (root / "labels").is_dir():
        raise InputError(f"expected YOLO's folder with labels, images and data.yaml: {path}")
    names = _read_names(config) if config else {}
    files = list(iter_files(root / "labels", ".txt"))
    known = (
        {str(one.get("labels")): one for one in iter_json_lines(root / FRAMES, what=FRAMES)}
        if (root / FRAMES).is_file()
        else {}
    )
    splits = {file.relative_to(root / "labels").parts[0] for file in files if file.parent != root / "labels"}
    reader = _Reader(root, images or root / "images", names, known, len(splits) == 1, Importer.of(path, "yolo", log))
    return reader.frames(files)


def _read_names(path: Path) -> dict[int, str]:
    import yaml

    try:
        content = yaml.safe_load(path.read_bytes())
        names: Any = content.get("names", {}) if isinstance(content, dict) else None
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (OSError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise RecordError(f"data.yaml cannot be read ({reason:.200}): {path}") from None
    except (TypeError, ValueError):
        raise RecordError(f"expected data.yaml with names, a list or numbers and names: {path}") from None


@dataclass(frozen=True, slots=True)
class _Reader:
    root: Path
    images: Path
    names: Mapping[int, str]
    known: Mapping[str, Mapping[str, Any]]
    is_one_split: bool
    importer: Importer
    _suffixes: tuple[str, ...] = field(default=tuple(s for lower in sorted(SUFFIXES) for s in (lower, lower.upper())))

    def frames(self, files: Iterable[Path]) -> Iterator[LabelledFrame]:
        for file in files:
            try:
                yield self._frame(file)
            except (InputError, OSError, ValueError) as error:
                self.importer.log.skip(file.relative_to(self.root).as_posix(), str(error))

    def _frame(self, file: Path) -> LabelledFrame:
        place = file.relative_to(self.root / "labels").with_suffix("")
        known = self.known.get(file.relative_to(self.root).as_posix(), {})
        picture = self._picture(place)
        short = Path(*place.parts[1:]) if self.is_one_split and len(place.parts) > 1 else place
        name = str(known.get("name") or short.as_posix() + (picture.suffix if picture else ""))
        if picture is None:
            self.importer.log.lose(MISSING, name)
        size_hw = read_size_hw(picture) if picture else known.get("size_hw")
        if not size_hw:
            raise ImageError("its picture is not at hand, and shares of its sides mean nothing without its size")
        height, width = size_hw
        frame = LabelledFrame(
            name=name, size_hw=(height, width), open_image=partial(read_image, picture) if picture else None
        )
        lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        masks = [self._mask(line, f"{name}:{number}", frame) for number, line in lines if line.strip()]
        return finish(frame, [one for one in masks if one is not None], self.importer)

    def _picture(self, place: Path) -> Path | None:
        folders = (self.images / place.parent, self.images)
        tries = (folder / f"{place.name}{suffix}" for folder in folders for suffix in self._suffixes)
        return next((path for path in tries if path.is_file()), None)

    def _mask(self, line: str, item: str, frame: LabelledFrame) -> ResolvedRecord | None:
        words = line.split()
        log = self.importer.log
        if len(words) in (_BOX, _BOX + 1):
            log.lose("boxes without a mask", item)
            return None
        try:
            number, rle, track = _parse(words, frame)
        except MaskError as error:
            log.skip(item, str(error))
            return None
        if number not in self.names:
            log.lose("classes that data.yaml does not name", f"{item}: {number}")
        return self.importer.mask(rle, item=item, label=self.names.get(number), track=track)


def _parse(words: list[str], frame: LabelledFrame) -> tuple[int, RLE, str | None]:
    try:
        number = int(words[0])
        shares = np.array([float(word) for word in words[1:]])
    except ValueError:
        raise MaskError(f"expected a class and numbers, got {' '.join(words)!r:.60}") from None
    track = None
    if len(shares) % 2 and len(shares) > 6 and float(shares[-1]).is_integer():
        track, shares = str(int(shares[-1])), shares[:-1]
    return number, fill_polygon(shares, frame.size_hw), track


__all__ = ["read", "write"]
