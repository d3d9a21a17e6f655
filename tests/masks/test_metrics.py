"""Agreement between masks, against the published definitions written out on whole images."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import MaskError, SettingError
from maskwright.masks import (
    boundary_agreement,
    boundary_iou,
    decode,
    dice,
    empty_mask,
    encode,
    full_mask,
    iou,
    pixel_agreement,
    shift,
    stability_score,
)
from maskwright.testing.strategies import rles, same_size_rles

pairs = same_size_rles(min_size=2, max_size=2)


def disc(radius, side=200, at=(100, 100)):
    y, x = np.mgrid[:side, :side]
    return encode(np.hypot(y - at[0], x - at[1]) < radius)


def band_of_cheng(mask, ratio):
    """Boundary IoU's band as its authors compute it: erode by a 3x3 square, again and again."""
    width = max(1, round(ratio * np.hypot(*mask.shape)))
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(framed, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    return mask & ~inner.astype(bool)


def outline_of_davis(mask):
    """The outline as DAVIS computes it, pixel by pixel."""
    height, width = mask.shape
    outline = np.zeros_like(mask)
    for y, x in np.ndindex(height, width):
        right = mask[y, min(x + 1, width - 1)]
        below = mask[min(y + 1, height - 1), x]
        diagonal = mask[y + 1, x + 1] if y + 1 < height and x + 1 < width else mask[y, x]
        outline[y, x] = (mask[y, x] != right) or (mask[y, x] != below) or (mask[y, x] != diagonal)
    return outline


@given(pairs)
def test_overlap_metrics_are_those_of_the_pixels(pair):
    a, b = (decode(rle) for rle in pair)
    shared, joined = (a & b).sum(), (a | b).sum()

    assert iou(*pair) == (shared / joined if joined else 1.0)
    assert dice(*pair) == pytest.approx(2 * iou(*pair) / (1 + iou(*pair)))
    assert pixel_agreement(*pair).precision == (shared / a.sum() if a.any() else 1.0)
    assert pixel_agreement(*pair).recall == (shared / b.sum() if b.any() else 1.0)


@given(pairs)
def test_metrics_lie_between_0_and_1_and_swap_with_their_masks(pair):
    a, b = pair

    for metric in (iou, dice, boundary_iou):
        assert 0 <= metric(a, b) <= 1
        assert metric(a, b) == metric(b, a)
    assert boundary_agreement(a, b).precision == boundary_agreement(b, a).recall
    assert boundary_agreement(a, b).f_score == boundary_agreement(b, a).f_score


@given(rles())
def test_a_mask_agrees_with_itself_perfectly(rle):
    assert iou(rle, rle) == dice(rle, rle) == boundary_iou(rle, rle) == 1
    assert boundary_agreement(rle, rle).f_score == pixel_agreement(rle, rle).f_score == 1


@given(pairs, st.sampled_from([0.02, 0.1, 0.3]))
def test_boundary_iou_is_that_of_its_authors(pair, ratio):
    a, b = (band_of_cheng(decode(rle), ratio) for rle in pair)
    joined = (a | b).sum()

    assert boundary_iou(*pair, dilation_ratio=ratio) == ((a & b).sum() / joined if joined else 1.0)


def test_boundary_iou_sees_what_iou_hardly_sees_on_a_large_object():
    large, moved = disc(80), shift(disc(80), dx=3, dy=0)

    assert iou(large, moved) > 0.94
    assert boundary_iou(large, moved) < 0.65


@given(pairs, st.sampled_from([0, 1, 2, 13]))
def test_boundary_agreement_is_that_of_davis(pair, tolerance):
    predicted, truth = (outline_of_davis(decode(rle)) for rle in pair)
    ys, xs = np.nonzero(truth)
    yp, xp = np.nonzero(predicted)
    close = (ys[:, None] - yp) ** 2 + (xs[:, None] - xp) ** 2 <= tolerance**2

    agreement = boundary_agreement(*pair, tolerance_px=tolerance)

    if len(ys) and len(yp):
        assert agreement.precision == close.any(axis=0).mean()
        assert agreement.recall == close.any(axis=1).mean()
    else:
        assert (agreement.precision, agreement.recall) == (len(yp) == 0, len(ys) == 0)


def test_the_tolerance_follows_the_diagonal_of_the_image():
    truth, moved = disc(40), shift(disc(40), dx=2, dy=0)

    assert boundary_agreement(moved, truth).f_score == boundary_agreement(moved, truth, tolerance_px=3).f_score == 1
    assert boundary_agreement(moved, truth, tolerance_px=1).f_score < 1


def test_nothing_against_something_is_a_perfect_miss():
    nothing, something = empty_mask((40, 40)), disc(9, 40, (20, 20))

    assert iou(nothing, something) == boundary_iou(nothing, something) == 0
    assert boundary_agreement(nothing, something).recall == 0
    assert boundary_agreement(nothing, something).f_score == 0


def test_stability_compares_a_mask_with_itself_at_two_thresholds():
    logits = np.array([[[-2, 0.5], [2, 3]], [[-9, -9], [-9, -9]], [[9, 9], [9, 9]]], np.float32)

    assert stability_score(logits).tolist() == [2 / 3, 1, 1]
    assert stability_score(logits[0], threshold=1.0, offset=0.25) == 1


def test_masks_of_two_sizes_and_silly_settings_are_errors():
    with pytest.raises(MaskError, match="one size"):
        iou(full_mask((2, 2)), full_mask((2, 3)))
    with pytest.raises(MaskError, match="one size"):
        boundary_iou(full_mask((2, 2)), full_mask((2, 3)))
    with pytest.raises(SettingError, match="dilation_ratio must lie between 0 and 1, got 0"):
        boundary_iou(full_mask((2, 2)), full_mask((2, 2)), dilation_ratio=0)
    with pytest.raises(SettingError, match="tolerance_px must be at least 0, got -1"):
        boundary_agreement(full_mask((2, 2)), full_mask((2, 2)), tolerance_px=-1)
