"""`fine_tune`: corrected masks in, a better checkpoint out, with the evidence of how much better.

Data are read and split by episode, the decoder learns behind the frozen encoder, and base and result are scored on what
was held out and on general data. The checkpoint holds what changed and its card; the report has everything else.
"""

import dataclasses
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.core import PointPrompt
from maskwright.core.errors import UnsupportedPrompt
from maskwright.core.settings import CACHE
from maskwright.evaluate import (
    FEW_CLICKS,
    Dataset,
    Evaluation,
    ModelSegmenter,
    Summary,
    evaluate,
    results_json,
    summarise,
    to_csv,
)
from maskwright.models import Model, load_model
from maskwright.models.sam.model import SamModel
from maskwright.models.tuned import TunedCard, read_tuned_card
from maskwright.models.words.speaking import words_of_model
from maskwright.nn.threads import most_at_once
from maskwright.predict.cache import EmbeddingCache
from maskwright.predict.embedding import embed
from maskwright.predict.predict import predict
from maskwright.predict.records import utc_now
from maskwright.train.tune.crew import ALONE, Crew
from maskwright.train.tune.examples import Example, labels_of, spread
from maskwright.train.tune.lesson import judged_of
from maskwright.train.tune.run import Tuned, tune
from maskwright.train.tune.split import Split, check_no_leak, split_by_group
from maskwright.workflows.fine_tune_job import FineTuneJob, Makings, root_of
from maskwright.workflows.fine_tune_report import RunFacts, fine_tune_report
from maskwright.workflows.outputs import write_all
from maskwright.workflows.retention import SCORED, GeneralData, Retention, read_general
from maskwright.workflows.scoring import describe_making
from maskwright.workflows.training_data import TrainingData, read_training_data

logger = logging.getLogger(__name__)

REPORT, RESULTS, ROWS, SPLIT = "report.html", "results.json", "rows.csv", "split.json"
TASKS = ("box", "click")
# Whether some epoch was better.
_WHY_NOTHING = {
    False: "no epoch was better on held-out masks than the base, so nothing was changed",
    True: "general pictures allow nothing of what was learnt, so nothing was changed; raise keep_within, or name with "
    "--general what must be kept",
}
_SHARED_BYTES = 256 << 20
_FEW_JUDGED = 8  # two pictures, eight masks, allowed 6 % of a way that loses 0.004 on eight pictures: docs/log.md
# Told with what is being done, how much of it is done, and of how much (None: nobody knows).
Told = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuned:
    """What came out: the checkpoint's file, scores of base and result, and the report."""

    checkpoint: Path
    report: Path
    tuned: Tuned
    before: Summary
    after: Summary
    retention: Retention
    split: Split
    results: Mapping[str, Any]
    notes: tuple[str, ...]


def fine_tune(
    job: FineTuneJob, *, told: Told | None = None, clock: Callable[[], datetime] = utc_now, crew: Crew = ALONE
) -> FineTuned | None:
    """Fine-tune a model; the same job again goes on where it was stopped. Of a crew only the first has a result.

    Raises:
        InputError: there is nothing to learn from, nothing can be held out, or what is held out is trained on.
        SettingError: the folder holds another run, or the model has no such part.
        ModelError: the base cannot be loaded, the loss is no number any more, or memory does not suffice.
        StoreError: the store cannot be read.
    """
    say = told or (lambda what, done, total: None)
    model = load_base(job)
    root = root_of(job.base, model)
    plain = model if root.name == job.base else load_model(root.name, precision="fp32")
    base_state = {name: tensor.detach().cpu().clone() for name, tensor in plain.state_dict().items()}
    data, split = read_split(job, say)
    general = crew.in_turn(lambda: _general(job, say))
    check_no_leak([*split.train, *split.validation, *general.mixed], general.scored)
    makings = Makings(
        job=job, root=root, data=data, split=split, base_state=base_state, clock=clock, words=_words_json(model)
    )
    tuned = tune(
        model,
        split.train,
        split.validation,
        job.recipe,
        job.out / "run",
        features=CACHE.get() / "features",
        general=general.mixed,
        told=say,
        keep=lambda state: makings.save(state, {}, {}),
        crew=crew,
    )
    return _Finish(makings, general, tuned, say).finish() if crew.is_first else None


def _general(job: FineTuneJob, say: Told) -> GeneralData:
    return read_general(
        job.general,
        job.out / "general",
        is_mixed=job.recipe.needs_general,
        num_scored=job.num_general,
        progress=lambda done, total: say("general data", done, total),
    )


def _words_json(model: Model) -> dict[str, Any]:
    """The words of a model that has a text adapter already: it is kept as it is."""
    words = words_of_model(model)
    return {} if words is None else words.to_json()


def load_base(job: FineTuneJob) -> SamModel:
    """Load what a job begins with.

    Raises:
        UnsupportedPrompt: it is no network of SAM's shape.
    """
    model = load_model(job.base, device=job.device, precision="fp32")
    if not isinstance(model, SamModel) or model.card.computed_as:
        raise UnsupportedPrompt(f"{job.base} cannot be fine-tuned here; take tiny, vit_b, vit_t or hq_vit_b")
    return model


def read_split(job: FineTuneJob, say: Told) -> tuple[TrainingData, Split]:
    """Read the data and split it; test data that come from elsewhere must not be trained on."""
    data = read_training_data(
        job.source,
        statuses=job.statuses,
        images=job.images,
        as_of=job.as_of,
        progress=lambda done, total: say("reading", done, total),
    )
    recipe = job.recipe
    split = split_by_group(
        data.examples,
        validation=recipe.validation_share,
        test=recipe.test_share,
        seed=recipe.seed,
        has_test=job.test is not None,
    )
    if job.test is not None:
        other = read_training_data(
            job.test, statuses=job.statuses, progress=lambda done, total: say("reading test", done, total)
        )
        split = dataclasses.replace(split, test=other.examples)
    check_no_leak([*split.train, *split.validation], split.test)
    check_no_leak(split.train, split.validation)
    return data, split


@dataclass(frozen=True, slots=True)
class _Finish:
    """Everything after the last epoch: the checkpoint, the scores, the report."""

    makings: Makings
    general: GeneralData
    tuned: Tuned
    say: Told

    @property
    def job(self) -> FineTuneJob:
        return self.makings.job

    @property
    def data(self) -> TrainingData:
        return self.makings.data

    @property
    def split(self) -> Split:
        return self.makings.split

    def finish(self) -> FineTuned:
        checkpoint = self.makings.save(self.tuned.state, {}, {})  # safe before anything is scored
        models = {_name(self.job.base): self._load(self.job.base), self._tuned_name(): self._load(self.job.out)}
        dataset = self.data.dataset(spread(self.split.test, self.job.recipe.eval_pictures))
        evaluation = self._score(models, dataset, "scoring")
        before, after = summarise(evaluation)
        retention = self._retention(models)
        latency = {name: click_ms(model, self.split.test[0]) for name, model in models.items()}
        metrics = {"before": _known(before), "after": _known(after), "data": dataset.name, "ms a click": latency}
        self.makings.save(self.tuned.state, metrics, _as_json(retention))
        card = read_tuned_card(checkpoint)
        results = self._results(evaluation, (before, after), card, retention, models)
        notes = self._notes()
        page = self._report(evaluation, (before, after), dataset, retention, latency, notes, results)
        out = self.job.out
        write_all(
            {
                out / SPLIT: (json.dumps(self.split.groups(), indent=1) + "\n").encode(),
                out / ROWS: to_csv(evaluation.trials).encode(),
                out / REPORT: page.encode(),
                out / RESULTS: (json.dumps(results, indent=1) + "\n").encode(),
            }
        )
        return FineTuned(
            checkpoint=checkpoint,
            report=out / REPORT,
            tuned=self.tuned,
            before=before,
            after=after,
            retention=retention,
            split=self.split,
            results=results,
            notes=notes,
        )

    def _load(self, name: str | Path) -> Model:
        return load_model(name, device=self.job.device, precision="fp32")

    def _tuned_name(self) -> str:
        name = self.job.out.resolve().name
        return name if name != _name(self.job.base) else f"{name} (tuned)"

    def _score(
        self,
        models: Mapping[str, Model],
        data: Dataset,
        what: str,
        *,
        closer: bool | None = None,
        num_clicks: int = FEW_CLICKS,
    ) -> Evaluation:
        """Ask both models; what the one encoder makes of a picture serves both. On a CPU some pictures at once."""
        cache = EmbeddingCache(memory_bytes=_SHARED_BYTES)
        asked = [ModelSegmenter(model, name, closer=closer, cache=cache) for name, model in models.items()]
        return evaluate(
            asked,
            data,
            tasks=TASKS,
            num_clicks=num_clicks,
            at_once=min(most_at_once(model.device) for model in models.values()),
            progress=lambda *at: self.say(what, *at),
        )

    def _retention(self, models: Mapping[str, Model]) -> Retention:
        data = self.general.source.dataset(spread(self.general.scored, self.job.recipe.eval_pictures))
        before, after = summarise(self._score(models, data, "scoring general data", closer=False, num_clicks=1))
        return Retention(
            data=self.general.name,
            before={name: before.scores[name] or 0.0 for name in SCORED},
            after={name: after.scores[name] or 0.0 for name in SCORED},
            tolerance=self.job.recipe.tolerance,
            replay=self.job.recipe.replay,
        )

    def _results(
        self,
        evaluation: Evaluation,
        summaries: tuple[Summary, Summary],
        card: TunedCard,
        retention: Retention,
        models: Mapping[str, Model],
    ) -> dict[str, Any]:
        made_by = describe_making(models, self.job.command, self.makings.clock())
        return {
            **results_json(evaluation, list(summaries), made_by),
            "card": dataclasses.asdict(card),
            "retention": _as_json(retention),
            "best_epoch": self.tuned.best_epoch,
            "shares": dict(self.tuned.shares),
            "num_epochs": self.tuned.num_epochs,
            "training_s": self.tuned.seconds,
            "feature_bytes": self.tuned.feature_bytes,
        }

    def _notes(self) -> tuple[str, ...]:
        notes = list(self.data.notes)
        labels = labels_of(self.split.train)
        if len(labels) == 1 and "unlabelled" not in labels:
            notes.append(f"all masks are of one label ({next(iter(labels))}); a click learns to mean that")
        if not self.tuned.is_better:
            notes.append(_WHY_NOTHING[self.tuned.best_epoch > 0])
        elif self.tuned.shares:
            notes.append(f"taken of what was learnt, as far as general pictures allow: {_how_far(self.tuned.shares)}")
            if (num_judged := len(judged_of(self.general.mixed))) < _FEW_JUDGED:
                notes.append(
                    f"general pictures that told how far to go: only {num_judged}, so chance had a say; "
                    "name more with --general"
                )
        return tuple(notes)

    def _report(
        self,
        evaluation: Evaluation,
        summaries: tuple[Summary, Summary],
        dataset: Dataset,
        retention: Retention,
        latency: Mapping[str, float],
        notes: Sequence[str],
        results: Mapping[str, Any],
    ) -> str:
        facts = RunFacts(
            title=f"{self._tuned_name()}: {_name(self.job.base)} fine-tuned on {self.data.name}",
            rows=self.tuned.rows,
            best_epoch=self.tuned.best_epoch,
            retention=retention,
            latency=latency,
            notes=tuple(notes),
            labels=dict(_labels(self.split.test)),
            card=results["card"],
            made_by=results["made_by"],
        )
        return fine_tune_report(evaluation, summaries, dataset, facts)


def _how_far(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())


def click_ms(model: Model, example: Example, *, times: int = 9) -> float:
    """The median time of a click on a picture that is embedded already, in milliseconds."""
    image = example.read()
    embedding = embed(model, image)
    height, width = image.size_hw
    prompt = PointPrompt([(width / 2, height / 2)])
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        predict(model, embedding, [prompt])
        taken.append(1000 * (time.perf_counter() - started))
    return float(np.median(taken))


def _labels(examples: Sequence[Example]) -> list[tuple[str, str]]:
    return [(f"{one.name}#{i}", mask.label or "unlabelled") for one in examples for i, mask in enumerate(one.masks)]


def _name(base: str) -> str:
    path = Path(base)
    return path.resolve().name if path.exists() else base


def _known(summary: Summary) -> dict[str, float]:
    return {name: round(value, 4) for name, value in summary.scores.items() if value is not None and "ms" not in name}


def _as_json(retention: Retention) -> dict[str, Any]:
    return {
        **dataclasses.asdict(retention),
        "drop": retention.drop,
        "is_kept": retention.is_kept,
        "suggested_replay": retention.suggested_replay,
    }


__all__ = ["REPORT", "RESULTS", "FineTuneJob", "FineTuned", "click_ms", "fine_tune", "load_base", "read_split"]
