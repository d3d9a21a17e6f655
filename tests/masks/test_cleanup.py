"""Cleanup steps: what each does, that it is recorded and can be read back, and Meta's rule for small regions."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import ProcessingStep, from_json, to_json
from maskwright.core.errors import SettingError
from maskwright.masks import (
    CleanupStep,
    Close,
    ConvexHull,
    DropIslands,
    FillHoles,
    KeepLargest,
    Open,
    SmoothBoundary,
    area,
    clean,
    decode,
    empty_mask,
    encode,
    format_steps,
    intersection,
    islands,
    parse_steps,
    remove_small_regions,
    step_from_processing,
)
from maskwright.masks.cleanup import STEPS
from maskwright.testing.strategies import cleanup_steps, masks, rles


def drawing(text):
    """Read a mask from a picture of dots and hashes."""
    return encode(np.array([[character == "#" for character in line] for line in text.split()]))


def small_regions_by_opencv(mask, area_threshold, mode):
    """Meta's rule, told anew on OpenCV's labels."""
    fills = mode == "holes"
    num_labels, labels, stats, _ = cv2.connectedComponentsWithStats((fills ^ mask).astype(np.uint8), connectivity=8)
    sizes = {label: stats[label, cv2.CC_STAT_AREA] for label in range(1, num_labels)}
    small = {label for label, size in sizes.items() if size < area_threshold}
    if not small:
        return mask, False
    if fills:
        return mask | np.isin(labels, list(small)), True
    kept = sizes.keys() - small or {max(sizes, key=sizes.__getitem__)}
    return np.isin(labels, list(kept)), True


@given(masks(), st.sampled_from([0, 1, 2, 5.5, 20, 1000]), st.sampled_from(["holes", "islands"]))
def test_small_regions_are_removed_as_meta_removes_them(mask, threshold, mode):
    expected, expected_changed = small_regions_by_opencv(mask, threshold, mode)

    cleaned, changed = remove_small_regions(encode(mask), threshold, mode)

    np.testing.assert_array_equal(decode(cleaned), expected)
    assert changed == expected_changed


def test_small_regions_are_holes_or_islands():
    with pytest.raises(SettingError, match="mode must be holes or islands, got 'specks'"):
        remove_small_regions(empty_mask((2, 2)), 1, "specks")


@given(rles(), cleanup_steps())
def test_a_step_read_back_from_its_record_does_the_same(rle, step):
    recorded = from_json(ProcessingStep, to_json(step.as_processing()))

    again = step_from_processing(recorded)

    assert again == step
    assert again(rle) == step(rle)


@given(st.lists(cleanup_steps(), max_size=4))
def test_steps_written_as_text_read_back(steps):
    assert parse_steps(format_steps(steps)) == tuple(steps)


@given(rles(), cleanup_steps())
def test_a_step_keeps_the_size_and_leaves_an_empty_mask_empty(rle, step):
    assert step(rle).size_hw == rle.size_hw
    assert isinstance(step, CleanupStep)
    assert step(empty_mask(rle.size_hw)) == empty_mask(rle.size_hw) or getattr(step, "with_edge", False)


@given(rles(), cleanup_steps().filter(lambda step: not isinstance(step, SmoothBoundary)))
def test_every_step_but_smoothing_changes_nothing_the_second_time(rle, step):
    once = step(rle)

    assert step(once) == once


@given(rles(), cleanup_steps())
def test_steps_that_fill_only_add_and_steps_that_drop_only_remove(rle, step):
    changed = step(rle)

    match step:
        case FillHoles() | Close() | ConvexHull():
            assert intersection([changed, rle]) == rle
        case DropIslands() | KeepLargest() | Open():
            assert intersection([changed, rle]) == changed


@given(rles(), st.lists(cleanup_steps(), max_size=3))
def test_steps_are_applied_in_their_order(rle, steps):
    expected = rle
    for step in steps:
        expected = step(expected)

    assert clean(rle, steps) == expected


RING = "......... .#######. .#.....#. .#.###.#. .#.#.#.#. .#.###.#. .#.....#. .#######. ........."


def test_fill_holes_fills_up_to_and_including_its_area():
    rle = drawing(RING)

    assert area(FillHoles(max_area=1)(rle)) == area(rle) + 1
    assert area(FillHoles(max_area=15)(rle)) == area(rle) + 1
    assert area(FillHoles(max_area=16)(rle)) == 49
    assert area(FillHoles()(rle)) == 49
    assert FillHoles(max_area=0)(rle) == rle


def test_background_at_the_edge_is_a_hole_only_if_asked_for():
    rle = drawing("##. ### ###")

    assert FillHoles()(rle) == rle
    assert area(FillHoles(with_edge=True)(rle)) == 9


def test_drop_islands_keeps_islands_of_its_area_and_never_loses_the_object():
    rle = drawing("##.# ##.. ...#")

    assert area(DropIslands(4)(rle)) == 4
    assert area(DropIslands(1)(rle)) == 6
    assert area(DropIslands(100)(rle)) == 4
    assert area(DropIslands(100, keep_largest=False)(rle)) == 0


def test_islands_that_touch_at_a_corner_are_one_unless_told_otherwise():
    rle = drawing("##. ##. ..#")

    assert DropIslands(2)(rle) == rle
    assert area(DropIslands(2, connectivity=4)(rle)) == 4


def test_keep_largest_keeps_so_many_islands():
    rle = drawing("##.#.# ##.#.. .....#")

    assert [area(KeepLargest(count)(rle)) for count in (1, 2, 3, 4)] == [4, 6, 7, 8]


def test_open_cuts_a_bridge_and_close_fills_a_crack():
    bridged = drawing("###...### ######### ###...###")
    cracked = drawing("....... .##.##. .##.##. .##.##. .......")

    assert len(islands(Open(1)(bridged))) == 2
    assert len(islands(Close(1)(cracked), connectivity=4)) == 1


def test_smooth_boundary_removes_a_spike_and_keeps_the_size():
    y, x = np.mgrid[:80, :80]
    disc = np.hypot(y - 40, x - 40) < 20
    spiked = disc.copy()
    spiked[40, 60:63] = True

    smoothed = decode(SmoothBoundary(3)(encode(spiked)))

    assert smoothed[40, 60:].sum() < 3
    assert (smoothed ^ disc).sum() < 0.02 * disc.sum()
    assert abs(smoothed.sum() - disc.sum()) < 0.02 * disc.sum()


def test_the_convex_hull_is_the_set_of_pixel_centres_within_the_hull():
    assert ConvexHull()(drawing("#.... ..... ....#")) == drawing("#.... ..#.. ....#")
    assert ConvexHull()(drawing("#...# ..... #...#")) == drawing("##### ##### #####")


@given(masks(max_side=12))
def test_the_convex_hull_holds_exactly_the_centres_that_opencv_finds_inside(mask):
    ys, xs = np.nonzero(mask)
    filled = decode(ConvexHull()(encode(mask)))
    if not len(xs):
        assert not filled.any()
        return
    hull = cv2.convexHull(np.stack([xs, ys], axis=1).astype(np.int32))

    for y, x in np.ndindex(*mask.shape):
        assert filled[y, x] == (cv2.pointPolygonTest(hull, (x, y), False) >= 0)


def test_steps_are_read_as_people_write_them():
    assert parse_steps("fill_holes=100, keep-largest ,drop_islands=50:connectivity=4:keep-largest=false,open=1.5") == (
        FillHoles(max_area=100),
        KeepLargest(),
        DropIslands(50, connectivity=4, keep_largest=False),
        Open(1.5),
    )
    assert parse_steps("") == ()


def test_a_record_holds_the_name_and_every_parameter_that_is_set():
    assert FillHoles().as_processing() == ProcessingStep(
        name="fill_holes", parameters={"connectivity": 4, "with_edge": False}
    )
    assert SmoothBoundary(1.5).as_processing() == ProcessingStep(name="smooth_boundary", parameters={"sigma": 1.5})
    assert sorted(STEPS) == [
        "close",
        "convex_hull",
        "drop_islands",
        "fill_holes",
        "keep_largest",
        "open",
        "smooth_boundary",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fil_holes=3", "no cleanup step is named 'fil_holes'. Near: fill_holes"),
        ("zzz", "no cleanup step is named 'zzz'. Near: fill_holes, drop_islands"),
        ("drop_islands", "drop_islands needs a value for min_area, got none. Write it as drop_islands=100."),
        ("convex_hull=3", "convex_hull takes no value, got 'convex_hull=3'"),
        ("fill_holes=many", "max_area of fill_holes must be a number, got 'many'"),
        ("fill_holes=1.5", "max_area of fill_holes must be a whole number of at least 0, got 1.5"),
        ("fill_holes=-1", "whole number of at least 0, got -1"),
        ("keep_largest=0", "count of keep_largest must be a whole number of at least 1, got 0"),
        ("fill_holes=3:connectivity=6", r"connectivity of fill_holes must be 4 \(edges\) or 8"),
        ("fill_holes=3:with_edge=maybe", "with_edge of fill_holes must be true or false, got 'maybe'"),
        ("open=-1", "a radius must be a finite number of pixels of at least 0, got -1"),
        ("smooth_boundary=nan", "smooth_boundary needs a finite sigma of at least 0 pixels, got nan"),
        ("open=1:size=3", "open takes radius, got size"),
    ],
)
def test_a_step_that_cannot_be_read_is_an_error_that_says_why(text, message):
    with pytest.raises(SettingError, match=message):
        parse_steps(text)


def test_a_record_of_an_unknown_step_is_an_error():
    with pytest.raises(SettingError, match="no cleanup step is named 'clip_to_parent'"):
        step_from_processing(ProcessingStep(name="clip_to_parent", parameters={}))
