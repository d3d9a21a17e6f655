"""Documentation that cannot go out of date: its code runs, its lists are complete, its links lead somewhere."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from maskwright.cli.__main__ import run
from maskwright.cli.verbs import VERBS
from maskwright.core import errors
from maskwright.core.settings import SETTINGS
from maskwright.masks.cleanup import STEPS
from maskwright.models import list_models

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
TEXTS = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
# Pages that are one walk: their blocks are run in order, in one folder and one namespace.
WALKS = ("from_camera_to_policy",)
INSTALLS = ("pip install", "make ")  # .ci/run does these in a fresh environment
MAX_README_LINES = 120
MAX_ARCHITECTURE_LINES = 150


def prose(page):
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def blocks(language):
    """Find the fenced blocks of a language; ```py is for code that needs what a test does not have."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [
        pytest.param(match.group(1), id=f"{page.stem}-{i}")
        for page in PAGES
        if page.stem not in WALKS
        for i, match in enumerate(pattern.finditer(page.read_text()))
    ]


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))
    for setting in SETTINGS:
        if setting.name != "cache":
            monkeypatch.delenv(setting.env, raising=False)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_in_the_documentation_runs(code, elsewhere):
    exec(compile(code, "documentation", "exec"), {"__name__": "documentation"})


@pytest.mark.parametrize("commands", blocks("bash"))
def test_commands_in_the_documentation_run(commands, elsewhere, capsys):
    run_commands(commands, capsys)


@pytest.mark.parametrize("name", WALKS)
def test_a_walk_can_be_gone_from_its_beginning_to_its_end(name, elsewhere, capsys):
    text = (ROOT / "docs" / "guides" / f"{name}.md").read_text()
    known = {"__name__": "documentation"}
    for language, block in re.findall(r"^```(python|bash)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language == "bash":
            run_commands(block, capsys)
        else:
            exec(compile(block, "documentation", "exec"), known)


def run_commands(commands, capsys):
    for line in commands.splitlines():
        words = shlex.split(line, comments=True)
        if line.startswith(INSTALLS):
            continue
        assert words[0] == "maskwright"
        assert run(words[1:]) == 0, f"{line}\n{capsys.readouterr().err}"


def test_ci_does_what_the_readme_says():
    ci = (ROOT / ".ci" / "run").read_text()
    readme = (ROOT / "README.md").read_text()

    assert 'pip install -c constraints.txt -e ".[dev]"' in readme
    assert '-c constraints.txt -e ".[dev]"' in ci
    assert "maskwright predict example:tabletop --point 235,290" in readme
    assert "maskwright predict example:tabletop --point 235,290" in ci
    assert "make test" in readme
    assert "make test" in ci


def test_the_reference_is_what_the_code_says():
    path = ROOT / "docs" / "make_reference.py"
    spec = importlib.util.spec_from_file_location("make_reference", path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)

    assert program.REFERENCE.read_text() == program.reference(), "run: make docs"


@pytest.mark.parametrize(
    "names",
    [
        [f"maskwright {verb.name}" for verb in VERBS],
        errors.__all__,
        [setting.env for setting in SETTINGS],
        list(STEPS),
        [card.name for card in list_models()],
    ],
    ids=["verbs", "errors", "settings", "cleanup steps", "models"],
)
def test_everything_a_user_can_name_is_in_the_reference(names):
    text = (ROOT / "docs" / "reference.md").read_text()

    assert [name for name in names if name not in text] == []


def test_every_error_is_drawn_in_the_tree():
    drawn = set(re.findall(r"^.*?(\w+)(?:  .*)?$", errors.__doc__, re.MULTILINE))

    assert set(errors.__all__) <= drawn


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose(page)):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_headings_have_their_heading(page):
    for target, heading in re.findall(r"\]\(([^)#]*)#([^)]*)\)", prose(page)):
        text = ((page.parent / target) if target else page).read_text()
        headings = {
            re.sub(r"[^\w\- ]", "", line.lstrip("# ")).lower().replace(" ", "-")
            for line in text.splitlines()
            if line.startswith("#")
        }
        assert heading in headings, f"{page.name} links to {target}#{heading}"


def test_the_entrances_stay_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < MAX_README_LINES
    assert len((ROOT / "docs" / "architecture.md").read_text().splitlines()) <= MAX_ARCHITECTURE_LINES


def test_every_room_is_in_the_architecture():
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [path.name for path in (ROOT / "src" / "maskwright").iterdir() if (path / "__init__.py").exists()]

    assert [room for room in rooms if f"    {room}" not in text and f"| {room} " not in text] == []
