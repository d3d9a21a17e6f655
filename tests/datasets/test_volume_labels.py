import json

import nibabel
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskwright.core.errors import SettingError
from maskwright.datasets.volume_files import open_volume
from maskwright.datasets.volume_labels import names_path, write_labels
from volume_data import BOX, OBLIQUE, SHAPE, box_volume, dicom_slice, world_centre, write_nifti, write_series


@pytest.fixture
def labels():
    found = np.zeros(SHAPE, np.uint8)
    found[BOX] = 1
    found[0, 0, 0] = 2
    return found


@pytest.mark.parametrize("out", ["liver.nii", "liver.nii.gz"])
@pytest.mark.parametrize("unit", ["mm", "micron", "unknown"])
def test_a_nifti_lies_on_its_source_to_the_bit(tmp_path, labels, out, unit):
    source = write_nifti(tmp_path / "ct.nii.gz", box_volume(), OBLIQUE, unit=unit)

    write_labels(labels, {1: "liver", 2: "Leber rechts"}, open_volume(source), tmp_path / out)

    back, before = nibabel.load(tmp_path / out), nibabel.load(source)
    assert (np.asarray(back.dataobj) == labels).all()
    assert back.get_data_dtype() == np.uint8
    assert (back.affine == before.affine).all()
    assert back.header.get_intent()[0] == "label"
    for name in ("sform_code", "qform_code", "pixdim", "srow_x", "quatern_b", "qoffset_x", "xyzt_units"):
        assert (back.header[name] == before.header[name]).all(), name


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 1), (2, 1)])
def test_sform_and_qform_are_kept_as_they_were(tmp_path, labels, codes):
    image = nibabel.Nifti1Image(box_volume(), np.diag([-2.0, 3.0, 4.0, 1.0]) + np.eye(4, k=3) * 7)
    image.set_sform(image.affine, codes[0])
    image.set_qform(image.affine, codes[1])
    nibabel.save(image, tmp_path / "ct.nii")

    write_labels(labels, {1: "liver"}, open_volume(tmp_path / "ct.nii"), tmp_path / "liver.nii")

    back, before = nibabel.load(tmp_path / "liver.nii"), nibabel.load(tmp_path / "ct.nii")
    assert (back.affine == before.affine).all()
    assert (int(back.header["sform_code"]), int(back.header["qform_code"])) == codes


def test_world_coordinates_of_an_oblique_flipped_object_are_those_of_its_mask(tmp_path, labels):
    source = write_nifti(tmp_path / "ct.nii", box_volume())

    write_labels(labels, {1: "box"}, open_volume(source), tmp_path / "box.nii.gz")

    before, back = nibabel.load(source), nibabel.load(tmp_path / "box.nii.gz")
    wanted = world_centre(np.asarray(before.dataobj) >= 100, before.affine)
    assert world_centre(np.asarray(back.dataobj) == 1, back.affine) == pytest.approx(wanted, abs=1e-4)


def test_a_nifti_of_an_oblique_dicom_series_is_in_ras(tmp_path, labels):
    rows, columns = np.array([0.96, 0.28, 0.0]), np.array([-0.28 * 0.8, 0.96 * 0.8, -0.6])
    normal = np.cross(rows, columns)
    folder, values = tmp_path / "ct", box_volume() + 1024
    folder.mkdir()
    origin = np.array([-30.0, 12.5, 80.0])
    for k in range(SHAPE[2]):
        one = dicom_slice(values[:, :, k].T, origin + 2.5 * k * normal)
        one.ImageOrientationPatient = [round(value, 6) for value in (*rows, *columns)]
        one.save_as(folder / f"{k}.dcm", enforce_file_format=True)

    write_labels(labels, {1: "box"}, open_volume(folder), tmp_path / "box.nii.gz")

    back = nibabel.load(tmp_path / "box.nii.gz")
    i, j, k = np.argwhere(labels == 1).mean(axis=0)
    centre_lps = origin + i * 0.8 * rows + j * 1.1 * columns + k * 2.5 * normal
    assert world_centre(np.asarray(back.dataobj) == 1, back.affine) == pytest.approx(centre_lps * [-1, -1, 1], abs=1e-3)
    assert back.header.get_xyzt_units()[0] == "mm"
    assert np.allclose(back.get_qform(), back.get_sform(), atol=1e-4)


def test_a_tilted_series_has_no_qform_because_it_cannot_shear(tmp_path, labels):
    folder = tmp_path / "ct"
    folder.mkdir()
    for k in range(SHAPE[2]):
        dicom_slice(np.zeros(SHAPE[1::-1]), (0, 0.7 * k, 2.5 * k)).save_as(
            folder / f"{k}.dcm", enforce_file_format=True
        )

    write_labels(labels, {1: "box"}, open_volume(folder), tmp_path / "box.nii")

    back = nibabel.load(tmp_path / "box.nii")
    assert int(back.header["qform_code"]) == 0
    assert np.allclose(back.affine, open_volume(folder).affine, atol=1e-5)


def test_a_stack_and_its_labels_have_one_geometry(tmp_path, labels):
    tifffile.imwrite(
        tmp_path / "cells.tif",
        box_volume(np.uint16).T,
        imagej=True,
        resolution=(5, 5),
        metadata={"axes": "ZYX", "spacing": 2, "unit": "um"},
    )
    source = open_volume(tmp_path / "cells.tif")

    write_labels(labels, {1: "cell"}, source, tmp_path / "labels.tif")
    write_labels(labels, {1: "cell"}, source, tmp_path / "as_nifti.nii.gz")

    back = open_volume(tmp_path / "labels.tif")
    assert (labels == tifffile.imread(tmp_path / "labels.tif").T).all()
    assert back.spacing_mm == pytest.approx(source.spacing_mm, rel=1e-5)
    assert np.allclose(nibabel.load(tmp_path / "as_nifti.nii.gz").affine, source.affine, rtol=1e-6)


def test_names_and_story_are_beside_the_labels_and_inside(tmp_path, labels):
    source = open_volume(write_nifti(tmp_path / "ct.nii", box_volume()))

    beside = write_labels(labels, {1: "liver", 2: "Nebenlöwe"}, source, tmp_path / "a.nii.gz", story={"model": "tiny"})

    told = json.loads(beside.read_text())
    (extension,) = nibabel.load(tmp_path / "a.nii.gz").header.extensions
    assert beside == tmp_path / "a.json" == names_path(tmp_path / "a.nii.gz")
    assert told["labels"] == {"1": "liver", "2": "Nebenlöwe"}
    assert (told["source"], told["model"]) == ("ct.nii", "tiny")
    assert json.loads(extension.get_content().rstrip(b"\0")) == told


def test_nothing_is_replaced_and_nothing_is_left_behind(tmp_path, labels):
    source = open_volume(write_nifti(tmp_path / "ct.nii", box_volume()))
    write_labels(labels, {}, source, tmp_path / "a.nii")
    (tmp_path / "b.json").write_text("mine")

    with pytest.raises(SettingError, match=r"the file to write exists already. .*a.nii$"):
        write_labels(labels, {}, source, tmp_path / "a.nii")
    with pytest.raises(SettingError, match=r"the file to write exists already. .*b.json$"):
        write_labels(labels, {}, source, tmp_path / "b.nii")
    with pytest.raises(SettingError, match=r"labels are written as .nii, .nii.gz or .tif"):
        write_labels(labels, {}, source, tmp_path / "c.mha")
    with pytest.raises(SettingError, match=r"labels must have the volume's shape \(20, 16, 12\), got \(2, 3, 4\)"):
        write_labels(np.zeros((2, 3, 4), np.uint8), {}, source, tmp_path / "c.nii")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.nii", "b.json", "ct.nii"]


def test_a_source_that_fails_while_labels_are_written_leaves_nothing(tmp_path, labels):
    source = open_volume(write_nifti(tmp_path / "ct.nii", box_volume()))
    (tmp_path / "ct.nii").unlink()

    with pytest.raises(Exception, match="ct.nii"):
        write_labels(labels, {}, source, tmp_path / "a.nii")

    assert list(tmp_path.iterdir()) == []


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    found=hnp.arrays(np.uint16, st.tuples(*[st.integers(1, 5)] * 3)), suffix=st.sampled_from(["nii", "nii.gz", "tif"])
)
def test_any_labels_come_back_voxel_by_voxel(tmp_path_factory, found, suffix):
    folder = tmp_path_factory.mktemp("any")
    source = open_volume(write_nifti(folder / "ct.nii", np.zeros(found.shape, np.int16)))

    write_labels(found, {}, source, folder / f"labels.{suffix}")

    if suffix == "tif":
        back = tifffile.imread(folder / "labels.tif").reshape(found.shape[::-1]).T
    else:
        back = np.asarray(nibabel.load(folder / f"labels.{suffix}").dataobj)
    assert back.dtype == np.uint16
    assert (back == found).all()


def test_labels_of_a_series_open_as_a_volume_of_the_same_shape(tmp_path, labels):
    folder = write_series(tmp_path / "ct", box_volume())

    write_labels(labels, {1: "box"}, open_volume(folder), tmp_path / "box.nii.gz")

    back = open_volume(tmp_path / "box.nii.gz")
    assert back.shape == SHAPE
    assert np.allclose(back.affine, open_volume(folder).affine, atol=1e-5)
