import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from maskwright.cli.__main__ import run
from maskwright.core.errors import SettingError
from maskwright.serve.tokens import TokenBook, add_token, read_tokens, remove_token


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokens.jsonl"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_file_holds_a_hash_and_is_for_its_owner_only(path):
    secret = add_token(path, "anna", "annotate")

    assert len(secret) >= 43
    assert secret not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [(token.name, token.scope) for token in read_tokens(path)] == [("anna", "annotate")]


def test_a_book_finds_a_token_and_no_other(path):
    secret = add_token(path, "anna", "read")
    other = add_token(path, "robot", "admin")
    book = TokenBook(path)

    assert book.find(secret).name == "anna"
    assert book.find(other).name == "robot"
    for wrong in ("", secret[:-1], secret + "A", secret.lower(), "mw_", "\udcff"):
        assert book.find(wrong) is None


def test_a_token_ends_when_its_time_is_over(path):
    secret = add_token(path, "anna", "read", timedelta(days=1))
    book = TokenBook(path)
    assert book.find(secret) is not None

    line = json.loads(path.read_text())
    line["expires_at"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    path.write_text(json.dumps(line))

    assert TokenBook(path).find(secret) is None


def test_what_is_added_and_removed_counts_without_a_new_start(path):
    clock = Clock()
    first = add_token(path, "anna", "read")
    book = TokenBook(path, clock=clock)

    second = add_token(path, "bob", "read")
    remove_token(path, "anna")
    clock.now += 2

    assert book.find(second).name == "bob"
    assert book.find(first) is None


@pytest.mark.parametrize("spoil", [lambda p: p.write_text("{"), lambda p: p.unlink()], ids=["damaged", "gone"])
def test_a_file_that_cannot_be_read_any_more_lets_nobody_in_until_it_can(path, spoil, caplog):
    clock = Clock()
    secret = add_token(path, "anna", "read")
    book, whole = TokenBook(path, clock=clock), path.read_text()

    spoil(path)
    clock.now += 2
    assert book.find(secret) is None
    assert "nobody can sign in" in caplog.text

    path.write_text(whole)
    clock.now += 2
    assert book.find(secret).name == "anna"


def test_two_who_add_at_the_same_time_both_get_in(path):
    with ThreadPoolExecutor(4) as threads:
        secrets = list(threads.map(lambda i: add_token(path, f"robot-{i}", "read"), range(12)))

    book = TokenBook(path)
    assert {book.find(secret).name for secret in secrets} == {f"robot-{i}" for i in range(12)}
    assert sorted(os.listdir(path.parent)) == [".tokens.jsonl.lock", "tokens.jsonl"]


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "3",
        '{"name": "a"}',
        '{"name": "a", "scope": "root", "sha256": "' + "0" * 64 + '", "created_at": "2026-01-01T00:00:00+00:00"}',
        '{"name": "a", "scope": "read", "sha256": "00", "created_at": "2026-01-01T00:00:00+00:00"}',
        '{"name": "a", "scope": "read", "sha256": "' + "0" * 64 + '", "created_at": "yesterday"}',
        '{"name": "a", "scope": ["read"], "sha256": 4, "created_at": "2026-01-01T00:00:00+00:00"}',
    ],
)
def test_a_line_that_is_no_token_is_told_with_its_number(path, line):
    add_token(path, "anna", "read")
    path.write_text(path.read_text() + "\n" + line + "\n")

    with pytest.raises(SettingError, match="line 3 is not a token: expected an object with name, scope"):
        read_tokens(path)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 65])
def test_names_are_printable_and_short(path, name):
    with pytest.raises(SettingError, match="a token's name is 1 to 64 printable characters"):
        add_token(path, name, "read")


def test_the_verb_prints_the_token_alone_on_stdout_and_lists_names(path, capsys):
    assert run(["tokens", "add", str(path), "--name", "anna", "--scope", "admin", "--days", "3"]) == 0
    told = capsys.readouterr()
    assert TokenBook(path).find(told.out.strip()).name == "anna"
    assert "cannot be shown again" in told.err

    assert run(["tokens", "list", str(path), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["name"], listed["scope"]) == ("anna", "admin")

    assert run(["tokens", "remove", str(path), "--name", "anna"]) == 0
    assert read_tokens(path) == ()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (
            ["add", "t.jsonl", "--name", "a", "--scope", "root"],
            2,
            "--scope is one of read, annotate, review, admin; got 'root'",
        ),
        (["list", "t.jsonl"], 1, "there is no token file. Make one: maskwright tokens add t.jsonl --name NAME"),
        (["add", "missing/t.jsonl", "--name", "a"], 1, "there is no folder to write the token file into"),
        (["add", "folder", "--name", "a"], 1, "the token file cannot be read (Is a directory): folder"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, capsys, words, code, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()

    assert run(["tokens", *words]) == code

    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_removing_who_is_not_there_lists_who_is(path, capsys):
    add_token(path, "anna", "read")

    assert run(["tokens", "remove", str(path), "--name", "bob"]) == 1
    assert "no token is named 'bob'; there are: anna" in capsys.readouterr().err
