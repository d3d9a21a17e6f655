import json

import nibabel
import numpy as np
import pytest

from maskwright.cli.__main__ import run
from maskwright.cli.track_objects import parse_objects
from maskwright.cli.volume import by_slice
from maskwright.core import BoxPrompt, CombinedPrompt, PointPrompt
from volume_data import box_volume, write_nifti, write_series

PROMPT = ["--at", "5", "--box", "4,6,11,13:box", "-m", "test-sam"]


@pytest.fixture
def ct(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_nifti(tmp_path / "ct.nii.gz", box_volume())


def test_without_prompts_it_says_what_the_volume_is(ct, capsys):
    assert run(["volume", "ct.nii.gz"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "ct: nifti, slices along z, int16",
        "x: 20 voxels of 0.7781 mm, sagittal slices",
        "y: 16 voxels of 1.087 mm, coronal slices",
        "z: 12 voxels of 2.489 mm, axial slices",
    ]


def test_what_a_volume_is_comes_as_json_too(ct, capsys):
    assert run(["volume", "ct.nii.gz", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["shape"], told["axes"]) == ([20, 16, 12], ["sagittal", "coronal", "axial"])
    assert told["affine_ras_mm"][0][3] == 31


def test_prompts_are_sorted_by_slice_and_object():
    said = parse_objects(
        boxes=["1,2,3,4:liver", "60@5,6,7,8:liver"],
        points=["2,3:liver", "60@9,9:kidney"],
        negatives=["60@1,1:kidney"],
        masks=(),
        texts=(),
    )

    assert by_slice(said, 40) == {
        40: {"liver": CombinedPrompt([PointPrompt([(2, 3)]), BoxPrompt((1, 2, 3, 4))])},
        60: {"liver": BoxPrompt((5, 6, 7, 8)), "kidney": PointPrompt([(9, 9), (1, 1)], [1, 0])},
    }


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["--box", "1,2,3,4:a", "-o", "a.nii"], 2, "say which slice 'a' is shown on: --at N, or N@WHAT:a"),
        (["--at", "1", "--box", "1,2,3,4", "-o", "a.nii"], 2, "--box is [FRAME@]WHAT:NAME"),
        (["--at", "1", "--box", "1,2,3:a", "-o", "a.nii"], 2, "a box is X1,Y1,X2,Y2 in pixels; got '1,2,3'"),
        (
            ["--at", "1", "--box", "1,2,3,4:a=b", "-o", "a.nii"],
            2,
            "labels of a volume have one name each; leave =b out",
        ),
        (["--at", "1", "-b", "1,2,3,4:a", "-p", "1@2,2:a", "-o", "a.nii"], 2, "'a' is shown twice on slice 1"),
        (["--at", "1", "--box", "1,2,3,4:a"], 2, "say where the labels go: --out FILE.nii.gz"),
        (
            ["--at", "1", "-b", "1,2,3,4:a", "-b", "2,3,4,5:a", "-o", "a.nii"],
            1,
            "one object takes at most one BoxPrompt",
        ),
        ([*PROMPT, "--window", "40", "-o", "a.nii"], 2, "a window is CENTER/WIDTH"),
        ([*PROMPT, "-o", "a.mha"], 1, "labels are written as .nii, .nii.gz or .tif"),
        ([*PROMPT, "-o", "ct.nii.gz"], 1, "the file to write exists already"),
        ([*PROMPT, "--axis", "top", "-o", "a.nii"], 1, "an axis is axial, coronal, sagittal, x, y, z, 0, 1 or 2"),
        ([*PROMPT, "--volume", "3", "-o", "a.nii"], 1, "there is no volume 3; the only volume is 0"),
        ([*PROMPT, "--series", "1.2", "-o", "a.nii"], 1, "only DICOM has series, this is nifti"),
        (["--at", "50", "-b", "1,2,3,4:a", "-o", "a.nii"], 1, "there is no axial slice 50; slices are 0 to 11"),
        (["--at", "5", "-b", "90,2,99,4:a", "-o", "a.nii"], 1, "outside the slice of 20x16 voxels"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_and_nothing_is_written(ct, tmp_path, capsys, arguments, code, expected):
    before = ct.read_bytes()

    assert run(["volume", "ct.nii.gz", *arguments]) == code

    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert [path.name for path in tmp_path.iterdir()] == ["ct.nii.gz"]
    assert ct.read_bytes() == before


def test_what_is_odd_about_a_series_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = write_series(tmp_path / "ct", box_volume(), names="{}.dcm".format)
    (folder / "4.dcm").unlink()

    assert run(["volume", "ct"]) == 0

    assert "note: 1 slice is missing (4); the nearest is shown instead" in capsys.readouterr().out


def test_objects_are_followed_and_their_labels_written(ct, tmp_path, capsys):
    assert run(["volume", "ct.nii.gz", *PROMPT, "--window", "60/20", "-o", "box.nii.gz"]) == 0

    told = capsys.readouterr().err
    back = nibabel.load(tmp_path / "box.nii.gz")
    assert told.endswith("-> box.nii.gz, box.json\n")
    assert (back.affine == nibabel.load(ct).affine).all()
    assert set(np.unique(np.asarray(back.dataobj))) <= {0, 1}
    assert json.loads((tmp_path / "box.json").read_text())["labels"] == {"1": "box"}


def test_what_was_written_comes_as_json(ct, tmp_path, capsys):
    assert run(["volume", "ct.nii.gz", *PROMPT, "-p", "7@2,2:dot", "-o", "both.tif", "--json"]) == 0

    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert told.err == ""
    assert [(one["number"], one["name"]) for one in answer["objects"]] == [(1, "box"), (2, "dot")]
    assert (answer["labels"], answer["names"]) == ("both.tif", "both.json")
    assert (tmp_path / "both.tif").stat().st_size > 20 * 16 * 12
