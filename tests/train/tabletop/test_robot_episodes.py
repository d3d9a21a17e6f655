import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from maskwright.core.errors import InputError
from maskwright.train.robot_episodes import RobotEpisodeRecipe, write_robot_episodes
from maskwright.train.robot_scenes import RobotSceneRecipe
from maskwright.train.tabletop.episode import draw_episode, held_between, plan_motion
from maskwright.train.tabletop.layout import TabletopAssets
from maskwright.train.tabletop.picking import ARM_PARTS, Stop, draw_arm, gripper_at, place_arm

RECIPE = RobotEpisodeRecipe(scenes=RobotSceneRecipe(seed=2, size_hw=(240, 320)), num_frames=12)


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory, simulator) -> Path:
    root = tmp_path_factory.mktemp("episodes")
    write_robot_episodes(root, RECIPE, count=1)
    return root / "episode_000"


def masks_of(episode: Path) -> list[np.ndarray]:
    return [np.asarray(PillowImage.open(path)) for path in sorted((episode / "masks").iterdir())]


def test_an_episode_has_a_mask_for_every_frame_and_says_what_is_in_it(episode: Path) -> None:
    content = json.loads((episode / "episode.json").read_text())
    masks = masks_of(episode)

    assert len(list((episode / "images").iterdir())) == len(masks) == RECIPE.num_frames
    assert {"robot arm", "robot gripper"} <= set(content["objects"].values())
    assert content["fps"] == 30
    assert {int(value) for value in content["objects"]} == set(np.unique(np.stack(masks)).tolist()) - {0}
    assert all(mask.shape == (240, 320) for mask in masks)


def test_the_gripper_moves_and_carries_a_thing_away(episode: Path) -> None:
    moved = int(json.loads((episode / "episode.json").read_text())["moved"])

    first, last = masks_of(episode)[0] == moved, masks_of(episode)[-1] == moved

    assert first.any()
    assert not (first & last).sum() > 0.5 * first.sum()


def test_episodes_go_on_where_they_stopped_and_refuse_others(episode: Path) -> None:
    before = (episode / "masks" / "00003.png").stat().st_mtime_ns

    write_robot_episodes(episode.parent, RECIPE, count=1)

    assert (episode / "masks" / "00003.png").stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"this episode was made otherwise \(seed is 2, now 3\)"):
        write_robot_episodes(
            episode.parent, RobotEpisodeRecipe(scenes=RobotSceneRecipe(seed=3, size_hw=(240, 320)), num_frames=12),
            count=1,
        )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), x=st.floats(-0.1, 0.05), y=st.floats(-0.2, 0.2), turn=st.floats(-3, 3))
def test_the_arms_links_meet_and_end_at_the_hand(seed: int, x: float, y: float, turn: float) -> None:
    arm = draw_arm(np.random.default_rng(seed), np.array([-0.45, 0.0]))

    placed = dict(zip(ARM_PARTS, place_arm(arm, Stop(at_s=0, xyz=(x, y, 0.1), turn=turn, opening=0.03)), strict=True))

    elbow = placed["upper"].position + placed["upper"].rotation @ [arm.upper, 0, 0]
    wrist = placed["forearm"].position + placed["forearm"].rotation @ [arm.forearm, 0, 0]
    assert np.allclose(elbow, placed["forearm"].position)
    assert np.allclose(wrist - placed["hand"].position, [0, 0, arm.hand])
    assert np.allclose(placed["hand"].position, [x, y, 0.1])
    assert np.linalg.norm(placed["left finger"].position - placed["right finger"].position) == pytest.approx(0.06)


def test_what_is_out_of_reach_is_told() -> None:
    arm = draw_arm(np.random.default_rng(0), np.array([0.0, 0.0]))

    with pytest.raises(ValueError, match="out of reach"):
        place_arm(arm, Stop(at_s=0, xyz=(2, 0, 0), turn=0, opening=0.01))


def test_the_gripper_stops_at_its_stops_and_closes_across_the_narrow_side() -> None:
    plan = next(
        plan for seed in range(20) if (plan := draw_episode(np.random.default_rng(seed), TabletopAssets())) is not None
    )
    corners = np.array([[x, y, z] for x in (-0.1, 0.0) for y in (0.0, 0.04) for z in (0, 0.08)])

    stops = plan_motion(plan, corners, 3.0)

    assert stops is not None
    grip = gripper_at(stops, stops[3].at_s)
    assert (grip.opening, abs(math.sin(grip.turn))) == pytest.approx((0.02, 0.0), abs=1e-6)
    assert grip.xyz[:2] == pytest.approx((-0.05, 0.02))
    assert gripper_at(stops, -1) == stops[0]
    assert gripper_at(stops, 99) == stops[-1]
    taken, released = held_between(stops)
    assert stops[2].at_s < taken < released < stops[-1].at_s
    assert plan_motion(plan, corners * [1, 5, 1], 3.0) is None


def test_pictures_are_those_of_a_camera_and_not_empty(episode: Path) -> None:
    picture = cv2.imread(str(episode / "images" / "00000.jpg"))

    assert picture is not None
    assert picture.std() > 10
