import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from maskwright.core.errors import ImageError, InputError, MaskError, RecordError
from maskwright.train.scene_folder import (
    LabelledObject,
    LabelledScene,
    SceneSource,
    read_scene_folder,
    write_scene_folder,
)


def _scene(seed: int, *, height: int = 12, width: int = 17, num_objects: int = 3, wide: bool = False) -> LabelledScene:
    rng = np.random.default_rng(seed)
    indices = rng.choice(np.arange(1, 60000 if wide else 256), num_objects, replace=False)
    masks = np.zeros((height, width), np.uint16 if wide else np.uint8)
    for place, index in enumerate(indices):
        masks[place] = index
    return LabelledScene(
        image=np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8),
        masks=masks,
        objects=tuple(
            LabelledObject(index=int(i), name="mug", colour="red", occlusion=0.25, parts={1: "handle", 2: None})
            for i in indices
        ),
        parts=(masks % 3).astype(np.uint8),
        depth_mm=rng.integers(0, 65536, (height, width)).astype(np.uint16),
    )


@settings(max_examples=15, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 1000), max_size=3),
    size=st.tuples(st.integers(4, 30), st.integers(1, 30)),
    num_objects=st.integers(0, 4),
    wide=st.booleans(),
)
def test_what_was_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    seeds: list[int],
    size: tuple[int, int],
    num_objects: int,
    wide: bool,
) -> None:
    root = tmp_path_factory.mktemp("scenes")
    scenes = [_scene(seed, height=size[0], width=size[1], num_objects=num_objects, wide=wide) for seed in seeds]
    source = SceneSource(what="meshes", licence="MIT")

    with write_scene_folder(root, made_by={"seed": 3}, sources=[source]) as writer:
        for scene in scenes:
            writer.add(scene)
    folder = read_scene_folder(root)

    assert len(folder) == len(scenes)
    assert dict(folder.made_by) == {"seed": 3}
    assert folder.sources == (source,)
    for before, after in zip(scenes, folder, strict=True):
        assert after.objects == before.objects
        assert np.array_equal(after.masks, before.masks)
        assert np.array_equal(after.parts, before.parts)
        assert np.array_equal(after.depth_mm, before.depth_mm)
        assert np.abs(after.image.astype(int) - before.image).max() <= 4  # JPEG


def test_parts_and_depth_may_be_absent(tmp_path: Path) -> None:
    full = _scene(0)
    with write_scene_folder(tmp_path, made_by={}) as writer:
        writer.add(LabelledScene(image=full.image, masks=full.masks, objects=full.objects))

    scene = read_scene_folder(tmp_path)[0]

    assert scene.parts is None
    assert scene.depth_mm is None


def test_a_run_that_was_killed_reads_as_what_was_listed_and_goes_on(tmp_path: Path) -> None:
    writer = write_scene_folder(tmp_path, made_by={"seed": 1}).__enter__()
    for seed in range(20):
        writer.add(_scene(seed))
    del writer  # never closed: 16 scenes are listed, 4 are files that nobody mentions

    assert len(read_scene_folder(tmp_path)) == 16

    with write_scene_folder(tmp_path, made_by={"seed": 1}) as writer:
        start = writer.num_written
        for seed in range(start, 20):
            writer.add(_scene(seed))
    folder = read_scene_folder(tmp_path)
    assert start == 16
    assert [scene.objects for scene in folder] == [_scene(seed).objects for seed in range(20)]


def test_an_error_in_a_run_keeps_what_was_made(tmp_path: Path) -> None:
    def run() -> None:
        with write_scene_folder(tmp_path, made_by={}) as writer:
            writer.add(_scene(0))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()

    assert len(read_scene_folder(tmp_path)) == 1


def test_scenes_of_another_making_are_not_mixed_in(tmp_path: Path) -> None:
    with write_scene_folder(tmp_path, made_by={"seed": 1}) as writer:
        writer.add(_scene(0))

    with pytest.raises(InputError, match="made otherwise \\(seed is 1, now 2\\)"):
        write_scene_folder(tmp_path, made_by={"seed": 2})


def test_objects_are_told_without_decoding(tmp_path: Path) -> None:
    with write_scene_folder(tmp_path, made_by={}) as writer:
        writer.add(_scene(0))
    (tmp_path / "images" / "000000.jpg").unlink()

    folder = read_scene_folder(tmp_path)

    assert folder.objects == (_scene(0).objects,)
    with pytest.raises(ImageError, match="is missing"):
        folder[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is damaged"),
        ("[]", "of the format"),
        ('{"format": "coco"}', "got 'coco'"),
        ('{"format": "maskwright-scenes-1"}', "'scenes' is missing"),
        ('{"format": "maskwright-scenes-1", "scenes": [{"image": "a.jpg"}]}', "'objects' is missing"),
        (
            '{"format": "maskwright-scenes-1", "scenes": [{"image": "a.jpg", "objects": [{"id": 0, "name": "mug"}]}]}',
            "an id is at least 1",
        ),
        (
            '{"format": "maskwright-scenes-1", "scenes": [{"image": "a.jpg", "objects": '
            '[{"id": 1, "name": "mug"}, {"id": 1, "name": "cup"}]}]}',
            "an id occurs twice in a.jpg",
        ),
    ],
)
def test_a_damaged_listing_is_told_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "objects.json").write_text(content)

    with pytest.raises(RecordError, match=message):
        read_scene_folder(tmp_path)


def test_a_folder_without_a_listing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="with an objects.json, found none"):
        read_scene_folder(tmp_path)


def test_keys_that_are_not_known_are_no_error(tmp_path: Path) -> None:
    with write_scene_folder(tmp_path, made_by={}) as writer:
        writer.add(_scene(0))
    listing = json.loads((tmp_path / "objects.json").read_text())
    listing["scenes"][0]["objects"][0]["weight"] = 3
    (tmp_path / "objects.json").write_text(json.dumps(listing))

    assert read_scene_folder(tmp_path)[0].objects == _scene(0).objects


def test_a_map_that_is_missing_damaged_or_of_another_size_is_told(tmp_path: Path) -> None:
    with write_scene_folder(tmp_path, made_by={}) as writer:
        writer.add(_scene(0))
    folder, mask = read_scene_folder(tmp_path), tmp_path / "masks" / "000000.png"

    PillowImage.fromarray(np.zeros((4, 5), np.uint8)).save(mask)
    with pytest.raises(MaskError, match=r"picture's size, \(12, 17\), got \(4, 5\)"):
        folder[0]
    mask.write_bytes(b"not a picture")
    with pytest.raises(MaskError, match="is damaged"):
        folder[0]
    mask.unlink()
    with pytest.raises(MaskError, match="is missing"):
        folder[0]


def test_a_scene_whose_objects_are_not_those_of_its_mask_is_refused(tmp_path: Path) -> None:
    scene = _scene(0)
    hidden = LabelledScene(image=scene.image, masks=np.zeros_like(scene.masks), objects=scene.objects)
    small = LabelledScene(image=scene.image, masks=scene.masks[:5], objects=scene.objects)

    with write_scene_folder(tmp_path, made_by={}) as writer:
        with pytest.raises(MaskError, match="each object to be seen"):
            writer.add(hidden)
        with pytest.raises(MaskError, match="expected masks of the picture's size"):
            writer.add(small)
        assert writer.num_written == 0
