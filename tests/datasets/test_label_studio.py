"""Label Studio: our brush bytes decode by the published description, and exports of every shape are read."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from maskwright.core import RLE, Image
from maskwright.core.errors import InputError, MaskError, RecordError
from maskwright.datasets.brush_rle import decode_brush, encode_brush
from maskwright.datasets.formats import find_format
from maskwright.masks import decode, encode
from maskwright.testing.adapter_contract import AdapterContract, plain_frame, read_frames, write_frames
from maskwright.testing.strategies import masks, rles

STUDIO = find_format("label-studio")
SQUARE = np.zeros((20, 30), bool)
SQUARE[2:8, 3:9] = True


class TestLabelStudio(AdapterContract):
    format_name = "label-studio"


def _reference_decode(content: list[int]) -> np.ndarray:
    """Follow the description of the format bit by bit; slow, and independent of the code under test."""
    bits = "".join(f"{byte:08b}" for byte in content)
    at = 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    count, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < count:
        is_run = take(1)
        length = take(sizes[take(2)]) + 1
        values += [take(word)] * length if is_run else [take(word) for _ in range(length)]
    assert len(values) == count
    assert len(bits) - at < 8
    return np.array(values, np.uint8)


def _reference_encode(values: list[int], lengths: list[int]) -> list[int]:
    """Write values in pieces of given lengths, as literals wherever they are not all alike."""
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    at = 0
    for length in [*lengths, len(values)]:
        piece = values[at : at + length]
        at += len(piece)
        if not piece:
            continue
        words = piece[:1] if len(set(piece)) == 1 else piece
        bits += f"{int(len(words) == 1):b}11{len(piece) - 1:016b}" + "".join(f"{word:08b}" for word in words)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


@given(rle=rles())
def test_our_bytes_decode_by_the_description(rle: RLE) -> None:
    values = _reference_decode(encode_brush(rle)).reshape(*rle.size_hw, 4)

    assert (values == values[:, :, :1]).all()
    assert np.array_equal(values[:, :, 3] == 255, decode(rle))


@given(mask=masks(), lengths=st.lists(st.integers(1, 60), max_size=12), colour=st.integers(0, 255))
def test_runs_and_literals_of_others_are_read_by_their_alpha(mask: Any, lengths: list[int], colour: int) -> None:
    values = np.dstack([np.full(mask.shape, colour)] * 3 + [mask * 255]).ravel().tolist()

    content = _reference_encode(values, lengths)

    assert _reference_decode(content).tolist() == values
    assert decode_brush(content, mask.shape) == encode(mask)


def test_long_runs_are_cut_into_pieces() -> None:
    rle = encode(np.ones((300, 400), bool))

    content = encode_brush(rle)

    assert len(content) == 34
    assert decode_brush(content, (300, 400)) == rle


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([0, 0, 0], "the brush's rle is cut off at 3 bytes"),
        (encode_brush(encode(SQUARE))[:-3], "is cut off"),
        (encode_brush(encode(SQUARE[1:])), r"must hold height x width x 4 = 20x30x4 = 2400 values, got 2280"),
        ([300], "must be a list of numbers from 0 to 255"),
        ("abc", "must be a list of numbers from 0 to 255"),
        (None, "must be a list of numbers from 0 to 255"),
        ([0, 0, 9, 96, 0x78, *[0] * 20], "must have values of 8 bits, got 16"),
    ],
)
def test_malformed_bytes_are_refused(content: Any, message: str) -> None:
    with pytest.raises(MaskError, match=message):
        decode_brush(content, (20, 30))


def test_a_stream_that_ends_beyond_the_picture_is_refused() -> None:
    content = _reference_encode([0] * 2400, [])
    bits = "".join(f"{byte:08b}" for byte in content)
    longer = bits[:56] + f"{2400:016b}" + bits[72:]

    with pytest.raises(MaskError, match="must end with the picture, got 2401 of 2400"):
        decode_brush([int(longer[i : i + 8], 2) for i in range(0, len(longer), 8)], (20, 30))


def test_tasks_are_laid_out_as_documented(tmp_path: Path) -> None:
    proposed = plain_frame()
    human = proposed.masks[0].record.provenance
    machine = replace(human, method="simulator")
    proposed = replace(
        proposed,
        name="run 1/ü.png",
        masks=tuple(replace(one, record=replace(one.record, provenance=machine)) for one in proposed.masks),
        open_image=lambda: Image(np.zeros((24, 32, 3), np.uint8)),
    )
    write_frames(STUDIO, [proposed, plain_frame()], tmp_path / "out")

    first, second = json.loads((tmp_path / "out" / "tasks.json").read_text())

    assert first["data"] == {"image": "/data/local-files/?d=images/run%201/%C3%BC.png"}
    assert "annotations" not in first
    assert "predictions" not in second
    (prediction,) = first["predictions"]
    assert prediction["model_version"] == "maskwright"
    region = second["annotations"][0]["result"][0]
    assert {key: region[key] for key in ("type", "original_width", "original_height", "image_rotation")} == {
        "type": "brushlabels",
        "original_width": 32,
        "original_height": 24,
        "image_rotation": 0,
    }
    assert region["value"].keys() == {"format", "rle", "brushlabels"}
    assert (region["value"]["format"], region["value"]["brushlabels"]) == ("rle", ["thing 0"])
    config = ElementTree.parse(tmp_path / "out" / "label_config.xml").getroot()
    assert [one.get("value") for one in config.iter("Label")] == ["thing 0", "thing 1"]
    (brush,) = config.iter("BrushLabels")
    assert (brush.get("name"), brush.get("toName")) == (region["from_name"], region["to_name"])


def _region(**changes: Any) -> dict[str, Any]:
    value = {"format": "rle", "rle": encode_brush(encode(SQUARE)), "brushlabels": ["mug"]}
    size = {"original_width": 30, "original_height": 20, "image_rotation": 0}
    return {"id": "r1", "type": "brushlabels", "from_name": "t", "to_name": "i", **size, "value": value, **changes}


def _export(folder: Path, *tasks: dict[str, Any]) -> Path:
    path = folder / "export.json"
    path.write_text(json.dumps(tasks))
    return path


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/local-files/?d=robot/cam%201/a.png", "robot/cam 1/a.png"),
        ("/data/upload/3/0a1b2c3d-a.png", "a.png"),
        ("s3://bucket/robot/a.png", "robot/a.png"),
        ("https://example.org/pictures/a.png?x=1", "pictures/a.png"),
        ("../../a.png", "../../a.png"),
    ],
)
def test_pictures_are_found_by_every_kind_of_address(tmp_path: Path, address: str, name: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    PillowImage.new("RGB", (30, 20)).save(folder / "a.png")
    task = {"id": 1, "data": {"photo": address, "note": "dark"}, "annotations": [{"id": 4, "result": [_region()]}]}

    (frame,), _ = read_frames(STUDIO, _export(tmp_path, task), images=folder)

    assert frame.name == name
    assert [(one.record.label, one.record.rle) for one in frame.masks] == [("mug", encode(SQUARE))]
    assert (frame.open_image is not None) or name.startswith("..")


def test_what_people_drew_wins_over_predictions_and_older_results(tmp_path: Path) -> None:
    annotations = [
        {"id": 1, "result": [_region(id="x"), _region(id="y")]},
        {"id": 2, "result": [_region(id="z")]},
        {"id": 3, "result": [], "was_cancelled": True},
    ]
    task = {"data": {"image": "a.png"}, "annotations": annotations, "predictions": [{"result": [_region()] * 3}]}

    (frame,), report = read_frames(STUDIO, _export(tmp_path, task))

    assert len(frame.masks) == 1
    assert [one.item for one in report.skipped] == ["task 1, result 1"]
    assert "predictions of tasks that people annotated" in {one.what for one in report.losses}


def test_a_minimal_export_is_read(tmp_path: Path) -> None:
    flat = {"format": "rle", "rle": encode_brush(encode(SQUARE)), "brushlabels": ["mug"]}
    size = {"original_width": 30, "original_height": 20}

    (frame,), _ = read_frames(STUDIO, _export(tmp_path, {"image": "/data/a.png", "id": 1, "tag": [{**flat, **size}]}))

    assert [(one.record.label, one.record.rle) for one in frame.masks] == [("mug", encode(SQUARE))]


def test_polygons_are_drawn_other_shapes_told_and_labels_joined_by_id(tmp_path: Path) -> None:
    percent = [[10, 10], [30, 10], [30, 40], [10, 40]]
    bare = {"format": "rle", "rle": encode_brush(encode(SQUARE))}
    results = [
        _region(id="p", type="polygonlabels", value={"points": percent, "polygonlabels": ["plate"]}),
        _region(id="b", type="brush", value=bare),
        _region(id="b", type="labels", value={**bare, "labels": ["cup"]}),
        _region(id="r", type="rectanglelabels", value={"x": 1, "rectanglelabels": ["box"]}),
    ]
    task = {"data": {"image": "a.png"}, "annotations": [{"result": results}]}

    (frame,), report = read_frames(STUDIO, _export(tmp_path, task))

    assert [(one.record.label, one.record.area) for one in frame.masks] == [("plate", 36), ("cup", 36)]
    losses = {one.what: one.example for one in report.losses}
    assert losses["results of the type rectanglelabels, which are no masks"] == "a.png#r"


def test_regions_that_cannot_be_drawn_are_left_out(tmp_path: Path) -> None:
    results = [
        _region(id="good"),
        _region(id="turned", image_rotation=90),
        _region(id="size", original_width=31),
        _region(id="bytes", value={"format": "rle", "rle": [1, 2]}),
        _region(id="points", type="polygonlabels", value={"points": [[1, 2], [3]]}),
        _region(id="two", type="polygonlabels", value={"points": [[1, 2], [3, 4]]}),
    ]
    task = {"data": {"image": "a.png"}, "annotations": [{"result": results}]}

    (frame,), report = read_frames(STUDIO, _export(tmp_path, task))

    assert len(frame.masks) == 1
    assert [one.item.split("#")[1] for one in report.skipped] == ["turned", "size", "bytes", "points", "two"]


def test_tasks_without_a_picture_or_its_size_are_left_out(tmp_path: Path) -> None:
    nothing = {"id": 1, "data": {}}
    no_size = {"id": 2, "data": {"image": "a.png"}}

    frames, report = read_frames(STUDIO, _export(tmp_path, nothing, no_size))

    assert frames == []
    assert [one.item for one in report.skipped] == ["task 1", "task 2"]
    assert report.skipped[0].reason == "its data names no picture"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"data": ', "the export of Label Studio cannot be read"),
        ("{}", "expected an export of Label Studio, a list of tasks"),
        ("[1]", "expected an export of Label Studio, a list of tasks"),
        ('[{"images": []}]', "expected tasks of Label Studio"),
    ],
)
def test_a_damaged_export_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)

    with pytest.raises(RecordError, match=message):
        read_frames(STUDIO, path)


def test_a_missing_export_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no such file: .*tasks\.json"):
        read_frames(STUDIO, tmp_path)
