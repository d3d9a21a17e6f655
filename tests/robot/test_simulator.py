"""Checks of simulators: measures of masks, distances between samples, verdicts."""

import numpy as np
import pytest

from maskwright.core.errors import InputError, SettingError
from maskwright.masks import encode
from maskwright.robot.simulator import RealismSettings, compare_masks
from maskwright.robot.simulator_statistics import Sample, distance_between, tails
from maskwright.robot.simulator_traits import FrameMask, FrameTraits, frame_traits, mask_traits, measure_frame


def test_measures_of_a_rectangle_are_what_they_must_be():
    mask = np.zeros((100, 200), bool)
    mask[40:60, 50:130] = True
    grey = np.where(mask, 180, 60).astype(np.uint8)

    traits = mask_traits(mask, grey)

    assert traits["area"] == pytest.approx(1600 / 20000)
    assert traits["aspect"] == pytest.approx(20 / 80, abs=0.01)
    assert traits["solidity"] == 1
    assert traits["holes"] == 0
    assert traits["sharpness"] == pytest.approx(60, rel=0.05)  # a step of 120 over the two pixels of a Sobel filter


def test_a_ring_has_a_hole_and_a_crescent_is_not_solid():
    mask = np.zeros((80, 80), bool)
    mask[20:60, 20:60] = True
    mask[30:50, 30:50] = False
    cross = np.zeros((80, 80), bool)
    cross[38:42, 10:70] = cross[10:70, 38:42] = True

    assert mask_traits(mask, None)["holes"] == pytest.approx(0.25)
    assert mask_traits(cross, None)["solidity"] < 0.4
    assert np.isnan(mask_traits(cross, None)["sharpness"])


def test_the_border_of_the_picture_is_no_boundary():
    mask = np.zeros((60, 60), bool)
    mask[:, :30] = True
    grey = np.full((60, 60), 90, np.uint8)

    assert mask_traits(mask, grey)["sharpness"] == 0


def test_masks_of_a_few_pixels_are_left_out():
    small, large = np.zeros((2, 50, 50), bool)
    small[:3, :3], large[10:30, 10:30] = True, True

    frame = measure_frame("one", None, [FrameMask(mask=encode(small)), FrameMask(mask=encode(large), label="cup")])

    assert [(one.label, one.place) for one in frame.masks] == [("cup", 1)]


def test_places_are_shares_of_the_picture_and_a_frame_has_a_spread_of_them():
    corner, middle = np.zeros((2, 100, 200), bool)
    corner[:10, :20], middle[45:55, 90:110] = True, True
    other = corner[::-1, ::-1]

    frame = measure_frame("one", None, [FrameMask(mask=encode(one)) for one in (corner, middle, other)])

    assert frame.masks[0].centre_xy == pytest.approx((-0.45, -0.45))
    assert [one.values["off_centre"] for one in frame.masks] == pytest.approx([0.45 * 2**0.5, 0, 0.45 * 2**0.5])
    assert frame_traits(frame.masks)["spread"] == pytest.approx(0.45 * 2**0.5 * (2 / 3) ** 0.5)
    assert np.isnan(frame_traits(frame.masks[:2])["spread"])


def _sample(rng: np.random.Generator, shift: float, num_groups: int = 40, each: int = 5) -> Sample:
    groups = np.repeat(np.arange(num_groups), each)
    return Sample(
        values=rng.normal(shift, 1, len(groups)) + rng.normal(0, 1, num_groups)[groups],
        groups=groups,
        num_groups=num_groups,
    )


def test_samples_of_one_distribution_are_near_and_others_far():
    rng = np.random.default_rng(0)

    same = [distance_between(_sample(rng, 0), _sample(rng, 0), rng, rounds=150) for _ in range(10)]
    other = distance_between(_sample(rng, 0), _sample(rng, 3), rng, rounds=150)

    assert np.mean([one.value for one in same]) < 0.06
    assert min(one.chance for one in same) > 0.02
    assert other.low > 0.5
    assert other.chance < 0.01


def test_masks_of_one_frame_do_not_count_as_many_draws():
    """Eight frames of fifty masks that are alike within a frame say as little as eight masks."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(8), 50)
    a, b = (Sample(values=rng.normal(0, 1, 8)[groups], groups=groups, num_groups=8) for _ in range(2))

    found = distance_between(a, b, rng)

    assert found.chance > 0.05
    assert found.high - found.low > 0.1


def test_how_usual_a_value_is_falls_towards_the_ends():
    of = np.arange(100.0)

    inner, outer, beyond = tails(np.array([50, 3, 500.0]), of)

    assert inner > 0.9
    assert outer < 0.1
    assert beyond < outer
    assert tails(np.zeros(1), np.zeros(50))[0] == 1


def _frames(
    seed: int, *, scale: float = 1.0, brightness: float = 1.0, number: int = 40, within: float = 1.0
) -> list[FrameTraits]:
    rng = np.random.default_rng(seed)
    frames = []
    for i in range(number):
        grey = np.full((120, 160), 40, np.uint8)
        masks = []
        for _ in range(int(rng.integers(2, 6))):
            h, w = (rng.uniform(10, 30, 2) * scale).astype(int)
            y, x = (round((side - long) * (0.5 + within * (rng.random() - 0.5))) for side, long in ((120, h), (160, w)))
            bitmap = np.zeros((120, 160), bool)
            bitmap[y : y + h, x : x + w] = True
            grey[bitmap] = int(rng.uniform(100, 140) * brightness)
            masks.append(FrameMask(mask=encode(bitmap), label=str(rng.choice(["cup", "tray"]))))
        frames.append(measure_frame(f"{i}", grey, masks))
    return frames


def test_halves_of_one_world_are_not_flagged_and_other_worlds_are():
    real = _frames(0)

    same, larger, brighter = (
        compare_masks(side, real) for side in (_frames(1), _frames(2, scale=2.0), _frames(3, brightness=1.7))
    )

    assert same.overall.verdict == "realistic"
    assert not same.overall.differs
    assert larger.overall.verdict == "flagged"
    assert larger.overall.weakest is not None
    assert larger.overall.weakest.trait == "area"
    assert brighter.overall.weakest is not None
    assert brighter.overall.weakest.trait == "sharpness"
    assert {one.label for one in larger.classes} == {"cup", "tray"}


def test_another_lens_is_noticed_in_few_frames_by_how_far_masks_spread():
    """Things of any size, seen from anywhere: half the spread tells what half the size does not."""
    real = _frames(0, number=16)

    found = compare_masks(_frames(1, number=16, within=0.5), real).overall

    assert found.verdict == "flagged"
    assert found.weakest is not None
    assert found.weakest.trait == "spread"
    assert compare_masks(_frames(2, number=16), real).overall.verdict != "flagged"


def test_a_few_masks_tell_nothing():
    found = compare_masks(_frames(1, number=4), _frames(2, number=4))

    assert found.overall.verdict == "too few to tell"
    assert found.overall.score is None


def test_the_oddest_frame_is_the_one_that_was_made_odd():
    real = _frames(0)
    bitmap = np.zeros((120, 160), bool)
    bitmap[5:115, 5:155] = True
    odd = measure_frame("odd", np.full((120, 160), 40, np.uint8), [FrameMask(mask=encode(bitmap), label="cup")])

    found = compare_masks([*_frames(1), odd], real)

    assert found.oddest[0].name == "odd"
    assert found.oddest[0].usual < found.oddest[1].usual


def test_what_cannot_be_compared_is_said():
    empty = [FrameTraits(name="a", group="a", masks=())]

    with pytest.raises(InputError, match="the real frames have none"):
        compare_masks(_frames(0, number=2), empty)
    with pytest.raises(SettingError, match="flagged < realistic"):
        RealismSettings(realistic=0.5, flagged=0.7)
