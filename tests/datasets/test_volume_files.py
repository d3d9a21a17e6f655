import gzip
import shutil

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from maskwright.core.errors import ImageError, InputError, SettingError
from maskwright.datasets.volume import axis_name, find_axis
from maskwright.datasets.volume_files import describe_volume, open_volume, volume_stem
from volume_data import BOX, OBLIQUE, SHAPE, box_volume, dicom_slice, write_nifti, write_series


def whole(volume, axis=2):
    slices = [volume.voxels.read(axis, index) for index in range(volume.shape[axis])]
    return np.stack(slices, axis=axis)


# --- NIfTI


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_nifti_has_its_voxels_along_every_axis_and_its_place(tmp_path, name, axis):
    volume = open_volume(write_nifti(tmp_path / name, box_volume()))

    assert volume.name == "ct"
    assert volume.shape == SHAPE
    assert volume.voxels.dtype == np.int16
    assert (whole(volume, axis) == box_volume()).all()
    assert np.allclose(volume.affine, OBLIQUE, atol=1e-5)
    assert np.allclose(volume.spacing_mm, np.linalg.norm(OBLIQUE[:3, :3], axis=0))


def test_an_uncompressed_nifti_is_mapped_and_not_read(tmp_path):
    volume = open_volume(write_nifti(tmp_path / "ct.nii", box_volume()))

    values = volume.voxels.read(2, 3)

    assert isinstance(values.base, np.memmap)


def test_slope_and_intercept_of_a_nifti_are_applied(tmp_path):
    stored = nibabel.Nifti1Image(box_volume(np.float32) * 0.5 - 10, OBLIQUE)
    stored.set_data_dtype(np.int16)
    nibabel.save(stored, tmp_path / "scaled.nii.gz")

    volume = open_volume(tmp_path / "scaled.nii.gz")

    assert volume.voxels.dtype == np.float32
    assert np.abs(whole(volume) - (box_volume() * 0.5 - 10)).max() < 0.01


def test_micrometres_in_a_nifti_become_millimetres(tmp_path):
    volume = open_volume(write_nifti(tmp_path / "cells.nii", box_volume(), np.diag([2, 3, 4, 1.0]), unit="micron"))

    assert np.allclose(volume.spacing_mm, (0.002, 0.003, 0.004))


def test_one_volume_of_a_series_in_time_is_chosen_by_number(tmp_path):
    several = np.stack([box_volume(), box_volume() + 1000], axis=3)
    path = write_nifti(tmp_path / "bold.nii.gz", several)

    assert (whole(open_volume(path, number=1)) == box_volume() + 1000).all()
    with pytest.raises(InputError, match=r"the file holds 2 volumes. Say which, 0 to 1 \(--volume N\): .*bold.nii.gz"):
        open_volume(path)
    with pytest.raises(SettingError, match="there is no volume 2; volumes are 0 to 1"):
        open_volume(path, number=2)


def test_a_nifti_without_orientation_says_so_and_has_axes_by_letter(tmp_path):
    image = nibabel.Nifti1Image(box_volume(), None)
    nibabel.save(image, tmp_path / "bare.nii")

    volume = open_volume(tmp_path / "bare.nii")

    assert volume.notes == ("the header does not say how the volume lies in the world",)
    assert [axis_name(volume, axis) for axis in range(3)] == ["x", "y", "z"]
    with pytest.raises(SettingError, match="the file does not say which slices are axial. Take the axis x, y or z"):
        find_axis(volume, "axial")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.zeros((4, 5), np.int16), r"expected a volume of three axes, the NIfTI has the shape \(4, 5\)"),
        (np.zeros((4, 5, 6), np.complex64), "expected a number a voxel, the NIfTI has values of type complex64"),
        (np.zeros((4, 5, 6), [("R", "u1"), ("G", "u1"), ("B", "u1")]), "expected a number a voxel, .* has colours"),
    ],
)
def test_a_nifti_that_is_no_volume_is_refused(tmp_path, values, expected):
    with pytest.raises(InputError, match=expected):
        open_volume(write_nifti(tmp_path / "odd.nii", values))


def test_an_affine_without_an_inverse_is_refused(tmp_path):
    path = write_nifti(tmp_path / "flat.nii", box_volume())
    image = nibabel.load(path)
    image.header["srow_z"] = 0
    with path.open("r+b") as file:
        image.header.write_to(file)

    with pytest.raises(InputError, match="the affine of the volume is damaged"):
        open_volume(path)


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
def test_a_nifti_that_was_cut_off_is_told(tmp_path, name):
    path = write_nifti(tmp_path / name, np.random.default_rng(0).integers(0, 999, SHAPE).astype(np.int16))
    path.write_bytes(path.read_bytes()[:3000])

    volume = open_volume(path)

    with pytest.raises(InputError, match=r"the NIfTI file is damaged .*Get it again"):
        volume.voxels.read(2, 3)


@pytest.mark.parametrize("content", [b"", b"hello", gzip.compress(b"hello", mtime=0), bytes(400)])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.tif", "a.dcm", "a.txt"])
def test_what_is_no_volume_is_one_line(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(InputError) as told:
        open_volume(path)

    assert "\n" not in str(told.value)
    assert str(told.value).endswith(str(path))


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        open_volume(tmp_path / "none.nii")


def test_a_volume_with_enormous_slices_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_MAX_PIXELS", "300")
    path = write_nifti(tmp_path / "ct.nii", box_volume())

    with pytest.raises(ImageError, match="more pixels than the limit of 300"):
        open_volume(path)


def test_a_missing_library_says_how_to_get_it(tmp_path, monkeypatch):
    path = write_nifti(tmp_path / "ct.nii", box_volume())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(SettingError, match=r"need nibabel. Install it: pip install 'maskwright\[volumes\]'"):
        open_volume(path)


# --- axes


def test_axes_are_named_by_the_planes_they_are_nearest_to(tmp_path):
    turned = OBLIQUE[:, [2, 0, 1, 3]]  # slices of the file are now coronal
    volume = open_volume(write_nifti(tmp_path / "ct.nii", box_volume(), turned))

    assert [axis_name(volume, axis) for axis in range(3)] == ["axial", "sagittal", "coronal"]
    assert [find_axis(volume, name) for name in ("axial", "sagittal", "Coronal", "x", "2", 1, None)] == [
        0, 1, 2, 0, 2, 1, 2,
    ]  # fmt: skip
    with pytest.raises(SettingError, match="an axis is axial, coronal, sagittal, x, y, z, 0, 1 or 2; got 'w'"):
        find_axis(volume, "w")


def test_a_volume_is_described_in_lines(tmp_path):
    volume = open_volume(write_series(tmp_path / "abdomen", box_volume() + 1000, WindowCenter=40, WindowWidth=[400, 9]))

    assert describe_volume(volume) == [
        "abdomen: dicom, slices along z, float32",
        "x: 20 voxels of 0.8 mm, sagittal slices",
        "y: 16 voxels of 1.1 mm, coronal slices",
        "z: 12 voxels of 2.5 mm, axial slices",
        "window 40/400",
    ]


@pytest.mark.parametrize(
    ("name", "stem"), [("ct.nii.gz", "ct"), ("a.b.nii", "a.b"), ("x.ome.tif", "x"), (".nii", ".nii"), ("ct", "ct")]
)
def test_stems_lose_the_suffixes_of_volumes(tmp_path, name, stem):
    assert volume_stem(tmp_path / name) == stem


# --- TIFF


def test_a_stack_of_imagej_has_its_spacing(tmp_path):
    path = tmp_path / "cells.tif"
    tifffile.imwrite(
        path,
        box_volume(np.uint16).T,
        imagej=True,
        resolution=(1 / 0.2, 1 / 0.3),
        metadata={"axes": "ZYX", "spacing": 1.5, "unit": "um"},
    )

    volume = open_volume(path)

    assert np.allclose(volume.spacing_mm, (0.2e-3, 0.3e-3, 1.5e-3))
    assert volume.notes == ()
    for axis in range(3):
        assert (whole(volume, axis) == box_volume()).all()


def test_a_stack_of_ome_has_its_spacing(tmp_path):
    path = tmp_path / "cells.ome.tif"
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2, "PhysicalSizeZUnit": "nm"}
    tifffile.imwrite(path, box_volume(np.uint16).T, metadata={"axes": "ZYX", **sizes})

    assert np.allclose(open_volume(path).spacing_mm, (5e-4, 5e-4, 2e-6))


@pytest.mark.parametrize("compression", [None, "zlib", "lzw by pillow"])
def test_a_plain_stack_is_read_and_says_that_it_has_no_spacing(tmp_path, compression):
    path = tmp_path / "stack.tiff"
    pages = box_volume(np.uint16).T
    if compression == "lzw by pillow":
        first, *others = (PillowImage.fromarray(page) for page in pages)
        first.save(path, save_all=True, append_images=others, compression="tiff_lzw")
    else:
        tifffile.imwrite(path, pages, compression=compression, metadata=None, photometric="minisblack")

    volume = open_volume(path)

    assert volume.spacing_mm == (1, 1, 1)
    assert volume.notes == ("the file says no spacing; voxels are taken as 1 x 1 x 1 mm",)
    assert not volume.has_orientation
    assert (whole(volume, 2) == box_volume()).all()
    assert (whole(volume, 0) == box_volume()).all()


def test_channels_of_a_hyperstack_are_volumes(tmp_path):
    path = tmp_path / "hyper.tif"
    channels = np.stack([box_volume(np.uint16).T, box_volume(np.uint16).T + 500], axis=1)  # Z C Y X
    tifffile.imwrite(path, channels, imagej=True, metadata={"axes": "ZCYX"})

    assert (whole(open_volume(path, number=1)) == box_volume() + 500).all()
    with pytest.raises(InputError, match=r"the file holds 2 volumes \(ZCYX: 12 x 2 x 16 x 20\). Say which"):
        open_volume(path)


def test_one_picture_and_colours_are_no_volume(tmp_path):
    tifffile.imwrite(tmp_path / "one.tif", np.zeros((8, 9), np.uint8))
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((5, 8, 9, 3), np.uint8), photometric="rgb")

    with pytest.raises(InputError, match="the TIFF has one picture. Use predict for it"):
        open_volume(tmp_path / "one.tif")
    with pytest.raises(InputError, match="expected a stack of grayscale pictures"):
        open_volume(tmp_path / "rgb.tif")


# --- DICOM


def test_slices_are_sorted_by_place_and_hounsfield_units_come_out(tmp_path):
    volume = open_volume(write_series(tmp_path / "ct", box_volume() + 1024))

    assert volume.shape == SHAPE
    for axis in range(3):
        assert (whole(volume, axis) == box_volume()).all()
    assert np.allclose(volume.affine, [[-0.8, 0, 0, -10], [0, -1.1, 0, 20], [0, 0, 2.5, 100], [0, 0, 0, 1]])


def test_several_series_are_listed_and_one_is_chosen_by_its_uid(tmp_path):
    write_series(tmp_path / "all", box_volume() + 1024)
    write_series(
        tmp_path / "all", box_volume() + 1030, names="{}.IMA".format, SeriesInstanceUID="9.8", SeriesDescription="late"
    )

    with pytest.raises(InputError) as told:
        open_volume(tmp_path / "all")

    assert "the folder holds 2 series. Choose one by its UID (--series): 1.2.3.4 (CT abdomen, 12 slices); " in str(
        told.value
    )
    assert (whole(open_volume(tmp_path / "all", series="9.8")) == box_volume() + 6).all()
    with pytest.raises(SettingError, match=r"there is no series '7'; there are 1.2.3.4 \(CT abdomen"):
        open_volume(tmp_path / "all", series="7")


def test_missing_slices_are_told_and_the_others_keep_their_place(tmp_path):
    folder = write_series(tmp_path / "ct", box_volume() + 1024, names="{}.dcm".format)
    (folder / "5.dcm").unlink()
    (folder / "6.dcm").unlink()

    volume = open_volume(folder)

    assert volume.notes == ("2 slices are missing (5, 6); the nearest is shown instead",)
    assert volume.shape == SHAPE
    assert (volume.voxels.read(2, 7) == box_volume()[:, :, 7]).all()
    assert (volume.voxels.read(2, 5) == box_volume()[:, :, 4]).all()


def test_doubled_slices_and_copies_are_told(tmp_path):
    folder = write_series(tmp_path / "ct", box_volume() + 1024, names="{}.dcm".format)
    shutil.copy(folder / "3.dcm", folder / "copy.dcm")
    again = dicom_slice(np.zeros((16, 20)), (10, -20, 110), InstanceNumber=99)
    again.save_as(folder / "again.dcm", enforce_file_format=True)

    volume = open_volume(folder)

    assert volume.notes == (
        "1 files are copies of others and were left out",
        "1 slices lie where another does; the first of each was taken",
    )
    assert (whole(volume) == box_volume()).all()


def test_phases_at_the_same_places_are_volumes(tmp_path):
    for phase in (1, 2):
        write_series(
            tmp_path / "dce",
            box_volume() + 1024 + phase,
            names=lambda k, phase=phase: f"{phase}_{k}.dcm",
            TemporalPositionIdentifier=phase,
        )

    assert (whole(open_volume(tmp_path / "dce", number=1)) == box_volume() + 2).all()
    with pytest.raises(InputError, match="the file holds 2 volumes .each place has as many slices"):
        open_volume(tmp_path / "dce")


def test_uneven_slices_are_refused(tmp_path):
    folder = tmp_path / "uneven"
    folder.mkdir()
    for k, z in enumerate([0, 1, 2, 3.5, 4.2]):
        dicom_slice(np.zeros((4, 5)), (0, 0, z)).save_as(folder / f"{k}.dcm", enforce_file_format=True)

    with pytest.raises(InputError, match="the slices are unevenly spaced, 0.7 to 1.5 mm apart"):
        open_volume(folder)


def test_a_localizer_of_another_size_and_strange_files_are_left_out(tmp_path):
    folder = write_series(tmp_path / "ct", box_volume() + 1024)
    dicom_slice(np.zeros((4, 5)), (0, 0, 0)).save_as(folder / "scout.dcm", enforce_file_format=True)
    (folder / "README.txt").write_text("about")
    (folder / "broken.dcm").write_bytes(b"no")
    dicom_slice(np.zeros((4, 5)), (0, 0, 0), ImagePositionPatient=None, SeriesInstanceUID="5.5").save_as(
        folder / "dose.dcm", enforce_file_format=True
    )

    volume = open_volume(folder)

    assert volume.notes == (
        "1 files named .dcm are not DICOM or damaged and were left out",
        "1 pictures do not say where they lie and were left out",
        "1 slices of another size or orientation were left out",
    )
    assert (whole(volume) == box_volume()).all()


def test_a_tilted_gantry_shears_the_affine_and_not_the_spacing_of_pixels(tmp_path):
    folder = tmp_path / "tilted"
    folder.mkdir()
    for k in range(4):
        dicom_slice(np.zeros((4, 5)), (0, 0.7 * k, 2.5 * k)).save_as(folder / f"{k}.dcm", enforce_file_format=True)

    volume = open_volume(folder)

    assert np.allclose(volume.affine[:3, 2], (0, -0.7, 2.5))
    assert np.isclose(volume.voxel_ml, 0.8 * 1.1 * 2.5 / 1000)


def test_colours_and_slices_without_a_place_are_refused(tmp_path):
    write_series(tmp_path / "palette", box_volume(), PhotometricInterpretation="PALETTE COLOR")
    write_series(tmp_path / "lost", box_volume(), ImagePositionPatient=None)
    (tmp_path / "empty").mkdir()

    with pytest.raises(InputError, match="expected grayscale slices, the DICOM series is PALETTE COLOR"):
        open_volume(tmp_path / "palette")
    with pytest.raises(InputError, match="a DICOM picture that does not say where it lies"):
        open_volume(tmp_path / "lost")
    with pytest.raises(InputError, match="no DICOM picture in the folder"):
        open_volume(tmp_path / "empty")


def test_one_slice_has_the_thickness_of_its_header(tmp_path):
    volume = open_volume(write_series(tmp_path / "one", box_volume()[:, :, :1]))

    assert volume.spacing_mm == pytest.approx((0.8, 1.1, 2.5))
    assert volume.notes == ("there is one slice; its thickness is taken from the header",)


def test_a_slice_whose_pixels_are_cut_off_is_told(tmp_path):
    folder = write_series(tmp_path / "ct", box_volume(), names="{}.dcm".format)
    content = (folder / "3.dcm").read_bytes()
    (folder / "3.dcm").write_bytes(content[:-100])

    with pytest.raises(InputError, match=r"a DICOM slice is damaged .*Get it again: .*3.dcm"):
        open_volume(folder).voxels.read(2, 3)


def test_frames_of_one_enhanced_file_are_slices(tmp_path):
    from pydicom.dataset import Dataset

    def holding(name, **elements):
        group, inner = Dataset(), Dataset()
        for key, value in elements.items():
            setattr(inner, key, value)
        setattr(group, name, [inner])
        return group

    values = box_volume() + 1024
    file = dicom_slice(
        values[:, :, 0].T,
        (0, 0, 0),
        **dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleIntercept")),
        NumberOfFrames=SHAPE[2],
        PixelData=np.ascontiguousarray(values.T, "<u2").tobytes(),
    )
    shared = holding("PlaneOrientationSequence", ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared.update(holding("PixelMeasuresSequence", PixelSpacing=[1.1, 0.8], SliceThickness=2.5))
    shared.update(holding("PixelValueTransformationSequence", RescaleIntercept=-1024, RescaleSlope=1))
    file.SharedFunctionalGroupsSequence = [shared]
    file.PerFrameFunctionalGroupsSequence = [
        holding("PlanePositionSequence", ImagePositionPatient=[10, -20, 130 - 2.5 * k]) for k in range(SHAPE[2])
    ]
    file.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)

    volume = open_volume(tmp_path / "enhanced.dcm")

    assert (whole(volume) == box_volume()[:, :, ::-1]).all()  # frames went down, slices go up
    assert volume.spacing_mm == pytest.approx((0.8, 1.1, 2.5))


def _rle(one):
    from pydicom.uid import RLELossless

    one.compress(RLELossless, encoding_plugin="pydicom")


def _jpeg_2000(one):
    import io

    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000Lossless

    buffer = io.BytesIO()
    PillowImage.fromarray(one.pixel_array.astype(np.uint16)).save(buffer, "JPEG2000", no_jp2=True)
    one.PixelData = encapsulate([buffer.getvalue()])
    one["PixelData"].is_undefined_length = True
    one.file_meta.TransferSyntaxUID = JPEG2000Lossless


@pytest.mark.parametrize("compress", [_rle, _jpeg_2000])
def test_compressed_slices_come_out_as_they_were(tmp_path, compress):
    values = box_volume() + 1024
    for k in range(3):
        one = dicom_slice(values[:, :, k].T, (0, 0, k))
        compress(one)
        one.save_as(tmp_path / f"{k}.dcm", enforce_file_format=True)

    volume = open_volume(tmp_path)

    assert (whole(volume) == box_volume()[:, :, :3]).all()


@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14_1", "JPEGLSLossless"])
def test_slices_that_gdcm_compressed_come_out_as_they_were(tmp_path, syntax):
    import gdcm

    values = box_volume() + 1024
    for k in range(3):
        plain = tmp_path / f"plain{k}"
        dicom_slice(values[:, :, k].T, (0, 0, k)).save_as(plain, enforce_file_format=True)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(plain))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(tmp_path / f"{k}.dcm"))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        plain.unlink()

    volume = open_volume(tmp_path)

    assert (whole(volume) == box_volume()[:, :, :3]).all()


def test_a_compression_that_nothing_here_decodes_is_told_by_its_name(tmp_path):
    from pydicom.encaps import encapsulate

    one = dicom_slice(np.zeros((4, 5)), (0, 0, 0))
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"  # MPEG-4
    one.PixelData = encapsulate([b"1234"])
    one["PixelData"].is_undefined_length = True
    one.save_as(tmp_path / "one.dcm", enforce_file_format=True)

    with pytest.raises(InputError, match="the slice is compressed as MPEG-4 .*, which cannot be decoded here"):
        open_volume(tmp_path).voxels.read(2, 0)


def test_the_box_is_where_it_was_put():
    assert (box_volume()[BOX] >= 100).all()
