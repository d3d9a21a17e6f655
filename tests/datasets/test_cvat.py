"""CVAT for images: masks as its documentation writes them, in folders and zip files."""

import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from maskwright.core import RLE, Image, ResolvedRecord, TrackPoint, TrackSource, TrackState, new_id
from maskwright.core.errors import InputError, RecordError
from maskwright.datasets.cvat_xml import Shape, draw_shape, mask_attributes
from maskwright.datasets.formats import find_format
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.masks import area, box_xyxy, decode, empty_mask
from maskwright.testing.adapter_contract import AdapterContract, plain_frame, read_frames, write_frames
from maskwright.testing.labelled_frames import labelled_frames
from maskwright.testing.strategies import rles

CVAT = find_format("cvat")

# The mask of CVAT's documentation of its XML: 13 x 15 pixels at 707, 188.
DOCUMENTED = (
    '<mask label="car" source="manual" occluded="0" rle="3, 5, 7, 7, 5, 9, 3, 11, 2, 11, 2, 12, 1, 12, 1, 26, 1, 12, '
    '1, 12, 2, 11, 3, 9, 5, 7, 7, 5, 3" left="707" top="888" width="13" height="15" z_order="0"></mask>'
)


class TestCvat(AdapterContract):
    format_name = "cvat"


class TestCvatZip(AdapterContract):
    format_name = "cvat"

    def output(self, folder: Path) -> Path:
        return folder / "out.zip"


def _document(body: str, meta: str = "") -> str:
    return f"<annotations><version>1.1</version><meta>{meta}</meta>{body}</annotations>"


def _image(shapes: str, name: str = "a.png") -> str:
    return f'<image id="0" name="{name}" width="30" height="20">{shapes}</image>'


def _file(folder: Path, text: str) -> Path:
    path = folder / "annotations.xml"
    path.write_text(text)
    return path


@given(rle=rles().filter(area))
def test_what_is_written_decodes_by_the_documented_rule(rle: RLE) -> None:
    attributes = mask_attributes(rle)

    # independent of our reader: rows of the box, background first
    runs = [int(part) for part in attributes["rle"].split(", ")]
    flat = [i % 2 for i, length in enumerate(runs) for _ in range(length)]
    left, top, width, height = (int(attributes[key]) for key in ("left", "top", "width", "height"))
    dense = np.zeros(rle.size_hw, bool)
    dense[top : top + height, left : left + width] = np.reshape(flat, (height, width))
    assert np.array_equal(dense, decode(rle))
    assert all(length > 0 for length in runs[1:])


def test_the_file_is_laid_out_as_documented(tmp_path: Path) -> None:
    write_frames(CVAT, [plain_frame()], tmp_path / "out")

    root = ElementTree.parse(tmp_path / "out" / "annotations.xml").getroot()

    assert [one.tag for one in root] == ["version", "meta", "image"]
    labels = root.findall("meta/task/labels/label")
    assert [(one.findtext("name"), one.findtext("type")) for one in labels] == [
        ("thing 0", "mask"),
        ("thing 1", "mask"),
    ]
    declared = {one.findtext("name") for one in labels[0].findall("attributes/attribute")}
    image = root.find("image")
    assert image is not None
    assert image.attrib == {"id": "0", "name": "plain.png", "width": "32", "height": "24"}
    for mask in image:
        assert set(mask.attrib) == {"label", "source", "occluded", "rle", "left", "top", "width", "height", "z_order"}
        assert {one.get("name") for one in mask} <= declared


def test_a_zip_file_holds_the_xml_and_the_pictures(tmp_path: Path) -> None:
    pictured = replace(plain_frame(), name="run 1/ü.png", open_image=lambda: Image(np.zeros((24, 32, 3), np.uint8)))
    write_frames(CVAT, [pictured], tmp_path / "out.zip")

    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert sorted(archive.namelist()) == ["annotations.xml", "images/run 1/ü.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]


def test_the_documented_disc_and_polygons_are_read(tmp_path: Path) -> None:
    polygon = '<polygon label="car" points="3.00,2.00;9.00,2.00;9.00,8.00;3.00,8.00"/>'
    disc = DOCUMENTED.replace('left="707" top="888"', 'left="4" top="2"')

    (frame,), report = read_frames(CVAT, _file(tmp_path, _document(_image(disc + polygon))))

    assert [one.record.label for one in frame.masks] == ["car", "car"]
    assert box_xyxy(frame.masks[0].record.rle) == (4, 2, 17, 17)
    dense = decode(frame.masks[0].record.rle)[2:17, 4:17]
    assert dense[0].tolist() == [False] * 3 + [True] * 5 + [False] * 5
    assert dense[1].tolist() == [False] * 2 + [True] * 7 + [False] * 4
    assert dense.sum() == 149  # every second run
    assert decode(frame.masks[1].record.rle).sum() == 36
    assert report.skipped == ()


def test_shapes_that_are_no_masks_and_attributes_are_told_as_lost(tmp_path: Path) -> None:
    shapes = (
        '<box label="car" xtl="1" ytl="1" xbr="4" ybr="4"/><tag label="night"/>'
        '<polygon label="car" points="1,1;5,1;5,5"><attribute name="colour">red</attribute></polygon>'
    )

    (frame,), report = read_frames(CVAT, _file(tmp_path, _document(_image(shapes))))

    assert len(frame.masks) == 1
    losses = {one.what: one.example for one in report.losses}
    assert losses["shapes of the kind box, which are no masks"] == "a.png#0"
    assert losses["shapes of the kind tag, which are no masks"] == "a.png#1"
    assert losses["attributes of masks"] == "a.png#2: colour"


def test_the_tracks_of_a_video_are_read_frame_by_frame(tmp_path: Path) -> None:
    mask = (
        '<mask frame="{0}" outside="{1}" occluded="0" keyframe="1" rle="0, 4" left="{0}" top="1" width="2" height="2"/>'
    )
    track = f'<track id="7" label="mug">{mask.format(0, 0)}{mask.format(5, 0)}{mask.format(6, 1)}</track>'
    size = "<task><original_size><width>30</width><height>20</height></original_size></task>"

    frames, _ = read_frames(CVAT, _file(tmp_path, _document(track, size)))

    assert [frame.name for frame in frames] == ["frame_000000.PNG", "frame_000005.PNG", "frame_000006.PNG"]
    assert [(one.record.track, one.record.label) for frame in frames for one in frame.masks] == [("7", "mug")] * 3
    assert box_xyxy(frames[1].masks[0].record.rle) == (5, 1, 7, 3)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ('rle="0, 5" left="0" top="0" width="2" height="2"', "runs must add up to width x height = 4, got 5"),
        ('rle="0, -4, 8" left="0" top="0" width="2" height="2"', "runs must not be negative"),
        ('rle="a" left="0" top="0" width="2" height="2"', "must be whole numbers with commas"),
        ('rle="0, 4" left="0" top="0" width="2"', "a mask must have a whole number height"),
        ('rle="0, 4" left="0" top="0" width="40000000" height="2"', "a mask's box must fit into the picture"),
        ('left="0" top="0" width="2" height="2"', "must be whole numbers with commas"),
    ],
)
def test_malformed_masks_are_left_out(tmp_path: Path, place: str, reason: str) -> None:
    good = '<polygon label="car" points="1,1;5,1;5,5"/>'

    (frame,), report = read_frames(CVAT, _file(tmp_path, _document(_image(f'<mask label="car" {place}/>{good}'))))

    assert len(frame.masks) == 1
    assert reason in report.skipped[0].reason


@pytest.mark.parametrize("points", ["", "1,1;2,2", "1,1;2", "a,b;c,d;e,f", "1,1;nan,2;3,3"])
def test_malformed_polygons_are_left_out(tmp_path: Path, points: str) -> None:
    (frame,), report = read_frames(CVAT, _file(tmp_path, _document(_image(f'<polygon label="x" points="{points}"/>'))))

    assert frame.masks == ()
    assert len(report.skipped) == 1


def test_a_file_cut_off_gives_what_came_before_and_then_an_error(tmp_path: Path) -> None:
    text = _document(_image("") + _image("", "b.png"))
    path = _file(tmp_path, text[: text.rindex("<image") + 5])

    frames = CVAT.read(path, log=LossLog())

    assert next(frames).name == "a.png"
    with pytest.raises(RecordError, match="the XML cannot be read"):
        next(frames)


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 20}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><annotations>&i;</annotations>"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the XML cannot be read"),
        ("<html></html>", "expected CVAT's XML, <annotations>, got <html>"),
        (_document("<image id='0'/>"), "the XML lacks 'name' of CVAT's"),
        (_document("<track id='1' label='x'><mask frame='0'/></track>"), "expected the original_size"),
        (BOMB, "the XML cannot be read"),
        ('<?xml version="1.0" encoding="utft8"?><annotations/>', "the XML cannot be read"),
        (_document("<track id='1' label='x'><mask frame='x'/></track>"), "the XML holds a number that is none"),
    ],
    ids=["empty", "html", "no name", "no size", "entities that grow", "encoding", "no number"],
)
def test_what_is_not_cvats_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        read_frames(CVAT, _file(tmp_path, text))


def test_a_zip_file_without_the_xml_or_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.xml", "<x/>")
    with pytest.raises(InputError, match=r"expected annotations\.xml in the zip file"):
        read_frames(CVAT, path)

    write_frames(CVAT, [plain_frame()], tmp_path / "b.zip")
    path.write_bytes((tmp_path / "b.zip").read_bytes()[:-30])
    with pytest.raises(RecordError, match="cannot be read"):
        read_frames(CVAT, path)


def test_a_picture_of_another_size_or_without_one_is_left_out(tmp_path: Path) -> None:
    PillowImage.new("RGB", (31, 20)).save(tmp_path / "a.png")
    text = _document(_image("") + '<image id="1" name="b.png" width="x" height="20"/>' + _image("", "c.png"))

    frames, report = read_frames(CVAT, _file(tmp_path, text))

    assert [frame.name for frame in frames] == ["c.png"]
    assert [one.reason for one in report.skipped] == [
        "the file says (h, w) (20, 30), the picture is (20, 31)",
        "its width and height must be whole numbers",
    ]


def test_a_mask_comes_back_as_derived_from_its_record(tmp_path: Path) -> None:
    before = plain_frame()
    write_frames(CVAT, [before], tmp_path / "out")

    (frame,), _ = read_frames(CVAT, tmp_path / "out")

    for old, new in zip(before.masks, frame.masks, strict=True):
        assert new.record.provenance.derived_from == (old.record.id,)
        assert new.record.provenance.source == "out (cvat)"


def test_a_mask_beyond_the_edge_is_cut() -> None:
    place = {"rle": "0, 4", "left": "28", "top": "-1", "width": "2", "height": "2"}

    rle = draw_shape(Shape(kind="mask", place=place, label=None, attributes={}), (20, 29))

    assert box_xyxy(rle) == (28, 0, 29, 1)


class TestCvatVideo(AdapterContract):
    format_name = "cvat-video"

    def frames(self) -> st.SearchStrategy[list[LabelledFrame]]:
        """Draw frames of one size."""
        return labelled_frames().map(lambda frames: [one for one in frames if one.size_hw == frames[0].size_hw])


VIDEO = find_format("cvat-video")


def _moment(rle: RLE, state: TrackState = "visible", source: TrackSource = "carried") -> ResolvedRecord:
    one = plain_frame().masks[0]
    point = TrackPoint(source=source, state=state, confidence=0.5)
    record = replace(
        one.record, id=new_id(), rle=rle, area=area(rle), box_xyxy=box_xyxy(rle), track="mug", track_point=point
    )
    return replace(one, record=record)


def _video(*moments: ResolvedRecord | None) -> list[LabelledFrame]:
    frames = [replace(plain_frame(), masks=(one,) if one else ()) for one in moments]
    return [replace(frame, name=f"frame_{number:06d}.PNG") for number, frame in enumerate(frames)]


def test_the_moments_of_a_track_are_cvats_shapes_and_come_back(tmp_path: Path) -> None:
    seen, nothing = plain_frame().masks[0].record.rle, empty_mask((24, 32))
    moments = [
        _moment(nothing, "outside"),
        _moment(seen, source="keyframe"),
        _moment(seen, "occluded"),
        _moment(nothing, "outside"),
        None,
        _moment(seen),
        None,
        None,
    ]

    told = write_frames(VIDEO, _video(*moments), tmp_path / "out")
    back, _ = read_frames(CVAT, tmp_path / "out")

    root = ElementTree.parse(tmp_path / "out" / "annotations.xml").getroot()
    (track,) = root.findall("track")
    flags = [tuple(one.get(name) for name in ("frame", "outside", "occluded", "keyframe")) for one in track]
    assert flags == [
        ("0", "1", "0", "1"),
        ("1", "0", "0", "1"),
        ("2", "0", "1", "1"),
        ("3", "1", "0", "1"),
        ("4", "1", "0", "1"),  # a track stands in CVAT until something ends it
        ("5", "0", "0", "1"),
        ("6", "1", "0", "1"),
    ]
    assert root.findtext("meta/task/mode") == "interpolation"
    assert (told.num_frames, told.num_masks) == (8, 5)
    assert [frame.name for frame in back] == [f"frame_{number:06d}.PNG" for number in (0, 1, 2, 3, 5)]
    found = [frame.masks[0].record for frame in back]
    wanted = [one.record for one in moments if one is not None]
    assert [(one.track, one.rle, one.track_point) for one in found] == [
        (one.track, one.rle, one.track_point) for one in wanted
    ]


def test_shapes_that_cvat_drew_between_keyframes_are_carried(tmp_path: Path) -> None:
    place = 'rle="0, 4" left="1" top="1" width="2" height="2"'
    shapes = (
        f'<mask frame="0" outside="0" occluded="0" keyframe="1" {place}/>'
        f'<mask frame="1" outside="0" occluded="1" keyframe="0" {place}/>'
        f'<mask frame="2" outside="1" occluded="0" keyframe="1" {place}/>'
    )
    size = "<task><original_size><width>30</width><height>20</height></original_size></task>"

    frames, _ = read_frames(VIDEO, _file(tmp_path, _document(f'<track id="7" label="mug">{shapes}</track>', size)))

    points = [one.record.track_point for frame in frames for one in frame.masks]
    assert points == [
        TrackPoint(source="keyframe"),
        TrackPoint(source="carried", state="occluded"),
        TrackPoint(source="keyframe", state="outside"),
    ]
    assert [one.record.area for frame in frames for one in frame.masks] == [4, 4, 0]


def test_a_video_has_frames_of_one_size(tmp_path: Path) -> None:
    small = LabelledFrame(name="small.png", size_hw=(4, 4))

    told = write_frames(VIDEO, [plain_frame(), small], tmp_path / "out")

    assert told.num_frames == 1
    assert told.skipped[0].reason == "a video has frames of one size, (24, 32) (h, w); this one is (4, 4)"
