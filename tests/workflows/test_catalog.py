import json

import pytest

from flawed_store import good, mask, store_of
from maskwright.cli.__main__ import run
from maskwright.core.errors import InputError, SettingError
from maskwright.workflows.catalog import Wanted, list_stores
from maskwright.workflows.run_manifest import FOLDER


@pytest.fixture
def shelf(tmp_path):
    """Three stores: a model's, people's with a robot and a task, and one at 10 Hz for research only."""
    store_of(tmp_path / "a" / "raw", [mask(number) for number in range(4)])
    drawn = store_of(tmp_path / "b" / "deep" / "drawn", [good(number) for number in range(4)])
    (drawn / FOLDER).mkdir()
    source = {"name": "kitchen", "robot": "Panda", "tasks": ["wash the dishes"], "fps": [30.0]}
    manifest = {
        "format": "maskwright-run",
        "version": 1,
        "run": "r",
        "source": source,
        "sessions": [{"outcome": "done"}],
    }
    (drawn / FOLDER / "r.json").write_text(json.dumps(manifest))
    store_of(tmp_path / "slow", [mask(number, provenance={"licence": "CC-BY-NC-4.0"}) for number in (0, 3, 6, 9)])
    return tmp_path


def names(found):
    return [facts.name for facts in found.stores]


def test_every_store_below_a_folder_is_listed(shelf):
    found = list_stores([shelf])

    assert names(found) == ["raw", "drawn", "slow"]
    assert found.lines()[-1] == "3 of 3 stores"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(method="human_drawn"), ["drawn"]),
        (Wanted(model="TINY"), ["raw", "slow"]),
        (Wanted(model="aaaa"), ["raw", "slow"]),
        (Wanted(min_trusted=0.9), ["drawn"]),
        (Wanted(licence="open"), ["raw", "drawn"]),
        (Wanted(licence="research only"), ["slow"]),
        (Wanted(licence="cc-by"), ["slow"]),
        (Wanted(robot="panda"), ["drawn"]),
        (Wanted(task="Dishes"), ["drawn"]),
        (Wanted(min_coverage=0.9), ["raw", "drawn"]),
        (Wanted(robot="panda", method="sam_raw"), []),
        (Wanted(), ["raw", "drawn", "slow"]),
    ],
)
def test_stores_are_filtered_by_what_is_asked(shelf, wanted, expected):
    assert names(list_stores([shelf], wanted)) == expected


def test_a_store_named_twice_is_listed_once_and_a_damaged_one_is_told(shelf):
    (shelf / "a" / "raw" / "store.json").write_text("{}")

    found = list_stores([shelf / "slow", shelf / "a", shelf / "slow"])

    assert names(found) == ["slow"]
    assert len(found.unreadable) == 1
    assert str(shelf / "a" / "raw") in found.unreadable[0]


def test_what_cannot_be_is_refused(shelf):
    with pytest.raises(SettingError, match="min_trusted is a share from 0 to 1, got 90"):
        Wanted(min_trusted=90)
    with pytest.raises(InputError, match="no such folder"):
        list_stores([shelf / "none"])


def test_the_command_prints_a_table_and_json(shelf, capsys):
    assert run(["catalog", str(shelf), "--robot", "panda"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 3
    assert "wash the dishes" in table[1]
    assert run(["catalog", str(shelf), "--json"]) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["name"] for entry in entries] == ["raw", "drawn", "slow"]
    assert entries[2]["hz"] == [10.0]
    assert entries[2]["share_covered"] == 0.4
    assert run(["catalog", str(shelf), "--min-trusted", "90"]) == 2
    assert "share from 0 to 1" in capsys.readouterr().err
