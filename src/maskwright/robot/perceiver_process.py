"""`ProcessWorker`: the model in a process of its own, so that `step` shares neither Python's lock nor its time with it.

Pictures and motions go over through shared memory, questions and answers as pickles through pipes between the two. The
process is a fresh interpreter, so programs need no `if __name__ == "__main__"` for it; it ends when its pipe does.
"""

import contextlib
import mmap
import os
import pickle
import queue
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from maskwright.core.errors import ImageError, MaskwrightError, SettingError
from maskwright.predict.tracking.motion import Motion
from maskwright.robot.perceiver_values import MODEL_SIDES, Auto
from maskwright.robot.perceiver_worker import Question, Reply

# Room for a picture of 16 million pixels and two fields of flow; only what is written to takes memory.
_NUM_BYTES = 64 * 1024 * 1024
_LENGTH = struct.Struct("<Q")
_NICENESS = 5  # flow comes first where there are fewer cores than work
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}  # docs/guides/install.md
_WAITS = {"OMP_WAIT_POLICY": "PASSIVE"}  # threads that wait for one that `step` has displaced leave it their core


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What the process is told when it begins."""

    model: str
    flow_side: int
    sides: tuple[int, ...]
    num_threads: int
    memory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What it says when the model is there: the sides that it can be asked to look at, none where it has but one."""

    sides: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """An array in shared memory."""

    dtype: str
    shape: tuple[int, ...]
    offset: int


class ProcessWorker:
    """Implements `Worker`. `num_threads` are the network's; without it, all cores but one.

    `model_side` is the side of the model's frame, where that can be chosen; None leaves it as it is, and "auto" lets
    each question choose one of `sides`.

    Raises:
        ModelError, SettingError: there is no such model, or its weights are not here; told at once, not later.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        flow_side: int,
        model_side: int | Auto | None = None,
        num_threads: int | None = None,
    ) -> None:
        threads = max(1, (os.cpu_count() or 2) - 1) if num_threads is None else num_threads
        if threads < 1:
            raise SettingError(f"num_threads must be at least 1, got {threads}")
        _check_model(model)
        self._model, self._flow_side, self._num_threads = os.fspath(model), flow_side, threads
        self._asked_sides = MODEL_SIDES if model_side == "auto" else () if model_side is None else (model_side,)
        self._begin()

    @property
    def is_free(self) -> bool:
        """See `Worker`."""
        self._listen()
        return not self._is_busy and not self._trouble

    @property
    def trouble(self) -> str:
        """See `Worker`."""
        self._listen()
        return self._trouble

    @property
    def sides(self) -> tuple[int, ...]:
        """See `Worker`."""
        return self._sides

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def submit(self, question: Question) -> None:
        """See `Worker`."""
        writer = _Writer(self._memory)
        pixels = writer.put(question.pixels)
        motion = question.motion
        fields = None if motion is None else (writer.put(motion.backward), writer.put(motion.forward), motion.is_cut)
        bare = replace(question, pixels=_NO_PIXELS, motion=None)
        try:
            _send(self._pipe, (bare, pixels, fields))
        except OSError:
            return  # it died; `trouble` says so as soon as its pipe is read to the end
        self._is_busy = True

    def collect(self) -> Reply | None:
        """See `Worker`."""
        self._listen()
        reply, self._reply = self._reply, None
        return reply

    def restart(self) -> None:
        """See `Worker`."""
        self.close()
        self._begin()

    def close(self) -> None:
        """See `Worker`."""
        with contextlib.suppress(OSError):
            self._pipe.close()
        try:
            self._process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(timeout=5)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._forget_memory()

    def _begin(self) -> None:
        self._trouble, self._is_busy = "starting", False
        self._sides: tuple[int, ...] = ()
        self._reply: Reply | None = None
        self._heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._memory_path, self._memory = _new_memory()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "maskwright.robot.perceiver_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(os.environ),
            # Ctrl+C is the caller's to handle. A group, no session: Linux shares processors out by session first, so in
            # one of its own the model would take as much as `step`, however low its priority.
            process_group=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._pipe: IO[bytes] = self._process.stdin
        setup = Setup(
            model=self._model,
            flow_side=self._flow_side,
            sides=self._asked_sides,
            num_threads=self._num_threads,
            memory=self._memory_path,
        )
        with contextlib.suppress(OSError):
            _send(self._pipe, setup)
        self._listener = threading.Thread(
            target=_hear, args=(self._process.stdout, self._heard), name="maskwright-perceiver-ear", daemon=True
        )
        self._listener.start()

    def _listen(self) -> None:
        """Take what the process has said; never waits."""
        while True:
            try:
                said = self._heard.get_nowait()
            except queue.Empty:
                return
            match said:
                case Ready():
                    self._trouble, self._sides = "", said.sides
                    self._forget_memory()
                case Reply():
                    self._reply, self._is_busy = said, False
                case str() as text:
                    self._trouble = text
                case None if self._trouble in ("", "starting"):
                    self._trouble = f"its process ended ({_exit(self._process)})"

    def _forget_memory(self) -> None:
        """Take the file's name away: both have it open by now, and nothing stays behind even after a kill."""
        with contextlib.suppress(OSError):
            os.unlink(self._memory_path)


_NO_PIXELS = np.zeros((1, 1, 3), np.uint8)


def _check_model(model: str | os.PathLike[str]) -> None:
    """Refuse at once what could not be loaded; the weights are read by the process alone."""
    from maskwright.models.registry import VIDEO_CARDS, find_entry
    from maskwright.models.weights import find_weights

    name = os.fspath(model)
    if isinstance(model, os.PathLike) or os.sep in name or Path(name).exists():
        if not Path(name).exists():
            raise SettingError(f"there is no model at that path: {name}")
        return
    video = next((card for card in VIDEO_CARDS if card.name == name), None)
    if video is not None:
        find_weights(video)
        return
    entry = find_entry(name)
    if entry.generate is None:
        find_weights(entry.card)


def _environment(outer: Mapping[str, str]) -> dict[str, str]:
    paths = [path for path in sys.path if path]
    return {**_ALLOCATOR, **_WAITS, **outer, "PYTHONPATH": os.pathsep.join(paths)}


def _new_memory() -> tuple[str, mmap.mmap]:
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    descriptor, path = tempfile.mkstemp(prefix="maskwright-", dir=folder)
    try:
        os.truncate(descriptor, _NUM_BYTES)
        return path, mmap.mmap(descriptor, _NUM_BYTES)
    finally:
        os.close(descriptor)


class _Writer:
    """Puts arrays into shared memory, one after another."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory, self._offset = memory, 0

    def put(self, array: np.ndarray) -> _Placed:
        end = self._offset + array.nbytes
        if end > _NUM_BYTES:
            raise ImageError(
                f"pictures for a Perceiver have at most 16 million pixels, got {array.shape[1]}x{array.shape[0]}. "
                "Make them smaller, or pass a loaded model, which a thread runs."
            )
        placed = _Placed(dtype=array.dtype.str, shape=array.shape, offset=self._offset)
        _view(self._memory, placed)[...] = array
        self._offset = -(-end // 64) * 64
        return placed


def _view(memory: mmap.mmap, placed: _Placed) -> np.ndarray:
    return np.ndarray(placed.shape, placed.dtype, buffer=memory, offset=placed.offset)


def _send(pipe: IO[bytes], value: Any) -> None:
    content = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(_LENGTH.pack(len(content)) + content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """Take the next value; None at the end. Both ends are this program, so pickles are safe."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    content = pipe.read(length)
    return pickle.loads(content) if len(content) == length else None


def _hear(pipe: IO[bytes], heard: "queue.SimpleQueue[Any]") -> None:
    while (said := _receive(pipe)) is not None:
        heard.put(said)
    heard.put(None)


def _exit(process: "subprocess.Popen[bytes]") -> str:
    try:
        code = process.wait(timeout=0.05)
    except subprocess.TimeoutExpired:
        return "its pipe was closed"
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def serve(asking: IO[bytes], answering: IO[bytes]) -> None:
    """Be the process: load the model, then answer until nobody asks any more."""
    setup: Setup = _receive(asking)
    try:
        with open(setup.memory, "r+b") as file:
            memory = mmap.mmap(file.fileno(), _NUM_BYTES)
        looker, sides = _looker(setup)
        _send(answering, Ready(sides=sides))
        while (message := _receive(asking)) is not None:
            _send(answering, looker.look(_whole(memory, *message)))
    except BrokenPipeError:
        return
    except MaskwrightError as error:
        _send(answering, str(error))
    except Exception as error:  # what went wrong is told by the other side
        _send(answering, f"{type(error).__name__}: {error}")


def _whole(
    memory: mmap.mmap, question: Question, pixels: _Placed, fields: tuple[_Placed, _Placed, bool] | None
) -> Question:
    motion = None
    if fields is not None:
        backward, forward, is_cut = fields
        motion = Motion(backward=_view(memory, backward), forward=_view(memory, forward), is_cut=is_cut)
    return replace(question, pixels=_view(memory, pixels), motion=motion)


def _looker(setup: Setup) -> tuple[Any, tuple[int, ...]]:
    """Load the model; with it come the sides that it can be asked to look at."""
    import torch

    from maskwright.models import load_model, load_video_model
    from maskwright.models.tiny import TinySam
    from maskwright.models.transformers_video.loading import names_video_model
    from maskwright.robot.perceiver_looker import Looker

    torch.set_num_threads(setup.num_threads)
    if names_video_model(setup.model):
        video = Looker(load_video_model(setup.model), flow_side=setup.flow_side)
        video.make_ready()
        return video, ()
    model, sides = load_model(setup.model), ()
    if type(model) is TinySam:  # others, exported ones too, have one side and are shown whole frames
        model.leave_out_padding()
        sides = setup.sides
        if sides:
            model.look_at_side(sides[0])
    looker = Looker(model, flow_side=setup.flow_side)
    looker.make_ready(sides)
    return looker, sides if len(sides) > 1 else ()


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints, prints elsewhere
    # Under this module's real name, so that both sides mean the same classes.
    from maskwright.robot import perceiver_process

    perceiver_process.serve(sys.stdin.buffer, answers)

__all__ = ["ProcessWorker", "Ready", "Setup", "serve"]
