"""Simplified and smoothed outlines: how far they move, what they keep, and that they come out valid."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import MaskError, SettingError
from maskwright.masks import (
    Island,
    Polygons,
    area,
    encode,
    fill,
    from_shapely,
    iou,
    is_valid,
    make_valid,
    simplify,
    smooth,
    to_shapely,
    trace,
)
from maskwright.testing.strategies import rles

settings_px = st.sampled_from([0.0, 0.3, 0.7, 1.0, 2.0, 5.0])


def disc(radius, *, hole=0.0, side=128):
    y, x = np.mgrid[:side, :side] + 0.5
    distance = np.hypot(x - side / 2, y - side / 2)
    return encode((distance < radius) & (distance >= hole))


def wavy_disc(radius, wave, side=128):
    y, x = np.mgrid[:side, :side] + 0.5
    angle = np.arctan2(y - side / 2, x - side / 2)
    return encode(np.hypot(x - side / 2, y - side / 2) < radius + wave * np.sin(40 * angle))


@given(rles(), settings_px)
def test_simplified_outlines_are_valid(rle, epsilon):
    assert is_valid(simplify(trace(rle), epsilon))


@given(rles(), settings_px)
def test_smoothed_outlines_are_valid(rle, sigma):
    assert is_valid(smooth(trace(rle), sigma))


@given(rles())
def test_nothing_is_lost_at_epsilon_and_sigma_of_zero(rle):
    assert fill(simplify(trace(rle), 0)) == rle
    assert fill(smooth(trace(rle), 0)) == rle


@pytest.mark.parametrize(("epsilon", "least_iou", "most_vertices"), [(0.5, 0.99, 60), (1, 0.97, 40), (2, 0.94, 30)])
def test_a_simplified_disc_with_a_hole_stays_close_and_gets_light(epsilon, least_iou, most_vertices):
    ring = disc(40, hole=15)

    simplified = simplify(smooth(trace(ring), 1), epsilon)

    assert len(simplified.islands[0].holes) == 1
    assert simplified.num_vertices <= most_vertices
    assert iou(fill(simplified), ring) >= least_iou


@pytest.mark.parametrize("epsilon", [0.5, 1, 2, 4])
def test_no_traced_vertex_is_further_than_epsilon_from_the_simplified_outline(epsilon):
    traced = trace(wavy_disc(40, 3))
    outline = to_shapely(simplify(traced, epsilon)).boundary

    distances = shapely.distance(shapely.points(traced.islands[0].exterior), outline)

    assert distances.max() <= epsilon + 1e-6


def test_an_island_too_small_for_epsilon_stays_as_it_was():
    speck = encode(np.pad(np.ones((1, 1), bool), 3))

    assert fill(simplify(trace(speck), 20)) == speck


@pytest.mark.parametrize("sigma", [1, 2, 4])
def test_smoothing_keeps_the_size_of_a_disc(sigma):
    smoothed = fill(smooth(trace(disc(20)), sigma))

    assert iou(smoothed, disc(20)) > 0.98
    assert abs(area(smoothed) / area(disc(20)) - 1) < 0.01


def test_smoothing_flattens_waves_shorter_than_sigma():
    wavy, plain = wavy_disc(40, 1.5), disc(40)

    assert iou(fill(smooth(trace(wavy), 4)), plain) > iou(wavy, plain) + 0.01


def test_a_single_pixel_survives_smoothing():
    speck = encode(np.pad(np.ones((1, 1), bool), 3))

    assert fill(smooth(trace(speck), 10)) == speck


def test_an_outline_that_crosses_itself_is_repaired_into_two_islands():
    bow_tie = Polygons((9, 9), (Island([[0, 0], [8, 8], [8, 0], [0, 8]]),))

    repaired = make_valid(bow_tie)

    assert not is_valid(bow_tie)
    assert is_valid(repaired)
    assert len(repaired.islands) == 2
    assert to_shapely(repaired).area == 32


def test_valid_polygons_are_returned_as_they_are():
    traced = trace(disc(10))

    assert make_valid(traced) is traced


@given(rles())
def test_polygons_survive_shapely(rle):
    assert fill(from_shapely(to_shapely(trace(rle)), rle.size_hw)) == rle


def test_lines_and_points_of_a_shapely_collection_have_no_area():
    square = shapely.box(1, 1, 3, 3)
    mixed = shapely.GeometryCollection([shapely.Point(0, 0), shapely.LineString([(0, 0), (4, 4)]), square])

    polygons = from_shapely(mixed, (5, 5))

    assert len(polygons.islands) == 1
    assert area(fill(polygons)) == 4


def test_what_is_not_a_geometry_is_an_error():
    with pytest.raises(MaskError, match="expected a shapely geometry, got list"):
        from_shapely([], (2, 2))


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_epsilon_and_sigma_are_finite_pixels(value):
    with pytest.raises(SettingError, match="epsilon must be a finite number of pixels of at least 0"):
        simplify(trace(disc(5)), value)
    with pytest.raises(SettingError, match="sigma must be a finite number"):
        smooth(trace(disc(5)), value)
