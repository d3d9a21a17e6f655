import torch

from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice
from maskwright.train.interaction import boxes_around, choose_targets, click_in, correct, first_prompts
from maskwright.train.scenes import paint


def _squares() -> torch.Tensor:
    masks = torch.zeros(40, 32, 32, dtype=torch.bool)
    for index in range(40):
        masks[index, 4 + index % 8 : 16 + index % 8, 6:20] = True
    return masks


def test_a_click_lands_in_its_region() -> None:
    masks = _squares()

    points = click_in(Dice(0), masks)

    x, y = ((points + 0.5) / 2).floor().long().unbind(1)
    assert bool(masks[torch.arange(40), y, x].all())


def test_a_box_without_jitter_is_tight() -> None:
    masks = _squares()

    corners = boxes_around(Dice(0), masks, jitter=0.0) + 0.5

    assert corners[0].tolist() == [[12.0, 8.0], [40.0, 32.0]]


def test_first_prompts_are_clicks_boxes_and_both_made_of_the_tokens_that_predict_makes() -> None:
    masks = _squares()[:, None].float()

    drawn = [first_prompts(Dice(seed), masks) for seed in range(60)]

    kinds = [tuple(prompts.labels[0].tolist()) for prompts, _ in drawn]
    assert set(kinds) == {(1, -1), (2, 3), (1, 2, 3)}
    assert 0.3 < kinds.count((1, -1)) / 60 < 0.7
    for (prompts, one_click), kind in zip(drawn, kinds, strict=True):
        assert bool((prompts.labels == torch.tensor(kind)).all())
        assert bool((one_click == (kind == (1, -1))).all())


def test_a_correction_clicks_where_the_answer_is_wrong() -> None:
    target = _squares()[:, None].float()
    prompts, _ = first_prompts(Dice(0), target)
    too_small = torch.full((40, 16, 16), -9.0)

    corrected = correct(Dice(1), prompts, too_small, target)

    assert corrected.labels[:, -1].tolist() == [1] * 40
    assert corrected.mask_logits is not None
    assert corrected.mask_logits.shape == (40, 1, 16, 16)

    too_large = torch.full((40, 16, 16), 9.0)
    assert correct(Dice(1), prompts, too_large, target).labels[:, -1].tolist() == [0] * 40


def test_targets_are_visible_objects_of_their_picture(pack: AssetPack) -> None:
    scenes = paint(Dice(2), pack, batch=5, side=128)

    targets = choose_targets(Dice(0), scenes, per_image=4)

    assert targets.image_index.tolist() == [i for i in range(5) for _ in range(4)]
    whole = scenes.visible > 0.5
    for mask, image in zip(targets.masks[:, 0] > 0.5, targets.image_index, strict=True):
        inside = [(mask & ~one).sum() == 0 for one in whole[image]]
        assert any(inside)
