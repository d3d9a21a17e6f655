"""Which parameters learn. What features depend on learns only where pictures are encoded at every step."""

from collections.abc import Iterator, Mapping

import torch
from torch import nn
from torch.nn.utils import parametrize

from maskwright.core.errors import SettingError
from maskwright.models.sam.model import SamModel
from maskwright.models.tuned import ENCODING
from maskwright.models.words.speaking import PREFIX as WORDS
from maskwright.train.tune.recipe import TuneRecipe

_HQ = ("mask_decoder.hf_token.", "mask_decoder.hf_mlp.", "mask_decoder.embedding_maskfeature.")
# How a box is read, and what draws the one answer to it. One click has several answers, which others draw; so where
# corrections have a decoder of their own, clicks are answered as before, to the bit.
_BOXES = (
    "prompt_encoder.point_embeddings.2.",
    "prompt_encoder.point_embeddings.3.",
    "mask_decoder.output_hypernetworks_mlps.0.",
)
_PREFIXES = {
    "boxes": _BOXES,
    "decoder": ("mask_decoder.", "corrector.mask_decoder."),
    "prompts": ("prompt_encoder.", "corrector.prompt_encoder."),
    "hq": _HQ,
    "encoder": ENCODING,
    "full": ("",),
    "lora": (),
    "text": (WORDS,),
}
_WORDS = (WORDS, "text_path.")  # learn by themselves alone
_ATTENTION = ("qkv", "attn", "attention")


class LowRank(nn.Module):
    """What LoRA adds to a weight (Hu et al. 2021): a product of two thin matrices that begins as nothing.

    A pointwise convolution is a matrix too, of shape (rows, columns, 1, 1).
    """

    def __init__(self, weight: torch.Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape[:2]
        self.down = nn.Parameter(torch.empty(rank, columns).normal_(std=columns**-0.5).to(weight))
        self.up = nn.Parameter(torch.zeros(rows, rank).to(weight))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Add it."""
        return weight + (self.up @ self.down).view_as(weight)


def choose_learning(model: SamModel, recipe: TuneRecipe) -> None:
    """Let the parts of a recipe learn and nothing else.

    Raises:
        SettingError: the model has no such part.
    """
    model.requires_grad_(False)
    encodes = {"encoder", "full"} & set(recipe.learning)
    for part in recipe.learning:
        chosen = [
            parameter
            for name, parameter in model.named_parameters()
            if name.startswith(_PREFIXES[part])
            and (encodes or not name.startswith(ENCODING))
            and (part == "text" or not name.startswith(_WORDS))
        ]
        if part == "lora":
            chosen = list(_add_low_rank(model, recipe))
        if not chosen:
            raise SettingError(f"{model.card.name} has no part that is called {part}; choose others with --set parts=")
        for parameter in chosen:
            parameter.requires_grad_(True)


def _add_low_rank(model: SamModel, recipe: TuneRecipe) -> Iterator[nn.Parameter]:
    """Put low-rank additions on the encoder's attention and on its pointwise convolutions."""
    generator = torch.Generator().manual_seed(recipe.seed)
    for name, module in list(model.image_encoder.named_modules()):
        if _takes_low_rank(name, module):
            assert isinstance(module.weight, nn.Parameter)
            added = LowRank(module.weight, recipe.lora_rank)
            with torch.no_grad():
                drawn = torch.randn(added.down.shape, generator=generator) * added.down.shape[1] ** -0.5
                added.down.copy_(drawn)
            parametrize.register_parametrization(module, "weight", added)
            yield from added.parameters()


def _takes_low_rank(name: str, module: nn.Module) -> bool:
    """Whether a layer mixes channels where a network does most of that: a ViT in attention, `tiny` in its trunk."""
    if isinstance(module, nn.Conv2d):
        return module.kernel_size == (1, 1) and module.groups == 1
    return isinstance(module, nn.Linear) and any(word in name for word in _ATTENTION)


def learning_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Copy the parameters that learn, by name, to the CPU."""
    return {name: p.detach().to("cpu", copy=True) for name, p in model.named_parameters() if p.requires_grad}


def load_learning(model: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Put back what `learning_state` copied."""
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in state.items():
            own[name].copy_(value)


def merged_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict under the names of the plain network, with low-rank additions added."""
    state: dict[str, torch.Tensor] = {}
    for name, tensor in model.state_dict().items():
        owner, found, rest = name.partition(".parametrizations.")
        if not found:
            state[name] = tensor
        elif rest == "weight.original":
            state[f"{owner}.weight"] = _weight(model, owner)
    return state


def _weight(model: nn.Module, owner: str) -> torch.Tensor:
    weight = model.get_submodule(owner).weight
    assert isinstance(weight, torch.Tensor)
    return weight.detach()


__all__ = ["LowRank", "choose_learning", "learning_state", "load_learning", "merged_state"]
