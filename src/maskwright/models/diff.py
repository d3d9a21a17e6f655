"""Two checkpoints beside each other: which parts differ, by how much, and what their cards say of their scores."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from maskwright.core.errors import CheckpointError
from maskwright.models.loading import load_model
from maskwright.models.tuned import read_tuned_card, tuned_file
from maskwright.models.words.speaking import PREFIX as WORDS

if TYPE_CHECKING:
    from maskwright.models.registry import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDiff:
    """How far one part of two networks is apart; `change` is the length of the difference over that of the first.

    `only_in` names the model that alone has the part.
    """

    part: str
    num_tensors: int
    num_changed: int
    num_parameters: int
    change: float
    only_in: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDiff:
    """Two models: their names and hashes, their parts, and the scores that their cards tell."""

    names: tuple[str, str]
    sha256s: tuple[str, str]
    parts: tuple[PartDiff, ...]
    metrics: tuple[Mapping[str, Any], Mapping[str, Any]]

    @property
    def is_same(self) -> bool:
        """Whether every parameter is the same."""
        return not any(part.num_changed for part in self.parts)

    @property
    def shares_encoder(self) -> bool:
        """Whether both encode pictures alike, so that embeddings of one serve the other."""
        return not any(part.num_changed for part in self.parts if part.part.startswith("image_encoder"))


def diff_models(first: str, second: str) -> ModelDiff:
    """Compare two models of one architecture, of which one may have words that the other lacks.

    Raises:
        UnknownModel, WeightsMissing, CheckpointError: one cannot be loaded.
        CheckpointError: their architectures differ.
    """
    a, b = load_model(first), load_model(second)
    for name, model in ((first, a), (second, b)):
        if model.card.computed_as:
            raise CheckpointError(f"expected a checkpoint to compare, got an exported model. Compare its base: {name}")
    states = _states(a), _states(b)
    words = [{name: state.pop(name) for name in list(state) if name.startswith(WORDS)} for state in states]
    if {k: v.shape for k, v in states[0].items()} != {k: v.shape for k, v in states[1].items()}:
        raise CheckpointError(f"expected two models of one architecture, got {a.card.name} and {b.card.name}: {second}")
    by_part: dict[str, list[str]] = defaultdict(list)
    for name in states[0]:
        by_part[_part_of(name)].append(name)
    return ModelDiff(
        names=(first, second),
        sha256s=(a.checkpoint_sha256, b.checkpoint_sha256),
        parts=(*(_diff(part, names, *states) for part, names in by_part.items()), *_diff_words(words, (first, second))),
        metrics=(_metrics(first), _metrics(second)),
    )


def _states(model: "Network") -> dict[str, Tensor]:
    return {name: tensor.detach().float().cpu() for name, tensor in model.state_dict().items()}


def _part_of(name: str) -> str:
    """The part of a network that a parameter belongs to; two levels below a decoder of corrections."""
    first, _, rest = name.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if first in ("corrector", "mask_decoder") else first


def _diff(part: str, names: list[str], first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> PartDiff:
    squared = sum(float((second[name] - first[name]).square().sum()) for name in names)
    length = sum(float(first[name].square().sum()) for name in names)
    return PartDiff(
        part=part,
        num_tensors=len(names),
        num_changed=sum(not first[name].equal(second[name]) for name in names),
        num_parameters=sum(first[name].numel() for name in names),
        change=math.sqrt(squared / length) if length else math.sqrt(squared),
    )


def _diff_words(words: list[dict[str, Tensor]], names: tuple[str, str]) -> list[PartDiff]:
    """Compare what words are answered by, where there is any; vocabularies may differ."""
    part = WORDS.rstrip(".")
    both = [name for name in words[0] if name in words[1] and words[0][name].shape == words[1][name].shape]
    if words[0] and words[1]:
        return [_diff(part, both, *words)]
    return [
        PartDiff(
            part=part,
            num_tensors=len(own),
            num_changed=len(own),
            num_parameters=sum(tensor.numel() for tensor in own.values()),
            change=1.0,
            only_in=name,
        )
        for own, name in zip(words, names, strict=True)
        if own
    ]


def _metrics(name: str) -> Mapping[str, Any]:
    path = Path(name).expanduser()
    file = tuned_file(path) if path.exists() else None
    return {} if file is None else read_tuned_card(file).metrics


__all__ = ["ModelDiff", "PartDiff", "diff_models"]
