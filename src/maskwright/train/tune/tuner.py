"""A model that is being fine-tuned, with everything that its training changes."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from maskwright.models.sam.model import SamModel
from maskwright.train.tune.features import FeatureCache
from maskwright.train.tune.parts import choose_learning
from maskwright.train.tune.recipe import TuneRecipe


@dataclass(slots=True, kw_only=True)
class Tuner:
    """`average` is the mean of the weights over steps: what is scored and kept. A frozen encoder is in both.

    `base` answers as it all began, where that is to be kept, by `base_features`: its own encoder is not at hand.
    """

    recipe: TuneRecipe
    model: SamModel
    average: SamModel
    optimizer: torch.optim.AdamW
    num_steps: int
    base: SamModel | None = None
    base_features: FeatureCache | None = None
    step: int = 0

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    def at_once(self, count: int) -> int:
        """How many of so many prompts go through the decoder together."""
        return max(1, min(count, self.recipe.at_once or count))

    def learning(self) -> list[nn.Parameter]:
        """The parameters that learn."""
        return [p for p in self.model.parameters() if p.requires_grad]


def make_tuner(
    model: SamModel, recipe: TuneRecipe, *, num_steps: int, base_features: FeatureCache | None = None
) -> Tuner:
    """Prepare a model that was loaded; it stays in eval mode, so that batch norms keep what they know.

    Raises:
        SettingError: the model has no part of the recipe's names.
    """
    model.eval()
    choose_learning(model, recipe)
    encoder = id(model.image_encoder)
    average = copy.deepcopy(model, {} if recipe.trains_encoder else {encoder: model.image_encoder})
    base = copy.deepcopy(model, {encoder: nn.Identity()}).requires_grad_(False) if recipe.keeps else None
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW([one for one in groups if one["params"]], lr=recipe.learning_rate, betas=(0.9, 0.98))
    return Tuner(
        recipe=recipe,
        model=model,
        average=average,
        optimizer=optimizer,
        num_steps=num_steps,
        base=base,
        base_features=base_features,
    )


__all__ = ["Tuner", "make_tuner"]
