"""`Sam`: one of our networks with the parts, attributes and call signatures of Meta's `segment_anything.modeling.Sam`.

The parts are shared, not copied, and registered under Meta's names: `parameters()`, `state_dict()`, `to()` and `eval()`
see what they see there. Calling a part (`sam.image_encoder(x)`) takes and returns what Meta's part does, so that
training scripts run; `SamPredictor` goes through the network itself, which is faster.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from maskwright.core.errors import PromptError, UnsupportedPrompt
from maskwright.models.frame import ModelFrame
from maskwright.models.hq_sam.model import HqSamModel
from maskwright.models.protocol import FramePrompts
from maskwright.models.tiny.model import TinySam
from maskwright.predict.upscale import upscale_logits

if TYPE_CHECKING:
    from maskwright.models.registry import Network

_PARTS = ("image_encoder", "prompt_encoder", "mask_decoder")


class Sam(nn.Module):
    """A network behind Meta's interface. `network` is the maskwright model, for `maskwright.predict`."""

    image_format = "RGB"

    def __init__(self, network: "Network") -> None:
        super().__init__()
        # Past nn.Module's registry: the network's parts are registered below, under the names that checkpoints have.
        self.__dict__["network"] = network
        self._modules.update({name: getattr(network, name) for name in _PARTS})
        self.training = network.training

    network: "Network"

    @property
    def image_encoder(self) -> "Part":
        """Pixels of the frame to the image embedding; HQ-SAM also gives its fused early features."""
        return Part(self.network.image_encoder, self._encode, img_size=self.network.frame.side)

    @property
    def prompt_encoder(self) -> "Part":
        """Prompts of the frame to sparse tokens and a dense map."""
        encoder, side = self.network.prompt_encoder, self.network.frame.side
        grid = (encoder.grid, encoder.grid)
        return Part(
            encoder,
            self._encode_prompts,
            get_dense_pe=self._dense_positions,
            embed_dim=encoder.width,
            input_image_size=(side, side),
            image_embedding_size=grid,
            mask_input_size=(4 * encoder.grid, 4 * encoder.grid),
        )

    @property
    def mask_decoder(self) -> "Part":
        """Embeddings to low-resolution logits and predicted IoU."""
        return Part(self.network.mask_decoder, self._decode)

    @property
    def device(self) -> torch.device:
        """The device that the weights are on."""
        return self.network.device

    @property
    def mask_threshold(self) -> float:
        """Logits above it are mask."""
        return self.network.mask_threshold

    @mask_threshold.setter
    def mask_threshold(self, value: float) -> None:
        self.network.mask_threshold = value

    @property
    def pixel_mean(self) -> Float[Tensor, "3 1 1"]:
        """What `preprocess` subtracts, in 0..255."""
        return torch.tensor(self.network.frame.mean, device=self.device).view(3, 1, 1)

    @property
    def pixel_std(self) -> Float[Tensor, "3 1 1"]:
        """What `preprocess` divides by."""
        return torch.tensor(self.network.frame.std, device=self.device).view(3, 1, 1)

    def train(self, mode: bool = True) -> "Sam":
        """Switch the network and its parts between training and evaluation."""
        self.network.train(mode)
        return super().train(mode)

    def preprocess(self, x: Shaped[Tensor, "*B 3 h w"]) -> Float[Tensor, "*B 3 S S"]:
        """Normalise the colours of a resized image and pad it to the frame with zeros."""
        x = (x - self.pixel_mean) / self.pixel_std
        side, (h, w) = self.network.frame.side, x.shape[-2:]
        return F.pad(x, (0, side - w, 0, side - h))

    def postprocess_masks(
        self, masks: Float[Tensor, "N M h w"], input_size: Sequence[int], original_size: Sequence[int]
    ) -> Float[Tensor, "N M H W"]:
        """Enlarge logits to the original image: to the frame, without its padding, to the image."""
        return upscale_logits(masks, self.frame(input_size, original_size))

    def frame(self, input_size: Sequence[int], original_size: Sequence[int]) -> ModelFrame:
        """Describe how an image lies in the network's frame."""
        (h, w), (height, width) = input_size, original_size
        return ModelFrame(size_hw=(height, width), input_hw=(h, w), spec=self.network.frame)

    @torch.no_grad()
    def forward(self, batched_input: list[dict[str, Any]], multimask_output: bool) -> list[dict[str, Tensor]]:
        """Predict masks for images that are resized but not normalised, each with its prompts in the frame."""
        pixels = torch.stack([self.preprocess(record["image"]) for record in batched_input])
        features = self.network.encode(pixels)
        outputs: list[dict[str, Tensor]] = []
        for i, record in enumerate(batched_input):
            prompts = to_frame_prompts(
                record.get("point_coords"),
                record.get("point_labels"),
                record.get("boxes"),
                record.get("mask_inputs"),
                self.device,
            )
            decoded = self.network.decode(features[i], prompts, multimask=multimask_output)
            masks = self.postprocess_masks(decoded.logits, record["image"].shape[-2:], record["original_size"])
            outputs.append(
                {
                    "masks": masks > self.mask_threshold,
                    "iou_predictions": decoded.predicted_iou,
                    "low_res_logits": decoded.logits,
                }
            )
        return outputs

    def hq_token_only(self, wanted: bool) -> AbstractContextManager[None]:
        """Draw HQ-SAM's own mask without SAM's for as long as the context lasts; nothing to do for other networks.

        Raises:
            UnsupportedPrompt: it is wanted of a network without that token.
        """
        return _hq_token_only(self.network, wanted)

    def _encode(self, x: Float[Tensor, "B 3 S S"]) -> Any:
        features = self.network.encode(x)
        is_hq = isinstance(self.network, HqSamModel)
        return (features.image_embedding, features.extra) if is_hq else features.image_embedding

    def _encode_prompts(
        self,
        points: tuple[Tensor, Tensor] | None,
        boxes: Float[Tensor, "N 4"] | None,
        masks: Float[Tensor, "N 1 _h _w"] | None,
    ) -> tuple[Float[Tensor, "N K D"], Float[Tensor, "N D h w"]]:
        coords, labels = points or (None, None)
        prompts = to_frame_prompts(coords, labels, boxes, masks, self.device)
        encoder = self.network.prompt_encoder
        dense = encoder.dense(prompts.mask_logits)  # N or 1, L or 1, D
        dense = dense.expand(prompts.num_prompts, encoder.grid**2, -1).transpose(1, 2)
        return encoder.tokens(prompts.points, prompts.labels), dense.unflatten(2, (encoder.grid, encoder.grid))

    def _dense_positions(self) -> Float[Tensor, "1 D h w"]:
        encoder = self.network.prompt_encoder
        return encoder.positions().T.unflatten(1, (encoder.grid, encoder.grid))[None]

    def _decode(
        self,
        image_embeddings: Float[Tensor, "1 D h w"],
        image_pe: Float[Tensor, "1 D h w"],
        sparse_prompt_embeddings: Float[Tensor, "N K D"],
        dense_prompt_embeddings: Float[Tensor, "N D h w"],
        multimask_output: bool,
        hq_token_only: bool = False,
        interm_embeddings: Sequence[Tensor] = (),
    ) -> tuple[Float[Tensor, "N M h4 w4"], Float[Tensor, "N M"]]:
        network = self.network
        if isinstance(network, TinySam):
            raise UnsupportedPrompt(
                f"the mask decoder of {network.card.name} needs finer features than Meta's call has a place for. "
                "Use SamPredictor, or network.decode."
            )
        positions = image_pe[0].flatten(1).T
        dense = dense_prompt_embeddings.flatten(2).transpose(1, 2)
        cells = image_embeddings.flatten(2).transpose(1, 2).contiguous() + dense
        decoding = network.mask_decoder.run(cells, positions, sparse_prompt_embeddings)
        N = decoding.predicted_iou.shape[0]
        if isinstance(network, HqSamModel):
            first = 1 if multimask_output else 0
            scores, best = decoding.predicted_iou[:, first : None if multimask_output else 1].max(dim=1, keepdim=True)
            rows = torch.arange(N, device=self.device)
            (fused,) = interm_embeddings
            logits = network.mask_decoder.draw_hq(decoding, fused, rows, best[:, 0] + first, token_only=hq_token_only)
            return logits[:, None], scores
        wanted = torch.arange(1, 4, device=self.device) if multimask_output else torch.zeros(1, dtype=torch.long)
        rows = torch.arange(N, device=self.device).repeat_interleave(len(wanted))
        logits = network.mask_decoder.draw(decoding, rows, wanted.to(self.device).repeat(N))
        return logits.unflatten(0, (N, len(wanted))), decoding.predicted_iou[:, wanted]


class Part:
    """A part of the network that is called as Meta's is; all else (`parameters`, `state_dict`) is the part's own."""

    def __init__(self, module: nn.Module, call: Callable[..., Any], **attributes: Any) -> None:
        self._module = module
        self._call = call
        self.__dict__.update(attributes)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_module":
            raise AttributeError(name)
        return getattr(self._module, name)


def to_frame_prompts(
    point_coords: Shaped[Tensor, "N K 2"] | None,
    point_labels: Shaped[Tensor, "N K"] | None,
    boxes: Shaped[Tensor, "N 4"] | None,
    mask_input: Float[Tensor, "N 1 _h _w"] | None,
    device: torch.device,
) -> FramePrompts:
    """Turn Meta's prompt tensors into ours: box corners are points of their own kind, a missing box is a padding point.

    Raises:
        PromptError: labels are missing or unknown, or the tensors do not speak of the same number of objects.
    """
    if point_coords is not None and point_labels is None:
        raise PromptError("point_labels must be supplied if point_coords is: 1 on the object, 0 not on it.")
    num_prompts = _num_prompts(point_coords, boxes, mask_input)
    points = torch.zeros(num_prompts, 0, 2, device=device)
    labels = torch.zeros(num_prompts, 0, dtype=torch.long, device=device)
    if point_coords is not None and point_labels is not None:
        _check_labels(point_labels)
        points, labels = point_coords.to(device, torch.float32), point_labels.to(device, torch.long)
    if boxes is not None:
        points = torch.cat([points, boxes.to(device, torch.float32).reshape(num_prompts, 2, 2)], dim=1)
        labels = torch.cat([labels, torch.tensor([2, 3], device=device).expand(num_prompts, 2)], dim=1)
    elif point_coords is not None:
        points = F.pad(points, (0, 0, 0, 1))
        labels = F.pad(labels, (0, 1), value=-1)
    masks = None if mask_input is None else mask_input.to(device, torch.float32)
    return FramePrompts(points=points, labels=labels, mask_logits=masks)


def _num_prompts(*tensors: Tensor | None) -> int:
    numbers = {tensor.shape[0] for tensor in tensors if tensor is not None}
    if len(numbers) > 1:
        raise PromptError(f"points, boxes and masks must be of the same number of objects, got {sorted(numbers)}")
    return numbers.pop() if numbers else 1


def _check_labels(labels: Tensor) -> None:
    unknown = sorted(set(labels.flatten().tolist()) - {-1, 0, 1})
    if unknown:
        raise PromptError(f"point labels must be 1 (on the object), 0 (not on it) or -1 (padding), got {unknown[0]}")


@contextmanager
def _hq_token_only(network: "Network", wanted: bool) -> Iterator[None]:
    if not isinstance(network, HqSamModel):
        if wanted:
            raise UnsupportedPrompt(f"hq_token_only needs an HQ-SAM model, got {network.card.name}. Leave it out.")
        yield
        return
    before, network.hq_token_only = network.hq_token_only, wanted
    try:
        yield
    finally:
        network.hq_token_only = before


__all__ = ["Part", "Sam", "to_frame_prompts"]
