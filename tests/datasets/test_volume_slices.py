import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskwright.core import BoxPrompt, CombinedPrompt, MaskPrompt, PointPrompt, TextPrompt
from maskwright.core.errors import ImageError, InputError, PromptError
from maskwright.datasets.medical import Percentiles, Window
from maskwright.datasets.sources import open_source
from maskwright.datasets.volume_files import open_volume
from maskwright.datasets.volume_slices import SliceGrid, VolumeSlices, percentile_range
from maskwright.masks import decode, encode
from volume_data import BOX, SHAPE, box_volume, write_nifti, write_series

SQUARE = np.diag([1.0, 1.0, 1.0, 1.0])
FLAT = np.diag([1.0, 1.0, 5.0, 1.0])  # slices five times as thick as their pixels


def open_array(tmp_path, values, affine=SQUARE):
    return open_volume(write_nifti(tmp_path / "volume.nii", values, affine))


def test_a_volume_is_an_episode_and_its_axis_the_camera(tmp_path):
    slices = VolumeSlices(open_array(tmp_path, box_volume(np.uint8)))

    (episode,) = slices.episodes
    frames = list(slices.frames(episode, "axial", start=2, stop=9, stride=3))

    assert (episode.key, episode.cameras, episode.num_frames) == ("volume", ("axial",), SHAPE[2])
    assert [frame.ref.frame_index for frame in frames] == [2, 5, 8]
    assert frames[1].ref.camera == "axial"
    assert (frames[1].image.pixels[:, :, 1] == box_volume(np.uint8)[:, :, 5].T).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_have_the_lower_axis_across_and_are_not_mirrored(tmp_path, axis):
    values = box_volume(np.uint8)

    slices = VolumeSlices(open_array(tmp_path, values), axis=axis)

    assert (slices.image(4).pixels[:, :, 0] == values.take(4, axis=axis).T).all()
    assert slices.grid == SliceGrid(voxels_hw=slices.grid.voxels_hw, picture_hw=slices.grid.voxels_hw)


def test_percentiles_are_those_of_the_volume_so_that_neighbours_look_alike(tmp_path):
    values = np.zeros((8, 8, 10), np.int16)
    values[:, :, 5] = 1000  # one slice much brighter than all others
    values[2:5, 2:5] += 100

    slices = VolumeSlices(open_array(tmp_path, values), intensity=Percentiles(0, 100))

    assert slices.image(0).pixels[3, 3, 0] == slices.image(9).pixels[3, 3, 0] == round(255 * 100 / 1100)
    assert slices.image(5).pixels[0, 0, 0] == round(255 * 1000 / 1100)


def test_percentiles_of_a_volume_ignore_what_is_not_a_number(tmp_path):
    values = np.linspace(0, 1, 500, dtype=np.float32).reshape(5, 10, 10)
    values[0, 0, :3] = [np.nan, np.inf, -np.inf]

    low, high = percentile_range(open_array(tmp_path, values), Percentiles(1, 99))

    assert (low, high) == pytest.approx(tuple(np.percentile(values[np.isfinite(values)], [1, 99])), abs=1e-6)


def test_a_volume_without_a_number_is_told(tmp_path):
    slices = VolumeSlices(open_array(tmp_path, np.full((3, 3, 3), np.nan, np.float32)))

    with pytest.raises(ImageError, match="no voxel is a finite number"):
        slices.image(0)


def test_the_window_of_the_file_is_taken_and_another_wins(tmp_path):
    volume = open_volume(write_series(tmp_path / "ct", box_volume() + 1024, WindowCenter=50, WindowWidth=100))

    own, other = VolumeSlices(volume), VolumeSlices(volume, intensity=Window(1000, 10))

    assert own.image(5).pixels.max() == 255
    assert other.image(5).pixels.max() == 0


def test_inverted_series_are_shown_white_for_low_values(tmp_path):
    plain = VolumeSlices(open_volume(write_series(tmp_path / "a", box_volume() + 1024)))
    inverted = VolumeSlices(
        open_volume(write_series(tmp_path / "b", box_volume() + 1024, PhotometricInterpretation="MONOCHROME1"))
    )

    assert (inverted.image(5).pixels == 255 - plain.image(5).pixels).all()


def test_pixels_are_square_where_voxels_are_not(tmp_path):
    volume = open_array(tmp_path, box_volume(np.uint8), FLAT)

    assert VolumeSlices(volume).image(0).size_hw == (SHAPE[1], SHAPE[0])
    assert VolumeSlices(volume, axis="sagittal").image(0).size_hw == (5 * SHAPE[2], SHAPE[1])
    assert VolumeSlices(volume, axis="coronal").image(0).size_hw == (5 * SHAPE[2], SHAPE[0])


def test_stretched_sides_have_an_end(tmp_path):
    volume = open_array(tmp_path, np.zeros((4, 5, 30), np.uint8), np.diag([0.01, 1.0, 1.0, 1.0]))

    assert VolumeSlices(volume, axis="coronal").grid == SliceGrid(voxels_hw=(30, 4), picture_hw=(2048, 4))


def test_a_slice_that_is_not_there_is_told(tmp_path):
    slices = VolumeSlices(open_array(tmp_path, box_volume(np.uint8)))

    for index in (-1, SHAPE[2]):
        with pytest.raises(InputError, match=f"there is no axial slice {index}; slices are 0 to 11"):
            slices.image(index)


def test_prompts_move_with_the_voxels_into_the_picture():
    grid = SliceGrid(voxels_hw=(10, 20), picture_hw=(50, 20))
    box, point = BoxPrompt((2, 3, 8, 9)), PointPrompt([(4, 5)], [0])

    assert grid.to_picture(box) == BoxPrompt((2, 15, 8, 45))
    assert grid.to_picture(CombinedPrompt([box, point])) == CombinedPrompt(
        [BoxPrompt((2, 15, 8, 45)), PointPrompt([(4, 25)], [0])]
    )
    assert grid.to_picture(TextPrompt("liver")) == TextPrompt("liver")
    with pytest.raises(PromptError, match=r"a mask prompt must have the slice's size \(10, 20\)"):
        grid.to_picture(MaskPrompt(encode(np.zeros((50, 20), bool))))


@given(
    hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    st.integers(0, 40),
    st.integers(0, 40),
)
def test_masks_come_back_from_the_picture_to_the_voxel(mask, more_rows, more_columns):
    height, width = mask.shape
    grid = SliceGrid(voxels_hw=(height, width), picture_hw=(height + more_rows, width + more_columns))

    shown = grid.to_picture(MaskPrompt(encode(mask)))

    assert isinstance(shown, MaskPrompt)
    assert shown.rle.size_hw == grid.picture_hw
    assert (decode(grid.to_voxels(shown.rle)) == mask).all()


def test_a_box_of_voxels_is_the_same_box_in_the_stretched_picture(tmp_path):
    slices = VolumeSlices(open_array(tmp_path, box_volume(np.uint8), FLAT), axis=0)
    _, rows, columns = BOX

    pixels = slices.image(6).pixels[:, :, 0]

    inside = BoxPrompt((rows.start, columns.start, rows.stop, columns.stop))
    x1, y1, x2, y2 = (int(value) for value in slices.grid.to_picture(inside).box_xyxy)
    assert pixels[y1 + 3 : y2 - 3, x1:x2].min() > 90  # linear between the slices: its edges are soft
    assert pixels[: y1 - 3].max() < 10


def test_a_volume_is_a_source_of_frames_like_any_other(tmp_path):
    nifti = open_source(write_nifti(tmp_path / "mr.nii.gz", box_volume(np.uint8)))
    series = open_source(write_series(tmp_path / "ct", box_volume() + 1024))

    for source, name in ((nifti, "mr"), (series, "ct")):
        (episode,) = source.episodes
        assert (episode.key, episode.cameras, episode.num_frames) == (name, ("axial",), SHAPE[2])
        assert len(list(source.frames(episode, "axial"))) == SHAPE[2]
