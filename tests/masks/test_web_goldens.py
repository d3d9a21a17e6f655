"""The vectors that the review application's mask code is tested against are still what the reference computes."""

import importlib.util
import json
from pathlib import Path

import pytest

from maskwright.core.rle import RLE
from maskwright.masks import area, difference, union

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("make_web_masks", GOLDEN / "make_web_masks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def stored():
    return json.loads((GOLDEN / "web_masks.json").read_text())


@pytest.mark.parametrize("part", ["masks", "pairs", "fills"])
def test_the_reference_still_gives_the_vectors_that_the_browser_is_tested_with(program, stored, part):
    made = json.loads(json.dumps(program.make()))

    for now, then in zip(made[part], stored[part], strict=True):
        assert {key: value for key, value in now.items() if key != "smooth"} == {
            key: value for key, value in then.items() if key != "smooth"
        }


def test_smoothed_masks_differ_by_no_more_than_the_browser_may(program, stored):
    for now, then in zip(program.make()["masks"], stored["masks"], strict=True):
        size_hw = tuple(now["rle"]["size_hw"])
        a, b = (RLE(size_hw, case["smooth"].encode()) for case in (now, then))

        assert area(union([difference(a, b), difference(b, a)])) <= 2  # an FFT may round otherwise elsewhere


def test_the_vectors_stay_small():
    assert (GOLDEN / "web_masks.json").stat().st_size < 200_000
