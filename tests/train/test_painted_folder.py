from pathlib import Path

import numpy as np
import pytest

from maskwright.core.errors import InputError
from maskwright.train.assets import AssetPack
from maskwright.train.painted_folder import PaintedRecipe, write_painted_scenes
from maskwright.train.scene_folder import LabelledScene, read_scene_folder

RECIPE = PaintedRecipe(seed=3, pack="test", side=96, max_objects=4)


def same(one: LabelledScene, other: LabelledScene) -> bool:
    return bool(np.array_equal(one.image, other.image) and np.array_equal(one.masks, other.masks)) and (
        one.objects == other.objects
    )


def test_painted_scenes_lie_in_a_folder_with_their_words(pack: AssetPack, tmp_path: Path) -> None:
    write_painted_scenes(tmp_path, RECIPE, pack, count=6)

    scenes = list(read_scene_folder(tmp_path))

    assert len(scenes) == 6
    assert any(set(one.name.split()) == {"ball", "toy"} for scene in scenes for one in scene.objects)
    for scene in scenes:
        assert scene.image.shape[:2] == scene.masks.shape
        assert max(scene.image.shape) == 96
        assert scene.parts is not None
        assert not scene.parts[scene.masks == 0].any()


def test_a_folder_that_was_begun_is_continued_as_if_it_had_not_stopped(pack: AssetPack, tmp_path: Path) -> None:
    write_painted_scenes(tmp_path / "whole", RECIPE, pack, count=6)
    write_painted_scenes(tmp_path / "cut", RECIPE, pack, count=3)

    write_painted_scenes(tmp_path / "cut", RECIPE, pack, count=6)

    whole, cut = read_scene_folder(tmp_path / "whole"), read_scene_folder(tmp_path / "cut")
    assert len(cut) == 6
    assert all(same(a, b) for a, b in zip(whole, cut, strict=True))


def test_scenes_of_another_seed_do_not_join_a_folder(pack: AssetPack, tmp_path: Path) -> None:
    write_painted_scenes(tmp_path, RECIPE, pack, count=1)

    with pytest.raises(InputError, match="seed is 3, now 4"):
        write_painted_scenes(tmp_path, PaintedRecipe(seed=4, pack="test", side=96, max_objects=4), pack, count=2)
