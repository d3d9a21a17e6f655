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
from maskwright.models.tiny.answering import answer, answer_placed, rank
from maskwright.models.tiny.finding import (
    REGIONS,
    FinderMaps,
    box_iou,
    cells8_to_picture,
    propose,
    region_logits,
)
from maskwright.models.tiny.reading import colour_numbers, map_numbers, oklab, shape_numbers
from maskwright.models.tiny.text import NO_WORD, TextPath, Things, extent_of
from maskwright.models.tiny.vocabulary import WORDS, phrase_words
from maskwright.predict import embed, predict

BELIEF = torch.tensor([1.0, 0.0, 0.0, 2.0, 0.0])


@pytest.fixture(scope="module")
def speaking() -> TinySam:
    """A small `tiny` with a text path, all weights random."""
    torch.manual_seed(0)
    config = TinyConfig(trunk="lite0", side=128, has_text=True)
    model = build_tiny_network(replace(TINY, name="small-tiny", takes_text=True), config)
    assert model.text_path is not None
    torch.nn.init.normal_(model.text_path.palette, std=0.3)
    torch.nn.init.constant_(model.text_path.finder.out.bias[:1], 0.0)
    torch.nn.init.normal_(model.text_path.finder.out.weight, std=0.3)
    return model


@pytest.fixture(scope="module")
def image() -> Image:
    return Image(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))


def disc(x: float, y: float, radius: float) -> Tensor:
    """Mask logits of a disc in a frame of 40 x 40."""
    yy, xx = torch.meshgrid(torch.arange(40) + 0.5, torch.arange(40) + 0.5, indexing="ij")
    return torch.where((xx - x) ** 2 + (yy - y) ** 2 < radius**2, 5.0, -5.0)


def things(*named: tuple[Tensor, str]) -> Things:
    """Whole things, of which the words given hold and no others."""
    words = torch.full((len(named), len(WORDS)), -6.0)
    for row, (_, text) in zip(words, named, strict=True):
        row[list(phrase_words(text))] = 6.0
    return Things(logits=torch.stack([mask for mask, _ in named]), words=words, quality=torch.full((len(named),), 4.0))


def text(*phrases: str) -> Tensor:
    rows = [phrase_words(phrase) for phrase in phrases]
    longest = max(map(len, rows))
    return torch.tensor([(*row, *[NO_WORD] * (longest - len(row))) for row in rows])


SCENE = things((disc(10, 10, 5), "red mug"), (disc(30, 10, 6), "blue mug"), (disc(10, 30, 5), "red ball"))


@pytest.mark.parametrize(("phrase", "meant"), [("red mug", [0]), ("blue mug", [1]), ("mug", [0, 1]), ("red", [0, 2])])
def test_a_phrase_means_everything_that_all_of_its_words_hold_of(phrase: str, meant: list[int]) -> None:
    answered = answer(SCENE, text(phrase), BELIEF, num_masks=1)

    assert torch.equal(answered.logits[0, 0] > 0, (SCENE.logits[meant] > 0).any(0))
    assert float(answered.predicted_iou) > 0.8


def test_what_is_not_there_is_a_guess_that_is_not_believed() -> None:
    answered = answer(SCENE, text("blue ball", "hammer"), BELIEF, num_masks=1)

    assert (answered.logits > 0).flatten(1).any(1).all()
    assert (answered.predicted_iou < 0.1).all()


def test_words_without_a_sure_answer_have_an_empty_mask_unless_every_guess_is_wanted(
    speaking: TinySam, image: Image
) -> None:
    embedding = embed(speaking, image)
    guess = predict(speaking, embedding, [TextPrompt("red mug")], min_belief=0)
    belief = float(guess.predicted_iou)

    refused, taken = (
        predict(speaking, embedding, [TextPrompt("red mug")], min_belief=belief + d) for d in (1e-3, -1e-3)
    )

    assert (guess.logits > 0).any()
    assert not (refused.logits > 0).any()
    assert torch.equal(taken.logits, guess.logits)
    assert float(refused.predicted_iou) == belief


def test_a_picture_of_nothing_answers_with_nothing() -> None:
    nothing = Things(logits=torch.zeros(0, 40, 40), words=torch.zeros(0, len(WORDS)), quality=torch.zeros(0))

    answered = answer(nothing, text("mug", "red ball"), BELIEF, num_masks=3)

    assert answered.logits.shape == (2, 3, 40, 40)
    assert not (answered.logits > 0).any()
    assert not answered.predicted_iou.any()


def test_of_masks_of_one_thing_the_whole_one_counts() -> None:
    seen = things((disc(10, 10, 3), "mug"), (disc(10, 10, 6), "mug"))
    seen.quality[0] = -2.0

    answered = answer(seen, text("mug"), BELIEF, num_masks=1)

    assert torch.equal(answered.logits[0, 0], seen.logits[1])


def test_several_masks_come_best_first() -> None:
    answered = answer(SCENE, text("red mug"), BELIEF, num_masks=3)

    assert torch.equal(answered.logits[0, 0], SCENE.logits[0])
    assert answered.predicted_iou[0].diff().max() <= 0


def test_a_click_with_words_means_one_thing_whatever_else_they_hold_of() -> None:
    drawn = Decoded(logits=SCENE.logits[None], predicted_iou=torch.full((1, 3), 0.9))

    answered = answer_placed(drawn, [SCENE], text("red ball"), num_masks=1)

    assert torch.equal(answered.logits[0, 0], SCENE.logits[2])


@settings(deadline=None)
@given(st.lists(st.floats(-10, 8), min_size=1, max_size=4))
def test_words_hold_together_as_the_product_of_each(logits: list[float]) -> None:
    words = torch.full((1, len(WORDS)), -6.0)
    words[0, : len(logits)] = torch.tensor(logits)
    seen = Things(logits=disc(10, 10, 5)[None], words=words, quality=torch.full((1,), 40.0))

    score = rank(seen, torch.arange(len(logits))[None]).scores[0, 0]

    torch.testing.assert_close(
        score.double(), torch.tensor(logits).double().sigmoid().log().sum(), atol=1e-4, rtol=1e-4
    )


def test_boxes_that_say_the_same_become_one() -> None:
    boxes = torch.zeros(1, 4, 4, 4)
    boxes[0, :2] = torch.tensor([2.0, 2, 12, 12])
    boxes[0, 0, 0] = torch.tensor([3.0, 2, 13, 12])
    boxes[0, 3, 3] = torch.tensor([20.0, 20, 40, 40])  # reaches out of the picture
    surety = torch.full((1, 4, 4), -9.0)
    surety[0, 0, :2], surety[0, 3, 3] = 2.0, 1.0
    maps = FinderMaps(things=surety, boxes=boxes, regions=boxes)

    found = propose(maps, most=9, size_wh=(32.0, 32.0))

    torch.testing.assert_close(found.boxes, torch.tensor([[2.5, 2, 12.5, 12], [20, 20, 32, 32]]))
    assert found.scores.diff().max() <= 0


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 4), min_size=1, max_size=5))
def test_a_box_has_no_more_in_common_with_another_than_with_itself(corners: list[tuple[int, int, int, int]]) -> None:
    boxes = torch.tensor([(x, y, x + w + 1, y + h + 1) for x, y, w, h in corners]).float()

    overlap = box_iou(boxes, boxes)

    assert torch.allclose(overlap.diag(), torch.ones(len(boxes)))
    assert ((overlap >= 0) & (overlap <= 1)).all()
    assert torch.equal(overlap, overlap.T)


def test_regions_lie_where_they_are_likeliest_and_never_on_each_other() -> None:
    regions = torch.randn(1, len(REGIONS) + 1, 5, 5, generator=torch.Generator().manual_seed(0))
    maps = FinderMaps(things=regions[:, 0], boxes=torch.zeros(1, 5, 5, 4), regions=regions)

    drawn = region_logits(maps) > 0

    assert drawn.shape == (len(REGIONS), 10, 10)
    assert int(drawn.sum(0).max()) == 1


def test_cells_of_stride_8_come_into_picture_order() -> None:
    picture = torch.arange(48.0).view(1, 1, 6, 8)
    cells = picture.view(1, 1, 3, 2, 4, 2).permute(0, 2, 4, 3, 5, 1).reshape(1, 48, 1)

    assert torch.equal(cells8_to_picture(cells, 4), picture)


def test_lightness_and_hue_are_told_apart() -> None:
    white, gray, red, green = oklab(torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, -1, -1], [-1, 1, -1]]))

    torch.testing.assert_close(white, torch.tensor([1.0, 0, 0]), atol=2e-3, rtol=0)
    assert 0.5 < gray[0] < 0.7
    assert gray[1:].abs().max() < 2e-3
    assert red[1] > 0.2
    assert green[1] < -0.2


def test_a_masks_colours_are_its_own_whatever_lies_around_it() -> None:
    shades = torch.full((20, 20, 3), -1.0)
    shades[5:15, 5:15] = torch.tensor([1.0, -1, -1])
    mask = torch.zeros(1, 20, 20, dtype=torch.bool)
    mask[0, 4:16, 4:16] = True  # with a rim of what lies around
    palette = oklab(torch.tensor([[1.0, -1, -1], [-1, -1, -1]]))

    shares = colour_numbers(shades, mask, palette, (20, 20))[0, :2]

    torch.testing.assert_close(shares, torch.tensor([1.0, 0.0]), atol=1e-3, rtol=0)


def test_shapes_are_described_in_plain_numbers() -> None:
    masks = torch.zeros(2, 40, 40, dtype=torch.bool)
    masks[0, 10:20, 5:35] = True
    masks[1, 0:40, 18:22] = True

    wide, tall = shape_numbers(masks, (40, 40))

    assert wide.isfinite().all()
    assert float(wide[0].exp()) == pytest.approx(300)
    assert float(wide[3].exp()) == pytest.approx(3)
    assert float(tall[3].exp()) == pytest.approx(0.1)
    assert float(wide[11]) == 0
    assert float(tall[11]) == 2  # it touches top and bottom


def test_the_padding_of_a_frame_is_told_from_the_picture(speaking: TinySam, image: Image) -> None:
    features = embed(speaking, image).features

    assert extent_of(features.extra[3][0]) == (24, 32)


def test_numbers_of_a_mask_do_not_depend_on_the_others(speaking: TinySam, image: Image) -> None:
    assert speaking.text_path is not None
    features = embed(speaking, image).features
    with torch.no_grad():
        drawn = speaking.draw_things(features)
        masks = drawn.logits > 0
        together = map_numbers(features, masks)
        alone = map_numbers(features, masks[1:2])
        numbers = speaking.text_path.numbers(features, drawn)

    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=1e-4)
    assert numbers.shape == (len(masks), sum(speaking.text_path.reader.sizes))
    assert numbers.isfinite().all()


def test_a_new_path_finds_every_word_and_everything_unlikely() -> None:
    path = TextPath()

    assert float(path.reader.bias.detach().max()) < -3
    assert float(path.finder.out.bias.detach()[0]) <= -2


def test_a_second_phrase_about_a_picture_finds_its_things_again(speaking: TinySam, image: Image) -> None:
    embedding = embed(speaking, image)
    first = predict(speaking, embedding, [TextPrompt("mug")])
    last = speaking._last_things
    assert last is not None

    again = predict(speaking, embedding, [TextPrompt("mug")])
    assert speaking._last_things is last
    other = Image(np.ascontiguousarray(image.pixels[::-1]))
    predict(speaking, embed(speaking, other), [TextPrompt("mug")])

    assert speaking._last_things is not last
    assert torch.equal(first.logits, again.logits)


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
    unambiguous = predict(speaking, embedding, [point, box], multimask=False)
    for with_text, alone in ((1, 0), (3, 1)):
        candidates = [*unambiguous.logits[alone], *several.logits[alone]]
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
