"""A fine-tuning job, and the checkpoint that it writes: what is asked for, and what the card tells of it."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from maskwright import __version__
from maskwright.models import Model
from maskwright.models.tuned import TunedCard, changed_of, read_tuned_card, save_tuned, tuned_file
from maskwright.store import Moment
from maskwright.train.tune.examples import fingerprint, labels_of
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.split import Split
from maskwright.workflows.retention import NUM_SCORED
from maskwright.workflows.training_data import TrainingData, licence_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneJob:
    """What to learn from, what to begin with, and where the result goes.

    `test` is held-out data from elsewhere, `general` what must not be forgotten, `images` where a store's pictures are,
    `as_of` the moment of a store whose masks are learnt from.
    """

    source: str
    out: Path
    base: str = "tiny"
    recipe: TuneRecipe = dataclasses.field(default_factory=TuneRecipe)
    statuses: tuple[str, ...] | None = None
    test: str | None = None
    general: str | None = None
    images: Path | None = None
    as_of: Moment = None
    device: str = "cpu"
    num_general: int = NUM_SCORED
    command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The checkpoint that a fine-tuned one changes in the end, and the terms so far."""

    name: str
    sha256: str
    licence: str


def root_of(base: str, model: Model) -> Root:
    """Find the first base: checkpoints that are tuned again have no chains."""
    path = Path(base).expanduser()
    file = tuned_file(path) if path.exists() else None
    if file is not None:
        card = read_tuned_card(file)
        return Root(name=card.base, sha256=card.base_sha256, licence=card.licence)
    name = str(path.resolve()) if path.is_file() else base
    return Root(name=name, sha256=model.checkpoint_sha256, licence=model.card.licence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Makings:
    """What a checkpoint's card tells, known before anything is learnt; `words` are of models with a text adapter."""

    job: FineTuneJob
    root: Root
    data: TrainingData
    split: Split
    base_state: Mapping[str, torch.Tensor]
    clock: Callable[[], datetime]
    words: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def save(self, state: Mapping[str, torch.Tensor], metrics: Mapping[str, Any], general: Mapping[str, Any]) -> Path:
        """Write what changed, and the card."""
        return save_tuned(self.job.out, changed_of(state, self.base_state), self.card(metrics, general))

    def card(self, metrics: Mapping[str, Any], general: Mapping[str, Any]) -> TunedCard:
        """Write the card of what was learnt so far."""
        learnt = [*self.split.train, *self.split.validation]
        return TunedCard(
            base=self.root.name,
            base_sha256=self.root.sha256,
            parts=self.job.recipe.parts,
            licence=licence_of(self.root.licence, self.data.licences),
            created_at=self.clock().isoformat(timespec="seconds"),
            command=self.job.command,
            data={
                "source": self.data.name,
                "fingerprint": fingerprint(learnt),
                "num_pictures": {side: len(getattr(self.split, side)) for side in ("train", "validation", "test")},
                "num_masks": sum(len(one.masks) for one in learnt),
                "labels": dict(labels_of(learnt).most_common(20)),
                "licences": dict(self.data.licences),
            },
            metrics=metrics,
            general=general,
            recipe=dataclasses.asdict(self.job.recipe),
            words=self.words,
            maskwright=__version__,
        )


__all__ = ["FineTuneJob", "Makings", "Root", "root_of"]
