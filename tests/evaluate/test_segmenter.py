"""A model as a segmenter: it answers as `predict` does, remembers its logits, and looks closer when it should."""

import pytest

import maskwright as mw
from maskwright.core import BoxPrompt, PointPrompt
from maskwright.evaluate import ModelSegmenter
from maskwright.masks import iou
from maskwright.models import Model, load_model
from maskwright.predict.closer import look_closer
from maskwright.predict.records import to_records

CLICKS = [PointPrompt([(235, 290)]), PointPrompt([(390, 440)])]
LONGER = [PointPrompt([(235, 290), (235, 370)], [1, 0]), PointPrompt([(390, 440), (300, 440)], [1, 0])]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("test-sam")


@pytest.fixture(scope="module")
def image() -> mw.Image:
    return mw.read_image(mw.example_path())


def test_answers_to_longer_prompts_build_on_the_answers_to_shorter_ones(model: Model, image: mw.Image) -> None:
    session = ModelSegmenter(model, closer=False).open(image)
    embedding = mw.embed(model, image)

    first = session.answer(CLICKS)
    second = session.answer(LONGER, first)
    # One object at a time, and in the other order: each answer brings its own memory.
    swapped = session.answer([LONGER[1]], [first[1]])

    batch = mw.predict(model, embedding, CLICKS)
    expected = to_records(mw.predict(model, embedding, LONGER, previous=batch))
    assert [answer.mask for answer in second] == [record.rle for record in expected]
    assert iou(swapped[0].mask, second[1].mask) > 0.9999  # alone, a processor may round otherwise
    assert second[0].predicted_iou == expected[0].scores.predicted_iou


def test_a_closer_look_is_taken_only_where_it_was_asked_for(model: Model, image: mw.Image) -> None:
    box = BoxPrompt((527, 430, 676, 539))
    records = to_records(mw.predict(model, mw.embed(model, image), [box]))

    (near,) = ModelSegmenter(model, closer=True).open(image).answer([box])
    (far,) = ModelSegmenter(model, closer=False).open(image).answer([box])

    assert far.mask == records[0].rle
    assert near.mask == next(iter(look_closer(model, image, records))).rle
    assert near.mask != far.mask


def test_a_model_takes_the_name_it_is_given_and_words_only_if_its_card_says_so(model: Model) -> None:
    assert ModelSegmenter(model).name == "test-sam"
    assert ModelSegmenter(model, "mine").name == "mine"
    assert ("text" in ModelSegmenter(model).can) == model.card.takes_text
