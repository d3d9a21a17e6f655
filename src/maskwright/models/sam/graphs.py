"""`play`: the decoding of a few prompts as a CUDA graph, recorded once for each shape and played again.

A click is some two hundred small kernels, and launching them one by one takes longer than they do. A graph is the same
kernels on the same tensors, so the outcome is the same; inputs are copied in, outputs are copied out.

A shape is recorded when it comes the third time: the first times warm up, and what is asked once is not worth it. A
model has one lock and one pool of memory, because its graphs are never played at the same time. Weights that change
in place are seen; where a model was moved or its weights were replaced, its graphs are dropped.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from maskwright.core.settings import CUDA_GRAPHS
from maskwright.models.protocol import Decoded, Features, FramePrompts

_log = logging.getLogger(__name__)

# More prompts are more work than launching. Graphs of one prompt of SAM take about 50 MB, in one pool.
_MOST_PROMPTS, _MOST_GRAPHS = 8, 16
_USES_BEFORE = 2

Decode = Callable[[Features, FramePrompts, bool], Decoded]


def play(
    model: nn.Module, decode: Decode, features: Features, prompts: FramePrompts, *, multimask: bool
) -> Decoded | None:
    """Decode by a graph; None where there is none (yet) and the caller has to."""
    if not _is_playable(prompts):
        return None
    with _making:
        graphs = _graphs_of.setdefault(model, Graphs())
    with graphs.lock:
        return graphs.play(_weights_of(model), decode, features, prompts, multimask)


def _is_playable(prompts: FramePrompts) -> bool:
    return (
        _is_on_gpu(prompts)
        and 0 < prompts.num_prompts <= _MOST_PROMPTS
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cuda")
        and CUDA_GRAPHS.get()
    )


def _is_on_gpu(prompts: FramePrompts) -> bool:
    return prompts.points.is_cuda and not torch.cuda.is_current_stream_capturing()


def _weights_of(model: nn.Module) -> list[Tensor]:
    """Take some weights that move when all do; to look at all of them would take as long as a click."""
    firsts = (next(part.parameters(), None) for part in model.children())
    return [first.detach() for first in firsts if first is not None]


class Recording:
    """One graph: decoding of one shape, on tensors of its own."""

    def __init__(self, decode: Decode, features: Features, prompts: FramePrompts, multimask: bool, pool: Any) -> None:
        self._inputs = [torch.empty_like(x).copy_(x) for x in tensors_of(features, prompts)]
        own = put_together(self._inputs, len(features.extra))
        with torch.cuda.device(prompts.points.device):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                decode(*own, multimask)  # libraries set themselves up on the stream
            torch.cuda.current_stream().wait_stream(stream)
            self._graph = torch.cuda.CUDAGraph()
            # Other threads may go on with their work meanwhile.
            with torch.cuda.graph(self._graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                self._output = decode(*own, multimask)

    def play(self, features: Features, prompts: FramePrompts) -> Decoded:
        """Decode prompts of the same shape."""
        for own, given in zip(self._inputs, tensors_of(features, prompts), strict=True):
            own.copy_(given, non_blocking=True)
        self._graph.replay()
        return Decoded(logits=self._output.logits.clone(), predicted_iou=self._output.predicted_iou.clone())


class Graphs:
    """The recordings of one model by shape, the least recently used first; None where one failed."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._weights: list[Tensor] = []  # held, so that nothing else comes to lie there
        self._recordings: OrderedDict[Hashable, Recording | None] = OrderedDict()
        self._uses: dict[Hashable, int] = {}
        self._pool: Any = None

    def play(
        self,
        weights: list[Tensor],
        decode: Decode,
        features: Features,
        prompts: FramePrompts,
        multimask: bool,
    ) -> Decoded | None:
        """Play what was recorded of this shape, or record it if it is time."""
        if _places(weights) != _places(self._weights):
            self._recordings.clear()
            self._weights, self._pool = weights, None
        shape = shape_of(features, prompts, multimask)
        if shape not in self._recordings:
            self._uses[shape] = self._uses.get(shape, 0) + 1
            if self._uses[shape] <= _USES_BEFORE:
                return None
            self._recordings[shape] = self._record(decode, features, prompts, multimask)
            while len(self._recordings) > _MOST_GRAPHS:
                self._recordings.popitem(last=False)
        self._recordings.move_to_end(shape)
        recording = self._recordings[shape]
        return None if recording is None else recording.play(features, prompts)

    def _record(self, decode: Decode, features: Features, prompts: FramePrompts, multimask: bool) -> Recording | None:
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        try:
            return Recording(decode, features, prompts, multimask, self._pool)
        except RuntimeError as error:
            _log.warning("decoding goes on without a CUDA graph, because recording one failed: %s", error)
            return None


def _places(weights: list[Tensor]) -> list[tuple[int, torch.dtype]]:
    return [(weight.data_ptr(), weight.dtype) for weight in weights]


def shape_of(features: Features, prompts: FramePrompts, multimask: bool) -> Hashable:
    """All that a recording depends on, apart from the values: also the stream, on which graphs come one by one."""
    device = prompts.points.device
    stream = torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0
    shapes = tuple((tuple(x.shape), x.dtype) for x in tensors_of(features, prompts))
    return device, stream, multimask, len(features.extra), shapes


def tensors_of(features: Features, prompts: FramePrompts) -> list[Tensor]:
    """List the inputs of a decoding."""
    masks = [] if prompts.mask_logits is None else [prompts.mask_logits]
    return [features.image_embedding, *features.extra, prompts.points, prompts.labels, *masks]


def put_together(tensors: list[Tensor], num_extra: int) -> tuple[Features, FramePrompts]:
    """Make the inputs of a decoding of the list of them."""
    embedding, *extra = tensors[: 1 + num_extra]
    points, labels, *masks = tensors[1 + num_extra :]
    prompts = FramePrompts(points=points, labels=labels, mask_logits=masks[0] if masks else None)
    return Features(image_embedding=embedding, extra=tuple(extra)), prompts


_graphs_of: WeakKeyDictionary[nn.Module, Graphs] = WeakKeyDictionary()
_making = Lock()

__all__ = ["Graphs", "Recording", "play", "put_together", "shape_of", "tensors_of"]
