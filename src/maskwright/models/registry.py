"""The models by name: a tuple of entries, each a card, how to build the network, and how to know its checkpoint.

Listing costs no torch; it is imported when a network is built. A new family adds its entry to `ENTRIES`.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maskwright.core.errors import UnknownModel
from maskwright.models import cards
from maskwright.models.cards import ModelCard
from maskwright.models.test_sam.card import TEST_SAM, TEST_SAM_SIGNATURE
from maskwright.models.transformers_video.cards import VIDEO_CARDS

if TYPE_CHECKING:
    from maskwright.models.sam.model import SamModel
    from maskwright.models.tiny.model import TinySam

    # Every registered network: a `Model` that is a torch module with an `image_encoder`.
    Network = SamModel | TinySam

# Some names and shapes that only this architecture's checkpoints have.
Signature = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A registered model.

    `build` makes the network with random weights; `generate` fills in weights that are computed instead of stored.
    Two entries with one `signature` are one architecture with different weights.
    """

    card: ModelCard
    build: "Callable[[ModelCard], Network]"
    generate: "Callable[[Network], None] | None" = None
    signature: Signature = field(default_factory=dict)


def list_models() -> list[ModelCard]:
    """List the cards of all registered models, those for single pictures first."""
    return [*(entry.card for entry in ENTRIES), *VIDEO_CARDS]


def find_entry(name: str) -> Entry:
    """Find a registered model for single pictures by its name or by an alias, exactly.

    Raises:
        UnknownModel: there is none; the message names the nearest three.
    """
    known = {alias: entry for entry in ENTRIES for alias in (*entry.card.aliases, entry.card.name)}
    if name in known:
        return known[name]
    if any(card.name == name for card in VIDEO_CARDS):
        raise UnknownModel(
            f"{name} follows objects through video and takes no single pictures. Use it with maskwright track, or "
            "models.load_video_model in Python"
        )
    nearest = sorted(list_models(), key=lambda card: -_likeness(name, card))[:3]
    names = ", ".join(card.name for card in nearest)
    raise UnknownModel(f"no model is called {name!r}. Nearest: {names}. See: maskwright models list")


def _likeness(name: str, card: ModelCard) -> float:
    names = (card.name, *card.aliases)
    return max(difflib.SequenceMatcher(None, name.lower(), known.lower()).ratio() for known in names)


def find_card(name: str) -> ModelCard:
    """Find the card of a registered model, for single pictures or for video.

    Raises:
        UnknownModel: there is none; the message names the nearest three.
    """
    video = next((card for card in VIDEO_CARDS if card.name == name), None)
    return video or find_entry(name).card


def known_words(card: ModelCard) -> tuple[str, ...]:
    """List the words that a model's text prompts may consist of; none for a model that takes no text."""
    if not card.takes_text:
        return ()
    if card.words:
        return card.words
    from safetensors import safe_open

    from maskwright.models.tiny.vocabulary import WORDS  # the one family that takes text by itself
    from maskwright.models.weights import find_weights

    with safe_open(find_weights(card), "numpy") as file:
        is_taught = file.get_tensor("text_path.is_taught")
    return tuple(word for word, known in zip(WORDS, is_taught, strict=True) if known)


def build_model(name: str) -> "Network":
    """Build a model with random weights, for a state dict to be loaded into.

    Raises:
        UnknownModel: no model of that name is registered.
    """
    entry = find_entry(name)
    return entry.build(entry.card)


def _sam(preset: str) -> "Callable[[ModelCard], SamModel]":
    def build(card: ModelCard) -> "SamModel":
        from maskwright.models.sam import presets

        return presets.build_sam(card, getattr(presets, preset))

    return build


def _tiny(card: ModelCard) -> "TinySam":
    from maskwright.models.tiny.presets import build_tiny_network

    return build_tiny_network(card)


def _medsam(card: ModelCard) -> "SamModel":
    from maskwright.models.frame import FrameSpec

    model = _sam("VIT_B")(card)
    model.frame = FrameSpec(mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0))
    return model


def _mobile_sam(card: ModelCard) -> "SamModel":
    from maskwright.models.mobile_sam.presets import build_mobile_sam

    return build_mobile_sam(card)


def _hq_sam(preset: str) -> "Callable[[ModelCard], SamModel]":
    def build(card: ModelCard) -> "SamModel":
        from maskwright.models.hq_sam.presets import build_hq_sam
        from maskwright.models.sam import presets

        return build_hq_sam(card, getattr(presets, preset))

    return build


def _hq_tiny(card: ModelCard) -> "SamModel":
    from maskwright.models.hq_sam.presets import build_hq_tiny

    return build_hq_tiny(card)


def _test_sam(card: ModelCard) -> "SamModel":
    from maskwright.models.test_sam.model import build_test_sam

    return build_test_sam(card)


def _test_sam_weights(model: "Network") -> None:
    from maskwright.models.test_sam.model import fill_with_fixed_weights

    fill_with_fixed_weights(model)


def _vit(width: int) -> Signature:
    return {"image_encoder.pos_embed": (1, 64, 64, width), "image_encoder.neck.0.weight": (256, width, 1, 1)}


_TINY_VIT: Signature = {"image_encoder.patch_embed.seq.0.c.weight": (32, 3, 3, 3)}
_HQ: Signature = {"mask_decoder.hf_token.weight": (1, 256)}

_TINY: Signature = {
    "image_encoder.trunk.stem.weight": (32, 3, 3, 3),
    "prompt_encoder.no_mask_embed.weight": (1, 192),
}

ENTRIES: tuple[Entry, ...] = (
    Entry(card=cards.TINY, build=_tiny, signature=_TINY),
    Entry(card=cards.VIT_B, build=_sam("VIT_B"), signature=_vit(768)),
    Entry(card=cards.VIT_L, build=_sam("VIT_L"), signature=_vit(1024)),
    Entry(card=cards.VIT_H, build=_sam("VIT_H"), signature=_vit(1280)),
    Entry(card=cards.VIT_T, build=_mobile_sam, signature=_TINY_VIT),
    Entry(card=cards.HQ_VIT_B, build=_hq_sam("VIT_B"), signature={**_vit(768), **_HQ}),
    Entry(card=cards.HQ_VIT_L, build=_hq_sam("VIT_L"), signature={**_vit(1024), **_HQ}),
    Entry(card=cards.HQ_VIT_H, build=_hq_sam("VIT_H"), signature={**_vit(1280), **_HQ}),
    Entry(card=cards.HQ_VIT_TINY, build=_hq_tiny, signature={**_TINY_VIT, **_HQ}),
    Entry(card=cards.MEDSAM, build=_medsam, signature=_vit(768)),
    Entry(card=TEST_SAM, build=_test_sam, generate=_test_sam_weights, signature=TEST_SAM_SIGNATURE),
)

__all__ = ["ENTRIES", "Entry", "Signature", "build_model", "find_card", "find_entry", "known_words", "list_models"]
