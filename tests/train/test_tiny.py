import csv
import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

import maskwright.train.run as run_module
from maskwright.core.errors import CheckpointError, ModelError, SettingError
from maskwright.models.tiny import TinyConfig, build_tiny, build_tiny_network
from maskwright.train.assets import AssetPack
from maskwright.train.checkpoints import export_weights, load_checkpoint, load_start, save_checkpoint
from maskwright.train.dice import Dice
from maskwright.train.labelled import LabelledScenes
from maskwright.train.recipe import Recipe, learning_rate, recipe_text
from maskwright.train.step import train_step
from maskwright.train.stream import Batch, SceneMaker, batches
from maskwright.train.tiny import TinyRun, train_tiny
from maskwright.train.trainer import Trainer, make_trainer

SMALL = TinyConfig(trunk="lite0", side=96, width=64, context_width=64, context_depth=1, embedding_depth=1)
RECIPE = Recipe(
    side=96,
    batch=3,
    per_image=2,
    steps=40,
    warmup=5,
    max_objects=4,
    photographs=2,
    learning_rate=2e-3,
    validation_pictures=2,
    workers=0,
)


def trainer_of(recipe: Recipe = RECIPE) -> Trainer:
    torch.manual_seed(0)
    return make_trainer(recipe, build_tiny_network(config=SMALL))


def batches_of(recipe: Recipe, pack: AssetPack, count: int, first: int = 0) -> list[Batch]:
    maker = SceneMaker(recipe=recipe, pack=pack, labelled=LabelledScenes([]))
    with batches(maker, torch.device("cpu"), first_step=first) as stream:
        return [next(stream) for _ in range(count)]


def train(trainer: Trainer, pack: AssetPack, steps: int) -> list[float]:
    made = batches_of(trainer.recipe, pack, steps, trainer.step)
    return [float(train_step(trainer, batch, 0.0)["loss"]) for batch in made]


def test_a_few_steps_on_the_same_scenes_lower_the_loss(pack: AssetPack) -> None:
    trainer = trainer_of(replace(RECIPE, learning_rate=1e-3))
    (scenes,) = batches_of(RECIPE, pack, 1)

    losses = [float(train_step(trainer, replace(scenes, dice=Dice(1)), 0.0)["loss"]) for _ in range(24)]

    assert sum(losses[-8:]) < 0.85 * sum(losses[:8])


def test_a_run_that_keeps_first_answers_teaches_the_decoder_for_corrections_alone(pack: AssetPack) -> None:
    recipe = replace(RECIPE, freeze="answers", corrections=3)
    torch.manual_seed(0)
    trainer = make_trainer(recipe, build_tiny_network(config=replace(SMALL, has_corrector=True)))
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}

    train(trainer, pack, 2)

    changed = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("corrector.") for name in changed)


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(pack: AssetPack, tmp_path: Path) -> None:
    unbroken = trainer_of()
    expected = train(unbroken, pack, 5)
    stopped = trainer_of()
    train(stopped, pack, 3)
    save_checkpoint(stopped, tmp_path / "last.pt")

    resumed = trainer_of()
    load_checkpoint(resumed, tmp_path / "last.pt")

    assert resumed.step == 3
    assert train(resumed, pack, 2) == pytest.approx(expected[3:], rel=1e-4)


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    save_checkpoint(trainer_of(), tmp_path / "last.pt")

    with pytest.raises(SettingError, match="batch 3, now 4"):
        load_checkpoint(trainer_of(replace(RECIPE, batch=4)), tmp_path / "last.pt")
    load_checkpoint(trainer_of(replace(RECIPE, steps=80, workers=1)), tmp_path / "last.pt")


def test_a_damaged_checkpoint_says_so(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"half of it")

    with pytest.raises(CheckpointError, match="delete it to begin anew"):
        load_checkpoint(trainer_of(), tmp_path / "last.pt")


def small_run(out: Path, **changes: object) -> TinyRun:
    return TinyRun(out=out, recipe=replace(RECIPE, **changes), start="nothing")  # type: ignore[arg-type]


@pytest.fixture
def without_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorBoard and matplotlib take seconds to import and warn of each other's versions."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


@pytest.mark.usefixtures("without_boards")
def test_a_run_without_any_pack_leaves_a_log_a_checkpoint_samples_and_weights(tmp_path: Path) -> None:
    weights = train_tiny(small_run(tmp_path, steps=2), config=SMALL)

    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["0", "2"]
    assert float(rows[-1]["loss"]) > 0
    assert {path.name for path in tmp_path.iterdir()} >= {"last.pt", "recipe.toml", "samples.jpg", "log.csv"}
    assert load_file(weights)["image_encoder.trunk.stem.weight"].dtype == torch.float16


@pytest.mark.usefixtures("without_boards")
def test_a_finished_run_goes_on_when_it_is_given_more_steps(tmp_path: Path) -> None:
    train_tiny(small_run(tmp_path, steps=1), config=SMALL)

    train_tiny(small_run(tmp_path, steps=3), config=SMALL)

    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] == 3


@pytest.mark.usefixtures("without_boards")
def test_a_run_without_a_number_of_steps_is_ended_by_its_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(step=0.5)
    monkeypatch.setattr(run_module, "time", SimpleNamespace(monotonic=lambda: next(ticks)))

    train_tiny(small_run(tmp_path, steps=0, minutes=0.4), config=SMALL, began=0.0)

    state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert state["step"] > 2
    assert 0 < state["seconds"] < 0.4 * 60
    assert next(ticks) < 0.4 * 60, "its last score and checkpoint are within the time too"


RUN_IN_A_PROCESS = """
import dataclasses, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.modules["torch.utils.tensorboard"] = sys.modules["matplotlib.figure"] = None
from maskwright.models.tiny import TinyConfig
from maskwright.train.recipe import read_recipe
from maskwright.train.tiny import TinyRun, train_tiny
config = TinyConfig(trunk="lite0", side=96, width=64, context_width=64, context_depth=1, embedding_depth=1)
out, recipe, save_minutes = Path(sys.argv[1]), read_recipe(sys.argv[2]), float(sys.argv[3])
recipe = dataclasses.replace(recipe, save_minutes=save_minutes)
train_tiny(TinyRun(out=out, recipe=recipe, start="nothing"), config=config)
"""


def test_a_run_that_is_killed_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    recipe, steps = tmp_path / "recipe.toml", 6
    recipe.write_text(recipe_text(replace(RECIPE, steps=steps, workers=1, validate_minutes=1000)))

    def command(name: str, save_minutes: str) -> list[str]:
        return [sys.executable, "-c", RUN_IN_A_PROCESS, str(tmp_path / name), str(recipe), save_minutes]

    subprocess.run(command("whole", "1000"), check=True)
    killed = subprocess.Popen(command("killed", "0"))
    while not (tmp_path / "killed" / "last.pt").exists():
        assert killed.poll() is None
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    stopped_at = torch.load(tmp_path / "killed" / "last.pt", weights_only=True)["step"]

    subprocess.run(command("killed", "1000"), check=True)

    assert 0 < stopped_at < steps
    whole, resumed = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "killed"))
    assert resumed["step"] == whole["step"] == steps
    for name, value in whole["average"].items():
        torch.testing.assert_close(resumed["average"][name], value, rtol=1e-3, atol=1e-5)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path, without_boards: None) -> None:
    run = small_run(tmp_path, steps=3, learning_rate=1e30, warmup=1)

    with pytest.raises(ModelError, match="lower learning_rate"):
        train_tiny(run, config=SMALL)


def test_exported_weights_load_strictly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_tiny_network()
    export_weights(model, tmp_path / "w.safetensors", {"round": "test"})

    loaded = build_tiny(weights=tmp_path / "w.safetensors")

    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-5)


def test_weights_of_another_network_are_no_start(tmp_path: Path) -> None:
    export_weights(build_tiny_network(config=SMALL), tmp_path / "w.safetensors", {})

    with pytest.raises(CheckpointError, match="expected weights of this network"):
        load_start(build_tiny_network(), str(tmp_path / "w.safetensors"))
    with pytest.raises(SettingError, match="--start must be tiny, nothing, or a file"):
        load_start(build_tiny_network(), str(tmp_path / "none.safetensors"))


@pytest.mark.parametrize(
    ("freeze", "still", "moving"),
    [
        ("blocks", "image_encoder.trunk.blocks.0.", "image_encoder.trunk.blocks.12."),
        ("trunk", "image_encoder.trunk.", "image_encoder.lateral16."),
        ("encoder", "image_encoder.", "mask_decoder."),
    ],
)
def test_what_is_frozen_does_not_move(pack: AssetPack, freeze: str, still: str, moving: str) -> None:
    trainer = trainer_of(replace(RECIPE, freeze=freeze))
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}

    train(trainer, pack, 1)

    moved = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
    assert not any(name.startswith(still) for name in moved)
    assert any(name.startswith(moving) for name in moved)


def test_the_learning_rate_warms_up_and_dies_down() -> None:
    rates = [learning_rate(RECIPE, step, step / 40) for step in range(41)]

    assert rates[0] < rates[4]
    assert max(rates) <= RECIPE.learning_rate
    assert rates[-1] < 0.05 * RECIPE.learning_rate
