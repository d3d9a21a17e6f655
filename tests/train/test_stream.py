import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from maskwright.core.errors import ModelError, SettingError
from maskwright.models.tiny.vocabulary import WORDS
from maskwright.train.assets import AssetPack
from maskwright.train.labelled import LabelledScenes, framed, words_of
from maskwright.train.packing import joined, packed, to_bytes, unpacked
from maskwright.train.recipe import Recipe, batch_of, side_of
from maskwright.train.scene_folder import LabelledObject, LabelledScene, write_scene_folder
from maskwright.train.stream import Batch, SceneMaker, batches
from maskwright.train.workers import in_order

RECIPE = Recipe(side=64, sides="64,96", batch=4, photographs=2, max_objects=5, scenes_share=0.5, steps=9)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of a red mug with a handle left of a green box."""
    root = tmp_path_factory.mktemp("scenes") / "s"
    with write_scene_folder(root, made_by={"test": 1}) as writer:
        for shift in (0, 10, 20):
            image = np.full((120, 160, 3), 128, np.uint8)
            masks, parts = np.zeros((120, 160), np.uint8), np.zeros((120, 160), np.uint8)
            masks[30:90, 20 + shift : 70 + shift] = 1
            parts[30:90, 60 + shift : 70 + shift] = 1
            masks[50:100, 100:150] = 2
            image[masks == 1], image[masks == 2] = (220, 20, 20), (20, 200, 20)
            mug = LabelledObject(index=1, name="mug", colour="red", material="ceramic", parts={1: "handle"})
            writer.add(
                LabelledScene(
                    image=image,
                    masks=masks,
                    parts=parts,
                    objects=(mug, LabelledObject(index=2, name="box", occlusion=0.25)),
                )
            )
    return root


def first_batches(recipe: Recipe, pack: AssetPack, folder: Path, count: int, first: int = 0) -> list[Batch]:
    maker = SceneMaker(recipe=recipe, pack=pack, labelled=LabelledScenes([folder]))
    with batches(maker, CPU, first_step=first) as stream:
        return list(islice(stream, count))


def same(one: Batch, other: Batch) -> bool:
    pairs = [
        (one.frames, other.frames),
        (one.scenes.visible, other.scenes.visible),
        (one.scenes.parts, other.scenes.parts),
    ]
    assert one.scenes.words is not None
    assert other.scenes.words is not None
    return all(torch.equal(*pair) for pair in [*pairs, (one.scenes.words, other.scenes.words)])


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_the_number_of_processes_changes_nothing(pack: AssetPack, folder: Path) -> None:
    alone, with_one, with_two = (
        first_batches(Recipe(**{**vars_of(RECIPE), "workers": workers}), pack, folder, 5) for workers in (0, 1, 2)
    )

    assert all(same(a, b) and same(a, c) for a, b, c in zip(alone, with_one, with_two, strict=True))


def test_a_stream_can_begin_anywhere(pack: AssetPack, folder: Path) -> None:
    recipe = Recipe(**{**vars_of(RECIPE), "workers": 0})
    whole = first_batches(recipe, pack, folder, 5)

    rest = first_batches(recipe, pack, folder, 2, first=3)

    assert all(same(a, b) for a, b in zip(whole[3:], rest, strict=True))
    assert torch.equal(whole[3].dice.uniform(0, 1, 3), rest[0].dice.uniform(0, 1, 3))


def vars_of(recipe: Recipe) -> dict[str, object]:
    return {name: getattr(recipe, name) for name in recipe.__dataclass_fields__}


def test_sides_change_from_group_to_group_and_larger_frames_are_fewer() -> None:
    sides = {side_of(RECIPE, group) for group in range(20)}

    assert sides == {64, 96}
    assert [batch_of(RECIPE, side) for side in (64, 96)] == [4, 2]


def test_a_recipe_refuses_what_cannot_be() -> None:
    with pytest.raises(SettingError, match="multiple of 32, got 100. Take 96"):
        Recipe(side=100, steps=1)
    with pytest.raises(SettingError, match="sides must be numbers"):
        Recipe(sides="64;96", steps=1)
    with pytest.raises(SettingError, match="a run needs an end"):
        Recipe()
    with pytest.raises(SettingError, match="freeze must be one of blocks, trunk, encoder"):
        Recipe(freeze="all", steps=1)


def test_words_are_those_of_the_name_the_colour_and_the_material_that_are_known() -> None:
    words = words_of(LabelledObject(index=1, name="robot gizmo", colour="red", material=None))

    assert [WORDS[index] for index in words] == ["robot", "red"]


def test_a_view_shows_picture_masks_and_parts_at_the_same_place(folder: Path) -> None:
    scenes = LabelledScenes([folder])

    drawn = scenes.draw(3, count=12, side=96, max_objects=4)

    assert drawn.words is not None
    is_mug = (drawn.words == WORDS.index("mug")).any(2)
    for picture, visible, parts, mugs in zip(drawn.pictures, drawn.visible, drawn.parts, is_mug, strict=True):
        small = torch.nn.functional.avg_pool2d(picture[None], 2)[0]
        for mask, part, mug in zip(visible, parts, mugs, strict=True):
            if mask.sum() > 30:
                red, green, _ = small[:, mask > 0].mean(1)
                assert bool(red > green) == bool(mug)
                assert not part[mask == 0].any()
        assert (parts[mugs] > 0).sum() <= 0.4 * (visible[mugs] > 0).sum()


def test_held_out_scenes_are_shown_whole(folder: Path) -> None:
    scenes = LabelledScenes([folder]).first(3, side=64, max_objects=4)

    assert scenes.extent.tolist() == [[0.75, 1.0]] * 3
    area = scenes.visible[:, 0].sum((1, 2))
    torch.testing.assert_close(area, torch.full((3,), 60 * 50 * 0.2**2), rtol=0.1, atol=2)
    assert scenes.occlusion is not None
    assert scenes.occlusion[0, 1] == 0.25


def test_more_objects_than_fit_are_chosen_from(folder: Path) -> None:
    scene = LabelledScenes([folder])[0]
    from maskwright.train.labelled import _whole

    shown = framed(scene, _whole(scene), 64, 1, np.random.default_rng(0))

    assert shown.visible.shape == (1, 32, 32)
    assert shown.visible.any()


def test_scenes_survive_their_way_through_a_pipe(folder: Path) -> None:
    scenes = LabelledScenes([folder]).draw(1, count=3, side=64, max_objects=4)

    back = unpacked(packed(scenes, to_bytes(scenes.pictures)[None]), CPU)

    torch.testing.assert_close(back.pictures, scenes.pictures, atol=1 / 255, rtol=0)
    assert torch.equal(back.visible, scenes.visible)
    assert torch.equal(back.parts, scenes.parts)


def test_joined_batches_keep_their_objects_and_words(folder: Path) -> None:
    few, many = (LabelledScenes([folder]).draw(1, count=2, side=64, max_objects=n) for n in (2, 5))

    both = joined(few, many)

    assert both.visible.shape == (4, 5, 32, 32)
    assert torch.equal(both.visible[:2, :2], few.visible)
    assert not both.visible[:2, 2:].any()
    assert both.words is not None
    assert (both.words[:2, 2:] == -1).all()
    assert torch.equal(both.words[2:], many.words)


def _square(index: int) -> int:
    if index == 3:
        raise SettingError("three is refused")
    if index == 5:
        raise ZeroDivisionError
    if index == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return index * index


@pytest.fixture(params=[0, 1, 3], ids=lambda n: f"{n} processes")
def workers(request: pytest.FixtureRequest) -> int:
    return request.param


def test_results_come_in_order(workers: int) -> None:
    with in_order(_square, first=8, workers=workers) as results:
        assert list(islice(results, 5)) == [64, 81, 100, 121, 144]


def test_an_error_of_a_process_is_raised_where_its_result_was_awaited(workers: int) -> None:
    with in_order(_square, first=1, workers=workers) as results:
        assert list(islice(results, 2)) == [1, 4]
        with pytest.raises(SettingError, match="three is refused"):
            next(results)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_a_bug_in_a_process_is_shown_whole() -> None:
    with in_order(_square, first=5, workers=1) as results, pytest.raises(ModelError, match="ZeroDivisionError"):
        next(results)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_a_process_that_dies_is_noticed() -> None:
    with (
        in_order(_square, first=7, workers=1) as results,
        pytest.raises(ModelError, match="a process that makes scenes"),
    ):
        next(results)


ORPHANS = """
import os, time
from maskwright.train.workers import in_order
with in_order(lambda index: os.getpid(), first=0, workers=2) as results:
    print(next(results), next(results), flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_processes_end_when_their_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    children = [int(pid) for pid in parent.stdout.readline().split()]

    parent.kill()
    parent.communicate()

    deadline = time.monotonic() + 20
    while any(_is_running(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_is_running(pid) for pid in children)


def _is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().split(")")[-1].split()[0] != "Z"
    except OSError:
        return False
