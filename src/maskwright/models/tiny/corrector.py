"""`Corrector`: a decoder of its own for corrections, prompts of clicks that come with an earlier answer.

Teaching one small decoder to correct made its first answers worse, and first answers are what most people see
(docs/log.md, "two decoders"). Both read the same embedding, so a click costs what it did. It draws one candidate: where
clicks were added, nothing is ambiguous.
"""

from torch import nn

from maskwright.models.sam.mask_decoder import MaskDecoder
from maskwright.models.sam.prompt_encoder import PromptEncoder


class Corrector(nn.Module):
    """A prompt encoder and a mask decoder of one candidate."""

    def __init__(self, *, prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder) -> None:
        super().__init__()
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder

    def begin_like(self, prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder) -> None:
        """Take over what another pair knows; of its candidates, the first."""
        self.prompt_encoder.load_state_dict(prompt_encoder.state_dict())
        own = self.mask_decoder.state_dict()
        other = mask_decoder.state_dict()
        self.mask_decoder.load_state_dict({name: other[name][: len(value)] for name, value in own.items()})


__all__ = ["Corrector"]
