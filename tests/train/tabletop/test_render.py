import numpy as np
import pytest

from maskwright.models.tiny.vocabulary import COLOURS, MATERIALS, WORDS
from maskwright.train.scene_folder import LabelledScene
from maskwright.train.tabletop.layout import Lamp, Placed, TabletopAssets, TabletopPlan, View
from maskwright.train.tabletop.pieces import Piece, Surface, box
from maskwright.train.tabletop.plan import draw_plan
from maskwright.train.tabletop.render import merged, render_plan
from maskwright.train.tabletop.things import Thing

pytestmark = pytest.mark.usefixtures("simulator")


def _cube(name: str, rgb: tuple[float, float, float], side: float = 0.1, part: str | None = None) -> Thing:
    vertices, faces, _ = box([side] * 3)
    return Thing(name=name, pieces=(Piece(vertices=vertices, faces=faces, surface=Surface(rgb=rgb), part=part),))


def _before_a_camera(*placed: Placed) -> TabletopPlan:
    """Things seen along +y from 2 m away by a camera so narrow that perspective hardly counts."""
    view = View(position=np.array([0, -2.0, 0]), target=np.zeros(3), up=np.array([0, 0, 1.0]), fovy_degrees=8)
    lamp = Lamp(position=np.array([0, -2.0, 1]), target=np.zeros(3), rgb=(0.7, 0.7, 0.7), casts_shadow=False)
    return TabletopPlan(placed=placed, lamps=(lamp,), ambient=0.4, crease=0.0, views=(view,), sources=())


def _by_name(scene: LabelledScene) -> dict[str, int]:
    return {one.name: one.index for one in scene.objects}


def test_pixels_belong_to_what_is_nearest_and_look_like_it() -> None:
    plan = _before_a_camera(
        Placed(thing=_cube("cube", (0.9, 0.05, 0.05)), position=np.array([-0.06, 0, 0])),
        Placed(thing=_cube("block", (0.05, 0.05, 0.9)), position=np.array([0.06, 0, 0])),
    )

    (scene,) = render_plan(plan, size_hw=(96, 128), steps=0)

    index = _by_name(scene)
    assert set(np.unique(scene.masks).tolist()) == {0, *index.values()}
    left, right = scene.masks == index["cube"], scene.masks == index["block"]
    assert np.nonzero(left)[1].max() < np.nonzero(right)[1].min()
    assert scene.image[left].mean(0).argmax() == 0
    assert scene.image[right].mean(0).argmax() == 2
    # 0.1 m of 0.28 m that 96 rows see at that distance
    assert abs(left.any(1).sum() - 96 * 0.1 / (2 * 1.95 * np.tan(np.radians(4)))) < 2


def test_occlusion_is_the_hidden_share_and_depth_is_the_distance() -> None:
    plan = _before_a_camera(
        Placed(thing=_cube("cube", (0.9, 0.1, 0.1)), position=np.array([0, 0, 0])),
        Placed(thing=_cube("box", (0.1, 0.9, 0.1)), position=np.array([0.075, -0.2, 0.0])),
    )

    (scene,) = render_plan(plan, size_hw=(192, 256), steps=0)

    occlusion = {one.name: one.occlusion for one in scene.objects}
    # The left side of the nearer box ends 0.025 aside at 1.85 m: it hides the cube's face, at 1.95 m, from 0.0264 on.
    assert occlusion["cube"] == pytest.approx((0.05 - 0.0264) / 0.1, abs=0.02)
    assert occlusion["box"] == 0
    assert scene.depth_mm is not None
    assert np.median(scene.depth_mm[scene.masks == _by_name(scene)["box"]]) == pytest.approx(1750, abs=6)


def test_what_is_hidden_is_no_object_and_what_has_no_name_is_background() -> None:
    plan = _before_a_camera(
        Placed(thing=_cube("cube", (0.9, 0.1, 0.1), side=0.05), position=np.array([0, 0.3, 0])),
        Placed(thing=_cube("", (0.1, 0.9, 0.1)), position=np.zeros(3)),
    )

    (scene,) = render_plan(plan, size_hw=(96, 128), steps=0)

    assert scene.objects == ()
    assert not scene.masks.any()


def test_parts_lie_within_their_instance_and_carry_their_names() -> None:
    vertices, faces, _ = box([0.1, 0.1, 0.02])
    body = _cube("mug", (0.9, 0.1, 0.1))
    handle = Piece(vertices=vertices + np.array([0, 0, 0.06]), faces=faces, surface=Surface(), part="handle#left")
    unnamed = Piece(vertices=vertices - np.array([0, 0, 0.06]), faces=faces, surface=Surface(), part="piece#1")
    thing = Thing(name="mug", pieces=(*body.pieces, handle, unnamed))

    (scene,) = render_plan(_before_a_camera(Placed(thing=thing, position=np.zeros(3))), size_hw=(96, 128), steps=0)

    (mug,) = scene.objects
    assert mug.parts == {1: "handle", 2: None}
    assert scene.parts is not None
    assert set(np.unique(scene.parts[scene.masks == mug.index]).tolist()) == {0, 1, 2}
    assert not scene.parts[scene.masks == 0].any()
    rows = [float(np.nonzero(scene.parts == part)[0].mean()) for part in (1, 2)]
    assert rows[0] < rows[1]  # the handle is on top


def test_what_falls_comes_to_rest_on_what_stands() -> None:
    floor = Thing(name="table", pieces=_cube("table", (0.5, 0.5, 0.5), side=0.2).pieces, hulls=((0,),))
    cube = _cube("cube", (0.9, 0.1, 0.1), side=0.04)
    plan = _before_a_camera(
        Placed(thing=floor, position=np.array([0, 0, -0.1])),
        Placed(thing=cube, position=np.array([0, 0, 0.08]), falls=True),
    )

    (scene,) = render_plan(plan, size_hw=(192, 256))

    seen = {one.name: np.nonzero((scene.masks == one.index).any(1))[0] for one in scene.objects}
    assert abs(int(seen["cube"].max()) - int(seen["table"].min())) <= 2


@pytest.fixture(scope="module")
def scenes() -> list[LabelledScene]:
    plan = draw_plan(np.random.default_rng(5), TabletopAssets())
    return render_plan(plan, size_hw=(120, 160), wanted=2)


def test_a_drawn_scene_has_objects_in_words_of_the_vocabulary(scenes: list[LabelledScene]) -> None:
    assert len(scenes) == 2
    for scene in scenes:
        assert len(scene.objects) >= 4
        assert set(np.unique(scene.masks).tolist()) - {0} == {one.index for one in scene.objects}
        for one in scene.objects:
            assert set(one.name.split()) <= set(WORDS)
            assert one.colour is None or one.colour in COLOURS
            assert one.material is None or one.material in MATERIALS
            assert 0 <= one.occlusion <= 1
        assert scene.image.std() > 5


def test_the_same_seed_renders_the_same_scene(scenes: list[LabelledScene]) -> None:
    plan = draw_plan(np.random.default_rng(5), TabletopAssets())

    again = render_plan(plan, size_hw=(120, 160), wanted=2)

    for first, second in zip(scenes, again, strict=True):
        assert first.objects == second.objects
        assert np.array_equal(first.masks, second.masks)
        assert np.abs(first.image.astype(int) - second.image).max() <= 2


def test_another_seed_renders_another_scene(scenes: list[LabelledScene]) -> None:
    plan = draw_plan(np.random.default_rng(6), TabletopAssets())

    other = render_plan(plan, size_hw=(120, 160))

    assert all(not np.array_equal(scenes[0].masks, scene.masks) for scene in other)


def test_pieces_of_one_look_and_part_become_one() -> None:
    surface = Surface(rgb=(1, 0, 0))
    vertices, faces, _ = box([1, 1, 1])
    pieces = [Piece(vertices=vertices, faces=faces, surface=surface, part=part) for part in (None, None, "lid")]

    body, lid = merged(pieces)

    assert len(body.faces) == 2 * len(lid.faces)
    assert body.area() == pytest.approx(12)
