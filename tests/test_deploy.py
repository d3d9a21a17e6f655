"""What deploys a server: every option, file, port, variable and number in it is one that the code knows.

Images are not built here and units not started: what can be read is read, and what is a command is run.
"""

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from maskwright.cli.verbs import VERBS
from maskwright.core.settings import SETTINGS
from maskwright.serve.app import build_app
from maskwright.serve.meter import Meter
from maskwright.serve.remote_pictures import API_KEY
from maskwright.serve.settings import ServeSettings
from rest_service import listening, service_of

ROOT = Path(__file__).parent.parent
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
COMPOSE = ROOT / "docker" / "compose.yaml"
UNIT = ROOT / "deploy" / "maskwright.service"
NGINX = ROOT / "deploy" / "nginx.conf"
# The rest of the machine's: glibc's, OpenMP's, numba's, Python's, NVIDIA's, OpenTelemetry's.
NOT_OURS = {"PATH", "PYTHONUNBUFFERED", "OMP_WAIT_POLICY", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"}
NOT_OURS |= {"NUMBA_CACHE_DIR", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "OTEL_EXPORTER_OTLP_ENDPOINT"}
KNOWN = {setting.env for setting in SETTINGS} | {API_KEY} | NOT_OURS
DEFAULTS = ServeSettings()
# Both drain: sessions, then the engine; a little is for the rest.
LONGEST_STOP_S = 2 * DEFAULTS.drain_s + 10


def instructions(path):
    """The instructions of a Dockerfile: (word, rest)."""
    text = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE))
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def said(path, word):
    """What follows a word in the last stage of a Dockerfile."""
    found = instructions(path)
    last = max(i for i, (name, _) in enumerate(found) if name == "FROM")
    return [rest for name, rest in found[last:] if name == word]


def parses(words, monkeypatch):
    """Check that `maskwright WORDS` is a command line that serves; give the settings."""
    from maskwright.cli.__main__ import run
    from maskwright.serve import run as serving

    seen = []
    monkeypatch.setattr(serving, "run", lambda settings, tell: seen.append(settings))
    assert run(words) == 0, words
    return seen[0]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
class TestDockerfile:
    def test_it_copies_what_is_there_and_not_kept_from_the_builder(self, path):
        copied = [rest.split()[:-1] for name, rest in instructions(path) if name == "COPY" and "--from" not in rest]
        ignored = (ROOT / ".dockerignore").read_text().splitlines()

        assert ignored[1] == "*"
        for name in [one for some in copied for one in some]:
            assert (ROOT / name).exists()
            assert f"!{name.removeprefix('./')}" in ignored

    def test_it_runs_as_somebody_who_is_not_root_and_owns_its_volumes(self, path):
        (volumes,) = said(path, "VOLUME")
        (made,) = said(path, "RUN")

        assert said(path, "USER") == ["10001"]
        assert "--uid 10001" in made
        assert all(volume in made for volume in json.loads(volumes))

    def test_what_it_starts_is_a_server_that_needs_tokens(self, path, monkeypatch):
        (entry,), (command,) = said(path, "ENTRYPOINT"), said(path, "CMD")

        settings = parses(json.loads(command), monkeypatch)

        assert json.loads(entry) == ["maskwright"]
        assert (settings.host, settings.port) == ("0.0.0.0", 8080)
        assert "8080 8081" in said(path, "EXPOSE")
        (volumes,) = said(path, "VOLUME")
        assert str(settings.token_file.parent) in json.loads(volumes)

    def test_variables_are_known_and_as_the_guide_says(self, path):
        (text,) = said(path, "ENV")
        named = dict(word.split("=", 1) for word in text.split())
        guide = (ROOT / "docs" / "guides" / "install.md").read_text()

        assert set(named) <= KNOWN
        for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
            assert f"{name}={named[name]}" in guide
        assert named["OMP_WAIT_POLICY"] == "PASSIVE"

    def test_it_installs_the_pinned_versions_and_extras_that_exist(self, path):
        runs = " ".join(rest for name, rest in instructions(path) if name == "RUN")
        (extras,) = [rest.partition("=")[2] for name, rest in instructions(path) if rest.startswith("EXTRAS=")]
        declared = (ROOT / "pyproject.toml").read_text()

        assert "pip install -c constraints.txt" in runs
        assert "grep '^torch==' constraints.txt" in runs
        assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
        assert all(re.search(rf"^{extra} = ", declared, re.MULTILINE) for extra in extras.split(","))

    def test_its_health_check_knows_a_server_that_is_ready_from_one_that_is_not(self, path):
        (check,) = said(path, "HEALTHCHECK")
        command = json.loads(check.partition(" CMD ")[2])
        service = service_of()
        with listening(build_app(service)) as address:
            words = [sys.executable, *command[1:]]
            words = [word.replace("http://127.0.0.1:8080", address) for word in words]
            assert address in " ".join(words)
            ready = subprocess.run(words, capture_output=True)
            service.engine.is_ready = False
            starting = subprocess.run(words, capture_output=True)

        assert (command[0], ready.returncode, starting.returncode) == ("python", 0, 1)


def with_variables(text, **given):
    """Replace ${NAME:-default} as compose does."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda match: given.get(match[1], match[2]), text)


@pytest.mark.parametrize(
    ("given", "store"),
    [({}, None), ({"STORE": "/var/lib/maskwright/store/kitchen", "OPTIONS": "--grpc-port 8081"}, "kitchen")],
)
def test_compose_starts_what_the_command_line_knows(given, store, monkeypatch):
    server = yaml.safe_load(COMPOSE.read_text())["services"]["server"]

    settings = parses(shlex.split(with_variables(server["command"], **given)), monkeypatch)

    assert (settings.store and settings.store.name) == store
    assert settings.grpc_port == (8081 if given else None)
    assert any(str(settings.token_file.parent) in volume for volume in server["volumes"])
    assert settings.models == ("tiny",)


def test_compose_names_what_there_is():
    compose = yaml.safe_load(COMPOSE.read_text())
    server, tokens = compose["services"]["server"], compose["services"]["tokens"]
    folders = {volume.split(":")[1] for volume in server["volumes"]}
    (volumes,) = said(DOCKERFILES[0], "VOLUME")

    context = (COMPOSE.parent / server["build"]["context"]).resolve()
    assert context / server["build"]["dockerfile"] in DOCKERFILES
    assert folders == set(json.loads(volumes))
    assert {volume.split(":")[0] for volume in server["volumes"] + tokens["volumes"]} <= set(compose["volumes"])
    assert tokens["entrypoint"] == ["maskwright", "tokens"]
    assert "tokens" in {verb.name for verb in VERBS}
    assert set(server["environment"]) <= KNOWN
    assert float(server["stop_grace_period"].removesuffix("s")) >= LONGEST_STOP_S
    assert (server["read_only"], server["cap_drop"]) == (True, ["ALL"])
    assert all(port.startswith("127.0.0.1:") for one in compose["services"].values() for port in one.get("ports", ()))
    cuda = yaml.safe_load((COMPOSE.parent / "compose.cuda.yaml").read_text())["services"]
    assert ROOT / cuda["server"]["build"]["dockerfile"] in DOCKERFILES
    assert set(cuda) <= set(compose["services"])


def test_prometheus_asks_where_the_numbers_are_with_a_token():
    compose = yaml.safe_load(COMPOSE.read_text())
    scrape = yaml.safe_load((ROOT / "docker" / "metrics" / "prometheus.yaml").read_text())["scrape_configs"][0]
    prometheus = compose["services"]["prometheus"]
    (secret,) = prometheus["secrets"]

    with listening(build_app(service_of())) as address:
        assert httpx.get(address + scrape["metrics_path"]).text.startswith("# HELP")
    assert scrape["static_configs"][0]["targets"] == ["server:8080"]
    assert scrape["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
    assert compose["secrets"][secret]["file"] == "./metrics/token"
    assert (ROOT / "docker" / "metrics" / ".gitignore").read_text() == "token\n"


def test_the_dashboard_draws_what_is_counted():
    dashboard = json.loads((ROOT / "docker" / "metrics" / "grafana.json").read_text())
    meter = Meter()
    counted = set()
    for family in text_string_to_metric_families(meter.text().decode()):
        counted |= {
            family.name,
            f"{family.name}_total",
            *(f"{family.name}_{end}" for end in ("sum", "count", "bucket")),
        }

    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            names = re.findall(r"\b(?:maskwright|process)_\w+", target["expr"])
            assert names
            assert set(names) <= counted, panel["title"]


@pytest.fixture
def unit():
    """The unit's sections; what is said several times is a list."""
    reader = configparser.RawConfigParser(strict=False, delimiters="=", comment_prefixes="#")
    reader.optionxform = str
    reader.read(UNIT)
    environment = re.findall(r"^Environment=(.*)$", UNIT.read_text(), re.MULTILINE)
    return SimpleNamespace(
        service=dict(reader["Service"]),
        environment=dict(word.split("=", 1) for line in environment for word in shlex.split(line)),
    )


@pytest.mark.parametrize("given", [{}, {"STORE": "/var/lib/maskwright/masks", "OPTIONS": "--max-upload 128"}])
def test_the_unit_starts_what_the_command_line_knows(unit, given, monkeypatch):
    values = {**unit.environment, **given}
    text = re.sub(r"\$(\w+)", lambda match: values[match[1]], unit.service["ExecStart"])

    program, *words = shlex.split(text)
    settings = parses(words, monkeypatch)

    assert program.endswith("/bin/maskwright")
    assert settings.host == "127.0.0.1"
    assert settings.token_file.is_relative_to("/var/lib/maskwright")
    assert settings.max_body_bytes == (128 << 20 if given else DEFAULTS.max_body_bytes)


def test_the_unit_is_given_time_to_stop_and_few_rights(unit):
    service = unit.service

    assert float(service["TimeoutStopSec"]) >= LONGEST_STOP_S
    assert service["User"] != "root"
    hardened = ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "RestrictNamespaces", "LockPersonality")
    assert all(service[name] == "yes" for name in hardened)
    assert (service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("strict", "")
    assert set(unit.environment) - {"MODEL", "STORE", "OPTIONS"} <= KNOWN
    assert "MemoryDenyWriteExecute" not in service  # numba and torch compile


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    """Where there is systemd; the program that it starts and its user are not on this machine."""
    analyze = shutil.which("systemd-analyze")
    text = UNIT.read_text().replace("/opt/maskwright/bin/maskwright", "/bin/true")
    (tmp_path / UNIT.name).write_text(re.sub(r"^(User|Group)=.*$", r"\1=root", text, flags=re.MULTILINE))
    if analyze is None:
        pytest.skip("systemd-analyze is not on this machine")

    done = subprocess.run([analyze, "verify", str(tmp_path / UNIT.name)], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_proxy_lets_through_what_the_server_takes():
    text = re.sub(r"#.*", "", NGINX.read_text())
    service = re.search(r"^package (\S+);", (ROOT / "proto" / "maskwright" / "v1" / "maskwright.proto").read_text(), 8)

    assert text.count("{") == text.count("}")
    (largest,) = re.findall(r"client_max_body_size (\d+)m;", text)
    assert int(largest) << 20 > DEFAULTS.max_body_bytes
    assert "proxy_buffering off;" in text
    assert "proxy_set_header Upgrade $http_upgrade;" in text
    assert f"location /{service[1]}.Segmentation/" in text
    assert all(port in ("8080", "8081") for port in re.findall(r"127\.0\.0\.1:(\d+)", text))
    assert DEFAULTS.port == 8080
