"""CVAT's interactor: requests as its lambda manager makes them, answers as its user interface reads them."""

import asyncio
import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from maskwright.serve.app import build_app
from maskwright.serve.tokens import add_token
from rest_service import listening
from tool_tasks import (
    BOX,
    ON_MUG,
    ON_TABLE,
    box,
    example,
    example_base64,
    mask_by_rest,
    points,
    tool_client,
    tool_service,
)

FUNCTION = Path(__file__).parent.parent.parent / "deploy" / "cvat"


def clicked(**changes):
    return {"image": example_base64(), "pos_points": [list(ON_MUG)], "neg_points": [], "obj_bbox": None, **changes}


def ask(*bodies):
    async def asking():
        async with tool_client() as client:
            return [await client.post("/cvat", json=body) for body in bodies]

    return asyncio.run(asking())


@pytest.mark.parametrize(
    ("asked", "prompts"),
    [
        ({}, [points(ON_MUG, labels=[1])]),
        ({"neg_points": [list(ON_TABLE)]}, [points(ON_MUG, ON_TABLE, labels=[1, 0])]),
        ({"obj_bbox": [list(BOX[:2]), list(BOX[2:])]}, [box(BOX), points(ON_MUG, labels=[1])]),
        ({"pos_points": [], "obj_bbox": list(BOX)}, [box(BOX)]),
        ({"obj_bbox": [], "threshold": 0.5, "mapping": {}}, [points(ON_MUG, labels=[1])]),
    ],
    ids=["click", "two clicks", "box and click", "box of four numbers", "what else it may send"],
)
def test_a_click_has_the_mask_that_rest_gives(asked, prompts):
    async def asking():
        async with tool_client() as client:
            answer = await client.post("/cvat", json=clicked(**asked))
            return answer, await mask_by_rest(client, *prompts)

    answer, expected = asyncio.run(asking())

    assert answer.status_code == 200
    mask = np.array(answer.json()["mask"])
    assert mask.dtype.kind == "i"
    assert mask.shape == example()[1]
    assert np.array_equal(mask.astype(bool), expected)
    assert 1000 < mask.sum() < mask.size / 2


def test_the_outline_is_a_list_of_xy_around_the_largest_island():
    (answer,) = ask(clicked())

    outline = np.array(answer.json()["points"])
    rows, columns = np.nonzero(np.array(answer.json()["mask"]))
    assert outline.shape[1] == 2
    assert 3 <= len(outline) < 400
    assert np.abs(outline.min(0) - (columns.min(), rows.min())).max() < 40
    assert (outline.max(0) <= (columns.max() + 2, rows.max() + 2)).all()


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"pos_points": []}, 422, "expected pos_points, neg_points or obj_bbox, got none of them"),
        ({"image": "no picture at all"}, 422, "base64"),
        ({"image": ""}, 422, "image: "),
        ({"image": "aGVsbG8="}, 422, "not a picture"),
        ({"pos_points": [[1]]}, 422, "pos_points[0][1]"),
        ({"pos_points": [[9999, 9999]]}, 422, "outside"),
        ({"obj_bbox": [[1, 2]]}, 422, "obj_bbox must be two corners"),
        ({"obj_bbox": [[9, 9], [2, 2]]}, 422, "x1 < x2"),
    ],
)
def test_what_cannot_be_read_is_said(changes, status, told):
    (answer,) = ask(clicked(**changes))

    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]


def function():
    spec = importlib.util.spec_from_file_location("cvat_function", FUNCTION / "main.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(function, body):
    """Call a function as Nuclio does."""
    context = SimpleNamespace(logger=SimpleNamespace(warn=lambda text: None), Response=SimpleNamespace)
    return function.handler(context, SimpleNamespace(body=body))


def test_the_function_hands_on_what_it_is_asked_with_its_token(tmp_path, monkeypatch):
    secret = add_token(tmp_path / "tokens.jsonl", "cvat", "read")
    with listening(build_app(tool_service(token_file=tmp_path / "tokens.jsonl"))) as address:
        monkeypatch.setenv("MASKWRIGHT_URL", address)
        monkeypatch.setenv("MASKWRIGHT_TOKEN", secret)
        good = call(function(), clicked())
        bad = call(function(), json.dumps(clicked(pos_points=[])).encode())
        monkeypatch.setenv("MASKWRIGHT_TOKEN", "mw_other")
        stranger = call(function(), clicked())

    assert (good.status_code, bad.status_code, stranger.status_code) == (200, 422, 401)
    assert set(json.loads(good.body)) == {"mask", "points"}
    assert "got none of them" in json.loads(bad.body)["error"]["message"]


def test_the_function_is_described_as_cvat_reads_it():
    described = yaml.safe_load((FUNCTION / "function.yaml").read_text())

    annotations = described["metadata"]["annotations"]
    assert (annotations["type"], int(annotations["version"]), annotations["spec"]) == ("interactor", 2, None)
    assert int(annotations["min_pos_points"]) == 1
    assert annotations["startswith_box_optional"] is True
    assert "startswith_box" not in annotations  # which CVAT takes for true whatever its value
    module, name = described["spec"]["handler"].split(":")
    assert hasattr(function(), name)
    assert module == "main"
    source = (FUNCTION / "main.py").read_text()
    assert all(f'"{one["name"]}"' in source for one in described["spec"]["env"])
