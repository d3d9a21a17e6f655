"""The review application that is in the package was built from the sources beside it, and is small and harmless."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WEB = ROOT / "web"
STATIC = ROOT / "src" / "maskwright" / "ui" / "static"
AGAIN = "build it again: make web"
MOST_GZIPPED_BYTES = 1_000_000


@pytest.fixture(scope="module")
def stamp():
    return json.loads((STATIC / "stamp.json").read_text())


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "it is not there any more"


def built_files():
    return [path for path in STATIC.rglob("*") if path.is_file() and path.name != "stamp.json"]


def test_the_built_pages_are_those_of_the_sources(stamp):
    changed = [path for path, digest in stamp["sources"].items() if sha256(WEB / path) != digest]

    assert changed == [], AGAIN
    assert {"src/main.ts", "index.html", "package-lock.json"} <= stamp["sources"].keys()


def test_every_built_file_is_there_as_it_was_built_and_no_other_is(stamp):
    found = {str(path.relative_to(STATIC)): sha256(path) for path in built_files()}

    assert found == stamp["built"], AGAIN


def test_the_pages_are_small_enough_to_open_at_once():
    assert sum(len(gzip.compress(path.read_bytes())) for path in built_files()) < MOST_GZIPPED_BYTES


def test_the_page_asks_nothing_of_other_servers_and_has_no_script_of_its_own():
    """Which the policy that it is served with forbids anyway."""
    page = (STATIC / "index.html").read_text()

    assert re.findall(r"(?:src|href)=\"(?!\./|data:)[^\"]*\"", page) == []
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page) == []


def test_the_terms_of_what_others_wrote_are_with_it():
    text = (STATIC / "licences.txt").read_text()

    assert re.search(r"^svelte \S+ \(MIT\)$", text, re.MULTILINE)
    assert "AGPL" not in text
    assert "GNU GENERAL PUBLIC" not in text.upper()
