import numpy as np
import pytest
import torch

from maskwright.core import BoxPrompt, CombinedPrompt, Image, MaskPrompt, PointPrompt
from maskwright.core.errors import PromptOutsideImage
from maskwright.masks import encode
from maskwright.models import load_model
from maskwright.models.protocol import Features, FramePrompts
from maskwright.predict import Question, embed, predict, predict_across
from maskwright.predict.across import _answer, _Asked
from maskwright.predict.frame_prompts import group_prompts
from maskwright.predict.predict import unanswered

ROUGH = np.zeros((60, 80), bool)
ROUGH[20:40, 30:50] = True
CLICK = PointPrompt([(30, 40)])
PROMPTS = (
    [CLICK],
    [BoxPrompt((10, 10, 50, 40)), PointPrompt([(20, 20), (50, 50)], [1, 0])],
    [CLICK, PointPrompt([(60, 20)])],
    [CombinedPrompt([PointPrompt([(40, 30)]), MaskPrompt(encode(ROUGH))])],
    [CombinedPrompt([PointPrompt([(20, 50)]), MaskPrompt(encode(ROUGH))])],
)


@pytest.fixture(scope="module", params=["test-sam", "tiny"])
def model(request):
    return load_model(request.param)


@pytest.fixture(scope="module")
def questions(model):
    rng = np.random.default_rng(3)
    images = [Image(rng.integers(0, 255, (60, 80, 3), np.uint8)) for _ in PROMPTS]
    embeddings = [embed(model, image) for image in images]
    return [Question(embedding=one, prompts=prompts) for one, prompts in zip(embeddings, PROMPTS, strict=True)]


def test_questions_on_many_images_are_answered_as_each_alone(model, questions):
    batches = predict_across(model, questions)

    for one, batch in zip(questions, batches, strict=True):
        alone = predict(model, one.embedding, one.prompts)
        assert torch.equal(batch.logits, alone.logits)
        assert (batch.image_digest, batch.prompts) == (alone.image_digest, alone.prompts)


def test_groups_of_one_shape_that_are_decoded_together_come_back_to_their_own_images(model, questions):
    """What a GPU does; on this device it must give the same masks."""
    alone = [predict(model, one.embedding, one.prompts) for one in questions]
    batches = [unanswered(model, one.embedding, one.prompts, 1, is_refined=False) for one in questions]
    steps = {}
    for number, one in enumerate(questions):
        for group in group_prompts(model, one.embedding.frame, one.prompts):
            asked = _Asked(number=number, features=one.embedding.features, group=group, multimask=group.is_ambiguous)
            steps.setdefault(asked.shape, []).append(asked)

    with torch.no_grad():
        for step in steps.values():
            _answer(model, step, batches)

    assert max(len(step) for step in steps.values()) > 1
    for batch, expected in zip(batches, alone, strict=True):
        torch.testing.assert_close(batch.logits, expected.logits, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(batch.predicted_iou, expected.predicted_iou, atol=1e-4, rtol=1e-4)


def test_a_question_that_is_wrong_is_refused_before_any_is_answered(model, questions):
    outside = Question(embedding=questions[0].embedding, prompts=[PointPrompt([(900, 40)])])

    with pytest.raises(PromptOutsideImage):
        predict_across(model, [*questions, outside])


def test_several_in_one_are_the_several_side_by_side():
    def features(value):
        return Features(image_embedding=torch.full((1, 2, 3, 3), value), extra=(torch.full((1, 4), value),))

    both = Features.side_by_side([features(1.0), features(2.0)])
    prompts = FramePrompts(points=torch.zeros(1, 1, 2), labels=torch.ones(1, 1, dtype=torch.long))

    assert both.num_images == 2
    assert both.of_prompts(slice(1, 2)).extra[0].eq(2).all()
    assert features(3.0).of_prompts(slice(5, 9)).num_images == 1
    assert FramePrompts.side_by_side([prompts, prompts]).num_prompts == 2
