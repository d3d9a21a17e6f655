import multiprocessing
import os
import signal
from dataclasses import replace

import pytest
import torch

import maskwright.train.tune.step as step_module
from maskwright.core.errors import ModelError, SettingError
from maskwright.models import load_model
from maskwright.train.tune.run import tune


@pytest.fixture
def run(tmp_path, squares, quick):
    def start(out="out", *, recipe=quick, told=None, model=None, general=(), train=None):
        return tune(
            model or load_model("test-sam"),
            train or squares[:10],
            squares[10:],
            recipe,
            tmp_path / out,
            features=tmp_path / "features",
            general=general,
            told=told,
        )

    return start


def test_held_out_scores_rise_and_the_best_epoch_is_kept(run, quick):
    found = run(recipe=replace(quick, epochs=10, corrections=0, mirror=0))

    assert found.is_better
    assert found.after["held_out_score"] > found.before["held_out_score"] + 0.01
    scores = [row["held_out_score"] for row in found.rows if "held_out_score" in row]
    assert found.after["held_out_score"] == max(scores)


def test_only_the_decoder_changes(run, test_sam):
    base = test_sam.state_dict()

    found = run()

    changed = {name for name, tensor in found.state.items() if not torch.equal(tensor, base[name])}
    assert changed
    assert all(name.startswith("mask_decoder.") for name in changed)


def killed_after(steps):
    """Told of progress, dies as kill -9 does."""
    seen = []

    def told(what, done, total):
        if what.startswith("epoch"):
            seen.append(done)
            if len(seen) == steps:
                os.kill(os.getpid(), signal.SIGKILL)

    return told


@pytest.mark.parametrize("steps", [1, 3])
def test_a_killed_run_goes_on_to_the_same_bits(run, quick, steps):
    saving = replace(quick, save_minutes=0.0)
    whole = run("whole", recipe=saving)
    process = multiprocessing.get_context("fork").Process(
        target=run, args=("cut",), kwargs={"recipe": saving, "told": killed_after(steps)}
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL

    found = run("cut", recipe=saving)

    assert found.best_epoch == whole.best_epoch
    assert all(torch.equal(found.state[name], tensor) for name, tensor in whole.state.items())


def test_a_run_of_another_recipe_or_of_other_data_is_refused(run, quick, squares):
    run()

    with pytest.raises(SettingError, match="differs in learning_rate"):
        run(recipe=replace(quick, learning_rate=1e-3))
    with pytest.raises(SettingError, match="differs in the data"):
        run(train=squares[:9])


def test_pieces_of_a_batch_learn_the_same(run, quick):
    whole, pieces = run("whole"), run("pieces", recipe=replace(quick, at_once=2))

    for name, tensor in whole.state.items():
        assert torch.allclose(tensor, pieces.state[name], atol=2e-4), name


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_batch(run, tmp_path, monkeypatch):
    calls = []
    honest = step_module._loss

    def sometimes_nan(*args):
        calls.append(args)
        loss, iou = honest(*args)
        return (loss * torch.nan if len(calls) == 8 else loss), iou

    monkeypatch.setattr(step_module, "_loss", sometimes_nan)

    with pytest.raises(
        ModelError, match=r"the loss is nan at epoch 2, batch 2 \(\d+\.png: square, .*Lower learning_rate"
    ):
        run()

    kept = torch.load(tmp_path / "out" / "best.pt", weights_only=True)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept.values())
    monkeypatch.setattr(step_module, "_loss", honest)
    assert run().num_epochs == 3  # what was saved before it is good to go on from


def test_out_of_memory_says_how_many_prompts_fit(run, monkeypatch):
    honest = step_module._decode

    def small_machine(model, features, targets, prompts):
        if len(targets.masks) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return honest(model, features, targets, prompts)

    monkeypatch.setattr(step_module, "_decode", small_machine)

    with pytest.raises(ModelError, match=r"out of memory with 5 prompts at a time; 2 fit\. Go on with --set at_once=2"):
        run()


def test_replay_mixes_general_pictures_in(run, quick, squares):
    without = run("without")

    with_general = run("with", recipe=replace(quick, replay=0.5), general=squares[10:12])

    assert any(not torch.equal(with_general.state[name], x) for name, x in without.state.items())


def test_the_encoder_learns_through_low_ranks_and_comes_out_under_its_plain_names(run, quick, test_sam):
    base = test_sam.state_dict()

    found = run(recipe=replace(quick, parts="decoder+lora", epochs=1, lora_rank=2))

    assert found.state.keys() == base.keys()
    test_sam.load_state_dict(dict(found.state))
    assert found.feature_bytes == 0


def test_everything_can_learn(run, quick, test_sam):
    found = run(recipe=replace(quick, parts="full", epochs=2, batch=10, corrections=0))

    base = test_sam.state_dict()
    names = {name.split(".")[0] for name, x in found.state.items() if not torch.equal(x, base[name])}
    assert not found.is_better or {"image_encoder", "mask_decoder", "prompt_encoder"} <= names


def test_a_part_that_the_model_lacks_is_told(run, quick):
    with pytest.raises(SettingError, match="test-sam has no part that is called hq"):
        run(recipe=replace(quick, parts="hq"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parts": "neck"}, "parts must be some of decoder, prompts, hq"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"replay": -1.0}, "replay must not be negative"),
        ({"test_share": 0.7}, "test_share must lie between 0 and 0.5"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(quick, change, message):
    with pytest.raises(SettingError, match=message):
        replace(quick, **change)
