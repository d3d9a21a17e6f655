"""`ResizeLongestSide`: sizes, points and boxes into the frame."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.compat import ResizeLongestSide


def test_the_longer_side_becomes_the_target() -> None:
    assert ResizeLongestSide.get_preprocess_shape(1200, 1800, 1024) == (683, 1024)
    assert ResizeLongestSide(64).apply_image(np.zeros((10, 20, 3), np.uint8)).shape == (32, 64, 3)


def test_an_image_of_the_target_size_stays_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)

    assert np.array_equal(ResizeLongestSide(64).apply_image(image), image)


@given(st.integers(2, 3000), st.integers(2, 3000), st.integers(0, 2**16))
def test_torch_and_numpy_move_points_and_boxes_alike(height: int, width: int, seed: int) -> None:
    transform = ResizeLongestSide(1024)
    boxes = np.random.default_rng(seed).uniform(0, 3000, (4, 4))

    moved = transform.apply_boxes(boxes, (height, width))

    h, w = transform.get_preprocess_shape(height, width, 1024)
    np.testing.assert_allclose(moved, boxes * np.array([w / width, h / height] * 2))
    torch_moved = transform.apply_boxes_torch(torch.from_numpy(boxes), (height, width))
    np.testing.assert_allclose(torch_moved.numpy(), moved, rtol=1e-6)
    assert np.array_equal(transform.apply_coords(boxes[:, :2], (height, width)), moved[:, :2])


def test_the_arguments_are_not_changed() -> None:
    coords = np.array([[1, 2], [3, 4]])

    ResizeLongestSide(1024).apply_coords(coords, (10, 10))

    assert coords.tolist() == [[1, 2], [3, 4]]


def test_a_tensor_is_resized_to_the_same_size() -> None:
    image = torch.rand(2, 3, 20, 40)

    assert ResizeLongestSide(16).apply_image_torch(image).shape == (2, 3, 8, 16)
