"""`teach_words`: labels in, a checkpoint out that takes those words, with how often it is right on what was held out.

Data are read and split as for masks. The network stays as it is, so clicks and boxes are not scored again; a text
adapter learns, and is what the checkpoint holds.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.core.errors import InputError
from maskwright.core.settings import CACHE
from maskwright.evaluate import (
    Dataset,
    Evaluation,
    ModelSegmenter,
    Summary,
    colour_of,
    evaluate,
    html_report,
    html_table,
    line_plot,
    results_json,
    summarise,
    to_csv,
)
from maskwright.models import load_model
from maskwright.models.sam.model import SamModel
from maskwright.models.tuned import read_tuned_card
from maskwright.models.words.clip import clip_sha256, find_clip, usual_clip
from maskwright.models.words.speaking import Words, give_words, words_of_model
from maskwright.models.words.vocabulary import words_in
from maskwright.predict.records import utc_now
from maskwright.train.tune.crew import ALONE, Crew
from maskwright.train.tune.examples import spread
from maskwright.train.tune.run import Tuned, tune
from maskwright.train.tune.split import Split
from maskwright.workflows.fine_tune import REPORT, RESULTS, ROWS, SPLIT, Told, load_base, read_split
from maskwright.workflows.fine_tune_job import FineTuneJob, Makings, root_of
from maskwright.workflows.outputs import write_all
from maskwright.workflows.scoring import describe_making

TABLE = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class WordsTaught:
    """What came out: the checkpoint's file, its words, scores on what was held out, and the report."""

    checkpoint: Path
    report: Path
    words: Words
    tuned: Tuned
    after: Summary
    split: Split
    results: Mapping[str, Any]
    notes: tuple[str, ...]


def teach_words(
    job: FineTuneJob, *, told: Told | None = None, clock: Callable[[], datetime] = utc_now, crew: Crew = ALONE
) -> WordsTaught | None:
    """Teach a model the labels of some data as words; the same job again goes on where it was stopped.

    Of a crew only the first has a result.

    Raises:
        InputError: no mask has a label, or nothing can be held out.
        SettingError: the folder holds another run.
        ModelError: the base or the text encoder cannot be loaded, or the loss is no number any more.
        StoreError: the store cannot be read.
    """
    say = told or (lambda what, done, total: None)
    model = load_base(job)
    root = root_of(job.base, model)
    plain = load_model(root.name, precision="fp32")
    base_state = {name: tensor.detach().cpu().clone() for name, tensor in plain.state_dict().items()}
    data, split = read_split(job, say)
    labels = {mask.label for one in split.train for mask in one.masks if mask.label}
    if not labels:
        raise InputError(f"words are learnt from labels, and no mask to learn from has one: {job.source}")
    words = choose_words(model, labels, job.recipe.words)
    give_words(model, words)
    job = replace(job, recipe=replace(job.recipe, words=words.encoder or TABLE))
    makings = Makings(
        job=job, root=root, data=data, split=split, base_state=base_state, clock=clock, words=words.to_json()
    )
    tuned = tune(
        model,
        split.train,
        split.validation,
        job.recipe,
        job.out / "run",
        features=CACHE.get() / "features",
        told=say,
        keep=lambda state: makings.save(state, {}, {}),
        crew=crew,
    )
    return _finish(makings, words, tuned, labels, say) if crew.is_first else None


def choose_words(model: SamModel, labels: set[str], reader: str) -> Words:
    """Say which words will be known, and who makes vectors of them; a model's earlier words and reader are kept.

    Raises:
        WeightsMissing, CheckpointError: the text encoder that was named is not here.
    """
    earlier = words_of_model(model)
    vocabulary = tuple(sorted({*words_in(labels), *(earlier.vocabulary if earlier is not None else ())}))
    if reader == "auto":
        encoder = earlier.encoder if earlier is not None else usual_clip()
    else:
        encoder = None if reader == TABLE else reader
    if encoder is None:
        return Words(vocabulary=vocabulary)
    folder = find_clip(encoder)
    name = str(folder.resolve()) if Path(encoder).expanduser().is_dir() else encoder
    return Words(vocabulary=vocabulary, encoder=name, encoder_sha256=clip_sha256(folder))


def _finish(makings: Makings, words: Words, tuned: Tuned, labels: set[str], say: Told) -> WordsTaught:
    """Everything after the last epoch: the checkpoint, the scores, the report."""
    job, split = makings.job, makings.split
    checkpoint = makings.save(tuned.state, {}, {})  # safe before anything is scored
    name = job.out.resolve().name
    model = load_model(job.out, device=job.device, precision="fp32")
    dataset = makings.data.dataset(spread(split.test, job.recipe.eval_pictures))
    segmenter = ModelSegmenter(model, name, closer=False)
    evaluation = evaluate([segmenter], dataset, tasks=("text",), progress=lambda *at: say("scoring", *at))
    (after,) = summarise(evaluation)
    metrics = {"after": _known(after), "held out": _rounded(tuned.after), "data": dataset.name}
    makings.save(tuned.state, metrics, {})
    made_by = describe_making({name: model}, job.command, makings.clock())
    card = asdict(read_tuned_card(checkpoint))
    results = {
        **results_json(evaluation, [after], made_by),
        "card": card,
        "held_out": dict(tuned.after),
        "best_epoch": tuned.best_epoch,
        "num_epochs": tuned.num_epochs,
        "training_s": tuned.seconds,
        "feature_bytes": tuned.feature_bytes,
    }
    notes = (*makings.data.notes, *evaluation.notes, *_notes(tuned, labels))
    page = _report(evaluation, after, dataset, words, tuned, notes, card, made_by)
    out = job.out
    write_all(
        {
            out / SPLIT: (json.dumps(split.groups(), indent=1) + "\n").encode(),
            out / ROWS: to_csv(evaluation.trials).encode(),
            out / REPORT: page.encode(),
            out / RESULTS: (json.dumps(results, indent=1) + "\n").encode(),
        }
    )
    return WordsTaught(
        checkpoint=checkpoint,
        report=out / REPORT,
        words=words,
        tuned=tuned,
        after=after,
        split=split,
        results=results,
        notes=notes,
    )


def _notes(tuned: Tuned, labels: set[str]) -> tuple[str, ...]:
    notes = []
    if len(labels) == 1:
        notes.append(f"all masks are of one label ({next(iter(labels))}), so nothing taught what is not that")
    if not tuned.is_better:
        notes.append("no epoch was better on held-out pictures than what it began with; label more episodes")
    return tuple(notes)


def _report(
    evaluation: Evaluation,
    after: Summary,
    dataset: Dataset,
    words: Words,
    tuned: Tuned,
    notes: tuple[str, ...],
    card: Mapping[str, Any],
    made_by: Mapping[str, Any],
) -> str:
    """Write the page: what is known, how often it is right, word by word, and the usual rest."""
    counts = ", ".join(f"{count} {side}" for side, count in card["data"]["num_pictures"].items())
    reader = "a table of its own" if words.encoder is None else f"CLIP ({words.encoder})"
    known = ", ".join(words.vocabulary)
    held = tuned.after
    told = [
        ("right word, IoU as answered", held.get("held_out_text")),
        ("right word, IoU as drawn, whether it is believed to be there or not", held.get("held_out_drawn")),
        ("another word, IoU of what it draws with this thing", held.get("held_out_other_word")),
        ("words of what is not there, share that is told so", held.get("held_out_absent")),
    ]
    lead = "\n".join(
        [
            f"<p>Pictures, split by episode: {escape(counts)}.</p>",
            f"<p>{len(words.vocabulary)} words, read by {escape(reader)}: {escape(known)}.</p>",
            *(f"<p>Note: {escape(note)}.</p>" for note in notes),
            "<h2>Words on the episodes that decided when to stop</h2>",
            html_table(["", "mean"], [[escape(what), f"{x:.3f}"] for what, x in told if x is not None]),
            "<h2>Word by word, on the episodes that nothing was decided by</h2>",
            html_table(["word", "asked", "IoU"], _by_word(evaluation)),
            _curve(tuned),
        ]
    )
    made_by = {**made_by, "base": f"{card['base']} ({card['base_sha256'][:12]})", "licence": card["licence"]}
    return html_report(evaluation, [after], dataset, made_by, title=f"{evaluation.segmenters[0]}: words", lead=lead)


def _by_word(evaluation: Evaluation) -> list[list[str]]:
    found: dict[str, list[float]] = defaultdict(list)
    for trial in evaluation.trials:
        if trial.kind == "name":
            found[trial.asked].append(trial.steps[0].iou)
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [[escape(word), str(len(ious)), f"{np.mean(ious):.3f}"] for word, ious in ordered]


def _curve(tuned: Tuned) -> str:
    names = {"held_out_text": "right word", "held_out_absent": "absent told", "held_out_other_word": "another word"}
    rows = [row for row in tuned.rows if "held_out_score" in row]
    lines = {told: [(row["epoch"], row[name]) for row in rows if name in row] for name, told in names.items()}
    most = max(1.0, *(row["epoch"] for row in rows), 0.0)
    plot = line_plot("Held-out words over epochs", "epochs", "IoU, share", lines, most_x=most)
    legend = "".join(
        f'<span class="key" style="background:{colour_of(i)}"></span>{escape(name)}' for i, name in enumerate(lines)
    )
    return f"<h2>Training</h2><p>{legend}; best epoch {tuned.best_epoch}.</p><figure>{plot}</figure>"


def _known(summary: Summary) -> dict[str, float]:
    return {name: round(value, 4) for name, value in summary.scores.items() if value is not None and "ms" not in name}


def _rounded(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in scores.items()}


__all__ = ["WordsTaught", "choose_words", "teach_words"]
