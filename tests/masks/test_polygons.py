"""Exact outlines: every mask comes back from its polygons, and every traced island is what shapely calls valid."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import MaskError
from maskwright.masks import Island, Polygons, area, decode, encode, fill, full_mask, is_valid, to_shapely, trace, union
from maskwright.testing.strategies import masks, rles


def rings(polygons):
    """List the rings of each island as plain lists."""
    return [[ring.tolist() for ring in island.rings] for island in polygons.islands]


def drawing(text):
    """Read a mask from a picture of dots and hashes."""
    return encode(np.array([[character == "#" for character in line] for line in text.split()]))


@given(rles())
def test_filling_a_traced_mask_gives_it_back_to_the_pixel(rle):
    assert fill(trace(rle)) == rle


@given(rles())
def test_traced_outlines_are_valid_and_enclose_the_area(rle):
    shape = to_shapely(trace(rle))

    assert shape.is_valid
    assert shape.area == area(rle)


@given(masks())
def test_there_is_one_island_for_each_piece_joined_by_edges(mask):
    num_labels, _ = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)

    assert len(trace(encode(mask)).islands) == num_labels - 1


@given(rles())
def test_exteriors_run_clockwise_on_the_screen_and_holes_the_other_way(rle):
    def signed_area(ring):
        x, y = ring.T
        return np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))

    for island in trace(rle).islands:
        assert signed_area(island.exterior) > 0
        assert all(signed_area(hole) < 0 for hole in island.holes)


@given(rles())
def test_outlines_have_vertices_only_where_they_turn_and_touch_themselves_nowhere(rle):
    for island in trace(rle).islands:
        for ring in island.rings:
            steps = np.roll(ring, -1, axis=0) - ring
            is_level = steps[:, 1] == 0
            assert (is_level != np.roll(is_level, 1)).all()
            assert len(np.unique(ring, axis=0)) == len(ring)


def test_one_pixel_is_a_square_around_it():
    assert rings(trace(drawing("... .#. ..."))) == [[[[1, 1], [2, 1], [2, 2], [1, 2]]]]


def test_a_full_mask_is_the_frame_and_an_empty_one_has_no_islands():
    assert rings(trace(full_mask((2, 3)))) == [[[[0, 0], [3, 0], [3, 2], [0, 2]]]]
    assert trace(drawing("... ...")).islands == ()


def test_pixels_that_touch_at_a_corner_are_two_islands():
    assert rings(trace(drawing("#. .#"))) == [[[[0, 0], [1, 0], [1, 1], [0, 1]]], [[[1, 1], [2, 1], [2, 2], [1, 2]]]]
    assert rings(trace(drawing(".# #."))) == [[[[0, 1], [1, 1], [1, 2], [0, 2]]], [[[1, 0], [2, 0], [2, 1], [1, 1]]]]


def test_an_island_in_a_hole_in_an_island_stands_on_its_own():
    traced = trace(drawing("##### #...# #.#.# #...# #####"))

    assert [len(island.holes) for island in traced.islands] == [1, 0]
    assert traced.islands[0].holes[0].tolist() == [[1, 1], [1, 4], [4, 4], [4, 1]]
    assert traced.islands[1].exterior.tolist() == [[2, 2], [3, 2], [3, 3], [2, 3]]


def test_a_ring_closed_only_at_a_corner_is_an_outline_with_a_hole_that_touches_it():
    [island] = trace(drawing("####. #..#. #..#. ###.# ....#")).islands[:1]

    assert len(island.holes) == 1
    touching = {tuple(v) for v in island.exterior.tolist()} & {tuple(v) for v in island.holes[0].tolist()}
    assert touching == {(3, 3)}


def test_a_hole_finds_its_island_past_other_holes():
    [island] = trace(drawing("####### #.#.#.# #######")).islands

    assert [hole[:, 0].min() for hole in island.holes] == [1, 3, 5]


def test_num_vertices_counts_all_rings():
    assert trace(drawing("### #.# ###")).num_vertices == 8


@given(masks(max_side=12), st.integers(-20, 20), st.integers(-20, 20))
def test_outlines_that_leave_the_image_are_cut_off(mask, dx, dy):
    traced = trace(encode(mask))
    offset = np.array([dx, dy])
    moved = [Island(i.exterior + offset, tuple(hole + offset for hole in i.holes)) for i in traced.islands]
    canvas = np.zeros((64, 64), bool)
    canvas[20 + dy : 20 + dy + mask.shape[0], 20 + dx : 20 + dx + mask.shape[1]] = mask

    np.testing.assert_array_equal(decode(fill(Polygons((12, 12), tuple(moved)))), canvas[20:32, 20:32])


@given(st.lists(st.tuples(st.floats(-3, 15), st.floats(-3, 15)), min_size=3, max_size=8), st.integers(1, 12))
def test_a_pixel_is_filled_if_its_centre_is_inside_by_even_odd(vertices, side):
    """Against crossings counted one by one, in another direction, away from centres that lie on an edge."""
    ring = np.array(vertices)
    filled = decode(fill(Polygons((side, side), (Island(ring),))))
    ends = np.roll(ring, -1, axis=0)

    for y in range(side):
        for x in range(side):
            cx, cy = x + 0.5, y + 0.5
            (ax, ay), (bx, by) = ring.T, ends.T
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                crossing = ax + (cy - ay) * (bx - ax) / (by - ay)
                vertical = ay + (cx - ax) * (by - ay) / (bx - ax)
            spans = (ay <= cy) != (by <= cy)
            if (abs(crossing[spans] - cx) < 1e-6).any() or (abs(vertical - cy) < 1e-6).any():
                continue
            assert filled[y, x] == (np.sum(spans & (crossing > cx)) % 2 == 1)


def test_islands_that_overlap_are_joined():
    square = Island(np.array([[0, 0], [2, 0], [2, 2], [0, 2]]))
    other = Island(np.array([[1, 1], [3, 1], [3, 3], [1, 3]]))

    joined = fill(Polygons((3, 3), (square, other)))

    assert joined == union([fill(Polygons((3, 3), (square,))), fill(Polygons((3, 3), (other,)))])
    assert area(joined) == 7
    assert not is_valid(Polygons((3, 3), (square, other)))


@pytest.mark.parametrize(
    ("ring", "message"),
    [
        ([[0, 0], [1, 1]], r"an exterior must be at least three xy vertices of shape \(K, 2\), got int64 \(2, 2\)"),
        ([0, 0, 1, 1, 2, 0], r"shape \(K, 2\), got int64 \(6,\)"),
        ([[0, 0], [1], [2, 2]], "got a ragged sequence"),
        ([[0, 0], [1, float("nan")], [2, 2]], "finite vertices"),
        ([["a", "b"]] * 3, "at least three xy vertices"),
    ],
)
def test_a_malformed_ring_is_an_error(ring, message):
    with pytest.raises(MaskError, match=message):
        Island(ring)


def test_a_malformed_hole_is_named_as_one():
    with pytest.raises(MaskError, match="a hole must be"):
        Island([[0, 0], [1, 0], [1, 1]], ([[0, 0]],))
