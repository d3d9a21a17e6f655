"""The networks that a model consists of, as modules that take and give tensors by name, ready to be written down.

The decoder's names are those of Segment Anything's ONNX export: `image_embeddings`, `point_coords`, `point_labels`,
`mask_input` and `has_mask_input` go in, `low_res_masks` and `iou_predictions` come out. Unlike there, all of B images,
N prompts and K points may vary: prompt n is on image n mod B, so one image serves all prompts, or each has its own; so
with masks. What is no network (what `tiny` makes of boxes, clicks and words) stays code: `exported.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from maskwright.core.errors import UnsupportedPrompt
from maskwright.models.backends.manifest import Part, Port
from maskwright.models.hq_sam.model import HqSamModel
from maskwright.models.protocol import Features
from maskwright.models.sam.mask_decoder import Decoding, MaskDecoder
from maskwright.models.sam.model import SamModel
from maskwright.models.sam.prompt_encoder import PromptEncoder
from maskwright.models.tiny.model import CORRECTED_LEAN, LEAN, TinySam
from maskwright.models.tiny.text import TextPath
from maskwright.models.words.speaking import SpeaksWords

EXTRAS = {
    "sam": (),
    "hq_sam": ("hq_features",),
    "tiny": ("stride8_features", "stride4_features", "trunk_features", "shades"),
}
PROMPTS = ("point_coords", "point_labels", "mask_input", "has_mask_input")
MASKS = ("low_res_masks", "iou_predictions")
CELLS = (4, 16, 1)  # of strides 8, 4 and 16 in one of stride 16
# How many images, prompts and points the examples have: no two alike, none of them 1, which export takes for fixed.
_IMAGES, _PROMPTS, _POINTS = 2, 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPart:
    """A part with its module, and tensors to trace it with."""

    name: str
    module: nn.Module
    examples: tuple[Tensor, ...]
    ports: Part


def kind_of(model: nn.Module) -> str:
    """Say whose rules a model goes by.

    Raises:
        UnsupportedPrompt: it is none of the package's own networks, or words were added to it.
    """
    if isinstance(model, SamModel) and model.card.computed_as:
        raise UnsupportedPrompt(f"{model.card.name} is exported already. Export the model that this one was made of")
    if isinstance(model, SpeaksWords):
        raise UnsupportedPrompt(
            f"{model.card.title} answers words by an adapter, which cannot be exported. Export the model beneath"
        )
    for kind, name in ((TinySam, "tiny"), (HqSamModel, "hq_sam"), (SamModel, "sam")):
        if isinstance(model, kind):
            return name
    raise UnsupportedPrompt(f"expected a model of this package to export, got a {type(model).__name__}")


@torch.no_grad()
def parts_of(model: SamModel) -> list[NetworkPart]:
    """Take a model apart: encoder and decoder; of `tiny` also the corrector, the finder and the reader of words."""
    names = EXTRAS[kind_of(model)]
    encoder = EncoderPart(model)
    images = torch.randn(_IMAGES, 3, model.frame.side, model.frame.side)
    features = model.encode(images)
    maps = dict(zip(("image_embeddings", *names), (features.image_embedding, *features.extra), strict=True))
    parts = [_part("encoder", encoder, {"images": (images, _batch)}, {k: (v, _batch) for k, v in maps.items()})]
    num_used = 1 if isinstance(model, HqSamModel) else 2
    used = {name: (maps[name], _batch) for name in ("image_embeddings", *names[:num_used])}
    prompts = _prompts(model)
    drawer = HqDecoderPart(model) if isinstance(model, HqSamModel) else DecoderPart(model)
    parts.append(_part("decoder", drawer, used | prompts, _masks(model, MASKS)))
    if isinstance(model, TinySam):
        if model.corrector is not None:
            corrector = CorrectorPart(model.corrector.prompt_encoder, model.corrector.mask_decoder)
            outputs = tuple(f"corrected_{name}" for name in MASKS)
            parts.append(_part("corrector", corrector, used | prompts, _masks(model, outputs, num_masks=1)))
        if model.text_path is not None:
            parts += _text_parts(model.text_path, features)
    return parts


class ByPosition(nn.Module):
    """A part with inputs of any number, so that exporters see all parts alike."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Tensor) -> Any:
        """Run the part."""
        return self.module(*inputs)


class EncoderPart(nn.Module):
    """Frames to features."""

    def __init__(self, model: SamModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Encode."""
        features = self.model.encode(images)
        return (features.image_embedding, *features.extra)


class DecoderPart(nn.Module):
    """Features and prompts to the logits of all candidates, and their predicted IoU."""

    def __init__(self, model: SamModel) -> None:
        super().__init__()
        self.prompt_encoder, self.mask_decoder = model.prompt_encoder, model.mask_decoder
        self.lean = LEAN if isinstance(model, TinySam) else 0.0

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Decode."""
        maps, image_index, decoding = decoding_of(self.prompt_encoder, self.mask_decoder, inputs)
        skips = (maps[0][image_index], maps[1][image_index]) if maps else None
        logits = self.mask_decoder.draw_all(decoding, skips)
        if self.lean:
            logits = torch.cat([logits[:, :1] + self.lean, logits[:, 1:]], 1)
        return logits, decoding.predicted_iou


class HqDecoderPart(nn.Module):
    """The same of HQ-SAM: every candidate with the high-quality correction."""

    def __init__(self, model: HqSamModel) -> None:
        super().__init__()
        self.prompt_encoder, self.mask_decoder = model.prompt_encoder, model.mask_decoder
        self.token_only = model.hq_token_only

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Decode."""
        (fused,), image_index, decoding = decoding_of(self.prompt_encoder, self.mask_decoder, inputs)
        logits = self.mask_decoder.draw_all_hq(decoding, fused[image_index], token_only=self.token_only)
        return logits, decoding.predicted_iou


class CorrectorPart(nn.Module):
    """The same of `tiny`'s decoder for corrections, which draws one candidate."""

    def __init__(self, prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder) -> None:
        super().__init__()
        self.prompt_encoder, self.mask_decoder = prompt_encoder, mask_decoder

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Decode."""
        maps, image_index, decoding = decoding_of(self.prompt_encoder, self.mask_decoder, inputs)
        logits = self.mask_decoder.draw_all(decoding, (maps[0][image_index], maps[1][image_index]))
        return logits + CORRECTED_LEAN, decoding.predicted_iou


class FinderPart(nn.Module):
    """What `tiny`'s finder says of the cells of a picture's rows."""

    def __init__(self, text_path: TextPath) -> None:
        super().__init__()
        self.finder = text_path.finder

    def forward(self, embedding: Tensor, skip8: Tensor, skip4: Tensor, trunk: Tensor) -> tuple[Tensor]:
        """Say what lies where."""
        return (self.finder.say(Features(image_embedding=embedding, extra=(skip8, skip4, trunk)), embedding.shape[2]),)


def decoding_of(
    encoder: PromptEncoder, decoder: MaskDecoder, inputs: Sequence[Tensor]
) -> tuple[tuple[Tensor, ...], Tensor, Decoding]:
    """Run the decoder's transformer on inputs in the order of the decoder's ports; gives maps and images as well."""
    embedding, *maps, points, labels, mask, has_mask = inputs
    image_index = _which(points, embedding)
    cells = embedding.flatten(2).transpose(1, 2)[image_index]
    dense = torch.where(has_mask[:, None, None] > 0, encoder.dense(mask), encoder.no_mask_embed.weight[None])
    sparse = encoder.tokens(points, labels.long())
    decoding = decoder.run(cells + dense[_which(points, mask)], encoder.positions(), sparse)
    return tuple(maps), image_index, decoding


def _which(prompts: Tensor, others: Tensor) -> Tensor:
    """Number the one that each prompt belongs to: all to the one, or each to its own."""
    rows = torch.arange(prompts.shape[0], device=prompts.device)
    count = torch.arange(others.shape[0], device=prompts.device)[-1:] + 1  # a tensor: graphs take no size for a divisor
    return rows % count


def _batch(shape: Sequence[int]) -> tuple[int | str, ...]:
    return ("num_images", *shape[1:])


def _of_prompts(shape: Sequence[int]) -> tuple[int | str, ...]:
    return ("num_prompts", *shape[1:])


def _of_points(shape: Sequence[int]) -> tuple[int | str, ...]:
    return ("num_prompts", "num_points", *shape[2:])


def _of_masks(shape: Sequence[int]) -> tuple[int | str, ...]:
    return ("num_mask_inputs", *shape[1:])


def _cells_of(per_row: int) -> "_Shape":
    return lambda shape: (1, f"{per_row}*num_rows", shape[2])


_Shape = Callable[[Sequence[int]], tuple[int | str, ...]]
_Tensors = dict[str, tuple[Tensor, _Shape]]


def _prompts(model: SamModel) -> _Tensors:
    side = model.frame.logits_side
    examples = (
        (torch.rand(_PROMPTS, _POINTS, 2) * model.frame.side, _of_points),
        (torch.tensor([[1.0, 0.0, 2.0, 3.0]] * _PROMPTS), _of_points),
        (torch.randn(_PROMPTS, 1, side, side), _of_masks),
        (torch.ones(_PROMPTS), _of_masks),
    )
    return dict(zip(PROMPTS, examples, strict=True))


def _masks(model: SamModel, names: tuple[str, ...], num_masks: int | None = None) -> _Tensors:
    side, M = model.frame.logits_side, num_masks or model.mask_decoder.num_mask_tokens
    examples = (torch.empty(_PROMPTS, M, side, side), _of_prompts), (torch.empty(_PROMPTS, M), _of_prompts)
    return dict(zip(names, examples, strict=True))


def _text_parts(text_path: TextPath, features: Features) -> list[NetworkPart]:
    one, side = features[0], features.image_embedding.shape[-1]
    rows = side // 2
    seen = (
        one.image_embedding[:, :, :rows],
        *(x[:, : n * rows * side] for x, n in zip(one.extra[:3], CELLS, strict=True)),
    )
    names = ("seen_embeddings", "seen_stride8_features", "seen_stride4_features", "seen_trunk_features")
    shapes: tuple[_Shape, ...] = (
        lambda shape: (1, shape[1], "num_rows", side),
        *(_cells_of(n * side) for n in CELLS),
    )
    num_said = text_path.finder.out.out_features
    said: _Tensors = {
        "found": (torch.empty(1, 2 * rows, 2 * side, num_said), lambda shape: (1, "2*num_rows", *shape[2:]))
    }
    finder = _part("finder", FinderPart(text_path), dict(zip(names, zip(seen, shapes, strict=True), strict=True)), said)
    numbers = torch.randn(_PROMPTS, sum(text_path.reader.sizes))
    words, quality = text_path.reader(numbers)
    reader = _part(
        "reader",
        text_path.reader,
        {"mask_numbers": (numbers, _of_prompts)},
        {"words": (words, _of_prompts), "wholeness": (quality, _of_prompts)},
    )
    return [finder, reader]


def _part(name: str, module: nn.Module, inputs: _Tensors, outputs: _Tensors) -> NetworkPart:
    return NetworkPart(
        name=name,
        module=module.eval(),
        examples=tuple(example for example, _ in inputs.values()),
        ports=Part(inputs=_ports(inputs), outputs=_ports(outputs)),
    )


def _ports(tensors: _Tensors) -> tuple[Port, ...]:
    return tuple(
        Port(name=name, dtype=str(one.dtype).removeprefix("torch."), shape=shape_of(one.shape))
        for name, (one, shape_of) in tensors.items()
    )


__all__ = ["CELLS", "EXTRAS", "MASKS", "PROMPTS", "ByPosition", "NetworkPart", "kind_of", "parts_of"]
