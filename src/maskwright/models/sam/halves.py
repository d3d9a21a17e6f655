"""`half_of`: a decoder in half precision, for many prompts on a GPU: half the bytes to move, and tensor cores.

fp16, whatever the encoder computes in: a decoder's numbers are small, and positions need digits more than range.
"""

import copy
from threading import Lock
from weakref import WeakKeyDictionary

import torch

from maskwright.models.sam.mask_decoder import MaskDecoder

_Weights = tuple[tuple[int, int], ...]

_halves: WeakKeyDictionary[MaskDecoder, tuple[_Weights, MaskDecoder]] = WeakKeyDictionary()
_making = Lock()


def half_of(decoder: MaskDecoder) -> MaskDecoder:
    """Give a copy in fp16, the one made before if the weights are as they were then."""
    weights = tuple((one.data_ptr(), one._version) for one in decoder.parameters())
    with _making:
        known = _halves.get(decoder)
        if known is None or known[0] != weights:
            known = weights, copy.deepcopy(decoder).to(torch.float16).requires_grad_(False)
            _halves[decoder] = known
    return known[1]


__all__ = ["half_of"]
