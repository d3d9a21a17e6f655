"""Exported models as models: the networks run in a `Runtime`, the rules around them are the families' own code.

What `tiny` makes of boxes, clicks and words, and which candidate HQ-SAM draws, is decided in one place for all
backends: these classes take the families' and put a runtime where their networks were. They have no parameters, so they
cannot be trained.
"""

from typing import Any, NoReturn

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from maskwright.core.errors import UnsupportedPrompt
from maskwright.models.backends.manifest import Manifest
from maskwright.models.backends.parts import CELLS
from maskwright.models.backends.runtime import Runtime
from maskwright.models.hq_sam.model import HqSamModel, choose
from maskwright.models.protocol import Decoded, DecodedSome, Features, FramePrompts, KeepMasks
from maskwright.models.sam.model import SamModel
from maskwright.models.tiny.finding import FinderMaps, as_maps
from maskwright.models.tiny.model import TinySam
from maskwright.models.tiny.text import TextPath
from maskwright.nn.mask_ops import agreement_score

_PROMPTS_PER_STEP = 16  # 130 MB of pixels for SAM's decoder


class ExportedSam(SamModel):
    """SAM, MobileSAM and test-sam, run by a runtime. Implements `Model`."""

    def __init__(self, runtime: Runtime, manifest: Manifest) -> None:
        nn.Module.__init__(self)
        self.card, self.frame = manifest.card, manifest.frame
        self.checkpoint_sha256 = manifest.base_sha256
        self.mask_threshold = manifest.mask_threshold
        self.runtime, self.manifest = runtime, manifest
        self.image_encoder = nn.Module()  # for what sets how encoders lie in memory
        self.eval()

    @property
    def num_candidates(self) -> int:
        """How many masks an ambiguous prompt is answered with."""
        return self.manifest.num_candidates

    @property
    def device(self) -> torch.device:
        """Where the runtime takes tensors."""
        return self.runtime.device

    @property
    def precision(self) -> torch.dtype:
        """What goes in and comes out; `card.computed_as` says what is computed in between."""
        return torch.float32

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Features:
        """Encode normalised, padded frames."""
        embedding, *extra = self.runtime.run("encoder", [pixels])
        return Features(image_embedding=embedding, extra=tuple(extra))

    def decode_all(self, features: Features, prompts: FramePrompts, part: str = "decoder") -> Decoded:
        """Decode prompts on one image, or each on its own: all candidates, 0 first."""
        names = [port.name for port in self.manifest.parts["encoder"].outputs]
        wanted = [port.name for port in self.manifest.parts[part].inputs]
        found = []
        for start in range(0, prompts.num_prompts, _PROMPTS_PER_STEP):
            some = slice(start, start + _PROMPTS_PER_STEP)
            seen = features.of_prompts(some)
            given = dict(zip(names, (seen.image_embedding, *seen.extra), strict=True)) | self._named(prompts[some])
            found.append(self.runtime.run(part, [given[name] for name in wanted]))
        return Decoded(logits=torch.cat([one[0] for one in found]), predicted_iou=torch.cat([one[1] for one in found]))

    def _named(self, prompts: FramePrompts) -> dict[str, Tensor]:
        mask, side = prompts.mask_logits, self.frame.logits_side
        none = torch.zeros(1, 1, side, side, device=self.device)
        return {
            "point_coords": prompts.points,
            "point_labels": prompts.labels.float(),
            "mask_input": none if mask is None else mask,
            "has_mask_input": none[:, 0, 0, 0] if mask is None else torch.ones(len(mask), device=self.device),
        }

    def decode(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """Decode prompts: candidates 1..3 with `multimask`, else candidate 0."""
        wanted = slice(1, None) if multimask else slice(0, 1)
        every = self.decode_all(features, prompts)
        return Decoded(logits=every.logits[:, wanted], predicted_iou=every.predicted_iou[:, wanted])

    def decode_some(self, features: Features, prompts: FramePrompts, *, keep: KeepMasks) -> DecodedSome:
        """Decode candidates 1..3 of each prompt and give those whose predicted IoU `keep` accepts; all are drawn."""
        every = self.decode_all(features, prompts)
        logits, scores = every.logits[:, 1:], every.predicted_iou[:, 1:]
        rows, candidates = keep(scores).nonzero(as_tuple=True)
        return DecodedSome(
            logits=logits[rows, candidates],
            predicted_iou=scores[rows, candidates],
            prompt_index=rows,
            mask_index=candidates,
            agreement=agreement_score(logits > 0)[rows],
        )

    def draft(self, features: Features, image_index: Int[Tensor, " N"], prompts: FramePrompts) -> NoReturn:
        """Refuse: an exported model has nothing to train.

        Raises:
            UnsupportedPrompt: always.
        """
        self._cannot_be_trained()

    def _cannot_be_trained(self) -> NoReturn:
        raise UnsupportedPrompt(f"{self.card.title} is an exported model and cannot be trained. Train {self.card.name}")


class ExportedHq(ExportedSam, HqSamModel):
    """HQ-SAM, run by a runtime: one mask for each prompt."""

    def decode(self, features: Features, prompts: FramePrompts, *, multimask: bool) -> Decoded:
        """Decode prompts; one mask each, of the best candidate with `multimask`, else of candidate 0."""
        every = self.decode_all(features, prompts)
        score, candidate = choose(every.predicted_iou, multimask=multimask)
        rows = torch.arange(len(candidate), device=candidate.device)
        return Decoded(logits=every.logits[rows, candidate][:, None], predicted_iou=score)

    def decode_some(self, features: Features, prompts: FramePrompts, *, keep: KeepMasks) -> DecodedSome:
        """Decode the best candidate of each prompt and give those whose predicted IoU `keep` accepts."""
        best = self.decode(features, prompts, multimask=True)
        rows = keep(best.predicted_iou)[:, 0].nonzero()[:, 0]
        return DecodedSome(
            logits=best.logits[rows, 0],
            predicted_iou=best.predicted_iou[rows, 0],
            prompt_index=rows,
            mask_index=torch.zeros_like(rows),
            agreement=torch.full(rows.shape, torch.nan, device=rows.device),
        )


class ExportedTiny(TinySam, ExportedSam):
    """`tiny`, run by a runtime: what boxes, clicks and words promise is kept as everywhere."""

    def __init__(self, runtime: Runtime, manifest: Manifest) -> None:
        ExportedSam.__init__(self, runtime, manifest)
        self.corrector: Any = runtime if "corrector" in manifest.parts else None
        self.text_path = ExportedTextPath(runtime, manifest) if "reader" in manifest.parts else None
        self._last_things = self._last_parts = None

    @property
    def num_candidates(self) -> int:
        """How many masks an ambiguous prompt is answered with."""
        return self.manifest.num_candidates

    def encode(self, pixels: Float[Tensor, "B 3 S S"]) -> Features:
        """Encode normalised, padded frames."""
        return ExportedSam.encode(self, pixels)

    def draft(self, features: Features, image_index: Int[Tensor, " N"], prompts: FramePrompts) -> NoReturn:
        """Refuse: an exported model has nothing to train."""
        self._cannot_be_trained()

    def _correct(self, features: Features, prompts: FramePrompts) -> Decoded:
        return self.decode_all(features, prompts, "corrector")

    def look_at_side(self, side: int) -> None:
        """Refuse: the side is in the graph.

        Raises:
            UnsupportedPrompt: the side is another one.
        """
        if side != self.frame.side:
            raise UnsupportedPrompt(f"{self.card.title} looks at frames of {self.frame.side} pixels, got {side}")


class ExportedTextPath(TextPath):
    """`tiny`'s text path, whose two networks a runtime runs."""

    def __init__(self, runtime: Runtime, manifest: Manifest) -> None:
        nn.Module.__init__(self)
        self.finder: Any = _Finder(runtime)
        self.reader: Any = _Reader(runtime)
        for name, numbers in manifest.text.items():
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.float32, device=runtime.device))


class _Finder(nn.Module):
    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self.runtime = runtime

    def forward(self, features: Features, num_rows: int | None = None) -> FinderMaps:
        side = features.image_embedding.shape[-1]
        rows = num_rows or side
        cells = [x[:, : n * rows * side] for x, n in zip(features.extra[:3], CELLS, strict=True)]
        (said,) = self.runtime.run("finder", [features.image_embedding[:, :, :rows], *cells])
        return as_maps(said, side)


class _Reader(nn.Module):
    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self.runtime = runtime

    def forward(self, numbers: Float[Tensor, "Q F"]) -> tuple[Float[Tensor, "Q W"], Float[Tensor, " Q"]]:
        words, quality = self.runtime.run("reader", [numbers])
        return words, quality


_KINDS: dict[str, type[ExportedSam]] = {"sam": ExportedSam, "hq_sam": ExportedHq, "tiny": ExportedTiny}


def exported_model(runtime: Runtime, manifest: Manifest) -> ExportedSam:
    """Make the model that a manifest describes."""
    return _KINDS[manifest.kind](runtime, manifest)


__all__ = ["ExportedHq", "ExportedSam", "ExportedTextPath", "ExportedTiny", "exported_model"]
