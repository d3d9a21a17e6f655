"""Depth: what is refused, what its cues say, how masks are split, repaired and redrawn, and what is flagged."""

import numpy as np
import pytest

import maskwright as mw
from maskwright.core import BoxPrompt, Image, PointPrompt
from maskwright.core.errors import ImageError, MaskError, SettingError
from maskwright.robot.depth_answers import look_with_depth
from maskwright.robot.depth_cues import depth_edges, find_cues, hole_proposals
from maskwright.robot.depth_failure import fail_like_a_sensor
from maskwright.robot.depth_maps import DepthMap, depth_map
from maskwright.robot.depth_refine import refine_with_depth, repair_with_depth, split_by_depth
from maskwright.robot.hard_masks import HardLimits, hard_flags, mean_width

SIZE_HW = (120, 160)


def _table() -> np.ndarray:
    """A table top that is seen at a slant, 0.5 to 1 m away: nearness grows evenly down the picture."""
    nearness = np.linspace(1, 2, SIZE_HW[0])[:, None] * np.ones(SIZE_HW)
    return 1 / nearness


def _box(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE_HW, bool)
    mask[top:bottom, left:right] = True
    return mask


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_integers_are_millimetres_and_floats_metres():
    metres = _table()

    assert np.allclose(depth_map((metres * 1000).astype(np.uint16)).metres, metres, atol=1e-3)
    assert np.allclose(depth_map(metres).metres, metres)
    assert np.isnan(depth_map(np.where(_box(0, 0, 9, 9), 0, metres)).metres[:9, :9]).all()


@pytest.mark.parametrize(
    ("values", "unit", "told"),
    [
        (np.zeros(SIZE_HW, np.uint16), None, "no reading"),
        (np.full(SIZE_HW, -1.0), None, "negative"),
        (np.full(SIZE_HW, np.nan), None, "no reading"),
        (_table() * 1000, None, "millimetres"),
        (_table(), "mm", "metres"),
        (np.full((60, 80), 700, np.uint16), None, "picture's size"),
        (np.zeros((*SIZE_HW, 3), np.uint8), None, "must be"),
    ],
)
def test_depth_of_another_size_or_unit_is_refused(values: np.ndarray, unit: str | None, told: str):
    with pytest.raises(ImageError, match=told):
        depth_map(values, size_hw=SIZE_HW, unit=unit)


def test_a_slope_is_no_edge_and_a_step_is():
    metres = _table()
    stepped = np.where(_box(40, 50, 80, 110), 0.4, metres)

    edges = depth_edges(depth_map(stepped))

    assert not depth_edges(depth_map(metres)).any()
    assert edges[60, 49:51].all()
    assert not edges[55:65, 60:100].any()


def test_a_shadow_is_explained_and_a_hole_in_a_flat_surface_is_not():
    metres = np.full(SIZE_HW, 1.0)
    metres[30:90, 40:80] = 0.6  # stands before the wall, and hides 30 * (1 / 0.6 - 1) = 20 pixels of it
    metres[30:90, 80:98] = 0
    metres[40:70, 120:145] = 0

    cues = find_cues(depth_map(metres))

    assert cues.explained[60, 85:95].all()
    assert not cues.holes[60, 82:96].any()
    assert cues.holes[55, 122:143].all()
    (proposal,) = hole_proposals(cues)
    assert proposal.box_xyxy == (120, 40, 145, 70)
    assert proposal.share == 1


def test_a_narrow_border_and_single_pixels_are_explained():
    metres = np.full(SIZE_HW, 0.8)
    metres[:, :12] = 0
    metres[10::17, 5::13] = 0

    assert hole_proposals(find_cues(depth_map(metres))) == []


def test_a_mask_over_two_things_is_split_along_the_step():
    metres = np.full(SIZE_HW, 1.0)
    metres[20:100, 20:70], metres[20:100, 70:120] = 0.5, 0.7
    cues = find_cues(depth_map(metres))

    pieces = split_by_depth(_box(20, 20, 100, 120), cues)

    assert len(pieces) == 2
    assert _iou(pieces[0] | pieces[1], _box(20, 20, 100, 120)) == 1
    assert max(_iou(piece, _box(20, 20, 100, 70)) for piece in pieces) > 0.95
    assert len(split_by_depth(_box(20, 20, 100, 70), cues)) == 1


def test_what_continues_is_filled_and_what_jumps_is_taken_away():
    metres = np.full(SIZE_HW, 1.0)
    thing = _box(30, 40, 90, 100)
    metres[thing] = 0.5
    cues = find_cues(depth_map(metres))
    drawn = (thing & ~_box(30, 40, 45, 60)) | _box(60, 100, 90, 108)

    repaired = repair_with_depth(drawn, cues)

    assert _iou(repaired, thing) > _iou(drawn, thing) + 0.05
    assert not repaired[60:90, 103:108].any()
    wrong = _box(0, 0, 20, 20)
    assert np.array_equal(repair_with_depth(wrong, cues), wrong)


def _glass(seed: int) -> tuple[np.ndarray, DepthMap]:
    """A glass on a table, and what a sensor makes of it."""
    masks = np.zeros(SIZE_HW, np.uint8)
    masks[35:85, 60:95] = 1
    true = np.where(masks > 0, 0.55, _table())
    raw = fail_like_a_sensor(true, masks, glass=[1], rng=np.random.default_rng(seed))
    return masks > 0, depth_map(raw)


def test_glass_that_a_model_saw_half_of_is_redrawn_by_its_holes():
    gains = []
    for seed in range(6):
        truth, depth = _glass(seed)
        half = truth & _box(0, 60, 120, 78)

        refined = refine_with_depth(half, find_cues(depth), box=(60, 35, 95, 85))

        gains.append(_iou(refined.mask, truth) - _iou(half, truth))
        assert not (refined.mask & ~truth).any()  # nothing is drawn outside the box

    assert np.mean(gains) > 0.1


def test_an_opaque_thing_with_sound_depth_is_kept():
    metres = np.where(_box(30, 40, 90, 100), 0.5, 1.0)

    refined = refine_with_depth(_box(30, 40, 90, 100), find_cues(depth_map(metres)))

    assert refined.how == "kept"
    assert refined.failing == 0
    assert not refine_with_depth(np.zeros(SIZE_HW, bool), find_cues(depth_map(metres))).mask.any()


def test_logits_do_as_well_and_other_sizes_are_refused():
    truth, depth = _glass(0)
    cues = find_cues(depth)

    by_mask, by_logits = (refine_with_depth(one, cues).mask for one in (truth, np.where(truth, 3.0, -3.0)))

    assert np.array_equal(by_mask, by_logits)
    with pytest.raises(MaskError, match="of the depth's size"):
        refine_with_depth(truth[:50], cues)


def test_a_sensor_fails_on_glass_and_the_same_seed_fails_the_same():
    truth, depth = _glass(3)
    again = _glass(3)[1]

    missing = ~depth.is_known

    assert missing[truth].mean() > 0.2
    assert missing[:, 100:].mean() < 0.05
    assert np.array_equal(depth.metres, again.metres, equal_nan=True)


def test_a_click_on_a_hole_asks_the_model_by_the_holes_box():
    truth, _ = _glass(0)
    metres = np.where(truth, 0, _table())
    image = Image(np.full((*SIZE_HW, 3), 90, np.uint8))
    model = mw.load_model("test-sam")

    by_click = look_with_depth(model, image, PointPrompt([(77, 60)]), depth_map(metres), by_hole=True)
    by_box = look_with_depth(model, image, BoxPrompt((60, 35, 95, 85)), depth_map(metres))

    assert by_box.hole_box is None
    assert by_click.hole_box is None or by_click.hole_box == pytest.approx((60, 35, 95, 85), abs=2)
    assert by_click.refined.mask.shape == SIZE_HW
    with pytest.raises(ImageError, match="picture's size"):
        look_with_depth(model, Image(np.zeros((50, 50, 3), np.uint8)), PointPrompt([(7, 6)]), depth_map(metres))


def test_flags_say_what_is_hard_and_why():
    metres = np.full(SIZE_HW, 1.0)
    metres[20:100, 60:100] = 0.5  # stands before the left part of what is behind it
    metres[30:50, 110:150] = 0
    cues = find_cues(depth_map(metres))
    wire, window, hidden = _box(10, 5, 110, 9), _box(30, 110, 50, 150), _box(30, 100, 90, 130)
    patch, whole = _box(100, 110, 115, 150), _box(20, 60, 100, 100)

    def names(mask: np.ndarray) -> list[str]:
        return [flag.name for flag in hard_flags(mask, cues)]

    assert names(wire)[0] == "thin"
    assert "see_through" in names(window)
    assert names(hidden) == ["occluded"] or "occluded" in [
        flag.name for flag in hard_flags(hidden, cues, HardLimits(occluded=0.2))
    ]
    assert names(patch) == ["texture"]
    assert names(whole) == []
    assert hard_flags(wire)[0].words() == "on average 4.0 pixels wide"
    assert hard_flags(np.zeros(SIZE_HW, bool), cues) == ()
    with pytest.raises(SettingError, match="0..1"):
        HardLimits(texture=3)


def test_the_width_of_a_strip_is_its_width():
    for width in (4, 10, 20):
        strip = np.zeros((200, 60), bool)
        strip[:, 20 : 20 + width] = True
        assert mean_width(strip) == pytest.approx(width, rel=0.1)
