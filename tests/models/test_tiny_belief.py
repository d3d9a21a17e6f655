import pytest
import torch

from maskwright.models.protocol import Decoded, FramePrompts
from maskwright.models.tiny.belief import believe, outline
from maskwright.models.tiny.box import FILLED_IOU

SIDE = 64
BOX = FramePrompts(points=torch.tensor([[[4.0, 4.0], [60.0, 60.0]]]), labels=torch.tensor([[2, 3]]))
CLICK = FramePrompts(points=torch.tensor([[[32.0, 32.0], [0.0, 0.0]]]), labels=torch.tensor([[1, -1]]))


def square(inside):
    logits = torch.full((1, 1, 16, 16), -9.0)
    logits[..., 2:14, 2:14] = inside
    return logits


def belief(logits, predicted_iou, prompts):
    decoded = Decoded(logits=logits, predicted_iou=torch.tensor([[predicted_iou]]))
    return float(believe(decoded, prompts, SIDE).predicted_iou)


def correction(earlier, x, y, label):
    """A click on top of an earlier answer."""
    return FramePrompts(points=torch.tensor([[[x, y]]]), labels=torch.tensor([[label]]), mask_logits=earlier)


def slender():
    logits = torch.full((1, 1, 16, 16), -9.0)
    logits[..., 2:14, 4:6] = 5.0
    return logits


def test_an_outline_is_measured_in_sides_of_a_square_of_the_same_area():
    assert float(outline(square(5.0) > 0)) == 4
    assert float(outline(slender() > 0)) == pytest.approx(28 / 24**0.5)
    assert float(outline(square(-9.0) > 0)) == 0


def test_a_slender_answer_to_a_box_is_believed_less():
    assert belief(slender(), 0.6, BOX) < belief(square(5.0), 0.6, BOX)


def test_the_network_has_its_say():
    assert belief(square(5.0), 0.8, BOX) > belief(square(5.0), 0.4, BOX)


def test_belief_is_a_share():
    assert belief(square(5.0), 1.4, BOX) == 1
    assert belief(square(-9.0), 0.9, BOX) == 0


def test_of_a_first_click_the_network_has_the_only_say():
    assert belief(slender(), 0.6, CLICK) == pytest.approx(0.6)


def test_a_correction_that_changes_little_is_believed_more():
    mask = square(5.0)
    larger = mask.clone()
    larger[..., 0:12, 4:12] = 5.0
    beside = correction(larger, 32.0, 6.0, 0)

    assert belief(mask, 0.6, correction(mask.clone(), 32.0, 6.0, 1)) > belief(mask, 0.6, beside)


@pytest.mark.parametrize("label", [0, 1])
def test_an_answer_that_was_asked_for_again_says_what_the_network_says(label):
    where = 32.0 if label else 2.0

    assert belief(square(5.0), 0.6, correction(square(5.0), where, where, label)) == pytest.approx(0.6)


def test_masks_without_clicks_say_what_the_network_says():
    nothing = FramePrompts(
        points=torch.zeros(1, 0, 2), labels=torch.zeros(1, 0, dtype=torch.long), mask_logits=square(5.0)
    )

    assert belief(square(5.0), 0.6, nothing) == pytest.approx(0.6)


def test_a_filled_box_says_what_filled_boxes_are_worth():
    assert belief(square(5.0), FILLED_IOU, BOX) == pytest.approx(FILLED_IOU)


def test_logits_are_left_alone():
    logits = square(5.0)

    assert torch.equal(believe(Decoded(logits=logits, predicted_iou=torch.ones(1, 1)), BOX, SIDE).logits, logits)
