"""Motion between frames, on pictures whose motion is known."""

import cv2
import numpy as np
import pytest

from maskwright.core.errors import ImageError
from maskwright.predict.tracking.motion import Motion, MotionEstimator
from maskwright.predict.tracking.soft_mask import SoftMask


def texture(seed: int, size_hw: tuple[int, int] = (240, 320)) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (*size_hw, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)


def motion_between(first: np.ndarray, second: np.ndarray) -> Motion:
    estimator = MotionEstimator(320)
    assert estimator.advance(first) is None
    motion = estimator.advance(second)
    assert motion is not None
    return motion


def test_a_mask_moves_with_the_picture_and_its_way_back_agrees() -> None:
    picture = texture(0)
    motion = motion_between(picture, np.roll(picture, 6, axis=1))
    square = np.zeros((240, 320), np.float32)
    square[80:160, 100:180] = 1
    moved, agreement, far = motion.carry(SoftMask.of(square))
    expected = np.roll(square, 6, axis=1) > 0.5
    there = moved.grid() > 0.5
    assert (there & expected).sum() / (there | expected).sum() > 0.95
    assert agreement > 0.9
    assert far == pytest.approx(6, abs=0.6)


def test_what_is_covered_does_not_agree() -> None:
    picture = texture(0)
    covered = picture.copy()
    covered[80:160, 100:180] = texture(5)[80:160, 100:180]
    square = np.zeros((240, 320), np.float32)
    square[90:150, 110:170] = 1
    _, agreement, _ = motion_between(picture, covered).carry(SoftMask.of(square))
    assert agreement < 0.6


def test_another_scene_is_a_cut_and_a_moving_camera_is_not() -> None:
    day, night = texture(1), (texture(2) * 0.3).astype(np.uint8)
    assert motion_between(day, night).is_cut
    assert not motion_between(day, np.roll(day, 25, axis=1)).is_cut
    assert not motion_between(day, (day * 0.8).astype(np.uint8)).is_cut


def test_a_frame_of_another_size_is_refused_and_changes_nothing() -> None:
    estimator = MotionEstimator(320)
    estimator.advance(texture(0))
    with pytest.raises(ImageError, match="expected 320x240, got 100x200"):
        estimator.advance(texture(0, (200, 100)))
    assert estimator.advance(texture(0)) is not None
