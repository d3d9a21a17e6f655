from datetime import UTC, datetime

import numpy as np
import pytest

from maskwright.core import (
    BoxPrompt,
    CombinedPrompt,
    Image,
    MaskRecord,
    PointPrompt,
    Provenance,
    Scores,
)
from maskwright.masks import area, box_xyxy, encode
from maskwright.workflows.overlay import distinct_colours, draw_overlay, label_text

GRAY = Image(np.full((200, 300, 3), 128, np.uint8))


def record(mask, prompt=None, label=None, score=None):
    rle = encode(mask)
    return MaskRecord(
        id="r",
        image_digest="d",
        rle=rle,
        box_xyxy=box_xyxy(rle),
        area=area(rle),
        label=label,
        scores=Scores(predicted_iou=score),
        provenance=Provenance(method="human_drawn", created_at=datetime.now(UTC), prompt=prompt),
    )


def disc(center_xy, radius, size_hw=(200, 300)):
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    return (x - center_xy[0]) ** 2 + (y - center_xy[1]) ** 2 < radius**2


def test_the_inside_is_tinted_the_outside_stays_and_the_input_is_not_touched():
    drawn = draw_overlay(GRAY, [record(disc((150, 100), 40))])

    assert (drawn[10, 10] == 128).all()
    assert (drawn[100, 150] != 128).any()
    assert (GRAY.pixels == 128).all()


def test_the_outline_is_antialiased():
    drawn = draw_overlay(GRAY, [record(disc((150, 100), 60))])

    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 20


def test_a_small_mask_stays_visible_on_a_large_one_whatever_their_order():
    large, small = record(np.ones((200, 300), bool)), record(disc((150, 100), 20))

    for records in ([large, small], [small, large]):
        drawn = draw_overlay(GRAY, records)
        assert (drawn[100, 150] != drawn[20, 20]).any()


def test_clicks_are_green_on_the_object_and_red_beside_it():
    prompt = CombinedPrompt([PointPrompt([(100.5, 80.5), (200.5, 150.5)], [1, 0]), BoxPrompt((20, 20, 250, 180))])

    drawn = draw_overlay(GRAY, [record(disc((100, 80), 30), prompt)]).astype(int)

    assert drawn[80, 100, 1] > drawn[80, 100, 0] + 100
    assert drawn[150, 200, 0] > drawn[150, 200, 1] + 100
    assert (draw_overlay(GRAY, [record(disc((100, 80), 30), prompt)], with_prompts=False)[150, 200] == 128).all()


def test_neighbouring_colours_are_far_apart():
    colours = np.array(distinct_colours(24), int)

    for step in (1, 2, 3):
        assert np.abs(colours[step:] - colours[:-step]).sum(1).min() > 40


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 300), (300, 1), (7, 5)])
def test_tiny_pictures_are_drawn(size_hw):
    image = Image(np.zeros((*size_hw, 3), np.uint8))
    prompt = CombinedPrompt([PointPrompt([(0, 0)]), BoxPrompt((-10, -10, 1e7, 1e7))])

    drawn = draw_overlay(image, [record(np.ones(size_hw, bool), prompt, "name", 0.5)])

    assert drawn.shape == (*size_hw, 3)


def test_empty_masks_and_no_masks_leave_the_picture_as_it_is():
    drawn = draw_overlay(GRAY, [record(np.zeros((200, 300), bool), label="nothing", score=0.1)])

    assert np.array_equal(drawn, GRAY.pixels)
    assert np.array_equal(draw_overlay(GRAY, []), GRAY.pixels)


def test_a_large_picture_is_shrunk_and_the_mask_with_it():
    image = Image(np.full((400, 1000, 3), 128, np.uint8))

    drawn = draw_overlay(image, [record(disc((900, 300), 50, (400, 1000)))], max_side=250)

    assert drawn.shape == (100, 250, 3)
    assert (drawn[75, 225] != 128).any()
    assert (drawn[10, 10] == 128).all()


def test_a_label_shows_the_name_and_the_score_as_far_as_there_are_any():
    mask = disc((150, 100), 40)

    assert label_text(record(mask, label="mug", score=0.934)) == "mug 0.93"
    assert label_text(record(mask, score=0.5)) == "0.50"
    assert label_text(record(mask)) == ""
    with_text = draw_overlay(GRAY, [record(mask, label="mug")])
    assert not np.array_equal(with_text, draw_overlay(GRAY, [record(mask)]))


def test_a_label_stands_over_the_middle_of_its_mask_wherever_specks_are():
    mask = disc((200, 120), 40)
    mask[195:197, 2:4] = True

    drawn = draw_overlay(GRAY, [record(mask, label="mug")])
    plain = draw_overlay(GRAY, [record(mask)])

    y, x = np.nonzero((drawn != plain).any(2))
    assert abs(x.mean() - 200) < 3
    assert y.max() < 80
