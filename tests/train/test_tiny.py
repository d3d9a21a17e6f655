from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from maskwright.core.errors import ModelError
from maskwright.models.tiny import TinyConfig, build_tiny, build_tiny_network
from maskwright.train.assets import AssetPack
from maskwright.train.checkpoints import export_weights, load_checkpoint, save_checkpoint
from maskwright.train.recipe import Recipe, learning_rate
from maskwright.train.run import run
from maskwright.train.step import train_step
from maskwright.train.stream import scene_stream
from maskwright.train.tiny import parser
from maskwright.train.trainer import Trainer, make_trainer

SMALL = TinyConfig(trunk="lite0", side=96, width=64, context_width=64, context_depth=1, embedding_depth=1)
RECIPE = Recipe(side=96, batch=3, per_image=2, steps=40, warmup=5, max_objects=4, photographs=2, learning_rate=2e-3)


def _trainer(recipe: Recipe = RECIPE) -> Trainer:
    torch.manual_seed(0)
    return make_trainer(recipe, build_tiny_network(config=SMALL))


def _train(trainer: Trainer, pack: AssetPack, steps: int) -> list[float]:
    stream = scene_stream(trainer.recipe, pack, trainer.device, trainer.step)
    return [float(train_step(trainer, next(stream), 0.0)["loss"]) for _ in range(steps)]


def test_a_few_steps_lower_the_loss(pack: AssetPack) -> None:
    trainer = _trainer()

    losses = _train(trainer, pack, 24)

    assert sum(losses[-6:]) < 0.8 * sum(losses[:6])


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(pack: AssetPack, tmp_path: Path) -> None:
    unbroken = _trainer()
    expected = _train(unbroken, pack, 5)
    stopped = _trainer()
    _train(stopped, pack, 3)
    save_checkpoint(stopped, tmp_path / "last.pt")

    resumed = _trainer()
    load_checkpoint(resumed, tmp_path / "last.pt")

    assert resumed.step == 3
    assert _train(resumed, pack, 2) == pytest.approx(expected[3:], rel=1e-4)


def test_a_run_writes_a_log_a_checkpoint_and_weights(pack: AssetPack, tmp_path: Path) -> None:
    trainer = _trainer(replace(RECIPE, steps=2))

    run(trainer, pack, tmp_path, minutes=None)

    assert (tmp_path / "log.csv").read_text().startswith("step,seconds,loss")
    assert (tmp_path / "last.pt").exists()
    assert load_file(tmp_path / "tiny.safetensors")["image_encoder.trunk.stem.weight"].dtype == torch.float16


def test_a_loss_that_is_no_number_stops_the_run(pack: AssetPack, tmp_path: Path) -> None:
    trainer = _trainer()
    with torch.no_grad():
        next(trainer.model.mask_decoder.parameters()).fill_(float("nan"))

    with pytest.raises(ModelError, match="lower --learning-rate"):
        run(trainer, pack, tmp_path, minutes=None)


def test_exported_weights_load_strictly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_tiny_network()
    export_weights(model, tmp_path / "w.safetensors", {"round": "test"})

    loaded = build_tiny(weights=tmp_path / "w.safetensors")

    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-5)


def test_frozen_blocks_do_not_move(pack: AssetPack) -> None:
    trainer = _trainer()
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}

    _train(trainer, pack, 1)

    moved = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
    assert not any(name.startswith(("image_encoder.trunk.stem", "image_encoder.trunk.blocks.0.")) for name in moved)
    assert any(name.startswith("image_encoder.trunk.blocks.12.") for name in moved)


def test_the_learning_rate_warms_up_and_dies_down() -> None:
    rates = [learning_rate(RECIPE, step, step / 40) for step in range(41)]

    assert rates[0] < rates[4]
    assert max(rates) <= RECIPE.learning_rate
    assert rates[-1] < 0.05 * RECIPE.learning_rate


def test_every_field_of_the_recipe_is_an_option() -> None:
    options = parser().parse_args(["--pack", "p", "--out", "o", "--batch", "7"])

    assert options.batch == 7
    assert options.ema == Recipe().ema
