import multiprocessing
import os
import signal
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

import maskwright.train.tune.step as step_module
from maskwright.core.errors import ModelError, SettingError
from maskwright.models import load_model
from maskwright.models.protocol import Features
from maskwright.train.dice import Dice
from maskwright.train.tune.features import encoded
from maskwright.train.tune.keeping import ask_base, elsewhere, keeping_loss
from maskwright.train.tune.lesson import MaskLesson
from maskwright.train.tune.recipe import TuneRecipe, usual_recipe, words_recipe
from maskwright.train.tune.run import tune
from maskwright.train.tune.samples import Samples
from maskwright.train.tune.step import rate_at


@pytest.fixture
def run(tmp_path, squares, quick):
    def start(out="out", *, recipe=quick, told=None, model=None, general=(), train=None, keep=None):
        return tune(
            model or load_model("test-sam"),
            train or squares[:10],
            squares[10:],
            recipe,
            tmp_path / out,
            features=tmp_path / "features",
            general=general,
            told=told,
            keep=keep,
        )

    return start


@pytest.fixture
def weights(tmp_path):
    """What a run has learnt at its end, best or not."""
    return lambda out="out": torch.load(tmp_path / out / "last.pt", weights_only=True)["model"]


def test_held_out_scores_rise_and_the_best_epoch_is_kept_and_given_away(run, quick):
    kept = []

    found = run(recipe=replace(quick, epochs=20, corrections=0, mirror=0), keep=kept.append)

    assert found.is_better
    assert all(torch.equal(kept[-1][name], tensor) for name, tensor in found.state.items())
    assert found.after["held_out_score"] > found.before["held_out_score"] + 0.01
    scores = [row["held_out_score"] for row in found.rows if "held_out_score" in row]
    assert found.after["held_out_score"] == max(scores)


def test_only_the_decoder_learns(run, weights, test_sam):
    run()

    base = test_sam.state_dict()
    assert all(name.startswith("mask_decoder.") for name in weights())
    assert all(not torch.equal(tensor, base[name]) for name, tensor in weights().items() if tensor.ndim > 1)


def killed_after(steps):
    """Told of progress, dies as kill -9 does."""
    seen = []

    def told(what, done, total):
        if what.startswith("epoch"):
            seen.append(done)
            if len(seen) == steps:
                os.kill(os.getpid(), signal.SIGKILL)

    return told


@pytest.mark.parametrize(
    ("steps", "change", "num_general"),
    [
        pytest.param(1, {}, 0, id="decoder"),
        pytest.param(3, {"at_once": 2}, 0, id="piece by piece"),
        pytest.param(1, {"epochs": 1}, 4, id="with general pictures"),
        pytest.param(1, {"epochs": 1, "parts": "decoder+lora", "lora_rank": 2}, 0, id="low ranks"),
    ],
)
def test_a_killed_run_goes_on_to_the_same_bits(run, quick, squares, weights, steps, change, num_general):
    saving = replace(quick, **{"save_minutes": 0.0, "epochs": 2, **change})
    general = squares[:num_general]
    whole = run("whole", recipe=saving, general=general)
    process = multiprocessing.get_context("fork").Process(
        target=run, args=("cut",), kwargs={"recipe": saving, "told": killed_after(steps), "general": general}
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL

    found = run("cut", recipe=saving, general=general)

    assert found.after == whole.after
    assert found.shares == whole.shares
    cut = weights("cut")
    assert all(torch.equal(tensor, cut[name]) for name, tensor in weights("whole").items())


def test_a_run_of_another_recipe_or_of_other_data_is_refused(run, quick, squares):
    run()

    with pytest.raises(SettingError, match="differs in learning_rate"):
        run(recipe=replace(quick, learning_rate=1e-3))
    with pytest.raises(SettingError, match="differs in the data"):
        run(train=squares[:9])


def test_pieces_of_a_batch_learn_the_same(run, quick, weights):
    once = replace(quick, epochs=1)
    run("whole", recipe=once)
    run("pieces", recipe=replace(once, at_once=2))

    pieces = weights("pieces")
    for name, tensor in weights("whole").items():
        if not name.endswith("k_proj.bias"):  # cancels in the softmax: its gradient is rounding, which Adam enlarges
            assert torch.allclose(tensor, pieces[name], atol=2e-3), name


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_batch(run, monkeypatch):
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

    monkeypatch.setattr(step_module, "_loss", honest)
    assert run().num_epochs == 3  # what was saved before it is good to go on from


def test_a_gradient_that_is_no_number_moves_nothing(run, weights, monkeypatch):
    honest = step_module._loss

    def steep(*args):
        loss, iou = honest(*args)
        return loss + (loss - loss.detach()) * torch.inf, iou

    monkeypatch.setattr(step_module, "_loss", steep)

    with pytest.raises(ModelError, match=r"is nan at epoch 1, batch 1 "):
        run()


def test_out_of_memory_says_how_many_prompts_fit_and_these_do(run, quick, monkeypatch):
    honest = step_module._draft
    taken = []

    def small_machine(model, asked):
        assert all(one() is None for one in taken), "what failed is still in memory"
        if len(asked.image_index) > 2:
            block = torch.zeros(8)
            taken.append(weakref.ref(block))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return honest(model, asked)

    monkeypatch.setattr(step_module, "_draft", small_machine)

    with pytest.raises(ModelError, match=r"out of memory with 5 prompts at a time; 2 fit\. Go on with --set at_once=2"):
        run()
    assert run(recipe=replace(quick, at_once=2)).num_epochs == 3


def test_out_of_memory_for_a_single_prompt_is_told(run, monkeypatch):
    def tiny_machine(model, asked):
        raise MemoryError("not enough memory")

    monkeypatch.setattr(step_module, "_draft", tiny_machine)

    with pytest.raises(ModelError, match=r"not even one fits, take a smaller model"):
        run()


def test_replay_mixes_general_pictures_in(squares, quick):
    drawn = Samples(squares[:10], replace(quick, replay=0.5), crops=0, general=squares[10:12]).epoch(0)

    names = [one.view.example.name for one in drawn]
    assert set(names) > {one.name for one in squares[:10]}
    assert len(names) == 15
    assert Samples(squares[:10], quick, crops=0, general=squares[10:12]).epoch(0) != drawn


def test_of_few_general_pictures_no_more_is_mixed_in_than_they_have_to_say(squares, quick):
    drawn = Samples(squares[:12], replace(quick, replay=1.0), crops=0, general=squares[12:13]).epoch(0)
    general = [one for one in drawn if one.view.example.digest == squares[12].digest]

    assert len(drawn) == 16
    assert len(general) == 4


def test_of_few_general_pictures_the_base_is_asked_no_more_than_they_have_to_say(squares, quick):
    recipe = replace(quick, replay=0.0, keep=1.0, keep_within=1.0)
    few = MaskLesson(squares[:2], squares[2:3], recipe, crops=0, general=squares[3:4])
    many = [replace(squares[i % 12], name=f"{i}", group=f"{i}", digest=f"{i}") for i in range(32)]

    assert few.keep == 1.0
    assert MaskLesson(many, squares[12:], recipe, crops=0, general=squares[3:4]).keep == 0.5


def test_of_many_masks_each_epoch_asks_for_others(squares, quick):
    samples = Samples(squares, replace(quick, epoch_masks=5), crops=0)

    asked = [{one.name for one in samples.epoch(number)} for number in range(12)]
    assert {len(names) for names in asked} == {5}
    assert set.union(*asked) == {one.name for one in Samples(squares, quick, crops=0).epoch(0)}


@pytest.mark.parametrize(("most", "num_views"), [(28, 28), (27, 14), (1, 14)])
def test_many_pictures_are_not_seen_mirrored(squares, quick, most, num_views):
    assert len(Samples(squares, replace(quick, views=most), crops=0).views()) == num_views


def test_the_encoder_learns_through_low_ranks_and_comes_out_under_its_plain_names(run, quick, test_sam):
    base = test_sam.state_dict()

    found = run(recipe=replace(quick, parts="decoder+lora", epochs=1, batch=10, lora_rank=2))

    assert found.state.keys() == base.keys()
    test_sam.load_state_dict(dict(found.state))
    assert found.feature_bytes == 0


def test_everything_can_learn(run, quick, weights, test_sam):
    run(recipe=replace(quick, parts="full", epochs=1, batch=10, corrections=0))

    base = test_sam.state_dict()
    changed = {name.split(".")[0] for name, x in weights().items() if not torch.equal(x, base[name])}
    assert changed == {"image_encoder", "mask_decoder", "prompt_encoder"}


def test_a_part_that_the_model_lacks_is_told(run, quick):
    with pytest.raises(SettingError, match="test-sam has no part that is called hq"):
        run(recipe=replace(quick, parts="hq"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parts": "neck"}, "parts must be some of decoder, prompts, boxes, hq"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"replay": -1.0}, "replay must not be negative"),
        ({"test_share": 0.7}, "test_share must lie between 0 and 0.5"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(quick, change, message):
    with pytest.raises(SettingError, match=message):
        replace(quick, **change)


def test_parts_that_learn_alone_have_numbers_of_their_own():
    assert usual_recipe("decoder+prompts") == TuneRecipe(parts="decoder+prompts")
    assert usual_recipe("text") == words_recipe()
    boxes = usual_recipe("boxes")
    assert boxes.asks_boxes
    assert boxes.reach == usual_recipe("decoder").reach
    assert not usual_recipe("decoder+boxes").asks_boxes


@pytest.mark.parametrize(("num_steps", "warm"), [(1, 1), (4, 1), (30, 6), (1000, 20)])
def test_a_short_run_warms_up_for_a_fifth_of_its_steps_at_most(num_steps, warm):
    recipe = TuneRecipe(warmup=20)

    rates = [rate_at(recipe, step, num_steps) for step in range(num_steps)]

    assert rates.index(max(rates)) == warm - 1


class AsOnAGpu(TorchFunctionMode):
    """Refuses what autocast refuses on a GPU, and lets on a CPU."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.nn.functional.binary_cross_entropy and torch.is_autocast_enabled("cpu"):
            raise RuntimeError("binary_cross_entropy is unsafe to autocast")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("parts", ["decoder", "boxes", "decoder+prompts", "decoder+lora"])
def test_a_run_in_half_precision_goes_as_far_as_any(run, quick, squares, monkeypatch, parts):
    monkeypatch.setattr(step_module, "_half", lambda model: torch.autocast("cpu", torch.bfloat16))
    recipe = replace(quick, parts=parts, epochs=1, bce_weight=1.0, lora_rank=2)

    with AsOnAGpu():
        tuned = run(recipe=recipe, general=squares[:4])

    assert tuned.num_epochs == 1
    assert all(np.isfinite(list(row.values())).all() for row in tuned.rows)


@pytest.mark.parametrize(("parts", "replay"), [("decoder", 0.0), ("decoder+encoder", 1.0)])
def test_general_pictures_are_answered_more_as_the_base_answers_them(
    run, quick, squares, test_sam, weights, parts, replay
):
    def away(recipe, out):
        run(out, recipe=recipe, general=squares[:4])
        model = load_model("test-sam")
        model.load_state_dict(weights(out), strict=False)
        views = Samples(squares[:4], replace(quick, mirror=0), crops=0).views()
        at = elsewhere(views, model.frame, np.random.default_rng(0), "cpu")
        before, after = (
            Features.side_by_side([features for _, features in encoded(one, at.views)]) for one in (test_sam, model)
        )
        kept = ask_base(test_sam, before, at, Dice(1), 1.0, len(views))
        with torch.no_grad():
            return float(keeping_loss(model, after, kept).mean())

    free = replace(quick, parts=parts, keep_within=1.0, replay=replay, clip=1e9)

    assert away(replace(free, keep_weight=30.0), "kept") < 0.7 * away(replace(free, keep=0.0), "free")


@pytest.mark.parametrize(
    ("parts", "which", "epochs"), [("decoder", "first answers", 4), ("decoder+lora", "everything", 8)]
)
def test_weights_that_general_pictures_do_not_allow_are_drawn_back_and_the_run_again_leaves_them(
    run, quick, squares, parts, which, epochs
):
    general = [squares[3], squares[0], squares[4]]
    stages = []
    recipe = replace(quick, keep_within=0.0, keep=0.0, replay=0.0, epochs=epochs, corrections=0, mirror=0, parts=parts)

    strict = run(recipe=recipe, general=general)
    again = run(recipe=recipe, general=general, told=lambda what, *at: stages.append(what))

    assert strict.best_epoch
    assert set(strict.shares) == {which}
    assert again.shares == strict.shares
    assert not any(what.startswith("epoch") or what == "drawing back" for what in stages)
    assert all(torch.equal(tensor, again.state[name]) for name, tensor in strict.state.items())


def test_where_no_epoch_is_better_a_part_of_the_way_may_be(run, quick, weights, tmp_path, monkeypatch, test_sam):
    scores = iter([0.5, 0.3, 0.4, 0.6, 0.55])  # of the base, two epochs, half of the way, a quarter
    monkeypatch.setattr(MaskLesson, "score", lambda self, model, cache: {"held_out_score": next(scores)})

    found = run(recipe=replace(quick, epochs=2, patience=1))

    last = torch.load(tmp_path / "out" / "last.pt", weights_only=True)["average"]
    base = test_sam.state_dict()
    assert found.is_better
    assert found.after == {"held_out_score": 0.6}
    assert all(torch.allclose(found.state[name], base[name].lerp(last[name], 0.5)) for name in last)
    assert any(not torch.equal(found.state[name], base[name]) for name in last)


def test_a_run_is_given_until_its_middle_to_be_better(run, quick, monkeypatch):
    monkeypatch.setattr(MaskLesson, "score", lambda self, model, cache: {"held_out_score": 0.5})

    assert run(recipe=replace(quick, epochs=6, patience=1, corrections=0, mirror=0)).num_epochs == 4
