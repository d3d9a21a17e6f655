"""Does the Perceiver keep up with a camera, how old are its masks, and how good are they beside the offline tracker?

python benchmarks/perceiver.py live [--minutes M]     a 30 Hz camera in real time: steps, ages, memory; a plot with M
        [--clip FOLDER]                               of a labelled clip, there and back, in place of the demo
python benchmarks/perceiver.py quality [FOLDER ...]   J&F with answers that come so many pictures late, on any machine
python benchmarks/perceiver.py model                  what one look of the model takes, beside what flow takes

`live` needs a machine with nothing else to do; --flow-side, --model-side and --threads (the model's) try other
settings, which then stay what they are. `quality` counts pictures, not seconds: the same on every machine.
FOLDER holds labelled video, as `maskwright evaluate --track` reads it.
"""

import argparse
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from harness import RESULTS, command, machine

HZ = 30
SIZE_HW = (480, 640)
BUDGET_MS = 33.0
LAGS = (3, 6, 9)  # `live` looked 4.7 times a second: 6.4 pictures
SETTLED = 90  # frames that are left out: the model loads, the machine wakes up


@dataclass
class Run:
    """What a live run came to, frame by frame."""

    step_ms: list[float] = field(default_factory=list)
    age_ms: list[float] = field(default_factory=list)
    over: list[bool] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)
    status: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    flow_sides: Counter[int] = field(default_factory=Counter)
    model_sides: Counter[int | None] = field(default_factory=Counter)
    cpu_s: float = 0.0
    model_cpu_s: float = 0.0
    looks: set[int] = field(default_factory=set)
    j_and_f: float = 0.0


def live(
    minutes: float | None, flow_side: int | None, model_side: int | None, threads: int | None, clip: Path | None
) -> None:
    """The front camera of the demo episode, or a clip, there and back, as a camera would give it."""
    import track

    track.FRAMES = 120
    images, truths = track.demo() if clip is None else _clip(clip)
    there_and_back = [*images, *images[-2:0:-1]]
    truth = [*truths, *truths[-2:0:-1]]
    count = round((minutes or 0.5) * 60 * HZ)
    run = _play(there_and_back, truth, count, flow_side, model_side, threads)
    offline = _offline(images, truths)
    text = _told(run, count, offline, len(truths[0]))
    print(text)
    name = "live" if clip is None else "live_clip"
    if minutes:
        path = Path(__file__).parent.parent / "docs" / "pictures" / f"perceiver_{name}.png"
        _plot(run, path)
        print(f"plotted to {path}")
    _write_section(name, text)


def _clip(folder: Path) -> tuple[list[Any], list[dict[str, Any]]]:
    """A labelled clip, squeezed to 640x480 so that steps can be compared, and the masks of each picture."""
    import cv2

    from maskwright.core import Image
    from maskwright.evaluate.sequences import open_sequences
    from maskwright.masks import resize

    images, truths = [], []
    for frame in open_sequences(folder)[0].read(0, None):
        pixels = cv2.resize(frame.image.pixels, SIZE_HW[::-1], interpolation=cv2.INTER_AREA)
        images.append(Image(np.ascontiguousarray(pixels)))
        truths.append({name: resize(rle, SIZE_HW) for name, rle in frame.truth.items()})
    return images, truths


def _play(
    images: list[Any],
    truths: list[dict[str, Any]],
    count: int,
    flow_side: int | None,
    model_side: int | None,
    threads: int | None,
) -> Run:
    from maskwright.core import MaskPrompt
    from maskwright.robot.perceiver import Perceiver
    from maskwright.robot.perceiver_process import ProcessWorker
    from maskwright.robot.perceiver_values import PerceiverSettings

    settings = PerceiverSettings(budget_ms=BUDGET_MS)
    if flow_side is not None:
        settings = replace(settings, flow_side=flow_side)
    if model_side is not None:
        settings = replace(settings, model_side=model_side)
    sides = {"flow_side": settings.finest_flow_side, "model_side": settings.model_side}
    worker = ProcessWorker("tiny", **sides, num_threads=threads)
    run, meters = Run(), _Meters(truths[0])
    with Perceiver(settings=settings, worker=worker) as perceiver:
        while worker.trouble == "starting":
            time.sleep(0.05)
        for name, rle in truths[0].items():
            perceiver.add(name, MaskPrompt(rle))
        began, cpu, model_cpu = time.monotonic(), time.process_time(), _cpu_s(worker.pid)
        for number, (image, truth) in enumerate(islice(cycle(zip(images, truths, strict=True)), count)):
            due = began + number / HZ
            while (left := due - time.monotonic()) > 0:
                time.sleep(left)
            run.late_ms.append(1000 * (time.monotonic() - due))
            state = perceiver.step(image, at_s=number / HZ)
            run.step_ms.append(state.step_ms)
            run.over.append(state.over_budget)
            run.age_ms += [one.age_ms for one in state.objects if one.age_ms is not None]
            run.status.update(one.status for one in state.objects)
            run.notices.update(notice.kind for notice in state.notices)
            run.flow_sides[state.flow_side] += 1
            run.model_sides[state.model_side] += 1
            run.looks |= {one.seen_frame for one in state.objects if one.seen_frame is not None}
            meters.add(state, truth, number)
            if number % HZ == 0:
                run.memory_mb.append((_memory_mb(os.getpid()), _memory_mb(worker.pid)))
        run.cpu_s = time.process_time() - cpu - meters.cpu_s
        run.model_cpu_s = _cpu_s(worker.pid) - model_cpu
    run.j_and_f = meters.j_and_f()
    return run


class _Meters:
    """J&F of three objects; measured on every fifth frame, outside of the steps, and its time is left out."""

    def __init__(self, truth: Mapping[str, Any]) -> None:
        from maskwright.evaluate.track_meter import TrackMeter

        self._meters = {name: TrackMeter(start=rle) for name, rle in truth.items()}
        self.cpu_s = 0.0

    def add(self, state: Any, truth: Mapping[str, Any], number: int) -> None:
        if number % 5 or not number:
            return
        from maskwright.masks import empty_mask

        began = time.process_time()
        for name, meter in self._meters.items():
            meter.add(state[name].rle, truth.get(name, empty_mask(SIZE_HW)))
        self.cpu_s += time.process_time() - began

    def j_and_f(self) -> float:
        return statistics.mean(meter.scores().j_and_f or 0.0 for meter in self._meters.values())


def _offline(images: list[Any], truths: list[dict[str, Any]]) -> float:
    """The offline tracker on the episode once, at its default budget, by pictures alone (every sixth is drawn)."""
    from maskwright.core import MaskPrompt
    from maskwright.models import load_model
    from maskwright.predict.tracking import TrackSettings, make_tracker

    tracker = make_tracker(load_model("tiny"), TrackSettings(stride=6))
    meters = _Meters(truths[0])
    for number, (image, truth) in enumerate(zip(images, truths, strict=True)):
        prompts = {name: MaskPrompt(rle) for name, rle in truth.items()} if number == 0 else None
        meters.add(tracker.step(image, prompts), truth, number)
    return meters.j_and_f()


def _told(run: Run, count: int, offline: float, num_objects: int) -> str:
    steps = run.step_ms[SETTLED:]
    ours, models = (max(pair[i] for pair in run.memory_mb) for i in (0, 1))
    where = machine()
    shares, flow_on, model_on = (_shares(counts) for counts in (run.status, run.flow_sides, run.model_sides))
    notices = ", ".join(f"{kind} {times}" for kind, times in run.notices.most_common()) or "none"
    return f"""## perceiver: a 30 Hz camera, 640x480, {num_objects} object(s), `tiny`, {count} pictures in real time

| | | target |
|---|---|---|
| step, median | {statistics.median(steps):.1f} ms | |
| step, p99 | {np.percentile(steps, 99):.1f} ms | 33 ms |
| step, longest | {max(steps):.1f} ms | |
| over the budget of {BUDGET_MS:.0f} ms | {100 * statistics.mean(run.over[SETTLED:]):.2f} % | |
| mean age of masks | {statistics.mean(run.age_ms):.0f} ms | 400 ms |
| the model looked | {len(run.looks) * HZ / count:.1f} times a second | |
| pictures taken late by the loop, p99 | {np.percentile(run.late_ms[SETTLED:], 99):.1f} ms | |
| processor time a step | {1000 * run.cpu_s / count:.1f} ms | |
| processor time a look | {1000 * run.model_cpu_s / max(1, len(run.looks)):.0f} ms | |
| peak memory, caller and model's process | {ours:.0f} and {models:.0f} MB | |
| J&F, every fifth picture | {run.j_and_f:.3f} | |
| the same of the offline tracker, stride 6, the episode once | {offline:.3f} | at most 0.05 above |

Masks: {shares}. Notices: {notices}. Flow on sides of {flow_on}; the model on {model_on}.

`{command()}`, {where["date"]}, commit {where["commit"]}, {where["cpu"]}, {os.cpu_count()} threads, load {where["load"]}, torch {where["torch"]}.
"""  # noqa: E501


def _shares(counts: Counter[Any]) -> str:
    every = sum(counts.values())
    return ", ".join(f"{what} {100 * times / every:.1f} %" for what, times in counts.most_common())


def _plot(run: Run, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 5), sharex=True, constrained_layout=True)
    seconds = np.arange(len(run.step_ms)) / HZ
    above.plot(seconds, run.step_ms, ".", markersize=1, alpha=0.4, label="each step")
    window = 10 * HZ
    for share, colour in ((50, "tab:green"), (99, "tab:red")):
        starts = range(0, len(run.step_ms) - window + 1, window)
        heights = [np.percentile(run.step_ms[at : at + window], share) for at in starts]
        above.plot([(at + window / 2) / HZ for at in starts], heights, color=colour, label=f"p{share} of 10 s")
    above.axhline(BUDGET_MS, color="black", linewidth=0.8, linestyle="--", label="budget")
    above.set_ylim(0, max(2 * BUDGET_MS, float(np.percentile(run.step_ms, 99.9))))
    above.set_ylabel("step, ms")
    above.legend(loc="upper right", ncols=4, fontsize=8)
    memory = np.array(run.memory_mb)
    below.plot(memory[:, 0], label="caller")
    below.plot(memory[:, 1], label="the model's process")
    below.set_ylim(0, None)
    below.set_ylabel("resident memory, MB")
    below.set_xlabel("seconds")
    below.legend(loc="lower right", fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def quality(folders: list[Path]) -> None:
    """J&F of the Perceiver at several lags beside the offline tracker, from true masks."""
    from maskwright.evaluate.tracking import Contender, evaluate_tracking
    from maskwright.models import load_model
    from maskwright.predict.tracking import TrackSettings, make_tracker
    from maskwright.robot.perceiver_values import MODEL_SIDES

    whole, small = load_model("tiny"), load_model("tiny")
    side = MODEL_SIDES[0]
    small.leave_out_padding()  # as the Perceiver's process does
    small.look_at_side(side)
    contenders = [
        Contender(name=name, make=_maker(make_tracker, model, TrackSettings(stride=6)))
        for name, model in (("offline, stride 6", whole), (f"the same at {side}", small))
    ]
    contenders += [
        Contender(name=f"perceiver, {lag} pictures late", make=_maker(PerceivedTracker, small, lag)) for lag in LAGS
    ]
    lines = ["## perceiver: J&F by how late answers come\n"]
    lines += ["| | " + " | ".join(one.name for one in contenders) + " |", "|---" * (1 + len(contenders)) + "|"]
    for name, sequences in _sequences(folders):
        result = evaluate_tracking(contenders, sequences, dataset=name)
        means = []
        for one in contenders:
            scores = [thing.scores.j_and_f for video in result.of(one.name) for thing in video.objects]
            means.append(statistics.mean(score for score in scores if score is not None))
        num_objects = sum(len(video.objects) for video in result.of(contenders[0].name))
        lines.append(f"| {name}, {num_objects} objects | " + " | ".join(f"{mean:.3f}" for mean in means) + " |")
        print(lines[-1], flush=True)
    where = machine()
    lines.append(
        "\nAt 30 Hz, 3 pictures are 100 ms and 9 are 300 ms. `python benchmarks/perceiver.py quality PATH...`, "
    )
    lines[-1] += f"{where['date']}, commit {where['commit']}, torch {where['torch']}.\n"
    text = "\n".join(lines)
    print(text)
    _write_section("quality", text)


def _maker(make: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: make(*arguments)


class PerceivedTracker:
    """A Perceiver in the place of a tracker, shown pictures at 30 Hz; answers come `lag` pictures late."""

    def __init__(self, model: Any, lag: int) -> None:
        from maskwright.robot.perceiver import Perceiver
        from maskwright.robot.perceiver_looker import Looker
        from maskwright.robot.perceiver_values import PerceiverSettings
        from maskwright.robot.perceiver_worker import LaggedWorker

        settings = PerceiverSettings(budget_ms=1e6, frozen_after=0)
        worker = LaggedWorker(Looker(model, flow_side=settings.finest_flow_side), lag=lag)
        self._perceiver = Perceiver(settings=settings, worker=worker)
        self._count = 0
        self.tracks: tuple[str, ...] = ()

    def step(self, image: Any, prompts: Mapping[str, Any] | None = None) -> Any:
        from maskwright.predict.tracking import TrackedFrame, TrackedMask

        for name, prompt in (prompts or {}).items():
            self._perceiver.add(name, prompt)
        state = self._perceiver.step(image, at_s=self._count / HZ)
        self._count += 1
        self.tracks = tuple(one.name for one in state.objects)
        masks = tuple(
            TrackedMask(track=one.name, rle=one.rle, source="carried", state=one.state) for one in state.objects
        )
        return TrackedFrame(index=state.frame, image_digest="", masks=masks)

    def forget(self, track: str) -> None:
        self._perceiver.forget(track)


def _sequences(folders: list[Path]) -> list[tuple[str, list[Any]]]:
    from maskwright.evaluate.sequences import LabelledSequence, SequenceFrame, open_sequences

    def read(start: int, stop: int | None) -> Any:
        import track

        track.FRAMES = 120
        images, truths = track.demo()
        for index, (image, truth) in enumerate(zip(images, truths, strict=True)):
            if index >= start and (stop is None or index < stop):
                yield SequenceFrame(index=index, image=image, truth=truth)

    demo = LabelledSequence(name="demo", num_frames=120, read=read)
    return [("demo, front camera, 640x480", [demo]), *((folder.name, open_sequences(folder)) for folder in folders)]


def model() -> None:
    """Processor milliseconds of one thread: a look of the model, and the rest."""
    import cv2
    import torch
    import track

    from maskwright.core import MaskPrompt
    from maskwright.models import load_model
    from maskwright.robot.perceiver_looker import Looker
    from maskwright.robot.perceiver_motion import MotionMeter
    from maskwright.robot.perceiver_values import FLOW_SIDE, MODEL_SIDES
    from maskwright.robot.perceiver_worker import Question

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    images, truths = track.demo()
    tiny = load_model("tiny")
    tiny.leave_out_padding()
    tiny.look_at_side(MODEL_SIDES[0])
    looker, meter = Looker(tiny, flow_side=FLOW_SIDE), MotionMeter(FLOW_SIDE)
    prompts = {name: MaskPrompt(rle) for name, rle in truths[0].items()}
    flow_ms, look_ms = [], []
    for number, image in enumerate(images[:40]):
        began = time.process_time()
        meter.see(image.pixels)
        motion = meter.motion(1.0)
        flow_ms.append(1000 * (time.process_time() - began))
        if number % 8 == 0:
            began = time.process_time()
            looker.look(
                Question(
                    camera="", session=0, number=number, pixels=image.pixels, motion=motion if number else None,
                    prompts=prompts if number == 0 else {},
                )
            )  # fmt: skip
            look_ms.append(1000 * (time.process_time() - began))
            meter.hold()
    flow, look = statistics.median(flow_ms), statistics.median(look_ms[1:])
    print(f"processor time, one thread: flow {flow:.1f} ms, a look {look:.0f} ms")


def _write_section(name: str, text: str) -> None:
    """Keep the newest of each part in results/perceiver.md."""
    path = RESULTS / "perceiver.md"
    mark = f"<!-- {name} -->"
    parts = path.read_text().split("<!-- ") if path.exists() else []
    kept = [f"<!-- {part}" for part in parts if part.strip() and not part.startswith(f"{name} -->")]
    path.write_text("".join([*kept, f"{mark}\n{text}\n"]))


def _memory_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    live_parser = parts.add_parser("live")
    live_parser.add_argument("--minutes", type=float)
    live_parser.add_argument("--flow-side", type=int)
    live_parser.add_argument("--model-side", type=int)
    live_parser.add_argument("--threads", type=int)
    live_parser.add_argument("--clip", type=Path)
    parts.add_parser("quality").add_argument("folders", nargs="*", type=Path)
    parts.add_parser("model")
    arguments = parser.parse_args()
    if arguments.part == "live":
        live(arguments.minutes, arguments.flow_side, arguments.model_side, arguments.threads, arguments.clip)
    elif arguments.part == "quality":
        quality(arguments.folders)
    else:
        model()


if __name__ == "__main__":
    main()
