import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from maskwright.core import BoxPrompt, MaskRecord, PointPrompt, from_json
from maskwright.core.errors import ImageError, MaskError, SettingError
from maskwright.masks import decode, from_coco
from maskwright.masks.cleanup import FillHoles
from maskwright.models import load_model
from maskwright.predict.everything_settings import EverythingSettings
from maskwright.workflows import outputs
from maskwright.workflows.pictures import EXAMPLE, Picture, example_path, find_pictures, read_mask
from maskwright.workflows.predict_files import everything_file, predict_file

RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def model():
    return load_model("test-sam")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "in" / "photo.png"
    path.parent.mkdir()
    PillowImage.fromarray(RNG.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)
    return path


PROMPTS = [PointPrompt([(20, 20)]), BoxPrompt((5, 5, 40, 40))]


def test_predict_writes_a_mask_an_object_one_json_and_one_overlay(model, photo, tmp_path):
    (picture,) = find_pictures([photo])

    done = predict_file(model, picture, PROMPTS, labels=["mug", None], out=tmp_path / "out")

    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["photo.mask-1.png", "photo.mask-2.png", "photo.masks.json", "photo.overlay.jpg"]
    document = json.loads((tmp_path / "out/photo.masks.json").read_text())
    for i, path in enumerate(done.files.masks):
        drawn = np.asarray(PillowImage.open(path))
        assert set(np.unique(drawn)) <= {0, 255}
        assert np.array_equal(drawn > 0, decode(done.records[i].rle))
        assert np.array_equal(drawn > 0, decode(from_coco(document["annotations"][i]["segmentation"])))
    assert [category["name"] for category in document["categories"]] == ["mug", "object"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools itself
def test_the_json_is_read_by_pycocotools_and_gives_the_records_back(model, photo, tmp_path):
    from pycocotools.coco import COCO

    done = predict_file(model, find_pictures([photo])[0], PROMPTS, cleanup=[FillHoles(9)], out=tmp_path)
    document = json.loads(done.files.annotations.read_text())

    coco = COCO(done.files.annotations)
    records = tuple(from_json(MaskRecord, data) for data in document["maskwright"]["records"])

    assert records == done.records
    assert records[0].provenance.steps[0].name == "fill_holes"
    for annotation, record in zip(coco.loadAnns(coco.getAnnIds()), records, strict=True):
        assert np.array_equal(coco.annToMask(annotation).astype(bool), decode(record.rle))
        assert annotation["area"] == record.area


def test_candidates_have_their_own_masks_and_overlays(model, photo, tmp_path):
    done = predict_file(model, find_pictures([photo])[0], PROMPTS[:1], num_masks=3, out=tmp_path)

    assert [path.name for path in done.files.masks] == [
        "photo.mask-1.png", "photo.mask-1-2.png", "photo.mask-1-3.png",
    ]  # fmt: skip
    assert [path.name for path in done.files.overlays] == [
        "photo.overlay.jpg", "photo.overlay-2.jpg", "photo.overlay-3.jpg",
    ]  # fmt: skip


def test_a_second_run_replaces_the_first_and_removes_its_masks_but_nothing_else(model, photo, tmp_path):
    (picture,) = find_pictures([photo])
    predict_file(model, picture, PROMPTS, out=tmp_path / "out")
    mine = tmp_path / "out" / "photo.mask-9.png"
    mine.write_bytes(b"somebody's own file")

    predict_file(model, picture, PROMPTS[:1], out=tmp_path / "out")

    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["photo.mask-1.png", "photo.mask-9.png", "photo.masks.json", "photo.overlay.jpg"]


def test_a_foreign_json_can_not_make_a_run_delete_other_files(model, photo, tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("keep")
    out = tmp_path / "out"
    out.mkdir()
    names = ["../precious.txt", "../in/photo.png", "other.mask-1.png"]
    (out / "photo.masks.json").write_text(json.dumps({"maskwright": {"files": names}}))
    (out / "other.mask-1.png").write_text("keep")

    predict_file(model, find_pictures([photo])[0], PROMPTS[:1], out=out)

    assert precious.exists()
    assert photo.exists()
    assert (out / "other.mask-1.png").exists()


def test_a_failed_write_leaves_neither_results_nor_temporary_files(tmp_path, monkeypatch):
    def full_disk(path: Path, content: bytes) -> None:
        if path.name.startswith(".b"):
            raise OSError(28, "No space left on device", str(path))
        path.write_bytes(content)

    monkeypatch.setattr(outputs, "_write", full_disk)

    with pytest.raises(SettingError, match=r"No space left on device.*--out"):
        outputs.write_all({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(model, photo, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)

    with pytest.raises(SettingError, match="Permission denied"):
        predict_file(model, find_pictures([photo])[0], PROMPTS, out=tmp_path / "closed")


def test_a_file_in_place_of_the_folder_is_named(model, photo, tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingError, match="the results cannot be written"):
        predict_file(model, find_pictures([photo])[0], PROMPTS, out=tmp_path / "file")


def test_an_input_is_never_written_to(model, tmp_path):
    path = tmp_path / "a.overlay.jpg"
    PillowImage.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    content = path.read_bytes()
    (tmp_path / "a.masks.json").symlink_to(path)
    picture = find_pictures([path])[0]

    with pytest.raises(SettingError, match="would replace the picture"):
        predict_file(model, Picture(given="a", path=path, stem="a"), [PointPrompt([(1, 1)])], out=tmp_path)
    predict_file(model, picture, [PointPrompt([(1, 1)])], out=tmp_path)

    assert path.read_bytes() == content


def test_everything_writes_one_json_and_one_overlay(model, photo, tmp_path):
    settings = EverythingSettings(points_per_side=2, pred_iou_thresh=0, stability_score_thresh=0)
    calls = []

    done = everything_file(
        model, find_pictures([photo])[0], settings=settings, out=tmp_path / "o", progress=lambda *c: calls.append(c)
    )

    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["photo.masks.json", "photo.overlay.jpg"]
    assert done.records
    assert calls[-1] == (4, 4)


def test_cleanup_of_everything_is_in_the_provenance(model, photo):
    settings = EverythingSettings(points_per_side=2, pred_iou_thresh=0, stability_score_thresh=0)

    done = everything_file(model, find_pictures([photo])[0], settings=settings, cleanup=[FillHoles(50)])

    assert {record.provenance.method for record in done.records} == {"sam_refined"}
    assert all(record.provenance.steps[-1].name == "fill_holes" for record in done.records)


def test_folders_keep_their_subfolders_in_the_names(tmp_path):
    for camera in ("cam1", "cam2"):
        path = tmp_path / camera / "000.png"
        path.parent.mkdir()
        PillowImage.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)

    assert [picture.stem for picture in find_pictures([tmp_path])] == ["cam1/000", "cam2/000"]
    with pytest.raises(ImageError, match=r"two pictures would write the same results \(000"):
        find_pictures([tmp_path / "cam1/000.png", tmp_path / "cam2/000.png"])


def test_the_example_is_a_picture_with_true_masks_of_its_size():
    (picture,) = find_pictures([EXAMPLE])
    truth = json.loads(example_path().with_suffix(".json").read_text())

    image = picture.read()

    assert image.size_hw == (640, 960)
    assert {from_coco(mask).size_hw for mask in truth.values()} == {(640, 960)}
    with pytest.raises(ImageError, match="the only example picture is example:tabletop"):
        find_pictures(["example:chair"])


def test_a_mask_picture_is_white_on_the_object(tmp_path):
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, 2:5] = 255
    PillowImage.fromarray(mask).save(tmp_path / "m.png")
    PillowImage.fromarray(mask * 0).save(tmp_path / "black.png")

    assert np.array_equal(decode(read_mask(tmp_path / "m.png")), mask > 0)
    with pytest.raises(MaskError, match="no pixel above 127"):
        read_mask(tmp_path / "black.png")
