"""The decoder for corrections of `tiny`: it answers what comes with an earlier answer, and nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from maskwright.core import BoxPrompt, Image, MaskPrompt, PointPrompt
from maskwright.masks import encode
from maskwright.models import load_model
from maskwright.models.cards import TINY
from maskwright.models.tiny import TinyConfig, TinySam, build_tiny_network
from maskwright.predict import embed, predict

CONFIG = TinyConfig(trunk="lite0", side=128, has_corrector=True)


@pytest.fixture(scope="module")
def correcting() -> TinySam:
    """A small `tiny` with two decoders, all weights random."""
    torch.manual_seed(0)
    return build_tiny_network(replace(TINY, name="small-tiny", has_corrector=True), CONFIG)


@pytest.fixture(scope="module")
def plain(correcting: TinySam) -> TinySam:
    """The same weights without the decoder for corrections."""
    model = build_tiny_network(correcting.card, replace(CONFIG, has_corrector=False))
    state = {name: value for name, value in correcting.state_dict().items() if not name.startswith("corrector.")}
    model.load_state_dict(state)
    return model


@pytest.fixture(scope="module")
def image() -> Image:
    return Image(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))


def test_first_answers_are_those_of_a_model_without_it(correcting: TinySam, plain: TinySam, image: Image) -> None:
    mask = np.zeros(image.size_hw, bool)
    mask[20:60, 30:80] = True
    prompts = [PointPrompt([(40, 40)]), BoxPrompt((20, 20, 90, 70)), PointPrompt([(40, 40), (9, 9)], [1, 0])]

    for some in (prompts, [MaskPrompt(encode(mask))]):
        answers = [predict(model, embed(model, image), some) for model in (correcting, plain)]

        assert torch.equal(answers[0].logits, answers[1].logits)
        assert torch.equal(answers[0].predicted_iou, answers[1].predicted_iou)


def test_corrections_go_to_the_second_decoder(correcting: TinySam, plain: TinySam, image: Image) -> None:
    prompts = [PointPrompt([(40 + i, 40), (9, 9)], [1, 0]) for i in range(40)]  # more than one step of the decoder
    embedding = embed(plain, image)
    first = predict(plain, embedding, prompts)

    corrected = predict(correcting, embedding, prompts, previous=first)
    plainly = predict(plain, embedding, prompts, previous=first)
    alone = predict(correcting, embedding, prompts[39:], previous=replace(first, logits=first.logits[39:]))

    assert not torch.equal(corrected.logits, plainly.logits)
    torch.testing.assert_close(corrected.logits[39:], alone.logits)


def test_several_candidates_of_a_correction_come_from_the_first_decoder(
    correcting: TinySam, plain: TinySam, image: Image
) -> None:
    prompts = [PointPrompt([(40, 40), (9, 9)], [1, 0])]
    embedding = embed(plain, image)
    first = predict(plain, embedding, prompts)

    several = [predict(model, embedding, prompts, previous=first, num_masks=3) for model in (correcting, plain)]

    assert torch.equal(several[0].logits, several[1].logits)


def test_it_begins_with_what_the_first_decoder_knows_of_candidate_0(correcting: TinySam) -> None:
    model = build_tiny_network(correcting.card, CONFIG)
    assert model.corrector is not None

    model.corrector.begin_like(model.prompt_encoder, model.mask_decoder)

    first, second = model.mask_decoder, model.corrector.mask_decoder
    assert second.num_mask_tokens == 1
    assert torch.equal(second.mask_tokens.weight, first.mask_tokens.weight[:1])
    tokens = torch.randn(2, 1, CONFIG.width)
    assert torch.equal(second.hyper_weights(tokens), first.hyper_weights(tokens.expand(-1, 4, -1))[:, :1])
    for name, value in second.transformer.state_dict().items():
        assert torch.equal(value, first.transformer.state_dict()[name])


@pytest.mark.parametrize("has_corrector", [False, True])
def test_a_file_says_by_itself_whether_it_has_one(tmp_path: Path, has_corrector: bool) -> None:
    path = tmp_path / "tiny.safetensors"
    save_file(build_tiny_network(config=TinyConfig(has_corrector=has_corrector)).state_dict(), path)

    model = load_model(path)

    assert isinstance(model, TinySam)
    assert model.card.has_corrector is has_corrector
    assert (model.corrector is not None) is has_corrector
