"""`SamPredictor` beside Meta's own answers, and misuse."""

from pathlib import Path

import numpy as np
import pytest
import torch

from compat.goldens.make_predictor import CASES, MASK_THRESHOLD, SIZE_HW, answer
from maskwright.compat import SamPredictor
from maskwright.core.errors import ImageError, PromptError, UnsupportedPrompt
from maskwright.models import load_model
from reference_sam import picture

GOLDEN = Path(__file__).parent / "goldens" / "predictor.npz"


@pytest.fixture
def predictor() -> SamPredictor:
    return SamPredictor(load_model("test-sam"))


def test_every_answer_is_the_one_of_metas_predictor(predictor: SamPredictor) -> None:
    expected = np.load(GOLDEN)

    found = answer(predictor)

    assert found.keys() == set(expected)
    for name, theirs in expected.items():
        ours = found[name]
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        if name.endswith(".masks") and ours.dtype == np.uint8:
            assert np.unpackbits(ours ^ theirs).sum() <= 3, name
        else:
            np.testing.assert_allclose(ours, theirs, atol=1e-5 * max(1.0, np.abs(theirs).max()), err_msg=name)


def test_masks_are_bool_in_the_size_of_the_image_and_scores_float32(predictor: SamPredictor) -> None:
    predictor.set_image(picture(SIZE_HW))

    masks, predicted_iou, low_res = predictor.predict(**CASES["clicks"])

    assert (masks.dtype, masks.shape) == (np.bool_, (3, *SIZE_HW))
    assert (predicted_iou.dtype, predicted_iou.shape) == (np.float32, (3,))
    assert (low_res.dtype, low_res.shape) == (np.float32, (3, 32, 32))


def test_binary_masks_are_the_thresholded_logits(predictor: SamPredictor) -> None:
    predictor.set_image(picture((61, 300)))
    predictor.model.mask_threshold = MASK_THRESHOLD
    points, labels = np.array([[20, 30]]), np.array([1])

    for multimask in (True, False):
        masks, _, _ = predictor.predict(points, labels, multimask_output=multimask)
        logits, _, _ = predictor.predict(points, labels, multimask_output=multimask, return_logits=True)

        assert np.array_equal(masks, logits > MASK_THRESHOLD)


def test_boxes_in_a_batch_give_one_row_each(predictor: SamPredictor) -> None:
    predictor.set_image(picture(SIZE_HW))
    boxes = torch.tensor([[10, 10, 60, 50], [80, 20, 170, 110]])

    moved = predictor.transform.apply_boxes_torch(boxes, SIZE_HW)
    masks, predicted_iou, low_res = predictor.predict_torch(None, None, moved, multimask_output=False)

    one_by_one = [predictor.predict(box=box.numpy(), multimask_output=False) for box in boxes]
    assert masks.shape == (2, 1, *SIZE_HW)
    for i, (mask, score, logits) in enumerate(one_by_one):
        assert np.array_equal(masks[i].numpy(), mask)
        np.testing.assert_allclose(predicted_iou[i].numpy(), score, atol=1e-5)
        np.testing.assert_allclose(low_res[i].numpy(), logits, atol=1e-3)


def test_bgr_is_turned_into_rgb(predictor: SamPredictor) -> None:
    image = picture(SIZE_HW)
    predictor.set_image(image)
    as_rgb = predictor.get_image_embedding()

    predictor.set_image(image[..., ::-1], image_format="BGR")

    assert torch.equal(predictor.get_image_embedding(), as_rgb)


def test_attributes_are_those_that_scripts_read(predictor: SamPredictor) -> None:
    predictor.set_image(picture(SIZE_HW))

    assert predictor.is_image_set
    assert predictor.original_size == SIZE_HW
    assert predictor.input_size == (85, 128)
    assert predictor.features is not None
    assert predictor.features.shape == (1, 32, 8, 8)
    assert predictor.model.mask_threshold == 0.0
    assert predictor.device == torch.device("cpu")


def test_a_stored_embedding_can_be_put_back(predictor: SamPredictor) -> None:
    predictor.set_image(picture(SIZE_HW))
    expected, _, _ = predictor.predict(**CASES["click"])
    kept = predictor.features, predictor.original_size, predictor.input_size
    predictor.reset_image()

    predictor.features, predictor.original_size, predictor.input_size = kept
    predictor.is_image_set = True

    assert np.array_equal(predictor.predict(**CASES["click"])[0], expected)


def test_predicting_before_an_image_is_set_is_metas_runtime_error(predictor: SamPredictor) -> None:
    with pytest.raises(RuntimeError, match=r"An image must be set with .set_image\(...\) before mask prediction"):
        predictor.predict(**CASES["click"])
    with pytest.raises(RuntimeError, match=r"set_image"):
        predictor.predict_torch(None, None)
    with pytest.raises(RuntimeError, match=r"before generating an embedding"):
        predictor.get_image_embedding()


def test_resetting_forgets_the_image(predictor: SamPredictor) -> None:
    predictor.set_image(picture(SIZE_HW))

    predictor.reset_image()

    with pytest.raises(RuntimeError, match="set_image"):
        predictor.predict(**CASES["click"])


@pytest.mark.parametrize(
    ("image", "image_format", "message"),
    [
        (np.zeros((4, 4), np.uint8), "RGB", r"shape \(H, W, 3\), got uint8 \(4, 4\)"),
        (np.zeros((4, 4, 3)), "RGB", r"got float64 \(4, 4, 3\)"),
        ([[0]], "RGB", "got list"),
        (np.zeros((4, 4, 3), np.uint8), "HSV", "image_format must be 'RGB' or 'BGR', got 'HSV'"),
    ],
)
def test_a_picture_of_the_wrong_kind_is_refused(
    predictor: SamPredictor, image: np.ndarray, image_format: str, message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        predictor.set_image(image, image_format)


def test_a_frame_of_the_wrong_size_is_refused(predictor: SamPredictor) -> None:
    with pytest.raises(ImageError, match=r"long side of 128, got \(1, 3, 64, 64\)"):
        predictor.set_torch_image(torch.zeros(1, 3, 64, 64), (64, 64))


def test_points_without_labels_and_unknown_labels_are_refused(predictor: SamPredictor) -> None:
    predictor.set_image(picture(SIZE_HW))

    with pytest.raises(PromptError, match="point_labels must be supplied"):
        predictor.predict(np.array([[1, 2]]))
    with pytest.raises(PromptError, match=r"got 2"):
        predictor.predict(np.array([[1, 2]]), np.array([2]))
    with pytest.raises(PromptError, match=r"same number of objects, got \[1, 2\]"):
        predictor.predict_torch(torch.zeros(2, 1, 2), torch.ones(2, 1), torch.zeros(1, 4))


def test_the_hq_token_needs_a_model_that_has_one(predictor: SamPredictor) -> None:
    predictor.set_image(picture(SIZE_HW))

    with pytest.raises(UnsupportedPrompt, match="hq_token_only needs an HQ-SAM model, got test-sam"):
        predictor.predict(**CASES["click"], hq_token_only=True)
