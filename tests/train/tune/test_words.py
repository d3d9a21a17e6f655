"""A text adapter learns words from labels, before test-sam, whose encoder is random and stays."""

from dataclasses import replace

import pytest
import torch

from labelled_blocks import blocks_example
from maskwright.core.errors import InputError, SettingError
from maskwright.models import load_model
from maskwright.models.words.speaking import Words, give_words
from maskwright.models.words.vocabulary import words_in
from maskwright.train.tune.recipe import TuneRecipe, words_recipe
from maskwright.train.tune.run import tune
from maskwright.train.tune.word_samples import WordSamples, asked_batch, meant_by

QUICK = replace(words_recipe(), epochs=6, warmup=5, learning_rate=3e-3, ema=0.9, mirror=0)


@pytest.fixture(scope="module")
def blocks():
    return [blocks_example(i) for i in range(34)]


def speaking(blocks):
    labels = {mask.label for one in blocks for mask in one.masks}
    return give_words(load_model("test-sam"), Words(vocabulary=words_in(labels)))


@pytest.fixture(scope="module")
def taught(blocks, tmp_path_factory):
    root = tmp_path_factory.mktemp("words")
    return root, tune(speaking(blocks), blocks[:24], blocks[24:], QUICK, root / "run", features=root / "features")


def test_the_loss_falls(taught):
    losses = [row["loss"] for row in taught[1].rows if "loss" in row]

    assert losses[-1] < 0.2 * losses[0]


def test_the_right_word_beats_another_word_and_what_is_not_there_is_told(taught):
    scores = taught[1].after

    assert scores["held_out_text"] > 0.5
    assert scores["held_out_other_word"] < 0.1
    assert scores["held_out_absent"] > 0.8
    assert scores["held_out_score"] > taught[1].before["held_out_score"] + 0.4


def test_only_the_adapter_changed(taught):
    base = load_model("test-sam").state_dict()

    assert all(torch.equal(tensor, taught[1].state[name]) for name, tensor in base.items())
    assert {name.partition(".")[0] for name in set(taught[1].state) - set(base)} == {"text_adapter"}


def test_a_run_goes_on_to_the_same_bits(blocks, taught, tmp_path):
    root, _ = taught
    short = replace(QUICK, epochs=2)
    whole = tune(speaking(blocks), blocks[:24], blocks[24:], short, tmp_path / "a", features=root / "features")

    def cut(what, done, total):
        if what.startswith("epoch 2") and done == 2:
            raise KeyboardInterrupt

    saving = replace(short, save_minutes=0.0)
    with pytest.raises(KeyboardInterrupt):
        tune(speaking(blocks), blocks[:24], blocks[24:], saving, tmp_path / "b", features=root / "features", told=cut)
    again = tune(speaking(blocks), blocks[:24], blocks[24:], saving, tmp_path / "b", features=root / "features")

    assert again.after == whole.after
    assert all(torch.equal(tensor, again.state[name]) for name, tensor in whole.state.items())


def test_an_epoch_asks_what_is_there_and_half_as_much_that_is_not(blocks):
    samples = WordSamples(blocks[:10], QUICK)

    asked = samples.epoch(0)

    assert len(asked) == 10 * 3
    assert sum(not one.positions for one in asked) == 10
    assert samples.epoch(0) == asked
    assert samples.epoch(1) != asked
    assert any(len(one.phrase) == 1 for one in asked)


def test_a_phrase_means_all_masks_that_have_its_words(blocks):
    example = blocks[0]
    names = [mask.label for mask in example.masks]

    assert meant_by(("nothing",), example) == ()
    assert meant_by((names[1].replace("_", " ").split()[0],), example) == (1,)
    assert meant_by((), example) == (0, 1)


def test_what_is_absent_is_an_empty_target(blocks):
    asked = WordSamples(blocks[:4], QUICK).epoch(0)

    batch = asked_batch(asked, load_model("test-sam").frame, "cpu")

    filled = batch.masks.flatten(1).any(1)
    assert torch.equal(filled, batch.is_present > 0)


def test_masks_without_labels_teach_no_words(blocks, squares, tmp_path):
    model = speaking(blocks)

    with pytest.raises(InputError, match="words are learnt from labels, and no mask to learn from has one"):
        tune(model, squares[:5], squares[5:8], QUICK, tmp_path / "a", features=tmp_path)
    with pytest.raises(InputError, match="none of the held-out masks has a label that is also learnt from"):
        tune(model, blocks[:5], squares[5:8], QUICK, tmp_path / "b", features=tmp_path)


def test_words_learn_alone():
    with pytest.raises(SettingError, match=r"text learns alone, got parts 'decoder\+text'"):
        TuneRecipe(parts="decoder+text")
