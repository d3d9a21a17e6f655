"""Processes of one fine-tuning run with the environment that torchrun gives them, forked: no imports to wait for."""

import multiprocessing
import os
import sys

import torch
from torch.distributed import TCPStore

from maskwright.cli.__main__ import run


def start(arguments, folder, *, size=2):
    """Start the processes of a crew, each with `maskwright ARGUMENTS`; what they tell goes to files of `folder`.

    The store is kept here, as torchrun keeps it apart from its processes.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    port = store.port
    context = multiprocessing.get_context("fork")
    started = [context.Process(target=_run, args=(arguments, folder, rank, size, port)) for rank in range(size)]
    for process in started:
        process.store = store
        process.start()
    return started


def finish(started, folder):
    """Wait for all: their exit codes, and what each told."""
    for process in started:
        process.join()
    told = [(folder / f"told{rank}.txt").read_text() for rank in range(len(started))]
    return [process.exitcode for process in started], told


def _run(arguments, folder, rank, size, port):
    file = os.open(folder / f"told{rank}.txt", os.O_CREAT | os.O_WRONLY)
    sys.stderr = sys.stdout = os.fdopen(file, "w", buffering=1)
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    os.environ["TORCHELASTIC_RESTART_COUNT"] = "0"
    ours = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in ours.items()})
    torch.set_num_threads(1)  # a pool of threads does not survive a fork
    sys.exit(run(arguments))


__all__ = ["finish", "start"]
