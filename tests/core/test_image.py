"""Images: their checks, and an identity that is the pixels."""

import numpy as np
import pytest

from maskwright.core import Frame, FrameRef, Image
from maskwright.core.errors import ImageError


def picture(height=4, width=6, value=7):
    return np.full((height, width, 3), value, np.uint8)


def test_the_digest_is_of_the_pixels_and_the_size():
    tall, wide = Image(picture(4, 6)), Image(picture(6, 4))

    assert tall.size_hw == (4, 6)
    assert tall.digest == Image(picture(4, 6)).digest
    assert tall.digest != wide.digest
    assert tall.digest != Image(picture(4, 6, value=8)).digest
    assert len(tall.digest) == 64


def test_the_digest_does_not_depend_on_memory_order():
    striped = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)

    assert Image(np.asfortranarray(striped)).digest == Image(striped).digest


def test_the_digest_is_pinned_because_stored_records_name_images_by_it():
    assert Image(np.zeros((1, 1, 3), np.uint8)).digest == (
        "804482f7c5e5148df574623e66bdc22acba93053039a76d0f78778450484d3c1"
    )


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((4, 6), np.uint8), r"uint8 array of shape \(H, W, 3\) in RGB order, got uint8 \(4, 6\)"),
        (np.zeros((4, 6, 4), np.uint8), r"got uint8 \(4, 6, 4\)"),
        (np.zeros((4, 6, 3), np.float32), "got float32"),
        ([[[0, 0, 0]]], "got list"),
        (np.zeros((0, 6, 3), np.uint8), r"at least one pixel, got shape \(0, 6, 3\)"),
    ],
)
def test_what_is_not_an_rgb_picture_is_an_error(pixels, message):
    with pytest.raises(ImageError, match=message):
        Image(pixels)


def test_depth_has_the_size_of_the_image():
    assert Image(picture(), depth_m=np.full((4, 6), np.nan)).depth_m.shape == (4, 6)
    with pytest.raises(ImageError, match=r"depth must have the image's size \(4, 6\), got \(6, 4\)"):
        Image(picture(), depth_m=np.zeros((6, 4)))


def test_a_frame_is_an_image_at_its_place():
    ref = FrameRef(dataset="kitchen", episode="3", camera="wrist", frame_index=17, timestamp_s=0.57)

    frame = Frame(image=Image(picture()), ref=ref)

    assert frame.ref.frame_index == 17
    assert ref == FrameRef(dataset="kitchen", episode="3", camera="wrist", frame_index=17, timestamp_s=0.57)
