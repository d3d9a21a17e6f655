import torch

from maskwright.train.losses import dice_loss, focal_loss, mask_iou, prompt_loss


def _target() -> torch.Tensor:
    target = torch.zeros(2, 1, 16, 16)
    target[:, :, 4:12, 4:12] = 1
    return target


def test_a_right_answer_costs_nothing_and_a_wrong_one_much() -> None:
    target = _target()
    right, wrong = (target * 2 - 1) * 20, (1 - target * 2) * 20

    assert float(focal_loss(right, target).max()) < 1e-4
    assert float(dice_loss(right, target).max()) < 1e-3
    assert float(focal_loss(wrong, target).min()) > 1
    assert float(dice_loss(wrong, target).min()) > 0.9


def test_only_the_best_candidate_of_an_ambiguous_prompt_learns() -> None:
    target = _target()
    logits = torch.zeros(2, 4, 16, 16)
    logits[:, 2] = (target[:, 0] * 2 - 1) * 2
    logits.requires_grad_(True)

    loss, true_iou = prompt_loss(logits, torch.zeros(2, 4), target, torch.ones(2, dtype=torch.bool))
    loss.sum().backward()

    assert logits.grad is not None
    moved = logits.grad.abs().sum((2, 3)) > 0
    assert moved.tolist() == [[True, False, True, False]] * 2
    assert true_iou[:, 2].tolist() == [1.0, 1.0]


def test_iou_of_nothing_with_something_is_zero() -> None:
    target = _target() > 0.5

    assert mask_iou(torch.zeros_like(target), target).max() == 0
    assert mask_iou(target, target).min() == 1
