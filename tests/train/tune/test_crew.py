"""Several processes learn what one would: the same order, nearly the same weights, one writer, one message."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from labelled_blocks import write_blocks
from maskwright.cli.__main__ import run as cli
from maskwright.core.errors import SettingError
from maskwright.models import load_model
from maskwright.train.tune.crew import ALONE, Crew, join_crew
from maskwright.train.tune.features import FeatureCache
from maskwright.train.tune.keeping import elsewhere, elsewhere_in
from maskwright.train.tune.run import tune
from maskwright.train.tune.samples import Samples, batch_of
from maskwright.train.tune.step import tune_step
from maskwright.train.tune.tuner import make_tuner
from two_processes import finish, start

CHANGES = (
    "epochs=2", "batch=6", "corrections=1", "mirror=0", "learning_rate=3e-3", "warmup=1", "save_minutes=0",
    "eval_pictures=2",
)  # fmt: skip


def command(source, out, *more):
    changes = [word for change in (*CHANGES, *more) for word in ("--set", change)]
    return [
        "train",
        str(source),
        "--from",
        "test-sam",
        "-o",
        str(out),
        "--general",
        str(source.parent / "general"),
        *changes,
    ]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("crew")
    write_blocks(root / "general", range(50, 52))
    return write_blocks(root / "blocks", range(12)).parent


def learnt(out):
    return torch.load(out / "run" / "last.pt", weights_only=True)


def torchrun(arguments):
    """Run `maskwright ARGUMENTS` in two processes of the real torchrun; returns its code and what all told."""
    many = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "maskwright"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run([*many, *arguments], capture_output=True, text=True, env=environment, check=False)
    return found.returncode, found.stdout + found.stderr


def test_two_processes_of_torchrun_learn_what_one_does_and_one_writes(source, tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "one"))
    assert cli(command(source, tmp_path / "alone")) == 0

    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "two"))
    code, told = torchrun(command(source, tmp_path / "both"))

    assert code == 0, told
    assert told.count("report.html") == 1
    assert told.count("epoch 2, ") == 1
    one, two = learnt(tmp_path / "alone"), learnt(tmp_path / "both")
    assert one["step"] == two["step"] > 4
    for name, tensor in one["model"].items():
        # gradients are added in another order, and Adam makes full steps of a rounding that cancels (k_proj's bias)
        assert torch.allclose(tensor, two["model"][name], atol=2e-3 if name.endswith("k_proj.bias") else 1e-4), name
    scores = [np.array(list(state["progress"]["best_scores"].values())) for state in (one, two)]
    assert np.allclose(*scores, atol=5e-3)
    folders = list((tmp_path / "two" / "features").iterdir())
    keys = (folders[0] / "keys.txt").read_text().splitlines()
    assert len(keys) == len(set(keys)) > 6
    # one process goes on where two were, and both find nothing to do
    assert cli(command(source, tmp_path / "both")) == 0


def test_a_killed_process_ends_all_with_one_message_and_the_run_goes_on(source, tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))
    started = start(command(source, tmp_path / "out", "epochs=200", "patience=200"), tmp_path)
    state = tmp_path / "out" / "run" / "last.pt"
    until = time.monotonic() + 90
    while not state.exists() and time.monotonic() < until:
        time.sleep(0.1)

    started[1].kill()
    codes, told = finish(started, tmp_path)

    assert codes == [1, -signal.SIGKILL]
    lines = [line for line in told[0].splitlines() if line.startswith("error: ")]
    assert lines == [
        "error: another process of this run ended, so all end. The same command goes on from what was saved last"
    ]
    assert "Traceback" not in told[0]
    assert torch.load(state, weights_only=True)["step"] > 0


def test_too_few_prompts_for_all_are_told_once(source, tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))
    codes, told = finish(start(command(source, tmp_path / "out", "batch=1"), tmp_path), tmp_path)

    assert codes == [1, 1]
    errors = [line for one in told for line in one.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: expected at least one prompt of a batch for each of 2 processes, got a batch of 1. Start fewer with "
        "--nproc-per-node"
    ]


def test_the_package_is_a_command_too():
    found = subprocess.run(
        [sys.executable, "-m", "maskwright", "--version"], capture_output=True, text=True, check=True
    )

    assert found.stdout.startswith("maskwright ")


def test_shares_are_a_whole():
    for count in range(9):
        crews = [Crew(rank=rank, size=4) for rank in range(4)]
        rows = [i for crew in crews for i in range(count)[crew.share(count)]]
        assert rows == list(range(count))
    assert ALONE.share(5) == slice(0, 5)


def gradients(squares, recipe, folder, crew=ALONE):
    """What one step would change the weights by, and the loss of what is kept."""
    model = load_model("test-sam")
    batch = batch_of(Samples(squares[:10], recipe, crops=0).epoch(0)[:5], model.frame, "cpu")
    assert batch is not None
    cache = FeatureCache(folder, model)
    cache.fill(model, batch.views)
    tuner = make_tuner(model, recipe, num_steps=10, base_features=cache)
    with torch.no_grad():
        for p in tuner.learning():
            p.mul_(1.05)  # away from the base, so that there is something to keep
    found = {}
    object.__setattr__(tuner.optimizer, "step", lambda: found.update(
        {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    ))  # fmt: skip
    tuner.recipe = replace(recipe, clip=1e9)
    rng, encoder_learns = np.random.default_rng(3), recipe.trains_encoder
    at = (
        elsewhere_in(batch, lambda view: view.example.name < "4", 0.7, model.frame, rng)
        if encoder_learns
        else elsewhere(batch.views[:3], model.frame, rng, "cpu")
    )
    found["kept"] = tune_step(tuner, None if encoder_learns else cache, batch, 3, crew, at=at)["kept"]
    return found


def alike(one, other):
    assert one.keys() == other.keys()
    for name, grad in one.items():
        assert torch.allclose(grad, other[name], atol=1e-4 * float(grad.abs().max()) + 1e-6), (
            name
        )  # of keys' biases all is rounding


@pytest.mark.parametrize("parts", ["decoder", "decoder+encoder"])
def test_shares_of_a_batch_add_up_to_its_gradient(squares, quick, tmp_path, parts):
    class Half(Crew):
        def add(self, value):
            return value

        def add_gradients(self, parameters):
            pass

    recipe = replace(quick, corrections=1, keep=1.0, parts=parts)
    whole = gradients(squares, recipe, tmp_path)
    first, second = (gradients(squares, recipe, tmp_path, Half(rank=rank, size=2)) for rank in range(2))

    assert whole["kept"] > 0
    alike(whole, {name: grad + second[name] for name, grad in first.items()})


@pytest.mark.parametrize("at_once", [0, 2])
def test_threads_learn_what_one_would_and_twice_to_the_same_bits(at_once, squares, quick, tmp_path):
    recipe = replace(quick, corrections=1, keep=1.0, at_once=at_once)
    whole, own = gradients(squares, recipe, tmp_path), torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        threads, again = (gradients(squares, recipe, tmp_path) for _ in range(2))
    finally:
        torch.set_num_threads(own)

    alike(whole, threads)
    assert all(torch.equal(grad, again[name]) for name, grad in threads.items())


def test_one_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_crew("cpu") as (crew, device):
        assert crew is ALONE
        assert device == "cpu"
        crew.wait()
        assert crew.told("x") == "x"
        assert crew.is_first_to_fail()


def test_a_gpu_that_one_process_has_is_none_for_several(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingError, match="torchrun's processes take a GPU each"), join_crew("cuda:0"):
        pass
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(SettingError, match="WORLD_SIZE must be a number"), join_crew("cpu"):
        pass


def test_a_run_of_one_is_smaller_than_no_batch(squares, quick, tmp_path):
    crew = Crew(rank=0, size=11)

    with pytest.raises(SettingError, match="for each of 11 processes, got a batch of 5"):
        tune(load_model("test-sam"), squares[:10], squares[10:], quick, tmp_path, features=tmp_path, crew=crew)
