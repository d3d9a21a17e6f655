"""`give_words`: let a network of any family take text, by an adapter.

The network keeps its class and everything else; a class with `SpeaksWords` before it is put in its place, as
`torch.nn.utils.parametrize` does. Prompts without text go to the network untouched.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from maskwright.core.errors import CheckpointError
from maskwright.models.protocol import Decoded, DecodedSome, Features, FramePrompts, KeepMasks
from maskwright.models.sam.model import SamModel, prompts_per_step
from maskwright.models.words.adapter import TextAdapter, Told, build_adapter
from maskwright.models.words.clip import ClipText
from maskwright.models.words.encoders import WordTable
from maskwright.nn.mask_ops import agreement_score

PREFIX = "text_adapter."
LEAST_PRESENCE = 0.5  # below it the answer is empty: there is no such thing
_NOTHING = -10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a checkpoint's card tells of its words: those of its labels, and the frozen text encoder, if there is one.

    `encoder` is a folder or a name of Hugging Face's, and `encoder_sha256` that of its weights.
    """

    vocabulary: tuple[str, ...]
    encoder: str | None = None
    encoder_sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        """Write it for a card."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Words":
        """Read it from a card.

        Raises:
            CheckpointError: it is malformed.
        """
        try:
            told: dict[str, Any] = {**values, "vocabulary": tuple(map(str, values["vocabulary"]))}
            return cls(**told)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"the card's words cannot be read ({error})") from error


class SpeaksWords(SamModel):
    """Answers phrases by `text_adapter`, and everything else as the class after it does."""

    text_adapter: TextAdapter
    words: Words

    def text_indices(self, phrase: str) -> tuple[int, ...]:
        """Turn a phrase into the integers of `FramePrompts.text`: words of the table, or CLIP's tokens."""
        return self.text_adapter.encoder.numbers(phrase)

    def decode(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """Decode prompts; a phrase is answered by all that it names in one mask, then by each of that by itself."""
        if prompts.text is None:
            return super().decode(features, prompts, multimask=multimask)
        num_masks = self.num_candidates if multimask else 1
        told = self._told(features, prompts.text)
        if prompts.points.shape[1] or prompts.mask_logits is not None:
            return self._choose(features, prompts, told, num_masks)
        return _answers(told, num_masks)

    def decode_some(self, features: Features, prompts: FramePrompts, *, keep: KeepMasks) -> DecodedSome:
        """Decode candidates and keep those that `keep` accepts."""
        if prompts.text is None:
            return super().decode_some(features, prompts, keep=keep)
        decoded = self.decode(features, prompts, multimask=True)
        rows, candidates = keep(decoded.predicted_iou).nonzero(as_tuple=True)
        return DecodedSome(
            logits=decoded.logits[rows, candidates],
            predicted_iou=decoded.predicted_iou[rows, candidates],
            prompt_index=rows,
            mask_index=candidates,
            agreement=agreement_score(decoded.logits > self.mask_threshold)[rows],
        )

    def _told(self, features: Features, text: Int[Tensor, "N k"]) -> Told:
        """Answer phrases about one image, or each about its own, as many at a time as the decoder takes."""
        per_step = prompts_per_step(features.image_embedding.flatten(2).transpose(1, 2))
        image_index = torch.arange(len(text), device=self.device) % features.num_images
        steps = [slice(i, i + per_step) for i in range(0, len(text), per_step)]
        found = [self.text_adapter.answer(self, features, image_index[step], text[step]) for step in steps]
        names = ("logits", "heat", "presence", "quality")
        return Told(**{name: torch.cat([getattr(one, name) for one in found]) for name in names})

    def _choose(self, features: Features, prompts: FramePrompts, told: Told, num_masks: int) -> Decoded:
        """Of what a click or a box may mean, take what the words suit best."""
        plain = replace(prompts, text=None)
        drawn = [super(SpeaksWords, self).decode(features, plain, multimask=several) for several in (False, True)]
        logits = torch.cat([one.logits for one in drawn], 1)
        belief = torch.cat([one.predicted_iou for one in drawn], 1)
        meant = told.logits.sigmoid()[:, None]
        inside = (logits > self.mask_threshold).to(meant)
        suits = (inside * meant).sum((2, 3)) / (inside + meant).sum((2, 3)).clamp(min=1)
        order = suits.argsort(1, descending=True)[:, :num_masks]
        rows = torch.arange(len(order), device=order.device)[:, None]
        return Decoded(logits=logits[rows, order], predicted_iou=belief[rows, order])


def give_words(network: SamModel, words: Words, adapter: TextAdapter | None = None) -> "SpeaksWords":
    """Put a text adapter into a network, in place; without one, one that has learnt nothing yet.

    A network that has words already keeps what it learnt of those that `words` names too.
    """
    earlier = network.text_adapter if isinstance(network, SpeaksWords) else None
    made = adapter or _adapter_of(network, words)
    if earlier is not None:
        _take_over(made, earlier)
    network.text_adapter = made
    if not isinstance(network, SpeaksWords):
        network.__class__ = _speaking(type(network))
    assert isinstance(network, SpeaksWords)
    network.words = words
    # The limit is that of `tiny`'s own text path, which looks twice below it; an adapter believes on another scale.
    network.card = replace(network.card, takes_text=True, words=words.vocabulary, least_text_belief=0.0)
    return network


def words_of_model(model: object) -> Words | None:
    """The words of a model that speaks by an adapter; None for any other."""
    return model.words if isinstance(model, SpeaksWords) else None


@cache
def _speaking(kind: type[SamModel]) -> type[SamModel]:
    return type(f"{kind.__name__}WithWords", (SpeaksWords, kind), {})


def _adapter_of(network: SamModel, words: Words) -> TextAdapter:
    if words.encoder is None:
        return build_adapter(network, table=WordTable(words.vocabulary))
    return build_adapter(network, encoder=ClipText(words.encoder, sha256=words.encoder_sha256))


@torch.no_grad()
def _take_over(adapter: TextAdapter, earlier: TextAdapter) -> None:
    """Copy what an earlier adapter learnt, word by word; of another text encoder nothing fits."""
    if (adapter.table is None) != (earlier.table is None) or adapter.encoder.width != earlier.encoder.width:
        return
    state = earlier.state_dict()
    if adapter.table is not None and earlier.table is not None:
        rows = adapter.table.weight.clone()
        places = {word: i for i, word in enumerate(earlier.table.words)}
        for i, word in enumerate(adapter.table.words):
            if word in places:
                rows[i] = earlier.table.weight[places[word]]
        state["table.weight"] = rows
    adapter.load_state_dict(state)


def _answers(told: Told, num_masks: int) -> Decoded:
    present = told.presence.sigmoid()
    believed = (present * told.quality.sigmoid())[:, None]
    logits = told.logits[:, None]
    if num_masks > 1:
        alone = torch.stack([_islands(one, num_masks - 1) for one in told.logits])
        logits = torch.cat([logits, alone], 1)
        believed = torch.cat([believed, believed * 0.9 * (alone > 0).flatten(2).any(2)], 1)
    is_there = (present >= LEAST_PRESENCE)[:, None, None, None]
    return Decoded(logits=torch.where(is_there, logits, logits.clamp(max=0) + _NOTHING), predicted_iou=believed)


def _islands(logits: Float[Tensor, "h w"], most: int) -> Float[Tensor, "m h w"]:
    """Give the largest connected pieces of a mask as masks of their own."""
    found = sorted(_pieces(logits > 0), key=lambda piece: -int(piece.sum()))[:most]
    nothing = logits.clamp(max=0) + _NOTHING
    masks = [torch.where(piece, logits, nothing) for piece in found]
    return torch.stack(masks + [nothing] * (most - len(masks)))


def _pieces(mask: Bool[Tensor, "h w"], most: int = 12) -> Iterator[Bool[Tensor, "h w"]]:
    """Cut a mask into connected pieces by letting the highest number of each spread."""
    numbers = torch.arange(1.0, mask.numel() + 1, device=mask.device).view_as(mask) * mask
    while True:
        spread = F.max_pool2d(numbers[None], 3, 1, 1)[0] * mask
        if torch.equal(spread, numbers):
            break
        numbers = spread
    values, counts = numbers[mask].unique(return_counts=True)
    for value in values[counts.argsort(descending=True)][:most]:
        yield numbers == value


__all__ = ["LEAST_PRESENCE", "PREFIX", "SpeaksWords", "Words", "give_words", "words_of_model"]
