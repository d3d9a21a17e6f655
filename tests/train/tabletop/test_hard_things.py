import math

import numpy as np
import pytest

from maskwright.core.errors import InputError
from maskwright.models.tiny.vocabulary import COLOURS, MATERIALS, WORDS
from maskwright.train.robot_scenes import RobotSceneRecipe, write_robot_scenes
from maskwright.train.scene_folder import read_scene_folder
from maskwright.train.tabletop.grippers import GRIPPERS, made_arms, with_gripper
from maskwright.train.tabletop.hard_things import HARD
from maskwright.train.tabletop.layout import Challenge, TabletopAssets
from maskwright.train.tabletop.optics import Sight, shine, surface_normals
from maskwright.train.tabletop.pieces import Optic, bounds
from maskwright.train.tabletop.plan import draw_plan
from maskwright.train.tabletop.things import Wardrobe
from maskwright.workflows.training_data import read_training_data

_SIGHT = Sight(position=np.zeros(3), axes=np.eye(3), focal=100.0)
_HARD = Challenge(hard=tuple(HARD), grippers=tuple(GRIPPERS))


def _hemisphere(side: int = 80, radius_px: float = 30) -> tuple[np.ndarray, np.ndarray]:
    """Depth of a ball a metre away, and which pixels show it."""
    y, x = (np.mgrid[:side, :side] + 0.5 - side / 2) / radius_px
    inside = x**2 + y**2 < 0.95
    height = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1)) * radius_px / _SIGHT.focal
    return np.where(inside, 1 - height, 2.0), np.where(inside, 0, -1)


@pytest.mark.parametrize("kind", HARD)
def test_hard_things_fit_on_a_table_and_are_called_by_words_of_the_vocabulary(kind: str) -> None:
    for seed in range(30):
        thing = HARD[kind](np.random.default_rng(seed), Wardrobe())
        low, high = bounds(thing.pieces)
        assert (high - low).max() < 0.5
        assert set(thing.name.split()) <= set(WORDS), thing.name
        assert thing.colour is None or thing.colour in COLOURS
        assert thing.material is None or thing.material in MATERIALS
        optics = {piece.surface.optic.kind for piece in thing.pieces if piece.surface.optic}
        assert optics <= {"glass": {"glass"}, "specular": {"metal"}, "thin": {"metal"}}[kind]
        assert kind == "thin" or optics


@pytest.mark.parametrize("kind", GRIPPERS)
def test_a_gripper_replaces_that_of_an_arm_between_its_flange_and_what_it_grips(kind: str) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        for arm in made_arms(rng, np.zeros(3)):
            gripper = with_gripper(arm, rng, (kind,)).gripper
            points = np.concatenate([piece.vertices for piece in gripper.pieces])
            along = (points - arm.grip) @ arm.approach
            assert gripper.name == "robot gripper"
            assert along.max() < 0.02
            assert along.min() == pytest.approx(-np.linalg.norm(arm.grip - arm.flange), abs=0.01)
            assert any((piece.part or "").startswith("finger") for piece in gripper.pieces)


def test_normals_of_a_ball_point_away_from_its_middle() -> None:
    depth, surfaces = _hemisphere()

    normals = surface_normals(_SIGHT.places(depth), surfaces)

    assert normals[40, 40] == pytest.approx([0, 0, -1], abs=0.1)
    assert normals[40, 58, 0] > 0.4
    assert normals[22, 40, 1] < -0.4
    assert np.linalg.norm(normals, axis=-1) == pytest.approx(1)


def test_glass_shows_what_is_behind_displaced_at_its_rim_and_straight_in_its_middle() -> None:
    depth, surfaces = _hemisphere()
    bare = np.zeros((80, 80, 3), np.uint8)
    bare[:, :40] = 200  # an edge behind the middle of the ball
    optic = Optic(kind="glass", bend=-1.0, mirror=0.0, shine=0.0)

    seen = shine(bare, bare, depth, surfaces, [optic], _SIGHT, None, [])

    assert (seen[surfaces < 0] == bare[surfaces < 0]).all()
    assert seen[40, 12].mean() < 100 < bare[40, 12].mean()  # the left shows what is behind the right
    assert seen[40, 35].mean() > 100


def test_metal_mirrors_the_room_above_and_the_table_below() -> None:
    depth, surfaces = _hemisphere()
    looking_ahead = np.stack([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]], 1)  # right, up, backwards
    sight = Sight(position=np.array([0, 0, 0.3]), axes=looking_ahead, focal=100.0)
    room, table = np.full((8, 16, 3), 250, np.uint8), np.full((80, 80, 3), 30, np.uint8)

    seen = shine(table, table, depth, surfaces, [Optic(kind="metal", shine=0.0)], sight, room, [])

    assert seen[22, 40].mean() > 200
    assert seen[60, 40].mean() < 80


def test_hard_scenes_hold_mostly_hard_things_and_the_same_ones_for_a_seed() -> None:
    plans = [draw_plan(np.random.default_rng(seed), TabletopAssets(), challenge=_HARD) for seed in (1, 2, 3, 1)]

    things = [[placed.thing for placed in plan.placed if placed.falls] for plan in plans]
    optics = [any(piece.surface.optic for piece in thing.pieces) for own in things[:3] for thing in own]
    assert sum(optics) / len(optics) > 0.3
    assert [thing.name for thing in things[0]] == [thing.name for thing in things[3]]
    assert any(placed.thing.name == "robot gripper" for plan in plans for placed in plan.placed)


def test_views_of_a_scene_are_one_episode_so_that_none_is_on_both_sides_of_a_split(tmp_path, simulator) -> None:
    recipe = RobotSceneRecipe(seed=5, size_hw=(72, 96), challenge=_HARD, views=3)

    write_robot_scenes(tmp_path, recipe, count=7)

    folder = read_scene_folder(tmp_path)
    assert [scene.episode for scene in folder] == [f"scene_{n:05d}" for n in (0, 0, 0, 1, 1, 1, 2)]
    assert folder.made_by["hard"] == list(HARD)
    groups = [one.group for one in read_training_data(str(tmp_path)).examples]
    assert len(set(groups)) == 3
    assert groups[0] == groups[1] == groups[2] != groups[3]


def test_unknown_challenges_are_named_with_what_there_is() -> None:
    with pytest.raises(InputError, match="expected some of glass, specular, thin, got fog"):
        RobotSceneRecipe(seed=0, challenge=Challenge(hard=("fog",)))
    with pytest.raises(InputError, match="expected some of suction, soft, tweezers, got hand"):
        RobotSceneRecipe(seed=0, challenge=Challenge(grippers=("hand",)))


def test_a_sight_sees_points_where_they_are_drawn() -> None:
    depth, _ = _hemisphere()
    places = _SIGHT.places(depth).reshape(-1, 3)

    xy = _SIGHT.pixels_of(_SIGHT.to_world(places), depth.shape)

    row, column = divmod(1234, 80)
    assert xy[1234] == pytest.approx([column, row], abs=1e-6)
    assert math.isfinite(float(xy.sum()))
