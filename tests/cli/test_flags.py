"""The flags that there are. Adding one is a decision: a knob with one user belongs into a preset or a setting."""

from importlib import import_module

import pytest
import typer

from maskwright.cli.verbs import VERBS

SHARED = (
    "--cleanup",
    "--model",
    "--device",
    "--precision",
    "--backend",
    "--low-memory",
    "--window",
    "--percentile",
    "--frame",
    "--out",
    "--json",
    "--no-cache",
)
CONDITIONS = (
    "--bbox", "--min-area", "--max-area", "--status", "--method", "--label", "--track", "--track-source",
    "--track-state", "--dataset", "--episode", "--camera", "--frame", "--model", "--verified", "--where", "--as-of",
)  # fmt: skip
FLAGS = {
    "predict": (
        "--point", "--negative", "--box", "--mask", "--text", "--min-belief", "--label", "--object", "--num-masks",
        "--closer", "--depth", *SHARED,
    ),
    "ground": (
        "--model", "--detector", "--clip", "--depth", "--min-score", "--device", "--precision", "--backend", "--out",
        "--json", "--no-cache",
    ),
    "everything": ("--preset", "--set", *SHARED),
    "annotate": (
        "--everything", "--boxes", "--points", "--text", "--min-belief", "--preset", "--set", "--closer", "--depth",
        "--cleanup", "--label", "--episodes", "--cameras", "--stride", "--start", "--stop", "--actor", "--collector",
        "--licence", "--model", "--device", "--precision", "--backend", "--engine", "--address", "--workers", "--out",
        "--json",
    ),
    "track": (
        "--at", "--point", "--negative", "--box", "--mask", "--text", "--prompts", "--replace", "--track", "--from",
        "--to", "--episodes", "--cameras", "--budget", "--find-new", "--overlay", "--actor", "--collector", "--licence",
        "--model", "--device", "--precision", "--backend", "--out", "--json",
    ),
    "tracks": (
        "--rename", "--merge", "--split", "--cut", "--delete", "--undo", "--dataset", "--episode", "--camera",
        "--actor", "--json",
    ),
    "volume": (
        "--axis", "--at", "--box", "--point", "--negative", "--mask", "--text", "--series", "--volume", "--window",
        "--percentile", "--model", "--device", "--precision", "--out", "--json",
    ),
    "query": (*CONDITIONS, "--count", "--sql", "--csv", "--json"),
    "find": ("--like", "--box", "--limit", "--images", "--model", "--device", "--precision", "--json"),
    "pick": (
        *CONDITIONS[:-1], "--budget", "--by", "--frames", "--per-episode", "--vectors", "--images", "--name",
        "--replace", "--seed", "--out", "--json",
    ),
    "flag": ("--depth", "--unit", "--images", "--name", "--json"),
    "export": ("--to", "--out", "--images", "--no-images", *CONDITIONS, "--json"),
    "policy-inputs": (
        "--slots", "--instruction", "--crop", "--size", "--margin", "--window-px", "--padding", "--background",
        "--keep", "--seed", "--channels", "--patches", "--cloud", "--points", "--recipe", "--to", "--exact",
        "--episodes", "--cameras", "--out", "--json",
    ),
    "import": ("--format", "--images", "--actor", "--collector", "--licence", "--out", "--json"),
    "demo": ("--out", "--model", "--device", "--precision", "--json"),
    "evaluate": (
        "--data", "--model", "--tasks", "--baseline", "--baselines", "--start", "--budget", "--images", "--split",
        "--limit", "--closer", "--device", "--precision", "--backend", "--out", "--json",
    ),
    "check-sim": (
        "--model", "--no-model", "--realistic", "--flagged", "--limit", "--images", "--real-images", "--strict",
        "--device", "--precision", "--out", "--json",
    ),
    "train tune": (
        "--from", "--out", "--status", "--test", "--general", "--replay", "--set", "--images", "--device", "--json",
    ),
    "train tiny": (
        "--out", "--preset", "--set", "--minutes", "--pack", "--scenes", "--pictures", "--validation", "--start",
        "--teacher", "--device",
    ),
    "train text": ("--scenes", "--out", "--start", "--words", "--minutes", "--validation"),
    "train scenes": (
        "--count", "--seed", "--workers", "--frames", "--assets", "--textures", "--split", "--hard", "--gripper",
        "--views",
    ),
    "train assets": (),
    "loop": (
        "--source", "--text", "--mode", "--budget", "--rounds", "--goal", "--tolerance", "--sure", "--max-error",
        "--now", "--test", "--general", "--set", "--wage", "--machine-price", "--images", "--model", "--device",
        "--out", "--status", "--dry-run", "--json",
    ),
    "audit": ("--mask", "--strict", "--json"),
    "card": ("--out", "--licence", "--json"),
    "catalog": (
        "--method", "--model", "--min-trusted", "--licence", "--robot", "--task", "--min-coverage", "--json",
    ),
    "estimate": (
        "--frames", "--stride", "--manual", "--assisted", "--wage", "--ms-per-frame", "--machine-price",
        "--masks-per-frame", "--everything", "--model", "--device", "--precision", "--json",
    ),
    "review": (
        "--model", "--device", "--precision", "--backend", "--actor", "--host", "--port", "--token-file",
        "--no-browser",
    ),
    "serve": (
        "--model", "--host", "--port", "--grpc-port", "--token-file", "--origin", "--engine", "--address", "--workers",
        "--device", "--precision", "--backend", "--max-upload", "--label-studio-url", "--picture-host", "--rate",
    ),
    "tokens add": ("--name", "--scope", "--days"),
    "tokens link": ("--name", "--url", "--scope", "--days"),
    "tokens list": ("--json",),
    "tokens remove": ("--name",),
    "models list": ("--json",),
    "models show": ("--json",),
    "models pull": (),
    "models verify": ("--json",),
    "models import": ("--name",),
    "models export": ("--to", "--out", "--opset", "--json"),
    "models quantize": (
        "--data", "--out", "--kind", "--frames", "--status", "--max-drop", "--max-drop-tail", "--json",
    ),
    "models diff": ("--json",),
    "bench": ("--model", "--backend", "--device", "--data", "--rounds", "--out", "--json"),
    "doctor": ("--json",),
}  # fmt: skip


def commands():
    found = {}
    for verb in VERBS:
        command = typer.main.get_command(import_module(verb.module).app)
        if hasattr(command, "commands"):
            found |= {f"{verb.name} {name}": child for name, child in command.commands.items()}
        else:
            found[verb.name] = command
    return found


def test_there_are_no_other_verbs():
    assert list(commands()) == list(FLAGS)


@pytest.mark.parametrize(("name", "command"), list(commands().items()), ids=list(commands()))
def test_the_flags_are_those_that_were_decided(name, command):
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]

    assert tuple(option.opts[0] for option in options if option.name != "help") == FLAGS[name]


@pytest.mark.parametrize(("name", "command"), list(commands().items()), ids=list(commands()))
def test_every_option_says_what_it_is_for(name, command):
    assert command.help
    assert all(parameter.help for parameter in command.params if parameter.name != "help")
