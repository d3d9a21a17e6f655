"""Work by index in processes, taken in order: what comes out does not depend on how many processes there are.

Worker `w` of `n` does every n-th index, a few ahead of the taker. Processes are forked before torch has started threads
of its own, so that they share an asset pack of a gigabyte without copying it; where there is no fork, or with no
workers, the taker does the work itself. Values travel as pickles through pipes: shared memory is small in containers.
"""

import itertools
import multiprocessing
import os
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import cv2
import torch

from maskwright.core.errors import MaskwrightError, ModelError

T = TypeVar("T")
_AHEAD = 2


@contextmanager
def in_order(work: Callable[[int], T], *, first: int, workers: int) -> Iterator[Iterator[T]]:
    """Give work(first), work(first + 1), ... without end; processes end with the block."""
    if workers < 1 or sys.platform != "linux":
        yield (work(index) for index in itertools.count(first))
        return
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # before the fork: a child that ends its parent's threads waits for them without end
    team = [_start(work, first + place, workers) for place in range(workers)]
    cv2.setNumThreads(threads)
    try:
        yield _taken(team)
    finally:
        for process, pipe in team:
            process.terminate()
            pipe.close()
        for process, _ in team:
            process.join()


def _taken(team: list[tuple[BaseProcess, Connection]]) -> Iterator[Any]:
    """Take results from worker after worker, and let each go on."""
    for _, pipe in team:
        for _ in range(_AHEAD):
            pipe.send(True)
    for process, pipe in itertools.cycle(team):
        while not pipe.poll(0.5):
            if not process.is_alive() and not pipe.poll():
                raise ModelError(
                    f"a process that makes scenes ended with code {process.exitcode}; out of memory? "
                    "Start again to go on; --set workers=0 makes scenes without processes"
                )
        try:
            result, error = pipe.recv()
        except (EOFError, ConnectionError) as gone:
            raise ModelError("a process that makes scenes ended; start again to go on") from gone
        if error is not None:
            raise error
        with suppress(ConnectionError):
            pipe.send(True)
        yield result


def _start(work: Callable[[int], Any], first: int, stride: int) -> tuple[BaseProcess, Connection]:
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_work, args=(work, first, stride, there, here), daemon=True)
    with warnings.catch_warnings():  # Python 3.12 warns of threads that wait for nothing of the child's
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    there.close()
    return process, here


def _work(work: Callable[[int], Any], first: int, stride: int, pipe: Connection, other: Connection) -> None:
    other.close()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    torch.set_num_threads(1)  # OpenMP's threads do not survive a fork
    for index in itertools.count(first, stride):
        try:
            pipe.recv()
            result = (work(index), None)
        except MaskwrightError as error:
            result = (None, error)
        except (EOFError, KeyboardInterrupt):
            return
        except Exception:
            result = (None, ModelError(f"making scenes failed:\n{traceback.format_exc()}"))
        with suppress(ConnectionError):
            pipe.send(result)


def _end_with(parent: int) -> None:
    """End when the parent is gone: a killed parent cannot say so, and siblings keep its pipes open."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def default_workers(device: torch.device) -> int:
    """How many processes keep a training process of this machine fed.

    On a CPU making a picture takes a tenth of learning from it; a GPU paints by itself, and only decoding is left.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, max(1, cores // 2)) if device.type == "cuda" else max(1, cores // 8)


__all__ = ["default_workers", "in_order"]
