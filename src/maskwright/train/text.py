"""Train `tiny`'s text path on labelled scenes, behind a frozen image encoder: objects first, words after.

    maskwright train text --scenes scenes/train --validation scenes/val --out runs/text --minutes 10

Clicks and boxes are answered as before, to the bit: only `text_path.*` learns. Features of the scenes and of enlarged
parts of them are encoded once (a third of a second and 3.5 MB each on a core) into OUT/features and used again by every
run from the same weights. The first lesson finds things, for half of the time; then the things of all scenes and parts
are found, drawn and described (a third of a second each); the second lesson reads them. At last belief is fitted on
scenes that neither has seen. Each goes on where it stopped, from OUT/last.pt.
"""

import copy
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from maskwright.core.errors import InputError
from maskwright.models.cards import TINY
from maskwright.models.tiny import TINY_WEIGHTS, TinyConfig, TinySam, build_tiny
from maskwright.models.tiny.finding import ThingFinder
from maskwright.models.tiny.presets import build_text_path
from maskwright.models.tiny.reading import MaskReader
from maskwright.models.tiny.text import TextPath
from maskwright.predict.second_look import part_boxes
from maskwright.train.belief_fit import Unseen, fit_belief
from maskwright.train.checkpoints import export_weights, replace_whole
from maskwright.train.dice import Dice
from maskwright.train.feature_store import FeatureStore, build_store
from maskwright.train.finder_step import finder_loss, gather_cells
from maskwright.train.lesson import Lesson
from maskwright.train.palette import fit_palette
from maskwright.train.reader_step import questions_of, reader_loss
from maskwright.train.scene_folder import SceneFolder, read_scene_folder
from maskwright.train.text_scores import score_text
from maskwright.train.thing_table import PictureThings, describe_picture
from maskwright.train.words import ANYTHING, names_in
from maskwright.train.zoomed import ZoomedScenes, parts_anywhere, parts_of_second_look

logger = logging.getLogger(__name__)
_DESCRIBED_AT_ONCE = 50
# Where no scenes are given to validate on, every so many-th is kept from the second lesson to fit belief.
_KEPT_APART = 10
Zoom = Callable[[SceneFolder], ZoomedScenes]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRecipe:
    """What decides the outcome of a run behind frozen weights."""

    finder_cells: int = 2048
    finder_rate: float = 3e-3
    finder_share: float = 0.5
    reader_pictures: int = 16
    reader_rate: float = 2e-3
    reader_rate_on: float = 5e-4  # of a reader that was taught before
    seed: int = 0


@dataclass(slots=True, kw_only=True)
class TextTrainer:
    """The text path in training, behind its frozen model: two lessons, one after the other."""

    recipe: TextRecipe
    model: TinySam
    path: TextPath
    finding: Lesson[ThingFinder]
    reading: Lesson[MaskReader]
    is_ready: bool = False  # whether palette and ranges of the reader's numbers are known

    def state(self) -> dict[str, Any]:
        """What a stopped run goes on from."""
        return {
            "finding": self.finding.state(),
            "reading": self.reading.state(),
            "palette": self.path.palette,
            "is_taught": self.path.is_taught,
            "is_ready": self.is_ready,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.finding.load(state["finding"])
        self.reading.load(state["reading"])
        self.path.palette.copy_(state["palette"])
        self.path.is_taught.copy_(state["is_taught"])
        self.is_ready = state["is_ready"]

    def use_averages(self) -> None:
        """Put what was learned into the model."""
        self.path.finder.load_state_dict(self.finding.average.state_dict())
        self.path.reader.load_state_dict(self.reading.average.state_dict())
        self.path.eval()


def make_text_trainer(recipe: TextRecipe, model: TinySam, text: Path | None = None) -> TextTrainer:
    """Freeze a model and give it a text path: its own, that of another file, or a new one."""
    torch.manual_seed(recipe.seed)
    if model.text_path is None:
        model.text_path = build_text_path(TinyConfig(has_text=True))
    path = model.text_path
    if text is not None:
        prefix = "text_path."
        learned = {k.removeprefix(prefix): v.float() for k, v in load_file(text).items() if k.startswith(prefix)}
        path.load_state_dict(learned)
    model.requires_grad_(False)
    # The lessons have modules of their own, so that the model's path is a whole one at any moment.
    finder, reader = copy.deepcopy(path.finder).requires_grad_(True), copy.deepcopy(path.reader).requires_grad_(True)
    reader_rate = recipe.reader_rate if text is None else recipe.reader_rate_on
    return TextTrainer(
        recipe=recipe,
        model=model,
        path=path,
        finding=Lesson(name="finding", module=finder, learning_rate=recipe.finder_rate, seed=recipe.seed),
        reading=Lesson(name="reading", module=reader, learning_rate=reader_rate, seed=recipe.seed),
        is_ready=text is not None,
    )


def save(trainer: TextTrainer, out: Path) -> None:
    """Write what a stopped run goes on from."""
    replace_whole(out / "last.pt", lambda partial: torch.save(trainer.state(), partial))


def export(trainer: TextTrainer, path: Path) -> None:
    """Write weights as they lie in the package, with the averaged text path."""
    note = {
        "finding": trainer.finding.step,
        "reading": trainer.reading.step,
        "behind": trainer.model.checkpoint_sha256,
    }
    export_weights(trainer.model, path, {"text": json.dumps(note)})


def run(
    trainer: TextTrainer,
    stores: Sequence[FeatureStore],
    out: Path,
    *,
    minutes: float,
    unseen: Unseen | None,
    apart: Sequence[int] = (),
) -> None:
    """Teach finding, then reading, then fit belief, and export; each part that is done is not done again.

    `apart` are pictures of the stores, counted through, that reading does not learn from.
    """
    if not names_in(objects for store in stores for objects in store.words):
        raise InputError("the scenes name no objects; text needs objects.json with names")
    if (out / "last.pt").exists():
        trainer.load(torch.load(out / "last.pt", weights_only=True))
    else:
        begin(trainer, stores)
    share = trainer.recipe.finder_share
    learn_to_find(trainer, stores, out, minutes * share)
    things = describe(trainer, stores, out / "things.pt")
    learn_to_read(trainer, [one for i, one in enumerate(things) if i not in set(apart)], out, minutes * (1 - share))
    if unseen is not None:
        names = names_in(objects for store in stores for objects in store.words)
        fit_belief(trainer.model, unseen, names, least=TINY.least_text_belief)
        logger.info("%s", score_text(trainer.model, unseen.scenes, names))
    export(trainer, out / "tiny.safetensors")


def begin(trainer: TextTrainer, stores: Sequence[FeatureStore]) -> None:
    """Take from the scenes what is not learned by steps: the palette, and which words there are."""
    if not trainer.is_ready:
        trainer.path.palette.copy_(fit_palette(stores, Dice(trainer.recipe.seed)))
    taught = trainer.path.is_taught if trainer.is_ready else torch.zeros_like(trainer.path.is_taught)
    met = {word for store in stores for objects in store.words for words in objects for word in words}
    taught[sorted(met | ANYTHING)] = 1
    trainer.path.is_taught.copy_(taught)


def learn_to_find(trainer: TextTrainer, stores: Sequence[FeatureStore], out: Path, minutes: float) -> None:
    """The first lesson."""
    lesson = trainer.finding
    if lesson.seconds >= minutes * 60:
        return trainer.use_averages()
    cells = gather_cells(Dice(trainer.recipe.seed), stores)
    logger.info("%d cells of %d pictures", len(cells), sum(len(store) for store in stores))
    if lesson.step == 0 and not trainer.is_ready:
        some = torch.arange(0, len(cells), 7)
        for finder in (lesson.module, lesson.average):
            finder.fit_ranges(cells.coarse[some].float(), cells.fine[some].float())

    def loss_of(dice: Dice, finder: ThingFinder) -> Tensor:
        return finder_loss(finder, cells[dice.integers(len(cells), trainer.recipe.finder_cells)])

    lesson.study(loss_of, minutes=minutes, save=lambda: save(trainer, out))
    return trainer.use_averages()


def describe(trainer: TextTrainer, stores: Sequence[FeatureStore], path: Path) -> list[PictureThings]:
    """Find and describe the things of all scenes, or of those that the file lacks."""
    finder = _digest(trainer.path.finder)
    kept = torch.load(path, weights_only=False) if path.exists() else {}
    rows: list[dict[str, Any]] = kept["rows"] if kept.get("finder") == finder else []
    wanted = [(store, picture) for store in stores for picture in range(len(store))]
    for store, picture in wanted[len(rows) :]:
        rows.append(_as_row(describe_picture(trainer.model, store, picture)))
        if len(rows) % _DESCRIBED_AT_ONCE == 0 or len(rows) == len(wanted):
            replace_whole(path, lambda partial: torch.save({"finder": finder, "rows": rows}, partial))
            logger.info("described %d of %d", len(rows), len(wanted))
    return [PictureThings(**row) for row in rows]


def _as_row(things: PictureThings) -> dict[str, Any]:
    return {one.name: getattr(things, one.name) for one in fields(things)}


def _digest(module: torch.nn.Module) -> str:
    content = hashlib.sha256()
    for tensor in module.state_dict().values():
        content.update(tensor.contiguous().numpy().tobytes())
    return content.hexdigest()


def learn_to_read(trainer: TextTrainer, things: Sequence[PictureThings], out: Path, minutes: float) -> None:
    """The second lesson."""
    lesson = trainer.reading
    if not trainer.is_ready:
        for reader in (lesson.module, lesson.average):
            reader.fit_ranges(torch.cat([one.numbers for one in things]).float())
        trainer.is_ready = True
    questions = [questions_of(one) for one in things]

    def loss_of(dice: Dice, reader: MaskReader) -> Tensor:
        chosen = [dice.below(len(things)) for _ in range(trainer.recipe.reader_pictures)]
        return reader_loss(dice, reader, [things[i] for i in chosen], [questions[i] for i in chosen])

    lesson.study(loss_of, minutes=minutes, save=lambda: save(trainer, out))
    trainer.use_averages()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRun:
    """Where a run takes its scenes and weights from, and where it writes; `parts` are of each scene, enlarged."""

    scenes: tuple[Path, ...]
    out: Path
    start: Path = TINY_WEIGHTS
    text: Path | None = None
    validation: Path | None = None
    minutes: float = 20.0
    seed: int = 0
    parts: int = 4
    num_validation: int = 120


def train_text(wanted: TextRun) -> Path:
    """Encode what is not yet encoded, then train; returns where the weights lie."""
    model = build_tiny(weights=wanted.start)
    model.image_encoder.to(memory_format=torch.channels_last)  # pyrefly: ignore[no-matching-overload]
    features = wanted.out / "features" / model.checkpoint_sha256[:12]

    def open_store(folder: Path, name: str = "", limit: int | None = None, zoom: Zoom | None = None) -> FeatureStore:
        place = features / f"{folder.resolve().name}{name}"
        return build_store(model, folder, place, limit=limit, zoom=zoom, progress=tell_progress)

    def open_unseen(folder: Path, limit: int | None, every: int) -> Unseen:
        sizes = read_scene_folder(folder).sizes_hw[:limit:every]
        zoom = partial(parts_of_second_look, every=every)
        parts = open_store(folder, f"-looks{every}", len(part_boxes((1000, 1000))) * len(sizes), zoom)
        return Unseen(scenes=open_store(folder, limit=limit).every(every), parts=parts, sizes=sizes)

    stores = [open_store(folder) for folder in wanted.scenes]
    if wanted.parts:
        zoom = partial(parts_anywhere, parts=wanted.parts, seed=wanted.seed)
        stores += [open_store(folder, f"-parts{wanted.parts}", zoom=zoom) for folder in wanted.scenes]
    apart: list[int] = []
    if wanted.validation is None:
        unseen = open_unseen(wanted.scenes[0], None, _KEPT_APART)
        apart = _same_scenes(stores, len(wanted.scenes), wanted.parts)
    else:
        unseen = open_unseen(wanted.validation, wanted.num_validation, 1)
    trainer = make_text_trainer(TextRecipe(seed=wanted.seed), model, wanted.text)
    run(trainer, stores, wanted.out, minutes=wanted.minutes, unseen=unseen, apart=apart)
    return wanted.out / "tiny.safetensors"


def _same_scenes(stores: Sequence[FeatureStore], num_folders: int, parts: int) -> list[int]:
    """Count the pictures through that are of the first folder's kept scenes, whole or in parts."""
    apart = list(range(0, len(stores[0]), _KEPT_APART))
    if parts:
        start = sum(map(len, stores[:num_folders]))
        apart += [start + scene * parts + part for scene in apart for part in range(parts)]
    return apart


def tell_progress(done: int, total: int) -> None:
    """Log every fiftieth picture."""
    if done % 50 == 0 or done == total:
        logger.info("encoded %d of %d", done, total)


__all__ = ["TextRecipe", "TextRun", "TextTrainer", "export", "make_text_trainer", "run", "save", "train_text"]
