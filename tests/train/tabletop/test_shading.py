import numpy as np
import pytest

from maskwright.train.tabletop.shading import crease_shade, darken_creases

_SIZE, _FOVY = 120, 50.0


def _plane(slope_x: float, slope_y: float) -> np.ndarray:
    """Distance to a slanted plane a metre away; its inverse is linear in the picture."""
    y, x = np.mgrid[-1 : 1 : _SIZE * 1j, -1 : 1 : _SIZE * 1j]
    return 1 / (1 + slope_x * x + slope_y * y)


@pytest.mark.parametrize(("slope_x", "slope_y"), [(0, 0), (0.3, 0), (-0.2, 0.4)])
def test_a_plane_has_no_shade_at_any_slant(slope_x: float, slope_y: float) -> None:
    shade = crease_shade(_plane(slope_x, slope_y), _FOVY)

    assert shade[12:-12, 12:-12].max() < 0.02


def test_a_crease_has_shade_and_a_ridge_has_none() -> None:
    x = np.abs(np.linspace(-1, 1, _SIZE))
    crease = np.broadcast_to(1 / (1 + 0.45 * x), (_SIZE, _SIZE))  # farthest in the middle
    ridge = np.broadcast_to(1 / (1.45 - 0.45 * x), (_SIZE, _SIZE))

    assert crease_shade(crease, _FOVY)[_SIZE // 2, _SIZE // 2] > 0.2
    assert crease_shade(ridge, _FOVY)[_SIZE // 2, _SIZE // 2] < 0.02


def test_what_is_far_behind_an_outline_is_not_darkened() -> None:
    depth = np.full((_SIZE, _SIZE), 2.0)
    depth[:, : _SIZE // 2] = 1.0
    image = np.full((_SIZE, _SIZE, 3), 200, np.uint8)

    assert np.array_equal(darken_creases(image, depth, _FOVY, 0.8), image)
