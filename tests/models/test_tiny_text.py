"""The text path of `tiny`: words hold together, points and boxes stay what they were, and files say if they have it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from maskwright.core import BoxPrompt, CombinedPrompt, Image, PointPrompt, TextPrompt
from maskwright.core.errors import PromptError
from maskwright.models import load_model
from maskwright.models.cards import TINY
from maskwright.models.protocol import FramePrompts
from maskwright.models.tiny import TinyConfig, TinySam, build_tiny_network
from maskwright.models.tiny.text import TextPath, all_hold
from maskwright.models.tiny.vocabulary import WORDS, phrase_words
from maskwright.predict import embed, predict


@pytest.fixture(scope="module")
def speaking() -> TinySam:
    """A small `tiny` with a text path, all weights random."""
    torch.manual_seed(0)
    config = TinyConfig(trunk="lite0", side=128, has_text=True)
    model = build_tiny_network(replace(TINY, name="small-tiny", takes_text=True), config)
    assert model.text_path is not None
    for parameter in model.text_path.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.fixture(scope="module")
def image() -> Image:
    return Image(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))


logits = st.floats(-10, 8)


@settings(deadline=None)
@given(st.lists(logits, min_size=1, max_size=4))
def test_a_phrase_holds_as_the_product_of_its_words(words: list[float]) -> None:
    given_logits = torch.tensor(words)[None, :, None]

    held = all_hold(given_logits, torch.ones(1, len(words), dtype=torch.bool))

    product = torch.tensor(words).double().sigmoid().prod()
    expected = 10 * torch.tanh(torch.logit(product, eps=1e-30) / 10)
    torch.testing.assert_close(held[0, 0].double(), expected, atol=0.05, rtol=0.01)


def test_padding_is_no_word() -> None:
    given_logits = torch.tensor([[[2.0], [-3.0], [9.0]]])

    padded = all_hold(given_logits, torch.tensor([[True, True, False]]))

    assert torch.equal(padded, all_hold(given_logits[:, :2], torch.tensor([[True, True]])))


def test_a_new_path_says_nothing() -> None:
    path = TextPath(num_words=len(WORDS))

    assert not path.dense.weight.any()
    assert not path.outputs.weight.any()
    assert not path.evidence.weight.any()


def test_a_phrase_is_answered_the_same_alone_and_beside_longer_ones(speaking: TinySam, image: Image) -> None:
    embedding = embed(speaking, image)
    short, long = TextPrompt("mug"), TextPrompt("the red metal mug")

    together = predict(speaking, embedding, [long, short])

    alone = predict(speaking, embedding, [short])
    torch.testing.assert_close(together.logits[1:], alone.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together.predicted_iou[1:], alone.predicted_iou, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(together.logits[0], together.logits[1], atol=1e-3)


def test_words_in_another_order_mean_the_same(speaking: TinySam, image: Image) -> None:
    batch = predict(speaking, embed(speaking, image), [TextPrompt("red mug"), TextPrompt("mug red")])

    torch.testing.assert_close(batch.logits[0], batch.logits[1], atol=1e-4, rtol=1e-4)


def test_text_joins_points_and_boxes_and_leaves_those_without_it_alone(speaking: TinySam, image: Image) -> None:
    embedding = embed(speaking, image)
    point, box, text = PointPrompt([(40, 40)]), BoxPrompt((20, 20, 70, 80)), TextPrompt("red mug")
    mixed = [point, CombinedPrompt([text, point]), box, CombinedPrompt([box, text]), text]

    batch = predict(speaking, embedding, mixed)

    plain = predict(speaking, embedding, [point, box])
    torch.testing.assert_close(batch.logits[[0, 2]], plain.logits, atol=1e-5, rtol=1e-5)
    for i in (1, 3):
        assert not torch.allclose(batch.logits[i], batch.logits[i - 1], atol=1e-3)
        assert not torch.allclose(batch.logits[i], batch.logits[4], atol=1e-3)


def test_points_are_answered_to_the_bit_as_without_a_text_path(speaking: TinySam, image: Image) -> None:
    silent = build_tiny_network(TINY, TinyConfig(trunk="lite0", side=128))
    silent.load_state_dict({k: v for k, v in speaking.state_dict().items() if not k.startswith("text_path.")})
    prompts = [PointPrompt([(40, 40)]), BoxPrompt((20, 20, 70, 80))]

    answers = [predict(model, embed(model, image), prompts) for model in (speaking, silent)]

    assert torch.equal(answers[0].logits, answers[1].logits)
    assert torch.equal(answers[0].predicted_iou, answers[1].predicted_iou)


def test_training_and_use_give_the_same_answer(speaking: TinySam) -> None:
    text = torch.tensor([[*phrase_words("red mug"), -1], [*phrase_words("gripper"), -1, -1]])
    prompts = FramePrompts(points=torch.zeros(2, 0, 2), labels=torch.zeros(2, 0, dtype=torch.long), text=text)
    with torch.no_grad():
        features = speaking.encode(torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)))
        trained = speaking.decode_training(features, torch.tensor([1, 1]), prompts)
        single = speaking.decode(features[1], prompts, multimask=False)
        several = speaking.decode(features[1], prompts, multimask=True)

    torch.testing.assert_close(single.logits[:, 0], trained.logits[:, 0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(several.logits, trained.logits[:, 1:], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(several.predicted_iou, trained.predicted_iou[:, 1:], atol=1e-5, rtol=1e-4)


def test_an_unknown_word_is_an_error_that_lists_near_ones(speaking: TinySam, image: Image) -> None:
    with pytest.raises(PromptError, match=r"does not know the word 'muug' of 'red muug'\. Nearest: mug"):
        predict(speaking, embed(speaking, image), [TextPrompt("red muug")])


@pytest.mark.parametrize("has_text", [False, True])
def test_a_file_says_by_itself_whether_it_takes_text(tmp_path: Path, has_text: bool) -> None:
    path = tmp_path / "tiny.safetensors"
    save_file(build_tiny_network(config=TinyConfig(has_text=has_text)).state_dict(), path)

    model = load_model(path)

    assert model.card.takes_text is has_text
    assert isinstance(model, TinySam)
    assert (model.text_path is not None) is has_text
