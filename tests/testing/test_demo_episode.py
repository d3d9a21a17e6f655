import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maskwright.core.errors import InputError
from maskwright.masks import decode
from maskwright.testing import demo_episode
from maskwright.testing.demo_motion import BASE_XY, FOREARM, FPS, HAND, NUM_FRAMES, SHOULDER_Z, UPPER, moment_at, reach
from maskwright.testing.demo_scene import LABELS
from maskwright.train.tabletop.canvas import Canvas
from maskwright.train.tabletop.simulator import load_simulator
from maskwright.workflows.demo import EPISODE, true_frames

LENGTH_S = NUM_FRAMES / FPS


@pytest.fixture(scope="module")
def first_shots():
    try:
        mujoco = load_simulator()
        Canvas(mujoco, mujoco.MjSpec().compile(), (32, 32)).close()
    except InputError as error:
        pytest.skip(str(error))
    return list(demo_episode.shots(1))


def grip_of(joints):
    """Where the point between the fingers is, by going along the arm."""
    pitch = np.cumsum([joints.shoulder, joints.elbow, joints.wrist])
    lengths = [UPPER, FOREARM, HAND]
    out = sum(length * math.cos(angle) for length, angle in zip(lengths, pitch, strict=True))
    up = SHOULDER_Z + sum(length * math.sin(angle) for length, angle in zip(lengths, pitch, strict=True))
    return BASE_XY[0] + out * math.cos(joints.yaw), BASE_XY[1] + out * math.sin(joints.yaw), up


@given(st.floats(-0.2, 0.05), st.floats(-0.2, 0.2), st.floats(0.03, 0.2), st.floats(-3, 3))
def test_the_joints_bring_the_hand_where_it_should_be(x, y, z, turn):
    joints = reach((x, y, z), turn, 0.04)

    assert np.allclose(grip_of(joints), (x, y, z), atol=1e-9)
    assert joints.shoulder + joints.elbow + joints.wrist == pytest.approx(-math.pi / 2)


def test_a_place_out_of_reach_is_refused():
    with pytest.raises(ValueError, match="out of reach"):
        reach((0.6, 0, 0.1), 0, 0.04)


@given(st.floats(0, LENGTH_S))
@example(1.5996)  # just before the mug is grasped
def test_nothing_jumps(time_s):
    before, after = moment_at(time_s), moment_at(time_s + 0.001)

    assert np.allclose(before.joints.values(), after.joints.values(), atol=0.02)
    assert np.allclose(before.mug_xyz, after.mug_xyz, atol=0.004)


@given(st.floats(1.61, 3.21))
def test_the_mug_stays_between_the_fingers_while_it_is_held(time_s):
    moment = moment_at(time_s)
    x, y, z = grip_of(moment.joints)

    assert np.allclose(moment.mug_xyz[:2], (x, y), atol=1e-9)
    assert 0 <= z - moment.mug_xyz[2] < 0.094  # the mug's height


def test_the_episode_in_the_package_is_small_and_whole():
    size = sum(path.stat().st_size for path in EPISODE.rglob("*") if path.is_file())
    frames = list(true_frames(EPISODE))

    assert size < 1_500_000
    assert len(frames) == 2 * NUM_FRAMES
    assert {one.record.label for frame in frames for one in frame.masks} == set(LABELS.values())
    for frame in frames[:: NUM_FRAMES // 4]:
        drawn = np.sum([decode(one.record.rle) for one in frame.masks], axis=0)
        assert drawn.max() == 1  # what is seen of things does not overlap


def test_the_program_still_makes_the_masks_that_are_in_the_package(first_shots):
    frames = {frame.ref.camera: frame for frame in true_frames(EPISODE) if frame.ref.frame_index == 0}

    for shot in first_shots:
        kept = {one.record.track: decode(one.record.rle) for one in frames[shot.camera].masks}
        for place, key in enumerate(LABELS):
            drawn = shot.owners == place
            if key in kept:
                both = (drawn & kept[key]).sum() / (drawn | kept[key]).sum()
                assert both > 0.98, (shot.camera, key)  # another renderer may round an edge otherwise
        colours = frames[shot.camera].open_image().pixels.astype(int) - shot.pixels
        assert np.abs(colours).mean() < 6  # H.264 changes a little
