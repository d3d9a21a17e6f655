"""A network that was given words: what has no words is answered to the bit as before, and words have their protocol."""

import copy

import pytest
import torch

from maskwright.core import BoxPrompt, CombinedPrompt, Image, PointPrompt, TextPrompt
from maskwright.core.errors import CheckpointError, PromptError
from maskwright.models import build_model, load_model
from maskwright.models.protocol import Features, FramePrompts
from maskwright.models.registry import known_words
from maskwright.models.words.speaking import SpeaksWords, Words, give_words, words_of_model
from maskwright.predict.embedding import embed
from maskwright.predict.predict import predict
from maskwright.predict.records import to_records
from maskwright.testing.model_contract import ModelContract

WORDS = Words(vocabulary=("blue", "bowl", "mug", "red"))


def speaking(name="test-sam", words=WORDS):
    torch.manual_seed(0)
    model = give_words(load_model(name), words)
    with torch.no_grad():
        model.text_adapter.judge.layers[-1].bias.fill_(3.0)  # believes that everything is there
        model.text_adapter.bias.fill_(0.0)
    return model


class TestASpeakingTestSam(ModelContract):
    @classmethod
    def make_model(cls):
        return speaking()


@pytest.fixture(scope="module")
def image():
    generator = torch.Generator().manual_seed(3)
    return Image(torch.randint(0, 256, (96, 128, 3), generator=generator, dtype=torch.uint8).numpy())


@pytest.mark.parametrize("name", ["test-sam", "tiny"])
def test_clicks_and_boxes_are_answered_to_the_bit_as_without_words(name, image):
    plain, model = load_model(name), speaking(name)
    prompts = [PointPrompt([(60, 40)]), BoxPrompt((20, 20, 90, 80))]

    before = predict(plain, embed(plain, image), prompts)
    after = predict(model, embed(model, image), prompts)

    assert torch.equal(before.logits, after.logits)
    assert torch.equal(before.predicted_iou, after.predicted_iou)


@pytest.mark.parametrize("name", ["test-sam", "tiny"])
def test_a_phrase_gets_a_mask_and_another_phrase_another(name, image):
    model = speaking(name)

    batch = predict(model, embed(model, image), [TextPrompt("red mug"), TextPrompt("the blue bowls")])

    assert batch.logits.isfinite().all()
    assert not torch.equal(batch.logits[0], batch.logits[1])
    assert [record.rle.size_hw for record in to_records(batch)] == [image.size_hw] * 2


@pytest.mark.parametrize("name", ["vit_t", "hq_vit_tiny"])
def test_every_family_takes_words(name):
    model = give_words(build_model(name).eval(), WORDS)
    features = Features(image_embedding=torch.randn(1, 256, 64, 64))

    with torch.no_grad():
        told = model.text_adapter.answer(model, features, torch.zeros(1, dtype=torch.long), torch.tensor([[2, -1]]))

    assert told.logits.shape == (1, 256, 256)
    assert told.logits.isfinite().all()


def test_what_is_not_there_is_an_empty_mask(image):
    model = speaking()
    with torch.no_grad():
        model.text_adapter.judge.layers[-1].bias[0] = -9.0

    batch = predict(model, embed(model, image), [TextPrompt("mug")], num_masks=3)

    assert not (batch.logits > 0).any()
    assert float(batch.predicted_iou.max()) < 0.1


def test_several_masks_are_everything_first_and_then_each_thing_by_itself(image):
    model = speaking()
    features = embed(model, image).features
    text = FramePrompts(
        points=torch.zeros(1, 0, 2), labels=torch.zeros(1, 0, dtype=torch.long), text=torch.tensor([[2]])
    )

    whole = model.decode(features, text, multimask=False).logits[0, 0] > 0
    found = model.decode(features, text, multimask=True)

    first, *pieces = found.logits[0] > 0
    assert torch.equal(first, whole)
    assert all(bool((piece <= whole).all()) for piece in pieces)
    assert not any(bool((a & b).any()) for i, a in enumerate(pieces) for b in pieces[:i])
    assert found.predicted_iou[0].argmax() == 0


def test_a_phrase_is_answered_the_same_alone_and_beside_others(image):
    model = speaking()
    embedding = embed(model, image)
    phrases = [TextPrompt("red mug"), TextPrompt("bowl")]

    together = predict(model, embedding, phrases)
    alone = [predict(model, embedding, [one]) for one in phrases]

    for i, one in enumerate(alone):
        assert torch.allclose(together.logits[i], one.logits[0], atol=1e-3)


def test_words_beside_a_click_choose_among_what_the_click_may_mean(image):
    model = speaking()
    embedding = embed(model, image)
    click = PointPrompt([(60, 40)])
    meant = predict(model, embedding, [click], num_masks=3).logits[0]
    single = predict(model, embedding, [click], multimask=False).logits[0]

    chosen = predict(model, embedding, [CombinedPrompt([click, TextPrompt("mug")])]).logits[0, 0]

    assert any(torch.equal(chosen, one) for one in (*meant, *single))


def test_an_unknown_word_is_an_error_that_lists_near_ones(image):
    model = speaking()

    with pytest.raises(PromptError, match=r"was not taught the word 'mugg' of 'red mugg'\. Nearest of its 4: mug"):
        predict(model, embed(model, image), [TextPrompt("red mugg")])
    with pytest.raises(PromptError, match="a text prompt needs a word that names something, got 'the'"):
        model.text_indices("the")


def test_the_card_says_that_it_takes_text_and_which_words():
    model = speaking()

    assert model.card.takes_text
    assert known_words(model.card) == WORDS.vocabulary
    assert words_of_model(model) == WORDS
    assert words_of_model(load_model("test-sam")) is None


def test_a_vocabulary_that_grows_keeps_what_it_knew():
    model = speaking()
    before = model.text_adapter.encoder.vectors(torch.tensor([[2]]))
    tokens = model.text_adapter.tokens.weight.clone()

    give_words(model, Words(vocabulary=("blue", "bowl", "can", "mug", "red")))

    assert torch.equal(model.text_adapter.encoder.vectors(torch.tensor([[3]])), before)
    assert torch.equal(model.text_adapter.tokens.weight, tokens)
    assert isinstance(model, SpeaksWords)


def test_a_copy_speaks_too():
    model = speaking()

    again = copy.deepcopy(model)

    assert again.text_indices("red mug") == (3, 2)
    assert again.text_adapter is not model.text_adapter


def test_words_of_a_card_that_are_malformed_are_refused():
    with pytest.raises(CheckpointError, match="the card's words cannot be read"):
        Words.from_json({"encoder": "x"})


def test_an_answer_in_half_precision_is_nearly_that_in_full(image):
    model = speaking()
    features = embed(model, image).features
    asked = torch.zeros(1, dtype=torch.long), torch.tensor([[2, 3]])

    with torch.no_grad():
        full = model.text_adapter.answer(model, features, *asked)
        with torch.autocast("cpu", torch.bfloat16):
            half = model.text_adapter.answer(model, features, *asked)

    assert torch.allclose(full.heat, half.heat.float(), atol=0.05 * float(full.heat.abs().max()))
    assert torch.allclose(full.logits, half.logits.float(), atol=0.05 * float(full.logits.abs().max()))
