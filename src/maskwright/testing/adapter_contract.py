"""`AdapterContract`: what every annotation format must do, as tests to inherit.

    class TestMine(AdapterContract):
        format_name = "mine"

What is written and read again is the same, up to what the loss report names. "provenance" stands for everything that
makes a mask the record it was: id, provenance, parent, picture and review history. Masks are compared by pixels, in any
order; only a mask that the report lists as left out may be missing, and only an empty or hidden one. A loss is the name
of a feature, or begins with it ("labels that change along a track"); names of frames are compared unless a loss begins
with "names", and then order counts.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from maskwright.core.errors import InputError, SettingError
from maskwright.core.provenance import Provenance
from maskwright.core.record import MaskRecord, new_id
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.rle import RLE
from maskwright.datasets.features import features_of
from maskwright.datasets.formats import FEATURES, Format, find_format
from maskwright.datasets.imported import UNLABELLED
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog, LossReport
from maskwright.masks import area, box_xyxy, encode, union
from maskwright.testing.labelled_frames import labelled_frames

# The same test runs in the class of every format, which is what a contract is.
_patient = settings(suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow], deadline=None)


_PIXEL_FEATURES = frozenset(["holes", "islands", "overlaps"])


def write_frames(format_: Format, frames: Iterable[LabelledFrame], out: Path) -> LossReport:
    """Write frames and give the report."""
    log = LossLog()
    format_.write(frames, out, log=log)
    return log.report()


def read_frames(format_: Format, path: Path, *, images: Path | None = None) -> tuple[list[LabelledFrame], LossReport]:
    """Read frames and give the report."""
    log = LossLog()
    return list(format_.read(path, images=images, log=log)), log.report()


class AdapterContract:
    """Inherit, name the format; override the hooks where a format needs frames of its own."""

    format_name = ""
    # How many masks of one frame are tried.
    most_masks = 320

    @property
    def format(self) -> Format:
        """The format under test."""
        return find_format(self.format_name)

    def frames(self) -> st.SearchStrategy[list[LabelledFrame]]:
        """Draw what is written."""
        return labelled_frames()

    def output(self, folder: Path) -> Path:
        """Name what is written in a folder."""
        return folder / "out"

    @settings(_patient, max_examples=12)
    @given(data=st.data())
    def test_what_is_written_reads_back_up_to_the_loss_report(self, data: st.DataObject) -> None:
        frames = data.draw(self.frames())
        with _folder() as folder:
            told = write_frames(self.format, frames, self.output(folder))

            back, heard = read_frames(self.format, self.output(folder))

            self.assert_same(frames, back, told)
            assert told.num_frames == len(frames)
            assert told.num_masks == sum(len(frame.masks) for frame in back)
            assert (heard.num_frames, heard.num_masks) == (len(back), told.num_masks)
            self.assert_told(frames, told)

    @settings(_patient, max_examples=4)
    @given(data=st.data())
    def test_pictures_come_with_their_masks(self, data: st.DataObject) -> None:
        frames = data.draw(labelled_frames(with_pictures=True, min_frames=1, max_frames=3, max_masks=2))
        with _folder() as folder:
            write_frames(self.format, frames, self.output(folder))

            back, _ = read_frames(self.format, self.output(folder))

            for frame in back:
                assert frame.open_image is not None
                assert frame.open_image().size_hw == frame.size_hw

    def test_hundreds_of_masks_in_a_frame_are_kept(self, tmp_path: Path) -> None:
        frame = many_masks(self.most_masks)

        told = write_frames(self.format, [frame], self.output(tmp_path))
        (back,), _ = read_frames(self.format, self.output(tmp_path))

        assert told.num_masks == len(back.masks) == self.most_masks
        assert {one.record.rle for one in back.masks} == {one.record.rle for one in frame.masks}

    def test_a_plain_frame_loses_nothing_that_the_format_holds(self, tmp_path: Path) -> None:
        told = write_frames(self.format, [plain_frame()], self.output(tmp_path))

        assert {one.what for one in told.losses} & self.format.holds == set()
        assert told.skipped == ()

    # Whether a folder of no frames can be told from an empty one; where not, frames() must draw at least one.
    tells_nothing_from_empty = True

    def test_no_frames_make_an_output_without_frames(self, tmp_path: Path) -> None:
        write_frames(self.format, [], self.output(tmp_path))

        if not self.tells_nothing_from_empty:
            assert self.output(tmp_path).is_dir()
            return
        assert read_frames(self.format, self.output(tmp_path))[0] == []

    def test_what_exists_is_never_written_over(self, tmp_path: Path) -> None:
        out = self.output(tmp_path)
        write_frames(self.format, [plain_frame()], out)
        before = _content(out)

        with pytest.raises(SettingError, match=r"must be new or empty|exists already") as caught:
            write_frames(self.format, [plain_frame()], out)

        assert _content(out) == before
        assert "\n" not in str(caught.value)

    def test_an_error_on_the_way_leaves_nothing(self, tmp_path: Path) -> None:
        def broken() -> Iterator[LabelledFrame]:
            yield plain_frame()
            raise InputError("the source ended early")

        with pytest.raises(InputError, match="the source ended early"):
            write_frames(self.format, broken(), self.output(tmp_path))

        assert list(tmp_path.iterdir()) == []

    def test_names_cannot_leave_the_folder_and_do_not_meet(self, tmp_path: Path) -> None:
        names = [
            "../../evil.png",
            "/etc/evil.png",
            "a.png",
            "a.jpg",
            "A.png",
            "a.png",
            ".hidden.png",
            "x\0y\\z",
            "é" * 300,
        ]
        frames = [replace(plain_frame(), name=name) for name in names]

        told = write_frames(self.format, frames, self.output(tmp_path / "deep" / "er"))
        back, _ = read_frames(self.format, self.output(tmp_path / "deep" / "er"))

        assert told.num_frames == len(back) == len(frames)
        assert [len(frame.masks) for frame in back] == [len(frame.masks) for frame in frames]
        assert {path.name for path in tmp_path.rglob("*")} & {"evil.png", "evil"} <= {
            path.name for path in self.output(tmp_path / "deep" / "er").rglob("*")
        }

    @pytest.mark.parametrize("make", ["nothing", "an empty folder", "text", "other json", "a picture"])
    def test_what_is_of_another_format_is_refused_in_a_line(self, tmp_path: Path, make: str) -> None:
        path = _foreign(tmp_path, make)

        with pytest.raises(InputError) as caught:
            read_frames(self.format, path)

        assert str(caught.value)
        assert "\n" not in str(caught.value)

    def assert_same(self, frames: list[LabelledFrame], back: list[LabelledFrame], told: LossReport) -> None:
        """Compare frames with what was read, in every feature that is held and was not told as lost."""
        lost = tuple(one.what for one in told.losses)
        kept = frozenset(name for name in self.format.holds if not any(what.startswith(name) for what in lost))
        expected = [frame for frame in frames if frame.masks or "unlabelled frames" in kept]
        keeps_names = not any(what.startswith("names") for what in lost)
        if keeps_names:
            assert sorted(frame.name for frame in back) == sorted(frame.name for frame in expected)
        by_name = {frame.name: frame for frame in back}
        for number, frame in enumerate(expected):
            other = by_name[frame.name] if keeps_names else back[number]
            assert other.size_hw == frame.size_hw
            if "provenance" in kept:
                assert (other.ref, other.image_digest) == (frame.ref, frame.image_digest)
            self._assert_same_masks(frame, other, kept, told)

    def _assert_same_masks(
        self, frame: LabelledFrame, other: LabelledFrame, kept: frozenset[str], told: LossReport
    ) -> None:
        lost = _PIXEL_FEATURES - kept
        if lost & features_of(frame).keys():
            if lost == {"overlaps"} and other.masks:
                assert union(_rles(other)) == union(_rles(frame))
            return
        expected = Counter(project(one, kept) for one in frame.masks if one.record.area)
        got = Counter(project(one, kept) for one in other.masks if one.record.area)
        assert got == expected
        num_empty = sum(not one.record.area for one in frame.masks)
        left_out = num_empty - sum(not one.record.area for one in other.masks)
        assert 0 <= left_out <= len(told.skipped)

    def assert_told(self, frames: list[LabelledFrame], told: LossReport) -> None:
        """Every feature that was there and that the format does not hold is named."""
        present = {name for frame in frames for name in features_of(frame)}
        assert present - self.format.holds <= {one.what for one in told.losses}
        assert self.format.holds <= set(FEATURES)


def project(mask: ResolvedRecord, kept: frozenset[str]) -> tuple[Any, ...]:
    """Take the features that are kept out of a mask, as something that can be counted."""
    record = mask.record
    told: dict[str, Any] = {
        "labels": record.label or UNLABELLED,  # "provenance" holds what the record itself says
        "tracks": record.track,
        "track states": record.track_point.state if record.track_point else "visible",
        "scores": record.scores,
        "status": mask.status,
        "provenance": repr(mask),
    }
    return (record.rle, *(told[name] for name in sorted(told.keys() & kept)))


def plain_frame() -> LabelledFrame:
    """Two round masks without holes that do not overlap, with everything that a record can say."""
    y, x = np.mgrid[:24, :32]
    blobs = [(x - 8) ** 2 + (y - 9) ** 2 < 30, (x - 22) ** 2 + (y - 12) ** 2 < 50]
    return LabelledFrame(
        name="plain.png",
        size_hw=(24, 32),
        masks=tuple(_record(encode(blob), label=f"thing {i}", track=str(i + 1)) for i, blob in enumerate(blobs)),
    )


def many_masks(number: int) -> LabelledFrame:
    """A frame of small squares, one a mask."""
    side = 4
    columns = 20
    height, width = (number // columns + 1) * side, columns * side
    masks = []
    for i in range(number):
        dense = np.zeros((height, width), bool)
        top, left = i // columns * side, i % columns * side
        dense[top : top + 2 + i % 2, left : left + 2] = True
        masks.append(_record(encode(dense), label=f"thing {i % 7}"))
    return LabelledFrame(name="many.png", size_hw=(height, width), masks=tuple(masks))


def _record(rle: RLE, **facts: Any) -> ResolvedRecord:
    record = MaskRecord(
        id=new_id(),
        image_digest="",
        rle=rle,
        box_xyxy=box_xyxy(rle),
        area=area(rle),
        provenance=Provenance(method="human_drawn", created_at=datetime(2026, 3, 1, tzinfo=UTC), actor="anna"),
        **facts,
    )
    return ResolvedRecord(record=record)


def _rles(frame: LabelledFrame) -> list[RLE]:
    return [one.record.rle for one in frame.masks]


@contextmanager
def _folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp())
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _content(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return {str(one): one.read_bytes() for one in files}


def _foreign(folder: Path, make: str) -> Path:
    path = folder / "foreign"
    match make:
        case "an empty folder":
            path.mkdir()
        case "text":
            path.write_text("dear diary\n")
        case "other json":
            path = path.with_suffix(".json")
            path.write_text('{"type": "FeatureCollection", "features": [1]}')
        case "a picture":
            path = path.with_suffix(".png")
            PillowImage.new("RGB", (8, 8)).save(path)
    return path


__all__ = ["AdapterContract", "many_masks", "plain_frame", "project", "read_frames", "write_frames"]
