from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import BoxPrompt, CombinedPrompt, Image, MaskPrompt, PointPrompt
from maskwright.core.errors import SettingError
from maskwright.masks import FillHoles, box_xyxy, decode, encode
from maskwright.predict import embed, look_closer, predict, to_records
from maskwright.predict.closer import CROP_FACTOR, crop_around, prompt_in_crop


@pytest.fixture(scope="module")
def wide():
    pixels = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    return Image(pixels)


def answered(model, image, prompt):
    return to_records(predict(model, embed(model, image), [prompt]))


@given(
    x=st.floats(0, 380),
    y=st.floats(0, 280),
    width=st.floats(1, 400),
    height=st.floats(1, 300),
    size=st.just((300, 400)),
)
def test_a_crop_lies_in_the_picture_and_holds_what_the_picture_shows_of_the_box(x, y, width, height, size):
    x1, y1, x2, y2 = crop_around((x, y, x + width, y + height), size)

    assert 0 <= x1 < x2 <= 400
    assert 0 <= y1 < y2 <= 300
    assert x1 <= x
    assert y1 <= y
    assert x2 >= min(400, x + width)
    assert y2 >= min(300, y + height)


def test_a_small_object_is_seen_at_a_third_of_its_crop(model, wide):
    (record,) = look_closer(model, wide, answered(model, wide, BoxPrompt((200, 100, 250, 140))))

    (step,) = record.provenance.steps
    assert step.name == "look_closer"
    assert step.parameters["x2"] - step.parameters["x1"] == pytest.approx(50 * CROP_FACTOR, abs=2)
    assert record.provenance.method == "sam_refined"
    assert record.rle.size_hw == wide.size_hw
    assert record.box_xyxy == box_xyxy(record.rle)


def test_the_mask_of_a_closer_look_is_the_crops_own_answer_in_its_place(model, wide):
    box = (200.0, 100.0, 250.0, 140.0)
    x1, y1, x2, y2 = crop_around(box, wide.size_hw)
    seen = Image(np.ascontiguousarray(wide.pixels[y1:y2, x1:x2]))
    (expected,) = answered(model, seen, BoxPrompt((box[0] - x1, box[1] - y1, box[2] - x1, box[3] - y1)))

    (record,) = look_closer(model, wide, answered(model, wide, BoxPrompt(box)))

    mask = decode(record.rle)
    assert (mask[y1:y2, x1:x2] == decode(expected.rle)).all()
    assert mask.sum() == expected.area
    assert record.scores == expected.scores


def test_a_click_beside_its_own_mask_is_in_the_crop_all_the_same(model, wide):
    mask = np.zeros(wide.size_hw, bool)
    mask[10:14, 20:26] = True
    (record,) = answered(model, wide, PointPrompt([(150, 120)]))
    beside = replace(record, rle=encode(mask), area=24, box_xyxy=(20.0, 10.0, 26.0, 14.0))

    (seen,) = look_closer(model, wide, [beside])

    (step,) = seen.provenance.steps
    assert step.parameters["x2"] > 150
    assert step.parameters["y2"] > 120


def test_large_objects_come_back_as_they_were(model, wide):
    records = answered(model, wide, BoxPrompt((10, 10, 390, 290)))

    assert list(look_closer(model, wide, records)) == records


def test_prompts_move_with_the_crop():
    crop = (190, 90, 290, 190)

    assert prompt_in_crop(PointPrompt([(210, 110)]), crop) == PointPrompt([(20, 20)])
    assert prompt_in_crop(BoxPrompt((185, 95, 500, 130)), crop) == BoxPrompt((0, 5, 100, 40))


def test_several_clicks_are_asked_again_together(model, wide):
    prompt = CombinedPrompt([BoxPrompt((200, 100, 250, 140)), PointPrompt([(210, 110), (390, 20)], [1, 0])])

    (record,) = look_closer(model, wide, answered(model, wide, prompt))

    (step,) = record.provenance.steps
    assert step.name == "look_closer"
    assert record.provenance.prompt == prompt


def test_masks_and_words_alone_are_not_asked_again(model, wide):
    mask = np.zeros(wide.size_hw, bool)
    mask[100:140, 200:250] = True
    rough = answered(model, wide, MaskPrompt(encode(mask)))

    assert list(look_closer(model, wide, rough)) == rough


def test_a_closer_look_comes_before_cleaning(model, wide):
    batch = predict(model, embed(model, wide), [BoxPrompt((200, 100, 250, 140))])

    with pytest.raises(SettingError, match="Look closer first, clean up afterwards"):
        list(look_closer(model, wide, to_records(batch, cleanup=[FillHoles(max_area=9)])))


def test_records_of_another_image_are_refused(model, wide):
    other = Image(np.zeros((300, 400, 3), np.uint8))

    with pytest.raises(SettingError, match="another image"):
        list(look_closer(model, other, answered(model, wide, BoxPrompt((200, 100, 250, 140)))))
