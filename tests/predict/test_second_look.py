"""Words that the whole picture gives no sure answer to are looked for in enlarged parts of it."""

from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core import Image, PointPrompt, TextPrompt
from maskwright.models.cards import TINY
from maskwright.models.text_protocol import ReadsParts
from maskwright.models.tiny import TinyConfig, TinySam, build_tiny_network
from maskwright.models.words.speaking import Words, give_words
from maskwright.predict import embed, look, look_closer, predict, to_records
from maskwright.predict.grounding.things import by_words
from maskwright.predict.second_look import look_for_things, look_for_words, part_boxes
from maskwright.serve.engine.polite import polite

NEVER_SURE = 1.5


@pytest.fixture(scope="module")
def model() -> TinySam:
    """A small `tiny` that is sure of no words, all weights random."""
    torch.manual_seed(0)
    card = replace(TINY, name="small-tiny", takes_text=True, least_text_belief=NEVER_SURE)
    network = build_tiny_network(card, TinyConfig(trunk="lite0", side=128, has_text=True))
    assert network.text_path is not None
    torch.nn.init.normal_(network.text_path.palette, std=0.3)
    torch.nn.init.constant_(network.text_path.finder.out.bias[:1], 0.0)
    torch.nn.init.normal_(network.text_path.finder.out.weight, std=0.3)
    network.text_path.belief_each.copy_(torch.tensor([1.0, 0.0, 3.0, 0.0]))
    return network


@pytest.fixture(scope="module")
def image() -> Image:
    return Image(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))


@pytest.fixture
def encodings(model: TinySam, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count what the model encodes, one number a call."""
    told: list[int] = []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda pixels: told.append(len(pixels)) or encode(pixels))
    return told


@given(st.tuples(st.integers(64, 3000), st.integers(64, 3000)))
def test_parts_cover_the_picture_and_overlap(size_hw: tuple[int, int]) -> None:
    boxes = part_boxes(size_hw)

    for axis in (0, 1):
        spans = sorted({(box[axis], box[axis + 2]) for box in boxes})
        assert spans[0][0] == 0
        assert spans[-1][1] == size_hw[1 - axis]
        assert all(after[0] < before[1] for before, after in pairwise(spans))


def test_a_sliver_has_no_parts() -> None:
    assert part_boxes((20, 3000)) == []


def test_all_phrases_about_a_picture_share_what_its_parts_cost(
    model: TinySam, image: Image, encodings: list[int]
) -> None:
    embedding = embed(model, image)
    prompts = [TextPrompt("red mug"), TextPrompt("gripper")]
    records = to_records(predict(model, embedding, prompts))

    near = list(look_closer(model, image, records, embedding=embedding))

    assert len(encodings) == 1 + len(part_boxes(image.size_hw))
    assert [record.provenance.steps[0].name for record in near] == ["look_for_words"] * 2
    assert not any(record.area for record in near)
    assert all(record.scores.predicted_iou is not None for record in near)
    list(look_closer(model, image, records, embedding=embedding))
    assert len(encodings) == 1 + len(part_boxes(image.size_hw))


def test_a_look_shows_its_best_guess_where_every_guess_is_wanted(model: TinySam, image: Image) -> None:
    prompt = TextPrompt("mug")

    refused, shown = look(model, image, prompt), look(model, image, prompt, min_belief=0)

    (found,) = look_for_words(model, image, embed(model, image), ["mug"], min_belief=0)
    assert refused.record().area == 0
    assert shown.record().rle == found.rle
    assert shown.predicted_iou == pytest.approx(found.belief)


def test_every_thing_that_words_may_hold_of_is_given_once_the_likeliest_first(
    model: TinySam, image: Image, encodings: list[int]
) -> None:
    embedding = embed(model, image)

    found = look_for_things(model, image, embedding, "mug", least_belief=0)
    look_for_things(model, image, embedding, "red gripper")

    beliefs = [one.belief for one in found]
    assert found
    assert beliefs == sorted(beliefs, reverse=True)
    assert all(0 <= belief <= 1 for belief in beliefs)
    assert len({one.rle.counts for one in found}) == len(found)
    assert len(encodings) == 1 + len(part_boxes(image.size_hw))
    assert look_for_things(model, image, embedding, "mug", least_belief=1) == []


def test_instructions_are_about_all_things_each_with_a_record_of_its_own(model: TinySam, image: Image) -> None:
    things = by_words(model)(image)("mug")

    records = [one.record for one in things if one.record is not None]
    assert len({record.id for record in records}) == len(things) > 0
    assert [record.scores.predicted_iou for record in records] == [one.belief for one in things]
    assert [record.rle for record in records] == [one.rle for one in things]


def test_sure_answers_and_clicks_cost_no_part(image: Image, model: TinySam, encodings: list[int]) -> None:
    embedding = embed(model, image)
    records = to_records(predict(model, embedding, [PointPrompt([(40, 40)]), TextPrompt("mug")]))
    sure = replace(records[1], scores=replace(records[1].scores, predicted_iou=2.0))

    _, same = look_closer(model, image, [records[0], sure], embedding=embedding)

    assert same is sure
    assert len(encodings) <= 2  # the picture, and perhaps the click's crop


def test_words_of_an_adapter_are_answered_by_it_alone(image: Image) -> None:
    card = replace(TINY, name="small-tiny", takes_text=True, least_text_belief=NEVER_SURE)
    network = build_tiny_network(card, TinyConfig(trunk="lite0", side=128, has_text=True))
    taught = give_words(network, Words(vocabulary=("mug", "valve")))

    seen = look(taught, image, TextPrompt("valve"))

    assert seen.by_words is None
    assert len(by_words(taught)(image)("valve")) == taught.num_candidates
    assert taught.card.least_text_belief == 0


def test_a_polite_model_looks_again_too(model: TinySam, image: Image) -> None:
    steps: list[str] = []
    gentle = polite(model, lambda what, _: steps.append(what) or nullcontext())
    assert isinstance(gentle, ReadsParts)

    look(gentle, image, TextPrompt("mug"))

    assert steps.count("encode") == 1 + len(part_boxes(image.size_hw))
