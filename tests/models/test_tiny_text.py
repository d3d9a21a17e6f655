"""The text path of `tiny`: words hold together, points and boxes stay what they were, and files say if they have it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from maskwright.core import BoxPrompt, CombinedPrompt, Image, PointPrompt, TextPrompt
from maskwright.core.errors import PromptError
from maskwright.models import load_model
from maskwright.models.cards import TINY
from maskwright.models.protocol import Decoded
from maskwright.models.tiny import TinyConfig, TinySam, build_tiny_network
from maskwright.models.tiny.pointing import PhraseMaps, answer
from maskwright.models.tiny.text import TextPath, all_hold
from maskwright.models.tiny.vocabulary import WORDS
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


def test_a_new_path_finds_every_word_unlikely() -> None:
    path = TextPath(num_words=len(WORDS))

    assert (path.place_bias.weight < -2).all()
    assert not any(block.lin2.weight.any() for block in path.reader.blocks)  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]


def disc(x: float, y: float, radius: float) -> Tensor:
    """Mask logits of a disc in a frame of 40 x 40."""
    yy, xx = torch.meshgrid(torch.arange(40) + 0.5, torch.arange(40) + 0.5, indexing="ij")
    return torch.where((xx - x) ** 2 + (yy - y) ** 2 < radius**2, 5.0, -5.0)


def maps_of(*words: Tensor) -> PhraseMaps:
    """Maps of one phrase, of words that hold inside discs."""
    return PhraseMaps(logits=torch.stack(words)[None], is_word=torch.ones(1, len(words), dtype=torch.bool))


def drawn(*masks: Tensor) -> Decoded:
    return Decoded(logits=torch.stack(masks)[None], predicted_iou=torch.full((1, len(masks)), 0.9))


def test_points_lie_where_all_words_hold_and_apart() -> None:
    maps = maps_of(torch.maximum(disc(10, 10, 4), disc(30, 20, 4)), torch.maximum(disc(30, 20, 4), disc(10, 30, 4)))

    points = maps.points(4.0)[0]

    x, y = (points[0] / 4).tolist()
    assert (x - 30) ** 2 + (y - 20) ** 2 < 4**2
    assert len(points.unique(dim=0)) == len(points)


def test_a_phrase_means_every_mask_that_it_holds_of() -> None:
    left, right, other = disc(10, 10, 5), disc(30, 10, 5), disc(20, 30, 6)
    maps = maps_of(torch.maximum(left, right))

    answered = answer(maps, drawn(other, left, disc(10, 10, 4.5), right), num_masks=1, is_placed=False)

    assert torch.equal(answered.logits[0, 0] > 0, (left > 0) | (right > 0))
    assert float(answered.predicted_iou) > 0.8


def test_a_phrase_that_describes_nothing_has_an_empty_mask_and_is_not_believed() -> None:
    nowhere = torch.full((40, 40), -9.0)

    answered = answer(maps_of(nowhere), drawn(disc(10, 10, 5)), num_masks=1, is_placed=False)

    assert not (answered.logits > 0).any()
    assert float(answered.predicted_iou) < 0.1


def test_a_click_with_words_means_one_thing_whatever_else_they_hold_of() -> None:
    left, right = disc(10, 10, 5), disc(30, 10, 6)
    maps = maps_of(torch.maximum(left, right))

    answered = answer(maps, drawn(disc(10, 10, 9), left), num_masks=1, is_placed=True)

    assert torch.equal(answered.logits[0, 0], left)


def test_several_masks_come_best_first() -> None:
    left, whole, other = disc(10, 10, 5), disc(10, 10, 9), disc(30, 30, 6)

    answered = answer(maps_of(left), drawn(other, whole, left), num_masks=3, is_placed=False)

    assert torch.equal(answered.logits[0, 0], left)
    assert answered.predicted_iou[0].diff().max() <= 0


def test_a_phrase_is_answered_the_same_alone_and_beside_longer_ones(speaking: TinySam, image: Image) -> None:
    embedding = embed(speaking, image)
    short, long = TextPrompt("mug"), TextPrompt("the red metal mug")

    together = predict(speaking, embedding, [long, short])

    alone = predict(speaking, embedding, [short])
    torch.testing.assert_close(together.logits[1:], alone.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together.predicted_iou[1:], alone.predicted_iou, atol=1e-5, rtol=1e-4)
    assert float(together.predicted_iou[0]) != float(together.predicted_iou[1])


def test_words_in_another_order_mean_the_same(speaking: TinySam, image: Image) -> None:
    batch = predict(speaking, embed(speaking, image), [TextPrompt("red mug"), TextPrompt("mug red")])

    torch.testing.assert_close(batch.logits[0], batch.logits[1], atol=1e-4, rtol=1e-4)


def test_words_choose_among_what_a_click_or_a_box_may_mean(speaking: TinySam, image: Image) -> None:
    embedding = embed(speaking, image)
    point, box, text = PointPrompt([(40, 40)]), BoxPrompt((20, 20, 70, 80)), TextPrompt("red mug")
    mixed = [point, CombinedPrompt([text, point]), box, CombinedPrompt([box, text]), text]

    batch = predict(speaking, embedding, mixed)

    single, several = (predict(speaking, embedding, [point, box], num_masks=n) for n in (1, 3))
    torch.testing.assert_close(batch.logits[[0, 2]], single.logits, atol=1e-5, rtol=1e-5)
    for with_text, alone in ((1, 0), (3, 1)):
        candidates = [*single.logits[alone], *several.logits[alone]]
        assert any(torch.allclose(batch.logits[with_text, 0], one, atol=1e-4) for one in candidates)


def test_points_are_answered_to_the_bit_as_without_a_text_path(speaking: TinySam, image: Image) -> None:
    silent = build_tiny_network(TINY, TinyConfig(trunk="lite0", side=128))
    silent.load_state_dict({k: v for k, v in speaking.state_dict().items() if not k.startswith("text_path.")})
    prompts = [PointPrompt([(40, 40)]), BoxPrompt((20, 20, 70, 80))]

    answers = [predict(model, embed(model, image), prompts) for model in (speaking, silent)]

    assert torch.equal(answers[0].logits, answers[1].logits)
    assert torch.equal(answers[0].predicted_iou, answers[1].predicted_iou)


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
