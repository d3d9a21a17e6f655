from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from maskwright.core import BoxPrompt, CombinedPrompt, Image, MaskPrompt, PointPrompt
from maskwright.core.errors import SettingError
from maskwright.masks import decode, encode
from maskwright.models.frame import FrameSpec, ModelFrame
from maskwright.predict import Look, embed, look, predict, to_records
from maskwright.predict.closer import crop_around, is_worth_it, prompt_in_crop, whereabouts
from maskwright.predict.looks import move_logits, whole

SPEC = FrameSpec(side=64, logits_side=16)


@pytest.fixture(scope="module")
def wide():
    return Image(np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8))


def showing(seen: Look, mask: np.ndarray) -> Look:
    """The same look with another answer in it."""
    x1, y1, x2, y2 = seen.crop_box
    h, w = seen.embedding.frame.logits_hw
    logits = torch.full_like(seen.batch.logits, -10.0)
    small = cv2.resize(mask[y1:y2, x1:x2].astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
    logits[0, 0, :h, :w] = torch.from_numpy(small * 20 - 10)
    return replace(seen, batch=replace(seen.batch, logits=logits))


def square(x1, y1, x2, y2):
    mask = np.zeros((300, 400), bool)
    mask[y1:y2, x1:x2] = True
    return mask


def test_a_first_look_at_a_large_object_is_what_predict_answers(model, wide):
    box = BoxPrompt((20, 10, 390, 290))

    seen = look(model, wide, box)

    (expected,) = to_records(predict(model, embed(model, wide), [box]))
    assert seen.crop_box == whole(wide.size_hw)
    assert seen.record().rle == expected.rle
    assert seen.record().provenance.steps == ()


def test_a_first_look_at_a_small_object_is_taken_on_a_crop_and_says_so(model, wide):
    seen = look(model, wide, BoxPrompt((200, 100, 250, 140)))

    record = seen.record()
    (step,) = record.provenance.steps
    assert seen.crop_box == crop_around((200, 100, 250, 140), wide.size_hw)
    assert (step.parameters["x1"], step.parameters["y2"]) == (seen.crop_box[0], seen.crop_box[3])
    assert record.rle.size_hw == wide.size_hw
    assert record.image_digest == wide.digest
    assert record.provenance.prompt == BoxPrompt((200, 100, 250, 140))


def test_the_crop_stays_while_the_object_does(model, wide):
    first = showing(look(model, wide, BoxPrompt((200, 100, 250, 140))), square(205, 104, 248, 138))
    prompt = CombinedPrompt([BoxPrompt((200, 100, 250, 140)), PointPrompt([(220, 120)])])

    second = look(model, wide, prompt, previous=first)

    assert second.crop_box == first.crop_box
    assert second.embedding is first.embedding
    assert second.batch.is_refined


def test_the_crop_follows_a_click_beyond_it(model, wide):
    clicks = [(210.0, 120.0)]
    first = look(model, wide, PointPrompt(clicks))
    near = showing(replace(first, crop_box=whole(wide.size_hw)), square(205, 110, 225, 130))
    second = showing(look(model, wide, PointPrompt([*clicks, (222, 128)]), previous=near), square(205, 110, 225, 130))

    third = look(model, wide, PointPrompt([*clicks, (222, 128), (350, 120)]), previous=second)

    assert second.crop_box[2] - second.crop_box[0] < 150
    assert third.crop_box[0] <= 205
    assert third.crop_box[2] >= 350


def test_an_older_look_still_stands(model, wide):
    first = look(model, wide, PointPrompt([(210, 120)]))
    before = first.record().rle

    look(model, wide, PointPrompt([(210, 120), (230, 130)], [1, 0]), previous=first)

    assert first.record().rle == before


def test_a_look_at_another_image_is_refused(model, wide):
    first = look(model, wide, PointPrompt([(210, 120)]))
    other = Image(wide.pixels[::-1].copy())

    with pytest.raises(SettingError, match="of another image"):
        look(model, other, PointPrompt([(210, 120), (220, 120)]), previous=first)


def test_logits_move_with_the_picture_they_lie_on():
    before, after = ModelFrame.of((300, 400), SPEC), ModelFrame.of((120, 160), SPEC)
    logits = torch.full((1, 1, 16, 16), -8.0)
    logits[0, 0, 4:8, 4:8] = 8.0  # pixels 100..200 in both directions

    moved = move_logits(logits, before, (0, 0, 400, 300), after, (60, 70, 220, 190))

    cells = moved[0, 0, :12] > 0  # ten pixels a cell
    assert cells[5:11, 6:12].all()
    assert not cells[:1].any()
    assert not cells[:, :2].any()


def test_where_nothing_was_seen_is_background():
    frame = ModelFrame.of((100, 100), SPEC)
    logits = torch.full((1, 1, 16, 16), 8.0)

    moved = move_logits(logits, frame, (0, 0, 100, 100), frame, (200, 0, 300, 100))

    assert (moved < 0).all()


def test_an_object_lies_in_its_box_or_where_its_mask_is_and_under_its_clicks():
    mask_box = (10, 10, 20, 20)

    assert whereabouts(BoxPrompt((1, 2, 3, 4)), mask_box) == (1, 2, 3, 4)
    assert whereabouts(PointPrompt([(5, 15), (90, 90)], [1, 0]), mask_box) == (5, 10, 20, 20)
    assert whereabouts(CombinedPrompt([BoxPrompt((1, 2, 3, 4)), PointPrompt([(8, 3)])]), mask_box) == (1, 2, 8, 4)
    assert whereabouts(PointPrompt([(5, 15)]), (0, 0, 0, 0)) is None


def test_a_prompt_moves_into_a_crop_and_loses_what_the_crop_does_not_show():
    mask = square(60, 50, 80, 70)
    prompt = CombinedPrompt(
        [PointPrompt([(70, 60), (10, 10), (75, 65)], [1, 0, 0]), BoxPrompt((55, 45, 200, 75)), MaskPrompt(encode(mask))]
    )

    points, box, rough = prompt_in_crop(prompt, (50, 40, 150, 140)).parts

    assert points == PointPrompt([(20, 20), (25, 25)], [1, 0])
    assert box == BoxPrompt((5, 5, 100, 35))
    assert (decode(rough.rle) == mask[40:140, 50:150]).all()


def test_a_crop_as_large_as_the_picture_is_worth_nothing():
    assert not is_worth_it((0, 0, 400, 300), (300, 400))
    assert is_worth_it((0, 0, 100, 100), (300, 400))
