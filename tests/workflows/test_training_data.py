import shutil
from dataclasses import replace
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from annotate_data import EVERYTHING, write_pictures
from maskwright.core import Accept, Reject, ReviewEvent, new_id
from maskwright.core.errors import InputError
from maskwright.models import load_model
from maskwright.store import open_store
from maskwright.workflows.annotate import annotate
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.export_store import export_masks
from maskwright.workflows.training_data import licence_of, read_training_data


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    folder = write_pictures(root / "pictures", range(4))
    annotate(load_model("test-sam"), Footage.open(folder), replace(EVERYTHING, label="cup"), root / "masks")
    return root


@pytest.fixture
def masks(made, tmp_path):
    return shutil.copytree(made / "masks", tmp_path / "masks")


def decide(store_path, action, frames):
    with open_store(store_path) as store:
        ids = [one.record.id for one in store.query() if one.record.frame.frame_index in frames]
        at = datetime(2026, 6, 1, tzinfo=UTC)
        store.append([ReviewEvent(id=new_id(), record_id=i, actor="ann", at=at, action=action) for i in ids])
    return ids


def write_pair(folder, name, value=255, mask_hw=(48, 64)):
    for inner in ("images", "masks"):
        (folder / inner).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "images" / f"{name}.png"), np.full((48, 64, 3), hash(name) % 200, np.uint8))
    mask = np.zeros(mask_hw, np.uint8)
    mask[10:30, 10:40] = value
    cv2.imwrite(str(folder / "masks" / f"{name}.png"), mask)


def test_a_store_gives_its_accepted_masks_and_their_pictures(masks):
    ids = decide(masks, Accept(), frames=(0, 2))

    found = read_training_data(str(masks))

    assert sorted(mask.key for one in found.examples for mask in one.masks) == sorted(ids)
    assert all(one.read().digest == one.digest for one in found.examples)
    assert {mask.label for one in found.examples for mask in one.masks} == {"cup"}


def test_loose_pictures_are_episodes_of_their_own_and_that_is_said(masks):
    found = read_training_data(str(masks), statuses=("proposed",))

    assert len({one.group for one in found.examples}) == len(found.examples)
    assert any("frames of one video would leak" in note for note in found.notes)


@pytest.mark.parametrize("rejected", [(), (0, 1, 2, 3)])
def test_a_store_without_an_accepted_mask_says_what_there_is(masks, rejected):
    decide(masks, Reject(), frames=rejected)

    with pytest.raises(
        InputError, match=rf"accepted, found only others \(\d+ {'rejected' if rejected else 'proposed'}\)"
    ):
        read_training_data(str(masks))


@pytest.mark.parametrize("format_name", ["coco", "lerobot", "png"])
def test_annotation_files_give_the_same_examples(masks, tmp_path, format_name):
    decide(masks, Accept(), frames=(0, 1, 2, 3))
    of_store = read_training_data(str(masks))
    export_masks(masks, format_name, tmp_path / "out")

    found = read_training_data(str(tmp_path / "out"))

    def pixels(data):
        return sorted(mask.rle.counts for one in data.examples for mask in one.masks)

    assert pixels(found) == pixels(of_store)
    assert sorted(one.digest for one in found.examples) == sorted(one.digest for one in of_store.examples)


def test_a_folder_of_images_and_masks_is_read(tmp_path):
    for name in ("a", "b", "c"):
        write_pair(tmp_path, name)

    found = read_training_data(str(tmp_path))

    assert found.num_masks == 3
    assert found.dataset().sources[0].read().objects[0].mask == found.examples[0].masks[0].rle


def test_a_mask_of_another_size_is_left_out_and_told(tmp_path):
    for name in ("a", "b", "c"):
        write_pair(tmp_path, name)
    write_pair(tmp_path, "d", mask_hw=(40, 40))

    found = read_training_data(str(tmp_path))

    assert found.num_masks == 3
    assert any("1 items were left out" in note and "both must agree" in note for note in found.notes)


def test_masks_that_are_all_of_another_size_are_told_with_the_first(tmp_path):
    write_pair(tmp_path, "a", mask_hw=(40, 40))

    with pytest.raises(InputError, match=r"no mask can be used; 1 items were left out; the first: .*both must agree"):
        read_training_data(str(tmp_path))


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(InputError, match="the folder is empty"):
        read_training_data(str(tmp_path))


def test_a_list_beside_images_and_masks_does_not_hide_them(tmp_path):
    for name in ("a", "b", "c"):
        write_pair(tmp_path, name)
    (tmp_path / "manifest.json").write_text('[{"image": "images/a.png"}]')

    assert read_training_data(str(tmp_path)).num_masks == 3


def test_a_folder_of_empty_masks_has_nothing_to_learn_from(tmp_path):
    write_pair(tmp_path, "a", value=0)

    with pytest.raises(InputError, match="expected masks that are proposed or accepted, found none"):
        read_training_data(str(tmp_path))


def test_a_path_that_leads_nowhere_is_told(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_training_data(str(tmp_path / "nothing"))


def test_licences_roll_up():
    assert licence_of("MIT", [("unknown", 2)]) == "MIT; trained on data under terms that nobody recorded"
    assert licence_of("MIT", [("CC0-1.0", 2), ("unknown", 1)]) == (
        "MIT; trained on data under CC0-1.0 (open), terms that nobody recorded"
    )
