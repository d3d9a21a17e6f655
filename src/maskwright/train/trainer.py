"""A model in training: which parameters learn, at what rate, and the average that is exported."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from maskwright.models.tiny import TinySam
from maskwright.models.tiny.image_encoder import TinyImageEncoder
from maskwright.train.distill import Teacher
from maskwright.train.recipe import Recipe


@dataclass(slots=True, kw_only=True)
class Trainer:
    """A model with everything that training changes, so that a run can stop anywhere and go on.

    `seconds` are those of the run so far, of all its processes.
    """

    recipe: Recipe
    model: TinySam
    average: TinySam
    optimizer: torch.optim.AdamW
    teacher: Teacher | None = None
    step: int = 0
    seconds: float = 0.0

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device


def make_trainer(recipe: Recipe, model: TinySam) -> Trainer:
    """Prepare a run from a model's present weights."""
    model.train()
    model.to(memory_format=torch.channels_last)  # pyrefly: ignore[no-matching-overload]
    encoder = model.image_encoder
    assert isinstance(encoder, TinyImageEncoder)
    answering = [model.prompt_encoder, model.mask_decoder] if recipe.freeze == "answers" else []
    for module in [*frozen_parts(recipe, encoder), *answering]:
        module.requires_grad_(False)
    trunk = {id(p) for p in encoder.trunk.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in (p for p in model.parameters() if p.requires_grad):
        groups.setdefault((id(parameter) in trunk, parameter.ndim > 1), []).append(parameter)
    optimizer = torch.optim.AdamW(
        [
            {
                "params": parameters,
                "rate": recipe.trunk_rate if in_trunk else 1.0,
                # Folded batch norms made the trunk's scale part of its weights: decay would undo it.
                "weight_decay": recipe.weight_decay if decays and not in_trunk else 0.0,
            }
            for (in_trunk, decays), parameters in groups.items()
        ],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
    )
    return Trainer(recipe=recipe, model=model, average=copy.deepcopy(model).eval(), optimizer=optimizer)


def frozen_parts(recipe: Recipe, encoder: TinyImageEncoder) -> list[nn.Module]:
    """List what keeps its weights.

    The stem and the first blocks see edges and colours: ImageNet's are better than what drawn pictures would teach, and
    not going back through them saves the most expensive part of the backward pass.
    """
    match recipe.freeze:
        case "encoder" | "answers":
            return [encoder]
        case "trunk":
            return [encoder.trunk]
        case _:
            return [encoder.trunk.stem, *list(encoder.trunk.blocks)[: recipe.frozen_blocks]]


__all__ = ["Trainer", "make_trainer"]
