import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from maskwright.core import BoxPrompt, CombinedPrompt, Image, MaskPrompt, PointPrompt, TextPrompt, from_json, to_json
from maskwright.core.errors import ModelError, PromptError, PromptOutsideImage, SettingError, UnsupportedPrompt
from maskwright.core.record import MaskRecord
from maskwright.masks import FillHoles, decode, encode, iou_matrix
from maskwright.predict import embed, predict, refine, to_records

POINT, BOX = PointPrompt([(20, 30)]), BoxPrompt((5, 4, 60, 40))
THREE = PointPrompt([(20, 30), (40, 10), (60, 44)], [1, 0, 1])


@pytest.fixture
def embedding(model, image):
    return embed(model, image)


def assert_same(a, b):
    """Equal but for the order of float32 sums, which depends on the batch; logits here reach +-20."""
    torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-4)


def a_mask(image):
    mask = np.zeros(image.size_hw, bool)
    mask[10:30, 5:50] = True
    return encode(mask)


def test_mixed_prompts_in_one_call_equal_each_prompt_alone(model, image, embedding):
    mask = MaskPrompt(a_mask(image))
    prompts = [POINT, BOX, THREE, CombinedPrompt([BOX, POINT]), mask, CombinedPrompt([mask, THREE]), BOX]

    together = predict(model, embedding, prompts)

    for i, prompt in enumerate(prompts):
        alone = predict(model, embedding, [prompt])
        assert_same(together.logits[i], alone.logits[0])
        assert_same(together.predicted_iou[i], alone.predicted_iou[0])


def test_the_order_of_prompts_is_the_order_of_masks(model, embedding):
    forwards = predict(model, embedding, [POINT, BOX, THREE])
    backwards = predict(model, embedding, [THREE, BOX, POINT])

    assert_same(forwards.logits, backwards.logits.flip(0))


def test_candidates_come_best_first(model, embedding):
    batch = predict(model, embedding, [POINT, BOX], num_masks=3)

    assert batch.logits.shape[:2] == (2, 3)
    assert torch.equal(batch.predicted_iou, batch.predicted_iou.sort(dim=1, descending=True).values)


def test_a_record_says_how_alike_the_candidates_of_its_prompt_were(model, embedding):
    three = predict(model, embedding, [POINT], num_masks=3)
    masks = [one.rle for one in to_records(three)]

    (alone,) = to_records(predict(model, embedding, [POINT]))
    (box,) = to_records(predict(model, embedding, [BOX]))

    expected = iou_matrix(masks, masks)[np.triu_indices(3, 1)].mean()
    assert alone.scores.agreement == pytest.approx(expected, abs=0.05)  # at the size of the logits
    assert {one.scores.agreement for one in to_records(three)} == {alone.scores.agreement}
    assert box.scores.agreement is None  # one mask, which has nothing to agree with


def test_a_single_click_is_answered_with_the_best_of_three_and_a_box_with_the_single_mask(model, embedding):
    three = predict(model, embedding, [POINT], num_masks=3)
    single = predict(model, embedding, [BOX], multimask=False)

    assert_same(predict(model, embedding, [POINT]).logits[:, 0], three.logits[:, 0])
    assert_same(predict(model, embedding, [BOX]).logits, single.logits)


def test_refining_feeds_the_logits_back(model, embedding):
    first = predict(model, embedding, [THREE, BOX])
    once = predict(model, embedding, [THREE, BOX], previous=first)

    assert not torch.equal(first.logits, once.logits)
    assert_same(refine(model, embedding, [THREE, BOX]).logits, once.logits)
    assert to_records(once)[0].provenance.method == "sam_refined"


@pytest.mark.parametrize(
    ("prompt", "error", "message"),
    [
        (PointPrompt([(500, 10)]), PromptOutsideImage, "point 500,10 lies outside the image of 70x45 pixels"),
        (PointPrompt([(5, 5), (5, -1)]), PromptOutsideImage, "point 5,-1 lies outside"),
        (BoxPrompt((80, 4, 90, 40)), PromptOutsideImage, "box 80,4,90,40 lies outside"),
        (TextPrompt("mug"), UnsupportedPrompt, "test-sam takes points, boxes and masks, not text; got 'mug'"),
        (MaskPrompt(encode(np.ones((3, 4), bool))), PromptError, r"must have the image's size \(45, 70\)"),
    ],
)
def test_a_prompt_that_does_not_fit_is_an_error_that_says_why(model, embedding, prompt, error, message):
    with pytest.raises(error, match=message):
        predict(model, embedding, [POINT, prompt])


def test_no_prompts_is_an_error(model, embedding):
    with pytest.raises(PromptError, match="at least one prompt"):
        predict(model, embedding, [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_masks": 4}, "num_masks must be 1 to 3, the candidates test-sam makes; got 4"),
        ({"num_masks": 2, "multimask": False}, "multimask=False gives one mask"),
    ],
)
def test_an_impossible_number_of_masks_is_an_error(model, embedding, arguments, message):
    with pytest.raises(SettingError, match=message):
        predict(model, embedding, [POINT], **arguments)


def test_an_embedding_of_another_checkpoint_is_refused(model, embedding):
    other = replace(embedding, model=replace(embedding.model, checkpoint_sha256="0" * 64))

    with pytest.raises(ModelError, match="Embed the image again"):
        predict(model, other, [POINT])


def test_records_hold_mask_scores_and_the_whole_provenance(model, image, embedding):
    now = datetime(2026, 1, 2, tzinfo=UTC)
    batch = predict(model, embedding, [POINT, BOX], num_masks=3)

    records = to_records(batch, labels=["mug", None], actor="ann", clock=lambda: now)

    assert len(records) == 6
    assert [r.label for r in records] == ["mug"] * 3 + [None] * 3
    for record in records:
        mask = decode(record.rle)
        assert mask.shape == image.size_hw
        assert record.area == mask.sum()
        assert record.image_digest == image.digest
        assert record.provenance.model == embedding.model
        assert record.provenance.created_at == now
        assert record.provenance.method == "sam_raw"
        assert from_json(MaskRecord, to_json(record)) == record
    assert records[3].provenance.prompt == BOX


def test_cleanup_is_applied_and_written_into_provenance(model, embedding):
    batch = predict(model, embedding, [BOX])

    (record,) = to_records(batch, cleanup=[FillHoles()])

    assert record.provenance.method == "sam_refined"
    assert record.provenance.steps == (FillHoles().as_processing(),)


def test_labels_must_match_the_prompts(model, embedding):
    with pytest.raises(SettingError, match="one label for each of 1 prompts, got 2"):
        to_records(predict(model, embedding, [BOX]), labels=["a", "b"])


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 300), (2, 900), (600, 3)])
def test_pictures_of_any_shape_give_masks_of_their_size(model, size_hw):
    image = Image(np.full((*size_hw, 3), 90, np.uint8))

    (record,) = to_records(predict(model, embed(model, image), [PointPrompt([(0.5, 0.5)])]))

    assert record.rle.size_hw == size_hw


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        (POINT, "got one PointPrompt. Pass it in a list."),
        (None, "got a NoneType"),
        ("mug", "got a str"),
        ([POINT, (20, 30)], "prompts[1] must be one of PointPrompt, BoxPrompt, MaskPrompt, TextPrompt, CombinedPrompt"),
    ],
)
def test_what_is_no_list_of_prompts_is_refused_and_not_taken_for_a_prompt_that_says_nothing(
    prompts, message, model, embedding
):
    with pytest.raises(PromptError, match=re.escape(message)):
        predict(model, embedding, prompts)
