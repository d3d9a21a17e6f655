"""`evaluate`: ask segmenters about every object of a data set, and keep how good each answer was.

One picture is in memory at a time, or as many as are asked about at once; each segmenter opens it once. Random clicks
are seeded by the names of picture and object, so a run gives the same rows as the next, whatever else is evaluated.
"""

import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial

import numpy as np

from maskwright.core import RLE, MaskRecord, Prompt, TextPrompt
from maskwright.core.errors import ImageError, InputError, PromptError, SettingError
from maskwright.evaluate.cases import Case, CaseBook, ChangedCase
from maskwright.evaluate.clicks import ChooseClick, middle_click, random_click
from maskwright.evaluate.dataset import Dataset, Facts, LabelledPicture
from maskwright.evaluate.interaction import box_answers, click_through, corrected_boxes, score, score_clicks
from maskwright.evaluate.phrases import Phrase, phrases_of
from maskwright.evaluate.proposals import ALL_MASKS, best_overlaps, best_proposals, kept_masks
from maskwright.evaluate.segmenter import Answer, Segmenter, Session
from maskwright.evaluate.trials import Step, Trial
from maskwright.masks import is_empty
from maskwright.nn.threads import side_by_side
from maskwright.predict.everything_settings import EverythingSettings

TASKS = ("box", "click", "noc", "random", "everything", "text")
FEW_CLICKS, MOST_CLICKS = 5, 20
NUM_DRAWS = 3
_ENOUGH = 0.90  # NoC@90 is the hardest question that is asked; nobody clicks on beyond it

# Told with the number of pictures done and their total.
Progress = Callable[[int, int], None]


@dataclass(slots=True, kw_only=True)
class Timing:
    """What a segmenter's answers took: seconds and counts of pictures opened, prompts answered, grids searched."""

    open_s: float = 0.0
    num_opened: int = 0
    answer_s: float = 0.0
    num_answers: int = 0
    everything_s: float = 0.0
    num_everything: int = 0

    def add(self, other: "Timing") -> None:
        """Add what others took."""
        for part in fields(self):
            setattr(self, part.name, getattr(self, part.name) + getattr(other, part.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All answers of some segmenters on a data set, the cases to look at, and what was left out and why."""

    dataset: str
    num_pictures: int
    num_objects: int
    tasks: tuple[str, ...]
    segmenters: tuple[str, ...]
    trials: tuple[Trial, ...]
    cases: tuple[Case, ...]
    changes: tuple[ChangedCase, ...] = ()
    timings: dict[str, Timing]
    num_kept: dict[str, float]
    notes: tuple[str, ...]

    @property
    def most_clicks(self) -> int:
        """How many clicks an object was given at most."""
        return MOST_CLICKS if {"noc", "random"} & set(self.tasks) else FEW_CLICKS


def evaluate(
    segmenters: Sequence[Segmenter],
    dataset: Dataset,
    *,
    tasks: Sequence[str] = TASKS,
    num_clicks: int = FEW_CLICKS,
    at_once: int = 1,
    progress: Progress | None = None,
) -> Evaluation:
    """Ask every segmenter the questions of `tasks` that it and the data can take.

    `click` gives every object `num_clicks`; scores after more than these say nothing then. A picture that cannot be
    read is left out with a note, unless none can be read. With `at_once` some pictures are asked about side by side by
    threads that share torch's: on a CPU that is faster, and the same but that times of single answers mean nothing.

    Raises:
        SettingError: a task is unknown, two segmenters have one name, or nothing could be asked.
        ImageError, InputError: no picture could be read; the first one's error.
    """
    check_tasks(tasks)
    _check_names(segmenters)
    run = _Run(segmenters=segmenters, dataset=dataset, tasks=tuple(tasks), num_clicks=num_clicks)
    total = _Found()
    for done, found in enumerate(side_by_side(run.about, range(len(dataset)), at_once=at_once), start=1):
        total.add(found)
        if progress is not None:
            progress(done, len(dataset))
    return run.finish(total)


def check_tasks(tasks: Sequence[str]) -> None:
    """Check the names of tasks.

    Raises:
        SettingError: there is none, or one is unknown.
    """
    unknown = [task for task in tasks if task not in TASKS]
    if unknown or not tasks:
        raise SettingError(f"tasks are some of {', '.join(TASKS)}; got {', '.join(unknown) or 'none'}")


def _check_names(segmenters: Sequence[Segmenter]) -> None:
    names = [segmenter.name for segmenter in segmenters]
    if not names:
        raise SettingError("expected at least one model or baseline to evaluate, got none")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingError(f"each model is evaluated once, but {twice[0]} was given more than once")


def _notes(segmenters: Sequence[Segmenter], dataset: Dataset, tasks: Sequence[str]) -> list[str]:
    """Say what will not be asked of whom."""
    notes = []
    for segmenter in segmenters:
        lacking = [need for task, need in _NEEDS.items() if task in tasks and need not in segmenter.can]
        if lacking:
            notes.append(f"{segmenter.name} cannot be asked: {', '.join(dict.fromkeys(lacking))}")
    if "text" in tasks and not dataset.names:
        notes.append("text was not asked: the objects of this data have no names")
    return notes


_NEEDS = {
    "box": "box",
    "click": "click",
    "noc": "click",
    "random": "click",
    "everything": "everything",
    "text": "text",
}


@dataclass(slots=True, kw_only=True)
class _Found:
    """What was found out about some pictures."""

    num_objects: int = 0
    trials: list[Trial] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    timings: dict[str, Timing] = field(default_factory=lambda: defaultdict(Timing))
    num_kept: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    unreadable: list[InputError] = field(default_factory=list)
    unknown_words: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    book: CaseBook = field(default_factory=CaseBook)

    def add(self, later: "_Found") -> None:
        """Add what was found out about the next picture; of its cases the book keeps those to look at."""
        self.num_objects += later.num_objects
        self.trials += later.trials
        self.unreadable += later.unreadable
        for case in later.cases:
            self.book.add(case)
        for name, timing in later.timings.items():
            self.timings[name].add(timing)
        for name, counts in later.num_kept.items():
            self.num_kept[name] += counts
        for name, phrases in later.unknown_words.items():
            self.unknown_words[name] |= phrases


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Who is asked what."""

    segmenters: Sequence[Segmenter]
    dataset: Dataset
    tasks: tuple[str, ...]
    num_clicks: int

    def about(self, index: int) -> _Found:
        """Ask every segmenter everything about one picture."""
        try:
            picture = self.dataset.sources[index].read()
        except (ImageError, InputError) as error:
            return _Found(unreadable=[error])
        found = _Found(num_objects=len(picture.objects))
        for segmenter in self.segmenters:
            self._ask(segmenter, index, picture, found)
        return found

    def _ask(self, segmenter: Segmenter, index: int, picture: LabelledPicture, found: _Found) -> None:
        wanted = [task for task in self.tasks if _NEEDS[task] in segmenter.can]
        if not picture.objects or not wanted:
            return
        timing = found.timings[segmenter.name]
        started = time.perf_counter()
        session = _Timed(segmenter.open(picture.image), timing)
        timing.open_s += time.perf_counter() - started
        timing.num_opened += 1
        facts = [one.facts() for one in picture.objects]
        asker = _Asker(self, found, segmenter, session, index, picture, facts)
        if "box" in wanted:
            asker.boxes()
        if "click" in wanted or "noc" in wanted:
            asker.clicks(many="noc" in wanted)
        if "random" in wanted:
            asker.random_clicks()
        if "everything" in wanted:
            asker.everything()
        if "text" in wanted and self.dataset.names:
            asker.text()

    def finish(self, found: _Found) -> Evaluation:
        """Close the run."""
        if len(found.unreadable) == len(self.dataset):
            raise found.unreadable[0]
        notes = _notes(self.segmenters, self.dataset, self.tasks)
        if not found.trials:
            raise SettingError("nothing could be asked. " + "; ".join(notes or ["no object is large enough"]))
        if found.unreadable:
            notes.append(f"{len(found.unreadable)} pictures could not be used; the first: {found.unreadable[0]}")
        for name, phrases in found.unknown_words.items():
            some = ", ".join(sorted(phrases)[:5])
            notes.append(f"{name} does not know the words of {len(phrases)} phrases, which were not asked: {some}")
        return Evaluation(
            dataset=self.dataset.name,
            num_pictures=len(self.dataset) - len(found.unreadable),
            num_objects=found.num_objects,
            tasks=self.tasks,
            segmenters=tuple(segmenter.name for segmenter in self.segmenters),
            trials=tuple(found.trials),
            cases=found.book.cases(),
            changes=found.book.changes(),
            timings=dict(found.timings),
            num_kept={name: float(np.mean(counts)) for name, counts in found.num_kept.items()},
            notes=tuple(notes),
        )


class _Timed:
    """A session that keeps the time of its answers."""

    def __init__(self, session: Session, timing: Timing) -> None:
        self._session, self._timing = session, timing

    def answer(self, prompts: Sequence[Prompt], previous: Sequence[Answer] | None = None) -> list[Answer]:
        started = time.perf_counter()
        answers = self._session.answer(prompts, previous)
        self._timing.answer_s += time.perf_counter() - started
        self._timing.num_answers += len(answers)
        return answers

    def everything(self, settings: EverythingSettings) -> list[MaskRecord]:
        started = time.perf_counter()
        masks = self._session.everything(settings)
        self._timing.everything_s += time.perf_counter() - started
        self._timing.num_everything += 1
        return masks


@dataclass(frozen=True, slots=True)
class _Asker:
    """One segmenter before one opened picture."""

    run: _Run
    found: _Found
    segmenter: Segmenter
    session: Session
    index: int
    picture: LabelledPicture
    facts: list[Facts]

    def boxes(self) -> None:
        objects = self.picture.objects
        answers = box_answers(self.session, objects)
        corrected = corrected_boxes(self.session, objects, answers, middle_click)
        for i, one in enumerate(objects):
            self._record("box", i, (step := score(answers[i], one.mask),))
            self._record("box+click", i, (score(corrected[i], one.mask),))
            self._remember("box", i, answers[i], step)

    def clicks(self, *, many: bool) -> None:
        self._click("click", 0, [middle_click] * len(self.picture.objects), many=many)

    def random_clicks(self) -> None:
        for draw in range(NUM_DRAWS):
            rngs = [_rng(self.picture.name, one.key, draw) for one in self.picture.objects]
            self._click("random", draw, [partial(random_click, rng=rng) for rng in rngs], many=True)

    def everything(self) -> None:
        masks = self.session.everything(ALL_MASKS)
        assert self.segmenter.keeps is not None
        kept = kept_masks(masks, self.segmenter.keeps)
        self.found.num_kept[self.segmenter.name].append(len(kept))
        for kind, some in (("everything", best_proposals(masks)), ("kept", kept)):
            for i, overlap in enumerate(best_overlaps(self.picture.objects, some)):
                self._record(kind, i, (Step(iou=overlap),))

    def text(self) -> None:
        rng = _rng(self.picture.name, "phrases", 0)
        phrases = phrases_of(self.picture.objects, elsewhere=self.run.dataset.names, rng=rng)
        for phrase, answer in self._answer_phrases(phrases):
            is_given = not is_empty(answer.mask)
            if phrase.truth is None:
                step = Step(iou=float(not is_given), predicted_iou=answer.predicted_iou, is_given=is_given)
            else:
                step = replace(score(answer, phrase.truth), is_given=is_given)
            self.found.trials.append(
                Trial(
                    segmenter=self.segmenter.name,
                    kind=phrase.kind,
                    picture=self.picture.name,
                    asked=phrase.text,
                    steps=(step,),
                )
            )
            if phrase.truth is not None:
                self._remember_mask("text", phrase.text, phrase.truth, answer, step)

    def _click(self, kind: str, draw: int, choosers: Sequence[ChooseClick], *, many: bool) -> None:
        objects = self.picture.objects
        few = FEW_CLICKS if many else self.run.num_clicks
        most = MOST_CLICKS if many else few
        answers = click_through(self.session, objects, choosers, least=few, most=most, enough=_ENOUGH)
        for i, one in enumerate(objects):
            steps = score_clicks(answers[i], one.mask)
            self._record(kind, i, steps, draw=draw)
            if kind == "click":
                self._remember("click", i, answers[i][0], steps[0])

    def _answer_phrases(self, phrases: Sequence[Phrase]) -> list[tuple[Phrase, Answer]]:
        """Answer all at once, or one by one when the segmenter does not know a word."""
        prompts = [TextPrompt(phrase.text) for phrase in phrases]
        try:
            return list(zip(phrases, self.session.answer(prompts), strict=True)) if prompts else []
        except PromptError:
            pass
        found: list[tuple[Phrase, Answer]] = []
        for phrase, prompt in zip(phrases, prompts, strict=True):
            try:
                found.append((phrase, self.session.answer([prompt])[0]))
            except PromptError:
                self.found.unknown_words[self.segmenter.name].add(phrase.text)
        return found

    def _record(self, kind: str, i: int, steps: tuple[Step, ...], *, draw: int = 0) -> None:
        self.found.trials.append(
            Trial(
                segmenter=self.segmenter.name,
                kind=kind,
                picture=self.picture.name,
                asked=self.picture.objects[i].key,
                steps=steps,
                facts=self.facts[i],
                draw=draw,
            )
        )

    def _remember(self, kind: str, i: int, answer: Answer, step: Step) -> None:
        one = self.picture.objects[i]
        self._remember_mask(kind, one.key, one.mask, answer, step)

    def _remember_mask(self, kind: str, asked: str, truth: RLE, answer: Answer, step: Step) -> None:
        case = Case(
            segmenter=self.segmenter.name,
            kind=kind,
            index=self.index,
            asked=asked,
            truth=truth,
            answer=answer.mask,
            iou=step.iou,
            predicted_iou=answer.predicted_iou,
        )
        self.found.cases.append(case)


def _rng(picture: str, key: str, draw: int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(f"{picture}\n{key}".encode()), draw])


__all__ = [
    "FEW_CLICKS",
    "MOST_CLICKS",
    "NUM_DRAWS",
    "TASKS",
    "Evaluation",
    "Progress",
    "Timing",
    "check_tasks",
    "evaluate",
]
