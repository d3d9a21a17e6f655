"""Automatic masks: the reference's results in the reference's order, and what the records say about them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

import maskwright as mw
from golden_cases import load_golden_weights, needs_shared
from maskwright.core import RLE, Image, PointPrompt
from maskwright.core.errors import ModelError, SettingError
from maskwright.masks import area, box_xyxy, decode
from maskwright.models import build_model, find_card, load_model
from maskwright.models.sam.model import SamModel
from maskwright.predict import PRESETS, EverythingSettings, embed, everything, find_candidates, preset_for
from reference_sam import picture as draw


def picture(size_hw: tuple[int, int]) -> Image:
    return Image(draw(size_hw))


GOLDENS = Path(__file__).parent / "goldens"
LOOSE = EverythingSettings(points_per_side=4, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=1)

# Networks agree to about 1e-6 of a logit: a pixel whose logit is that near the threshold may fall either way.
PIXELS = 3


@pytest.fixture
def model() -> SamModel:
    model = load_model("test-sam")
    assert isinstance(model, SamModel)
    return model


def assert_same_masks(found: Any, expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        x1, y1, x2, y2 = ours.box
        cx1, cy1, cx2, cy2 = ours.crop_box
        rle = theirs["segmentation"]
        mask = decode(RLE(tuple(rle["size"]), rle["counts"].encode()))
        assert [list(ours.point_xy)] == theirs["point_coords"]
        assert [cx1, cy1, cx2 - cx1, cy2 - cy1] == theirs["crop_box"]
        assert ours.predicted_iou == pytest.approx(theirs["predicted_iou"], abs=1e-5)
        assert ours.stability == pytest.approx(theirs["stability_score"], abs=5e-3)
        assert [x1, y1, x2 - x1, y2 - y1] == pytest.approx(theirs["bbox"], abs=1)
        assert ours.area == area(ours.rle) == pytest.approx(theirs["area"], abs=PIXELS)
        assert (decode(ours.rle) != mask).sum() <= PIXELS


@pytest.mark.parametrize("case", json.loads((GOLDENS / "everything.json").read_text())["cases"])
def test_masks_come_as_from_the_reference_code_and_in_its_order(model: SamModel, case: dict[str, Any]) -> None:
    model.mask_threshold = case["mask_threshold"]

    found = find_candidates(model, picture(tuple(case["size_hw"])), EverythingSettings(**case["settings"]))

    assert_same_masks(found, case["masks"])


def test_mobile_sam_finds_in_a_photo_what_the_reference_finds() -> None:
    golden = json.loads(needs_shared("goldens", "amg_vit_t_dog_B.json").read_text())
    pixels = np.asarray(PillowImage.open(needs_shared("realdata", "photos", "dog.jpg")).convert("RGB"))
    mobile_sam = build_model("vit_t")
    load_golden_weights(mobile_sam)
    mobile_sam.mask_threshold = golden["mask_threshold"]
    settings = {key: value for key, value in golden["settings"].items() if key != "output_mode"}

    found = find_candidates(mobile_sam, Image(pixels), EverythingSettings(**settings))

    assert len(found) == golden["n"]
    for ours, theirs in zip(found, golden["masks"], strict=True):
        x1, y1, x2, y2 = ours.box
        assert [x1, y1, x2 - x1, y2 - y1] == pytest.approx(theirs["bbox"], abs=1)
        assert ours.area == pytest.approx(theirs["area"], abs=PIXELS)
        assert ours.predicted_iou == pytest.approx(theirs["predicted_iou"], abs=1e-5)
        assert ours.stability == pytest.approx(theirs["stability_score"], abs=5e-3)
        mask = decode(RLE(tuple(theirs["size"]), theirs["rle"].encode()))
        assert (decode(ours.rle) != mask).sum() <= PIXELS


def test_records_hold_exclusive_boxes_scores_and_the_point_that_found_them(model: SamModel) -> None:
    image = picture((60, 80))

    records = everything(model, image, settings=LOOSE, licence="CC0-1.0", actor="test")

    assert len(records) == 4 * 4 * 3
    for record in records:
        assert record.image_digest == image.digest
        assert record.box_xyxy == box_xyxy(record.rle)
        assert record.area == area(record.rle)
        assert record.scores.predicted_iou is not None
        assert record.scores.agreement is not None
        assert 0 <= record.scores.agreement <= 1
        assert record.provenance.method == "sam_raw"
        assert record.provenance.steps == ()
        assert record.provenance.model is not None
        assert record.provenance.model.name == "test-sam"
        assert (record.provenance.licence, record.provenance.actor) == ("CC0-1.0", "test")
        assert isinstance(record.provenance.prompt, PointPrompt)
    assert len({record.id for record in records}) == len(records)
    assert {record.provenance.prompt for record in records if record.provenance.prompt} == {
        PointPrompt([(x, y)]) for x in (10, 30, 50, 70) for y in (7.5, 22.5, 37.5, 52.5)
    }


def test_cleaned_masks_say_which_steps_they_went_through(model: SamModel) -> None:
    settings = EverythingSettings(
        points_per_side=3, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=1, min_mask_region_area=30
    )

    records = everything(model, picture((60, 80)), settings=settings)

    assert records
    for record in records:
        assert record.provenance.method == "sam_refined"
        assert [step.name for step in record.provenance.steps] == ["fill_holes", "drop_islands"]


def test_an_embedding_made_before_gives_the_same_masks(model: SamModel) -> None:
    image = picture((60, 80))

    again = find_candidates(model, image, LOOSE, embedding=embed(model, image))

    assert again == find_candidates(model, image, LOOSE)


def test_the_number_of_points_in_a_batch_changes_nothing(model: SamModel) -> None:
    image = picture((60, 80))
    in_sevens = EverythingSettings(
        points_per_side=4, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=1, points_per_batch=7
    )

    assert [c.point_xy for c in find_candidates(model, image, in_sevens)] == [
        c.point_xy for c in find_candidates(model, image, LOOSE)
    ]


def test_one_candidate_a_point_when_multimask_is_off(model: SamModel) -> None:
    found = find_candidates(model, picture((60, 80)), LOOSE, multimask=False)

    assert len(found) == 16


def test_progress_counts_all_points_of_all_crops(model: SamModel) -> None:
    seen: list[tuple[int, int]] = []
    settings = EverythingSettings(points_per_side=4, points_per_batch=10, crop_n_layers=1)

    everything(model, picture((60, 80)), settings=settings, progress=lambda done, total: seen.append((done, total)))

    assert seen[:2] == [(10, 80), (16, 80)]
    assert seen[-1] == (80, 80)


def test_a_picture_too_small_for_its_crops_still_gives_masks(model: SamModel) -> None:
    settings = EverythingSettings(
        points_per_side=2, pred_iou_thresh=0, stability_score_thresh=0, crop_n_layers=2, box_nms_thresh=1
    )

    found = find_candidates(model, Image(np.full((1, 3, 3), 200, np.uint8)), settings)

    assert found
    assert all(candidate.rle.size_hw == (1, 3) for candidate in found)


def test_the_embedding_of_another_picture_is_refused(model: SamModel) -> None:
    other = embed(model, picture((50, 50)))

    with pytest.raises(ModelError, match="the embedding is of another image"):
        everything(model, picture((60, 80)), embedding=other)


def test_the_embedding_of_another_model_is_refused(model: SamModel) -> None:
    image = picture((60, 80))
    embedding = embed(model, image)
    model.checkpoint_sha256 = "0" * 64

    with pytest.raises(ModelError, match="the embedding was made by test-sam"):
        everything(model, image, embedding=embedding)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"points_per_side": None}, "either points_per_side or point_grids"),
        ({"point_grids": [[(0.5, 0.5)]]}, "either points_per_side or point_grids"),
        ({"points_per_side": 0}, "points_per_side must be at least 1, got 0"),
        ({"points_per_batch": 0}, "points_per_batch must be at least 1, got 0"),
        ({"min_mask_region_area": -1}, "min_mask_region_area must be at least 0, got -1"),
        ({"box_nms_thresh": 1.5}, "box_nms_thresh must lie between 0 and 1, got 1.5"),
        ({"pred_iou_thresh": float("nan")}, "pred_iou_thresh must be a finite number, got nan"),
        (
            {"points_per_side": None, "point_grids": [[(0.5, 0.5)]], "crop_n_layers": 1},
            "point_grids needs one grid for each of 2 layers, got 1",
        ),
        ({"points_per_side": None, "point_grids": [[0.5, 0.5]]}, r"a point grid must be an \(N, 2\) array"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_may_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        EverythingSettings(**settings)


def test_point_grids_replace_the_even_grid(model: SamModel) -> None:
    settings = EverythingSettings(
        points_per_side=None,
        point_grids=[np.array([[0.25, 0.5]])],
        pred_iou_thresh=0,
        stability_score_thresh=0,
        box_nms_thresh=1,
    )

    assert {candidate.point_xy for candidate in find_candidates(model, picture((60, 80)), settings)} == {(20.0, 30.0)}


def test_crops_overlap_cover_the_image_and_end_at_its_edges() -> None:
    crops = EverythingSettings(crop_n_layers=2).crops((101, 250))

    assert [layer for _, layer in crops] == [0] + [1] * 4 + [2] * 16
    for layer in (1, 2):
        covered = np.zeros((101, 250), bool)
        for (x1, y1, x2, y2), of_layer in crops:
            assert 0 <= x1 < x2 <= 250
            assert 0 <= y1 < y2 <= 101
            if of_layer == layer:
                covered[y1:y2, x1:x2] = True
        assert covered.all()


def test_presets_go_from_fewer_points_to_more() -> None:
    points = [
        sum(len(preset.point_grid(layer)) for _, layer in preset.crops((480, 640))) for preset in PRESETS.values()
    ]

    assert list(PRESETS) == ["fast", "balanced", "thorough"]
    assert points == sorted(set(points))


def test_nothing_is_left_in_torchs_graph(model: SamModel) -> None:
    find_candidates(model, picture((60, 80)), LOOSE)

    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_preset_has_the_thresholds_of_the_model_and_names_its_siblings():
    card = find_card("tiny")

    settings = preset_for(card, "fast")

    assert settings.points_per_side == PRESETS["fast"].points_per_side
    assert (settings.pred_iou_thresh, settings.stability_score_thresh) == (card.keep_predicted_iou, card.keep_stability)
    assert preset_for(find_card("vit_b")) == PRESETS["balanced"]
    with pytest.raises(SettingError, match="one of fast, balanced, thorough; got 'quick'"):
        preset_for(card, "quick")


def test_the_model_in_the_package_finds_objects_in_the_bundled_picture():
    image = mw.read_image(mw.example_path())

    records = everything(load_model("tiny"), image, settings=preset_for(find_card("tiny"), "fast"))

    assert len(records) >= 3


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 300), (300, 1), (3, 3)])
def test_a_picture_one_pixel_wide_gives_each_mask_once_and_the_best_of_its_copies(model: SamModel, size_hw) -> None:
    image = Image(np.random.default_rng(0).integers(0, 256, (*size_hw, 3), dtype=np.uint8))
    settings = EverythingSettings(points_per_side=8)
    embedding = embed(model, image)

    records = everything(model, image, settings=settings, embedding=embedding)

    candidates = find_candidates(model, image, settings, embedding=embedding)
    best: dict[RLE, float] = {}
    for candidate in candidates:
        best[candidate.rle] = max(best.get(candidate.rle, -1.0), candidate.predicted_iou)
    assert {record.rle: record.scores.predicted_iou for record in records if record.scores} == best
    assert len(records) == len(best)
    assert all(record.area > 0 and record.rle.size_hw == size_hw for record in records)


def test_copies_of_slivers_stay_where_suppression_is_turned_off(model: SamModel) -> None:
    image = Image(np.full((1, 1, 3), 127, np.uint8))
    settings = EverythingSettings(points_per_side=8, box_nms_thresh=1, pred_iou_thresh=0)

    assert len(everything(model, image, settings=settings)) > 1
    assert len(everything(model, image, settings=EverythingSettings(points_per_side=8, pred_iou_thresh=0))) == 1
