import pytest
import torch

from maskwright.train.losses import dice_loss, focal_loss, mask_iou
from maskwright.train.tune.sampling import choose_cells


@pytest.fixture
def target():
    inside = torch.zeros(2, 1, 64, 64)
    inside[0, 0, 8:30, 10:40] = 1
    inside[1, 0, 50:53, 20:60] = 1
    inside[:, :, 30] = 0.5 * inside[:, :, 29]
    return inside


@pytest.fixture
def answer():
    """Right but for a spot far from the mask's edge."""
    logits = torch.full((2, 64, 64), -2.0)
    logits[0, 8:30, 10:40] = 2
    logits[:, 36:44, 44:60] = 2
    return logits


def every_offset(count=400):
    return [torch.full((2, 1), (i + 0.5) / count) for i in range(count)]


def test_each_cell_is_chosen_once_at_most(target, answer):
    for offset in every_offset(20):
        chosen = choose_cells(0.25, target, answer, offset)

        assert chosen.index.shape == (2, 64)
        assert all(len(set(row.tolist())) == 64 for row in chosen.index)


def test_chosen_cells_stand_for_all_of_them_on_average(target, answer):
    logits = answer[:, None] + torch.linspace(-1, 1, 64)
    total = torch.zeros(2, 1)
    for offset in every_offset():
        chosen = choose_cells(0.25, target, answer, offset)
        p = chosen.of(logits.sigmoid()) * chosen.of(target)
        total += (p * chosen.weight[:, None, :, None]).sum((2, 3)) / 400

    assert torch.allclose(total, (logits.sigmoid() * target).sum((2, 3)), rtol=0.01)


def test_all_cells_give_the_loss_of_the_whole_picture(target, answer):
    chosen = choose_cells(1.0, target, None, torch.zeros(2, 1))
    logits = torch.linspace(-3, 3, 64).expand(2, 1, 64, 64) + answer[:, None]
    weight = chosen.weight[:, None, :, None]

    for loss in (focal_loss, dice_loss):
        assert torch.allclose(loss(chosen.of(logits), chosen.of(target), weight=weight), loss(logits, target))
    assert torch.equal(
        mask_iou(chosen.of(logits) > 0, chosen.of(target) > 0.5, weight=weight), mask_iou(logits > 0, target > 0.5)
    )


def test_edges_and_errors_are_looked_at_more_than_the_rest(target, answer):
    offset = torch.full((2, 1), 0.3)

    chosen = choose_cells(0.25, target, answer, offset)

    is_chosen = torch.zeros(2, 256).scatter_(1, chosen.index, 1).view(2, 16, 16)
    assert is_chosen[0, 7, 3:10].mean() > 0.5  # the lower edge of the mask
    assert is_chosen[0, 9:11, 11:15].mean() > 0.4  # the spot
    assert is_chosen[0, 12:, :].mean() < 0.2


def test_an_empty_mask_is_looked_at_evenly():
    chosen = choose_cells(0.5, torch.zeros(1, 1, 16, 16), None, torch.full((1, 1), 0.5))

    assert torch.equal(chosen.weight, torch.full((1, 8), 2.0))
