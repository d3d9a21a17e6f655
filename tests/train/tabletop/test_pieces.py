import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.core.errors import InputError
from maskwright.train.tabletop.pieces import (
    Piece,
    Surface,
    bounds,
    box,
    hull_points,
    prism,
    read_obj,
    revolve,
    torus,
    tube,
)


def _piece(shape: tuple[np.ndarray, ...]) -> Piece:
    return Piece(vertices=shape[0], faces=shape[1], surface=Surface())


def test_shapes_have_the_area_of_what_they_are_called() -> None:
    straight = np.stack([np.zeros(9), np.zeros(9), np.linspace(0, 1, 9)], 1)
    hexagon = np.stack([np.cos(np.arange(6) * math.pi / 3), np.sin(np.arange(6) * math.pi / 3)], 1)

    assert _piece(box([1, 2, 3])).area() == pytest.approx(22)
    assert _piece(revolve([(0, 0), (1, 0), (1, 2), (0, 2)], sides=200)).area() == pytest.approx(6 * math.pi, rel=1e-3)
    assert _piece(tube(straight, 0.1, sides=100)).area() == pytest.approx(0.22 * math.pi, rel=1e-2)
    assert _piece(prism(hexagon, 2.0)).area() == pytest.approx(3 * math.sqrt(3) + 12, rel=1e-6)
    assert _piece(torus(1.0, 0.2, sides=200)).area() == pytest.approx(4 * math.pi**2 * 0.2, rel=2e-2)


def test_faces_of_a_solid_look_outwards() -> None:
    for shape in (box([1, 2, 3]), revolve([(0, -1), (1, -1), (1, 1), (0, 1)]), torus(1.0, 0.2)):
        vertices, faces = shape[0], shape[1]
        a, b, c = (vertices[faces[:, i]] for i in range(3))

        volume = float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)

        assert volume > 0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), flat=st.sampled_from([None, 0, 1, 2]))
def test_the_hull_has_a_volume_and_reaches_almost_as_far_as_the_piece(seed: int, flat: int | None) -> None:
    rng = np.random.default_rng(seed)
    vertices = rng.normal(size=(60, 3))
    if flat is not None:
        vertices[:, flat] = 0.5
    piece = Piece(vertices=vertices, faces=np.arange(60).reshape(-1, 3), surface=Surface())

    points = hull_points([piece], thinnest=0.01)

    low, high = bounds([piece])
    assert (np.ptp(points, axis=0) >= 0.01 - 1e-9).all()
    assert np.abs(points.min(0) - low).max() <= 0.005 + 1e-9
    assert np.abs(points.max(0) - high).max() <= 0.005 + 1e-9


def test_an_obj_file_gives_a_piece_for_each_material_with_z_up(tmp_path: Path) -> None:
    (tmp_path / "thing.mtl").write_text("newmtl red\nKd 0.9 0.1 0.1\nnewmtl clear\nKd 1 1 1\nd 0.3\n")
    (tmp_path / "thing.obj").write_text(
        "mtllib thing.mtl\nv 0 0 0\nv 1 0 0\nv 1 2 0\nv 0 2 0\ng handle\nusemtl red\nf 1 2 3 4\n"
        "usemtl clear\nf -4/1 -3/1 -2/1\n"
    )

    red, clear = read_obj(tmp_path / "thing.obj")

    assert red.surface.rgb == (0.9, 0.1, 0.1)
    assert red.area() == pytest.approx(2)
    assert red.part is not None
    assert "handle" in red.part
    assert bounds([red])[1].tolist() == [1, 0, 2]
    assert clear.surface.alpha == 0.3
    assert len(clear.faces) == 1


def test_a_damaged_obj_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.obj"

    path.write_text("v 0 0 nought\n")
    with pytest.raises(InputError, match="this OBJ file is damaged"):
        read_obj(path)
    path.write_text("v 0 0 0\nf 1 2 3\n")
    with pytest.raises(InputError, match="this OBJ file is damaged"):
        read_obj(path)
    path.write_text("v 0 0 0\n")
    with pytest.raises(InputError, match="has no faces"):
        read_obj(path)
