"""What a fine-tuning run goes on from: written whole, between steps and after every epoch."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from maskwright.core.errors import CheckpointError, SettingError
from maskwright.train.checkpoints import replace_whole
from maskwright.train.tune.parts import learning_state, load_learning
from maskwright.train.tune.recipe import PACE
from maskwright.train.tune.tuner import Tuner


@dataclass(slots=True, kw_only=True)
class Progress:
    """Where a run is: `epoch` and `batch` come next. `best` holds the parameters of the best epoch so far.

    `shares` tells how far the weights went from the base at the end, once that is known.
    """

    epoch: int = 0
    batch: int = 0
    best_epoch: int = 0
    best_score: float = -1.0
    first_scores: dict[str, float] = field(default_factory=dict)
    best_scores: dict[str, float] = field(default_factory=dict)
    best: dict[str, Tensor] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    is_over: bool = False
    seconds: float = 0.0


def save_state(path: Path, tuner: Tuner, progress: Progress, fingerprint: str) -> None:
    """Write everything that is needed to go on."""
    state = {
        "recipe": asdict(tuner.recipe),
        "fingerprint": fingerprint,
        "base": tuner.model.checkpoint_sha256,
        "step": tuner.step,
        "progress": {name: getattr(progress, name) for name in Progress.__dataclass_fields__},
        "model": learning_state(tuner.model),
        "average": learning_state(tuner.average),
        "optimizer": tuner.optimizer.state_dict(),
    }
    replace_whole(path, lambda partial: torch.save(state, partial))


def load_state(path: Path, tuner: Tuner, fingerprint: str) -> Progress:
    """Go on from a state of the same recipe, base and data.

    Raises:
        SettingError: the run there is another one.
        CheckpointError: the file is damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = {name: value for name, value in state["recipe"].items() if name not in PACE}
        base, data = state["base"], state["fingerprint"]
    except (OSError, RuntimeError, KeyError, EOFError, UnpicklingError, ValueError) as error:
        raise CheckpointError(f"the run cannot be continued, its state is damaged. Delete it: {path}") from error
    wanted = {name: value for name, value in asdict(tuner.recipe).items() if name not in PACE}
    other = [name for name in wanted if found.get(name) != wanted[name]]
    if base != tuner.model.checkpoint_sha256:
        other = ["the base", *other]
    if data != fingerprint:
        other = ["the data", *other]
    if other:
        raise SettingError(
            f"the run there differs in {', '.join(other[:4])}. Choose another folder with --out, or delete it: "
            f"{path.parent}"
        )
    load_learning(tuner.model, state["model"])
    load_learning(tuner.average, state["average"])
    tuner.optimizer.load_state_dict(state["optimizer"])
    tuner.step = state["step"]
    return Progress(**state["progress"])


__all__ = ["Progress", "load_state", "save_state"]
