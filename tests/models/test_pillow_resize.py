import numpy as np
import pytest
import torch
from PIL import Image

from maskwright.models import pillow_resize
from maskwright.models.pillow_resize import PillowResize, by_pillow

CPU = torch.device("cpu")
SIZES = [
    ((72, 128), (36, 64)),
    ((108, 192), (57, 102)),
    ((97, 61), (64, 40)),
    ((90, 22), (9, 8)),
    ((30, 40), (96, 128)),
    ((30, 40), (30, 64)),
    ((30, 40), (64, 40)),
    ((300, 7), (64, 1)),
    ((1, 500), (1, 64)),
    ((101, 1000), (10, 102)),
]


@pytest.mark.parametrize(("size_hw", "wanted_hw"), SIZES)
def test_every_pixel_is_the_one_that_pillow_makes(size_hw, wanted_hw, monkeypatch):
    rng = np.random.default_rng(0)
    resize = PillowResize()
    resize(rng.integers(0, 256, (*size_hw, 3), dtype=np.uint8), wanted_hw, CPU)  # the order is known from here on
    monkeypatch.setattr(pillow_resize, "by_pillow", None)

    for pixels in (
        rng.integers(0, 256, (*size_hw, 3), dtype=np.uint8),
        np.where(rng.random((*size_hw, 3)) < 0.5, 0, 255).astype(np.uint8),
    ):
        resized = resize(pixels, wanted_hw, CPU)

        expected = Image.fromarray(pixels).resize(wanted_hw[::-1], Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(resized.numpy(), np.asarray(expected))


def test_a_flat_picture_tells_no_order_and_the_next_one_does():
    resize, flat = PillowResize(), np.full((50, 90, 3), 7, np.uint8)
    noise = np.random.default_rng(1).integers(0, 256, (50, 90, 3), dtype=np.uint8)

    first = resize(flat, (20, 36), CPU)
    known_after_flat = dict(resize._orders)
    resize(noise, (20, 36), CPU)

    assert (first == 7).all()
    assert known_after_flat == {}
    assert list(resize._orders) == [((50, 90), (20, 36))]


def test_where_no_order_gives_its_pixels_pillow_goes_on(monkeypatch):
    noise = np.random.default_rng(1).integers(0, 256, (50, 90, 3), dtype=np.uint8)
    monkeypatch.setattr(pillow_resize, "filter_axes", lambda pixels, size_hw, order: torch.zeros(*size_hw, 3).byte())
    resize = PillowResize()

    for _ in range(2):
        np.testing.assert_array_equal(resize(noise, (20, 36), CPU).numpy(), by_pillow(noise, (20, 36)))
    assert resize._orders == {((50, 90), (20, 36)): None}


def test_a_picture_of_the_wanted_size_keeps_its_pixels():
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)

    np.testing.assert_array_equal(PillowResize()(pixels, (4, 5), CPU).numpy(), pixels)
