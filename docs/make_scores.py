"""Scores `tiny` and the baselines on labelled pictures, and writes docs/scores.md from what came out.

    python docs/make_scores.py --out runs/scores --realdata FOLDER     # score what is not scored yet, then the page
    python docs/make_scores.py --out runs/scores                       # the page alone

Scores of a model are kept with the hash of its weights: new weights are scored anew, and what was finished before an
interruption is not. Baselines have no weights and are scored once; after a change of code, remove --out. Each folder
of --out is one question, named SET.TASKS.WHO, with the results.json, rows.csv and report.html of `maskwright
evaluate`; folders of one SET share a table.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maskwright.evaluate import open_dataset
from maskwright.evaluate.table import format_score, markdown
from maskwright.models import Model, load_model
from maskwright.workflows.scoring import RESULTS, score_models

PAGE = Path(__file__).parent / "scores.md"
_HEAD = """# Scores

Written by `make scores` from the results of `maskwright evaluate`; what the numbers are stands in the
[guide](guides/evaluate.md), and what they say of `tiny` in [its page](tiny.md#how-good-it-is)."""
_BASELINES = ("grabcut", "box-fill")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which tasks are asked on which pictures; `name` heads the table. `folder` is below --realdata."""

    name: str
    folder: str
    tasks: tuple[str, ...]
    has_baselines: bool = True
    every: int = 1
    limit: int | None = None


QUESTIONS = (
    Question(name="objects", folder="objects", tasks=("box", "noc")),
    Question(name="objects", folder="objects", tasks=("everything",), has_baselines=False, every=4),
    Question(name="glass", folder="glass/val", tasks=("box", "click")),
    Question(name="dog", folder="video/dog", tasks=("box", "click"), every=5),
    Question(name="libby", folder="video/libby", tasks=("box", "click"), every=5),
)
# What is asked of labelled scenes, which know names: --scenes NAME=FOLDER
_OF_SCENES = (
    Question(name="", folder="", tasks=("box", "click", "text")),
    Question(name="", folder="", tasks=("everything",), has_baselines=False, limit=20),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Score what is missing and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--realdata", type=Path, help="the folder that holds objects, glass and video")
    parser.add_argument("--scenes", action="append", default=[], metavar="NAME=FOLDER", help="labelled scenes")
    given = parser.parse_args(arguments)
    todo = [replace(one, folder=str(given.realdata / one.folder)) for one in QUESTIONS] if given.realdata else []
    for text in given.scenes:
        name, _, folder = text.partition("=")
        todo += [replace(one, name=name, folder=folder) for one in _OF_SCENES]
    if todo:
        score_missing(todo, given.model, load_model(given.model), given.out)
    PAGE.write_text(f"{_HEAD}\n\n{tables(given.out)}\n")


def score_missing(questions: Sequence[Question], name: str, model: Model, out: Path) -> None:
    """Ask every question that has no answer yet, or one by other weights."""
    for question in questions:
        folder = out / f"{question.name}.{'+'.join(question.tasks)}"
        if _weights(folder.with_name(f"{folder.name}.{name}")) != model.checkpoint_sha256:
            _score(question, {name: model}, (), folder.with_name(f"{folder.name}.{name}"))
        if question.has_baselines and not (folder.with_name(f"{folder.name}.baselines") / RESULTS).exists():
            tasks = tuple(task for task in question.tasks if task in ("box", "click", "noc", "random"))
            _score(replace(question, tasks=tasks), {}, _BASELINES, folder.with_name(f"{folder.name}.baselines"))


def _score(question: Question, models: Mapping[str, Model], baselines: Sequence[str], out: Path) -> None:
    data = open_dataset(question.folder).take(question.limit, every=question.every)

    def progress(done: int, total: int) -> None:
        sys.stderr.write(f"\r{out.name}: {done} of {total}" + "\n" * (done == total))

    score_models(models, data, tasks=question.tasks, baselines=baselines, out=out, progress=progress)


def _weights(folder: Path) -> str | None:
    """The hash of the weights that a folder's scores are of; None if there are no scores."""
    path = folder / RESULTS
    return json.loads(path.read_bytes())["made_by"]["models"][0]["checkpoint_sha256"] if path.exists() else None


def tables(out: Path) -> str:
    """Write a table for every set of pictures, from every results.json below `out`."""
    sets: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(out.glob(f"*/{RESULTS}"), key=_place):
        sets.setdefault(path.parent.name.partition(".")[0], []).append(json.loads(path.read_bytes()))
    if not sets:
        raise SystemExit(f"error: no results below this folder; score something first: {out}")
    return "\n\n".join(part for name, results in sets.items() for part in _set(name, results))


def _place(path: Path) -> tuple[int, str]:
    """Sets in the order of QUESTIONS, then others by name; of one set, models stand before baselines."""
    names = list(dict.fromkeys(one.name for one in QUESTIONS))
    name, _, rest = path.parent.name.partition(".")
    tasks, _, who = rest.partition(".")
    return names.index(name) if name in names else len(names), f"{name}.{who == 'baselines'}.{tasks}"


def _set(name: str, results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    scores: dict[str, dict[str, float | None]] = {}
    for result in results:
        for one in result["segmenters"]:
            known = {metric: value for metric, value in one["scores"].items() if value is not None}
            scores.setdefault(one["name"], {}).update(known)
    metrics = dict.fromkeys(m for result in results for m in result["meaning"] if not m.startswith("ms "))
    lines = [[m, *(format_score(m, found.get(m)) for found in scores.values())] for m in metrics]
    yield f"## {name}"
    yield "\n".join(dict.fromkeys(_what(result) for result in results))
    yield markdown(["", *scores], lines)
    for result in results:
        for one in result["segmenters"]:
            if one["slices"] and "box" in result["tasks"] and one["name"] in _models(result):
                yield f"Slices of {one['name']}:"
                yield _slices(one["slices"])


def _models(result: Mapping[str, Any]) -> list[str]:
    return [one["name"] for one in result["made_by"]["models"]]


def _what(result: Mapping[str, Any]) -> str:
    data, made = result["data"], result["made_by"]
    who = ", ".join(f"{one['name']} `{one['checkpoint_sha256'][:12]}`" for one in made["models"]) or "baselines"
    return (
        f"{who}: {', '.join(result['tasks'])}; {data['num_pictures']} pictures, {data['num_objects']} objects, "
        f"{made['created_at'][:10]}."
    )


def _slices(slices: Sequence[Mapping[str, Any]]) -> str:
    metrics = [m for m in slices[0]["scores"] if any(one["scores"][m] is not None for one in slices)]
    lines = [
        [f"{one['dimension']}: {one['bucket']}", str(one["num_objects"])]
        + [format_score(m, one["scores"][m]) for m in metrics]
        for one in slices
    ]
    return markdown(["slice", "objects", *metrics], lines)


if __name__ == "__main__":
    main()
