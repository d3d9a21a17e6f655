"""Checks of simulators over folders and stores, and the command."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import maskwright as mw
from maskwright.cli.check_sim import app
from maskwright.core.errors import InputError
from maskwright.robot.simulator import RealismSettings
from maskwright.store import create_store
from maskwright.testing.store_values import make_record, rectangle
from maskwright.train.scene_folder import LabelledObject, LabelledScene, write_scene_folder
from maskwright.workflows.check_simulator import ModelAgreement, check_simulator, write_check
from maskwright.workflows.check_simulator_report import simulator_report

_LENIENT = RealismSettings(least_masks=10, least_groups=5)


def _scenes(root: Path, seed: int, *, number: int = 24, scale: float = 1.0) -> Path:
    rng = np.random.default_rng(seed)
    with write_scene_folder(root, made_by={"by": "test"}) as writer:
        for _ in range(number):
            image, masks = np.full((96, 128, 3), 60, np.uint8), np.zeros((96, 128), np.uint8)
            for index, x in ((1, 4), (2, 66)):
                h, w = (rng.uniform(14, 28, 2) * scale).astype(int)
                masks[20 : 20 + h, x : x + w] = index
            image[masks > 0] = rng.integers(120, 160)
            objects = (LabelledObject(index=1, name="cup"), LabelledObject(index=2, name="tray"))
            writer.add(LabelledScene(image=image, masks=masks, objects=objects))
    return root


def test_scenes_of_one_kind_are_realistic_and_larger_things_are_flagged(tmp_path: Path):
    real = str(_scenes(tmp_path / "real", 1))

    same = check_simulator(str(_scenes(tmp_path / "same", 2)), real, settings=_LENIENT)
    larger = check_simulator(str(_scenes(tmp_path / "larger", 3, scale=2.0)), real, settings=_LENIENT)

    assert not same.is_flagged
    assert larger.is_flagged
    assert same.agreement == ()
    assert any(line.startswith("all masks") and "flagged" in line for line in larger.lines())


def test_a_model_is_asked_about_both_sides_and_the_page_draws_the_worst(tmp_path: Path):
    sim, real = (str(_scenes(tmp_path / name, seed, number=3)) for name, seed in (("sim", 1), ("real", 2)))

    check = check_simulator(sim, real, model=mw.load_model("test-sam"))
    report = write_check(check, tmp_path / "out")

    assert [one.label for one in check.agreement] == ["all masks", "cup", "tray"]
    assert check.agreement_real[0].num_masks == 6
    assert check.worst == tuple(sorted(check.worst, key=lambda one: one[2]))
    assert any("all masks (6 of 3 / 6 of 3), cup (3 of 3 / 3 of 3)" in line for line in check.lines())
    page = report.read_text()
    assert page.count("<figure>") == len(check.worst) + len(check.realism.oddest) > 3
    assert "too few to tell" in page
    told = json.loads((tmp_path / "out" / "check.json").read_text())
    assert told["realism"]["overall"]["verdict"] == "too few to tell"
    assert told["worst"][0]["frame"]


def test_too_few_episodes_are_told_before_a_model_is_asked_for_minutes(tmp_path: Path, caplog):
    sim, real = (str(_scenes(tmp_path / name, seed, number=3)) for name, seed in (("sim", 1), ("real", 2)))
    told: list[str] = []

    check_simulator(sim, real, model=mw.load_model("test-sam"), progress=lambda *_: told.append(caplog.text))
    assert "20 masks of 8 episodes a side are needed, got 6 of 3 / 6 of 3" in told[0]
    caplog.clear()
    check_simulator(sim, real)  # takes a moment, and says so in its table
    check_simulator(sim, real, model=mw.load_model("test-sam"), settings=RealismSettings(least_masks=6, least_groups=3))
    assert not caplog.text


def test_the_page_folds_small_classes_and_writes_shares_in_hundredths(tmp_path: Path):
    sim, real = (str(_scenes(tmp_path / name, seed)) for name, seed in (("sim", 1), ("real", 2)))
    check = check_simulator(sim, real, settings=_LENIENT)
    one = ModelAgreement(label="cup", num_masks=3, mean=0.5, low=0.4, high=0.6, median=0.5, tenth=0.3, share_low=0.3)

    few = simulator_report(replace(check, agreement=(one,) * 13))
    many = simulator_report(replace(check, agreement=(one,) * 20))

    assert "<details>" not in few
    assert "7 more classes, with fewer masks" in many
    assert re.search(r"<td>area</td><td>[\d.]+&nbsp;%</td>", few)


def test_answers_in_a_store_count_against_the_truth_beside_them(tmp_path: Path):
    truth, answer = rectangle(2, 2, 12, 10), rectangle(2, 2, 12, 6)
    drawn = make_record(rle=truth, label="cup")
    imagined = make_record(rle=answer, label="cup")
    records = [
        replace(one, provenance=replace(one.provenance, method=method))
        for one, method in ((drawn, "simulator"), (imagined, "sam_raw"))
    ]
    with create_store(tmp_path / "store") as store:
        store.put(records)

    check = check_simulator(str(tmp_path / "store"), str(tmp_path / "store"))

    assert check.realism.overall.num_simulated == 1
    assert check.agreement[0].mean == pytest.approx(0.5)
    assert any("not at hand" in note for note in check.notes)


def test_the_command_prints_a_table_and_ends_with_1_when_strict(tmp_path: Path):
    sim, real = (
        str(_scenes(tmp_path / name, seed, scale=scale)) for name, seed, scale in (("a", 1, 2.0), ("b", 2, 1.0))
    )

    run = CliRunner().invoke(app, [sim, real, "--no-model", "--strict", "--out", str(tmp_path / "out")])
    as_json = CliRunner().invoke(app, [sim, real, "--no-model", "--json"])

    assert run.exit_code == 1
    assert "flagged" in run.output
    assert (tmp_path / "out" / "report.html").is_file()
    assert json.loads(as_json.stdout)["realism"]["overall"]["verdict"] == "flagged"


def test_what_has_no_masks_is_said(tmp_path: Path):
    with pytest.raises(InputError):
        check_simulator(str(tmp_path), str(tmp_path))
    wrong = CliRunner().invoke(app, ["a", "b", "--realistic", "0.5", "--flagged", "0.9"])
    assert wrong.exit_code == 2
