import pytest
import torch

from maskwright.models.protocol import Decoded
from maskwright.models.tiny.belief import believe, stability
from maskwright.models.tiny.box import FILLED_IOU

BOX, CLICK = torch.tensor([True]), torch.tensor([False])


def square(inside, rim=None):
    """Logits of a square with a rim of cells about which there is doubt."""
    logits = torch.full((1, 1, 16, 16), -9.0)
    logits[..., 2:14, 2:14] = inside if rim is None else rim
    logits[..., 4:12, 4:12] = inside
    return logits


def belief(logits, predicted_iou, has_box):
    decoded = Decoded(logits=logits, predicted_iou=torch.tensor([[predicted_iou]]))
    return float(believe(decoded, has_box).predicted_iou)


def test_stability_is_the_share_of_a_mask_that_two_thresholds_agree_on():
    assert float(stability(square(5.0))) == 1
    assert float(stability(square(5.0, rim=0.5))) == pytest.approx(64 / 144)
    assert float(stability(square(-9.0))) == 0


def test_a_mask_that_stays_as_it_is_at_other_thresholds_is_believed_more():
    assert belief(square(5.0), 0.6, BOX) > belief(square(5.0, rim=0.5), 0.6, BOX)


def test_the_network_has_its_say():
    assert belief(square(5.0), 0.8, BOX) > belief(square(5.0), 0.4, BOX)


def test_belief_is_a_share():
    assert belief(square(5.0), 1.4, BOX) == 1
    assert belief(square(-9.0), -0.8, BOX) == 0


def test_of_clicks_the_network_has_the_only_say():
    assert belief(square(5.0), 0.6, CLICK) == pytest.approx(0.6)


def test_a_filled_box_says_what_filled_boxes_are_worth():
    assert belief(square(5.0), FILLED_IOU, BOX) == pytest.approx(FILLED_IOU)


def test_logits_are_left_alone():
    logits = square(5.0, rim=0.5)

    assert torch.equal(believe(Decoded(logits=logits, predicted_iou=torch.ones(1, 1)), BOX).logits, logits)
