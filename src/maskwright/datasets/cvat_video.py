"""CVAT for video 1.1: tracks with a mask on each frame, outside and occluded as the moments of our tracks are.

Frames are numbered in the order in which they come, and called so; they are of one size. A mask stands until the next
one of its track in CVAT, so where a track has none, a shape that is "outside" ends it there. Every shape is a keyframe
to CVAT, which drops others when it reads; what it is to us (keyframe, segmented, carried) is an attribute. An outside
shape needs a mask too: the last one that was seen, which is not read back. Read by `cvat`.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.core.resolved import ResolvedRecord
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.datasets.cvat import FILE, ILLEGAL, known_attributes, read, write_output
from maskwright.datasets.cvat_xml import CLOSING, legal, mask_attributes, open_tag, text_element
from maskwright.datasets.features import tell_losses
from maskwright.datasets.formats import find_format
from maskwright.datasets.imported import NAMELESS, UNLABELLED
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.picture_files import write_picture
from maskwright.masks import from_runs

NUMBERED = "names of frames, which are numbered in a video"
_ATTRIBUTES = (
    *("maskwright_id", "track", "status", "predicted_iou", "stability", "agreement"),
    *("track_source", "track_state", "track_confidence"),
)
_MOST_BUFFERED = 1 << 16

# A track of CVAT: the recording, the name of the track (or the id of a mask without one), and the label.
TrackKey = tuple[tuple[str, str, str] | None, str, str]


def write(frames: Iterable[LabelledFrame], out: Path, *, log: LossLog) -> None:
    """Write the XML and the pictures that frames have, into a folder or a zip file."""
    write_output(frames, out, log, _write_folder)


def _write_folder(frames: Iterable[LabelledFrame], folder: Path, log: LossLog) -> None:
    parts = folder / f"{FILE}.tracks"
    parts.mkdir()
    video = _Video(parts)
    holds = find_format("cvat-video").holds
    for frame in frames:
        if not video.takes(frame):
            log.skip(frame.name, f"a video has frames of one size, {video.size_hw} (h, w); this one is {frame.size_hw}")
            continue
        name = f"frame_{video.num_frames:06d}.PNG"
        if name != frame.name:
            log.lose(NUMBERED, f"{frame.name!r} to {name}")
        write_picture(frame, folder / "images" / name, log)
        tell_losses(frame, holds, log)
        video.add(frame, log)
        log.count(frames=1, masks=len(frame.masks))
    video.close()
    with (folder / FILE).open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
        file.write(_meta(video))
        for track in video.tracks.values():
            file.write(open_tag("track", {"id": str(track.number), "label": track.label, "source": "file"}) + "\n")
            with track.path.open(encoding="utf-8") as shapes:
                shutil.copyfileobj(shapes, file)
            file.write("</track>\n")
        file.write("</annotations>\n")
    shutil.rmtree(parts)


@dataclass(slots=True)
class _Track:
    """The shapes of one track, which wait in a file of their own until all frames are there."""

    number: int
    label: str
    path: Path
    last: RLE | None = None
    is_open: bool = False
    _waiting: list[str] = field(default_factory=list)
    _num_waiting: int = 0

    def put(self, text: str) -> None:
        self._waiting.append(text)
        self._num_waiting += len(text)
        if self._num_waiting > _MOST_BUFFERED:
            self.flush()

    def flush(self) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(self._waiting)
        self._waiting, self._num_waiting = [], 0


@dataclass(slots=True)
class _Video:
    """All frames as one video."""

    folder: Path
    tracks: dict[TrackKey, _Track] = field(default_factory=dict)
    size_hw: SizeHW | None = None
    num_frames: int = 0

    def takes(self, frame: LabelledFrame) -> bool:
        """Whether a frame is of the size of those before it."""
        self.size_hw = self.size_hw or frame.size_hw
        return frame.size_hw == self.size_hw

    def add(self, frame: LabelledFrame, log: LossLog) -> None:
        """Write the shapes of the next frame."""
        seen: set[TrackKey] = set()
        for mask in frame.masks:
            key = self._key(frame, mask, f"{frame.name}#{mask.record.id}", seen, log)
            seen.add(key)
            track = self.tracks.get(key)
            if track is None:
                number = len(self.tracks)
                track = self.tracks[key] = _Track(number, key[2], self.folder / f"{number}.xml")
            self._write(track, mask)
        for key, track in self.tracks.items():
            if track.is_open and key not in seen:
                track.put(_shape(track, self.num_frames, is_outside=True) + _attributes(CLOSING) + "</mask>\n")
                track.is_open = False
        self.num_frames += 1

    def close(self) -> None:
        """Write what waits."""
        for track in self.tracks.values():
            track.flush()

    def _key(
        self, frame: LabelledFrame, mask: ResolvedRecord, item: str, seen: set[TrackKey], log: LossLog
    ) -> TrackKey:
        record, ref = mask.record, frame.ref or mask.record.frame
        if not record.label:
            log.lose(NAMELESS, item)
        label = legal(record.label or UNLABELLED)
        if label != (record.label or UNLABELLED):
            log.lose(ILLEGAL, item)
        place = None if ref is None else (ref.dataset, ref.episode, ref.camera)
        key = (place, record.id if record.track is None else f"track {record.track}", label)
        return key if key not in seen else (place, record.id, label)  # two masks of a track on one frame

    def _write(self, track: _Track, mask: ResolvedRecord) -> None:
        record = mask.record
        track.last = record.rle if record.area else track.last
        track.is_open = True
        point = record.track_point
        is_occluded = point is not None and point.state == "occluded"
        track.put(_shape(track, self.num_frames, is_outside=not record.area, is_occluded=is_occluded, size=mask))
        told = known_attributes(mask)
        if point is not None:
            told |= {
                "track_source": point.source,
                "track_state": point.state,
                "track_confidence": str(point.confidence),
            }
        track.put(_attributes(told) + "</mask>\n")


def _shape(
    track: _Track, number: int, *, is_outside: bool, is_occluded: bool = False, size: ResolvedRecord | None = None
) -> str:
    """Write the start of a shape; one outside shows where the object was last, or a pixel where it never was."""
    rle = track.last
    if rle is None and size is not None:
        height, width = size.record.rle.size_hw
        rle = from_runs([0, 1, height * width - 1], (height, width))
    assert rle is not None
    place = {"frame": str(number), "outside": str(int(is_outside)), "occluded": str(int(is_occluded))}
    return open_tag("mask", {**place, "keyframe": "1", **mask_attributes(rle), "z_order": "0"}) + "\n"


def _attributes(told: dict[str, str]) -> str:
    return "".join(text_element("attribute", value, name=name) + "\n" for name, value in told.items())


def _meta(video: _Video) -> str:
    attributes = "".join(
        f"<attribute>{text_element('name', name)}<mutable>True</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute>"
        for name in _ATTRIBUTES
    )
    labels = dict.fromkeys(track.label for track in video.tracks.values())
    listed = "".join(
        f"<label>{text_element('name', label)}<type>mask</type><attributes>{attributes}</attributes></label>\n"
        for label in labels
    )
    height, width = video.size_hw or (0, 0)
    head = f"<name>maskwright</name><size>{video.num_frames}</size><mode>interpolation</mode><overlap>0</overlap>"
    size = f"<original_size><width>{width}</width><height>{height}</height></original_size>"
    return f"<meta><task>{head}\n<labels>\n{listed}</labels>\n{size}</task></meta>\n"


__all__ = ["read", "write"]
