"""CLIP on crops of masks, with random weights."""

import numpy as np
import pytest

from maskwright.core import Image
from maskwright.core.errors import CheckpointError, PromptError, WeightsMissing
from maskwright.masks import empty_mask, encode
from maskwright.models.detectors.clip_scorer import _crop_of, load_clip_scorer


@pytest.fixture(scope="module")
def scorer(clip_folder):
    return load_clip_scorer(clip_folder)


def block(rows, columns, size=(60, 80)):
    mask = np.zeros(size, bool)
    mask[rows, columns] = True
    return encode(mask)


def picture():
    pixels = np.full((60, 80, 3), 40, np.uint8)
    pixels[10:30, 10:30] = (220, 30, 30)
    return Image(pixels)


def test_each_mask_is_believed_by_itself_and_an_empty_one_not_at_all(scorer):
    image = picture()
    masks = [block(np.s_[10:30], np.s_[10:30]), block(np.s_[40:60], np.s_[60:80]), empty_mask((60, 80))]

    looks = scorer.look_at(image, masks)
    beliefs = scorer.beliefs(looks, "red block")

    assert looks.norm(dim=1).tolist() == pytest.approx([1, 1, 0], abs=1e-5)
    assert ((beliefs >= 0) & (beliefs <= 1)).all()
    assert beliefs[2] == 0
    assert beliefs[0] != beliefs[1]
    alone = scorer.beliefs(scorer.look_at(image, masks[:1]), "red block")
    assert alone[0] == pytest.approx(beliefs[0], abs=1e-6)
    assert scorer.beliefs(looks, "bowl")[0] != beliefs[0]


def test_a_crop_holds_the_mask_as_it_is_and_the_rest_dimmed_also_at_the_picture_s_edge():
    pixels = picture().pixels

    crop = _crop_of(pixels, block(np.s_[10:30], np.s_[10:30]))
    assert crop.shape == (26, 26, 3)
    assert (crop[3:23, 3:23] == (220, 30, 30)).all()
    assert crop[0, 0, 0] > 40
    corner = _crop_of(pixels, block(np.s_[40:60], np.s_[60:80]))
    assert corner.shape == (26, 26, 3)
    assert (corner[24:] == 127).all()
    assert _crop_of(pixels, block(np.s_[5:6], np.s_[5:6])).shape == (2, 2, 3)


def test_phrases_that_say_nothing_or_too_much_are_refused(scorer):
    looks = scorer.look_at(picture(), [block(np.s_[10:30], np.s_[10:30])])

    with pytest.raises(PromptError, match="needs words"):
        scorer.beliefs(looks, " ")
    with pytest.raises(PromptError, match="CLIP reads at most 40 tokens"):
        scorer.beliefs(looks, "a very long phrase about a great many things on a table")


def test_a_clip_that_is_not_here_or_no_clip_is_told(detector_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsMissing, match="hf download openai/clip-vit-base-patch32"):
        load_clip_scorer()
    with pytest.raises(CheckpointError, match="CLIP") as caught:
        load_clip_scorer(detector_folder)
    assert "\n" not in str(caught.value)
