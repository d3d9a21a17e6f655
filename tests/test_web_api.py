"""The types that the review application is written against are those of the server as it is."""

import asyncio
import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rest_service import click, client_of, picture, service_of

ROOT = Path(__file__).parent.parent
TSC = ROOT / "web" / "node_modules" / ".bin" / "tsc"
STRICT = (
    *(
        "--noEmit",
        "--skipLibCheck",
        "--strict",
        "--noUncheckedIndexedAccess",
        "--exactOptionalPropertyTypes",
        "--verbatimModuleSyntax",
    ),
    *("--target", "ES2023", "--module", "ESNext", "--moduleResolution", "bundler", "--lib", "ES2023,DOM"),
)


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("make_types", ROOT / "web" / "make_types.py")
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


@pytest.fixture(scope="module")
def described(program):
    return program.document()


def test_description_and_types_are_what_the_server_says(program, described):
    assert program.DOCUMENT.read_text() == program.document_text(described), "run: make api"
    assert program.TYPES.read_text() == program.types_text(described), "run: make api"


def test_every_operation_has_its_types(program, described):
    text = program.types_text(described)

    for _, _, operation in program._each(described):
        assert f"  readonly {operation['operationId']}: {{" in text
    assert not re.search(r"\bany\b", re.sub(r"/\*\*.*?\*/|\"any\"", "", text, flags=re.DOTALL))
    assert "enum " not in re.sub(r"/\*\*.*?\*/", "", text, flags=re.DOTALL)


def test_members_of_a_union_are_told_apart_by_their_kind(described):
    schemas = described["components"]["schemas"]
    unions = [one for one in all_in(described) if "discriminator" in one]

    assert len(unions) > 5
    for union in unions:
        for kind, ref in union["discriminator"]["mapping"].items():
            member = schemas[ref.rpartition("/")[2]]
            assert member["properties"]["kind"]["const"] == kind
            assert "kind" in member["required"]


async def ask_for_masks():
    async with client_of(service_of()) as client:
        digest = (await client.post("/v1/images", content=picture())).json()["digest"]
        return (await client.post("/v1/segment", json={"image": digest, "prompts": [click()]})).json()


def test_an_answer_has_every_field_that_its_types_promise(described):
    """In answers no field is optional in types.ts, which only holds if the server writes them all."""
    found = asyncio.run(ask_for_masks())
    schemas = described["components"]["schemas"]

    record = found["masks"][0]["record"]
    assert record.keys() == schemas["MaskRecord"]["properties"].keys()
    assert record["provenance"].keys() == schemas["Provenance"]["properties"].keys()
    assert record["scores"].keys() == schemas["Scores"]["properties"].keys()


def test_what_the_program_does_not_know_is_not_guessed(program):
    with pytest.raises(SystemExit, match="does not know what to make of"):
        program._type({"type": "tuple"})
    with pytest.raises(SystemExit, match="does not know what to make of"):
        program._type({"not": {"type": "string"}})


@pytest.mark.skipif(not TSC.exists() or shutil.which("node") is None, reason="tsc is not installed: cd web && npm ci")
def test_the_types_compile_as_strictly_as_the_application(program):
    done = subprocess.run([TSC, *STRICT, program.TYPES], capture_output=True, text=True, check=False, cwd=ROOT / "web")

    assert done.returncode == 0, done.stdout


def all_in(value):
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from all_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from all_in(one)


def test_the_checked_in_description_is_json():
    assert json.loads((ROOT / "web" / "src" / "api" / "openapi.json").read_text())["openapi"].startswith("3.1")
