"""`Crew`: the processes of one run, as torchrun starts them; one process alone is a crew of one.

All processes draw the same batches and the same prompts; each answers its share of a batch, and gradients are added,
so that several learn what one would, up to the order of sums. What must be the same everywhere (scores, where a run
stands) is told by the first, which alone writes. When a process fails, the others fail with it; the first to fail
tells why.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import FrameType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from maskwright.core.errors import ModelError, SettingError

_PATIENCE = timedelta(days=1)  # the others wait while the first scores; a process that ended is noticed at once
_Value = TypeVar("_Value")
_BUCKET = 1 << 25  # numbers that are added at a time


class CrewLost(ModelError):
    """Another process of the run ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """This process among those of the run."""

    rank: int = 0
    size: int = 1
    store: Any = field(default=None, repr=False, compare=False)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and tells."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of so many things are this process's."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def split(self, num_threads: int) -> list["Crew"]:
        """Divide this process's share among threads; they have shares alone, and hear of no other process."""
        return [Crew(rank=self.rank * num_threads + i, size=self.size * num_threads) for i in range(num_threads)]

    def add(self, value: Tensor) -> Tensor:
        """Add a tensor over all processes, in place."""
        if self.size > 1:
            with _together():
                dist.all_reduce(value)
        return value

    def add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Add gradients over all processes; a parameter that none of them used keeps none."""
        if self.size == 1:
            return
        device = parameters[0].device
        used = self.add(torch.tensor([float(p.grad is not None) for p in parameters], device=device)).tolist()
        for bucket in _buckets([p for p, count in zip(parameters, used, strict=True) if count]):
            grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in bucket]
            flat = self.add(torch.cat([grad.float().flatten() for grad in grads]))
            for p, piece in zip(bucket, flat.split([p.numel() for p in bucket]), strict=True):
                p.grad = piece.view_as(p).to(p.dtype)

    def told(self, value: _Value) -> _Value:
        """What the first process says."""
        if self.size == 1:
            return value
        said = [value]
        with _together():
            dist.broadcast_object_list(said, src=0)
        return said[0]

    def wait(self) -> None:
        """Wait until all are here."""
        self.told(None)

    def in_turn(self, make: Callable[[], _Value]) -> _Value:
        """Let the first make what it leaves on disk, and the others find it there."""
        if self.is_first:
            made = make()
            self.wait()
            return made
        self.wait()
        return make()

    def check_same(self, what: dict[str, str]) -> None:
        """Check that all processes begin with the same.

        Raises:
            SettingError: they do not; the message says in what they differ.
        """
        if self.size == 1:
            return
        every: list[dict[str, str]] = [{}] * self.size
        with _together():
            dist.all_gather_object(every, what)
        other = [name for name in what if len({one.get(name) for one in every}) > 1]
        if other:
            raise SettingError(
                f"the {self.size} processes of this run differ in {', '.join(other)}; each must see the same files"
            )

    def is_first_to_fail(self) -> bool:
        """Whether no other process failed before, so that this one is to tell why."""
        if self.store is None:
            return True
        try:
            return self.store.add("maskwright/failed", 1) == 1
        except RuntimeError:  # without torchrun the first process keeps the store, and it went with it
            return True


ALONE = Crew()


@contextmanager
def join_crew(device: str) -> Iterator[tuple[Crew, str]]:
    """Join the crew that torchrun's environment names, or be alone; also says which device is this process's.

    Raises:
        SettingError: the environment is not torchrun's, or a device is named that only one process can have.
    """
    size = _number("WORLD_SIZE", 1)
    if size == 1:
        yield ALONE, device
        return
    place = _own_device(device)
    backend = "gloo"
    if place.startswith("cuda"):
        torch.cuda.set_device(place)
        backend = "cpu:gloo,cuda:nccl"
    store, rank, size = next(rendezvous("env://"))
    store.set_timeout(_PATIENCE)
    before = signal.signal(signal.SIGTERM, _ended)
    try:
        with _together():
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
        yield Crew(rank=rank, size=size, store=store), place
    finally:
        signal.signal(signal.SIGTERM, before)
        if dist.is_initialized():
            dist.destroy_process_group()


def _own_device(device: str) -> str:
    """Give each process of a machine its own GPU."""
    on_gpu = device in ("auto", "cuda") and torch.cuda.is_available()
    if not on_gpu:
        if device.startswith("cuda:"):
            raise SettingError(f"torchrun's processes take a GPU each; name cuda or auto instead of {device}")
        return "cpu" if device == "auto" else device
    local, count = _number("LOCAL_RANK", 0), torch.cuda.device_count()
    if local >= count:
        raise SettingError(f"expected a GPU for each process, got {count}: torchrun --nproc-per-node {count}")
    return f"cuda:{local}"


def _number(name: str, usual: int) -> int:
    try:
        return int(os.environ.get(name, usual))
    except ValueError as error:
        raise SettingError(f"{name} must be a number, as torchrun sets it; got {os.environ[name]!r}") from error


def _ended(number: int, frame: FrameType | None) -> None:
    raise CrewLost(_lost())


def _lost() -> str:
    return "another process of this run ended, so all end. The same command goes on from what was saved last"


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, OSError) as error:
        raise CrewLost(_lost()) from error


def _buckets(parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    bucket: list[nn.Parameter] = []
    for p in parameters:
        if bucket and sum(one.numel() for one in bucket) + p.numel() > _BUCKET:
            yield bucket
            bucket = []
        bucket.append(p)
    if bucket:
        yield bucket


__all__ = ["ALONE", "Crew", "CrewLost", "join_crew"]
