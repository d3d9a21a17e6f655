"""What does `annotate` cost beside the network alone, does its memory stay flat, and what does Ray add?

python benchmarks/annotate.py [overhead|memory|ray]
"""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from harness import Contender, Timing, compare, report

SIZE_HW = (480, 640)
FRAMES = 24
MANY = 5_000


def network(model: str, what: str, source: str) -> Callable[[], None]:
    """The network on frames that are decoded already, all else left out."""
    from maskwright.models import load_model
    from maskwright.workflows.annotate_plan import Footage, Selection, Stretch
    from maskwright.workflows.stages import decode_frames, find_masks

    loaded, footage = load_model(model), Footage.open(source)
    recipe = _recipe(loaded, what, footage)
    ((episode, camera),) = Selection().recordings(footage.source)
    stretch = Stretch(episode=episode, camera=camera, numbers=range(FRAMES))
    decoded = list(decode_frames(footage, [stretch]))

    def run() -> None:
        for _ in find_masks(loaded, decoded, recipe, batch_size=1, origin=""):
            pass

    return run


def whole(model: str, what: str, source: str) -> Callable[[], None]:
    """The whole workflow into a new store each time."""
    from maskwright.models import load_model
    from maskwright.workflows.annotate import annotate
    from maskwright.workflows.annotate_plan import Footage, Selection

    loaded = load_model(model)

    def run() -> None:
        footage = Footage.open(source)
        with tempfile.TemporaryDirectory() as folder:
            done = annotate(
                loaded, footage, _recipe(loaded, what, footage), Path(folder) / "m", selection=Selection(stop=FRAMES)
            )
            assert done.num_frames == FRAMES

    return run


def _recipe(model: Any, what: str, footage: Any) -> Any:
    from maskwright.core import BoxPrompt
    from maskwright.predict import preset_for
    from maskwright.workflows.annotate_recipe import EverythingTask, ObjectPrompt, PromptsTask, Recipe

    if what == "everything":
        return Recipe(task=EverythingTask(settings=preset_for(model.card, "fast")))
    (episode,) = footage.source.episodes
    boxes = [(60, 60, 220, 200), (300, 100, 420, 260), (400, 300, 600, 460)]
    objects = tuple(ObjectPrompt(prompt=BoxPrompt(box)) for box in boxes)
    places = {(episode.key, episode.cameras[0], number): objects for number in range(episode.num_frames)}
    return Recipe(task=PromptsTask(kind="boxes", by_place=places))


def make_video(path: Path, num_frames: int) -> None:
    """A camera that moves over the example picture, 640x480 H.264 at 30 Hz."""
    import av

    from maskwright.datasets import read_image
    from maskwright.workflows.pictures import example_path

    height, width = SIZE_HW
    picture = read_image(example_path()).pixels
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "23"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for number in range(num_frames):
            x, y = (int(150 + 145 * f(number / 40)) for f in (np.sin, np.cos))
            pixels = np.ascontiguousarray(picture[min(y, 155) :][:height, x : x + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def overhead(folder: Path) -> None:
    """The workflow beside the network alone, in turn."""
    video = folder / "video.mp4"
    make_video(video, FRAMES)
    for what, words in (("boxes", "3 boxes a frame"), ("everything", "everything, preset fast")):
        arguments = {"model": "tiny", "what": what, "source": str(video)}
        contenders = [Contender("network alone", "annotate:network", arguments)]
        contenders += [Contender("annotate, video to store", "annotate:whole", arguments)]
        timings = compare(contenders, rounds=5 if what == "boxes" else 3)
        report("annotate", f"annotate with tiny, {words}, 640x480 video", timings, items=FRAMES, note="ms a frame")


def memory(folder: Path) -> None:
    """Resident memory over thousands of frames, by tenths; the first segments load pyarrow, so the third is first."""
    from maskwright.models import load_model
    from maskwright.workflows.annotate import annotate
    from maskwright.workflows.annotate_plan import Footage

    video = folder / "long.mp4"
    make_video(video, MANY)
    model, footage = load_model("test-sam"), Footage.open(video)
    seen: list[tuple[float, float]] = [(time.perf_counter(), _resident_mb())]

    def look(_: object) -> None:
        seen.append((time.perf_counter(), _resident_mb()))

    done = annotate(model, footage, _recipe(model, "boxes", footage), folder / "m", progress=look)
    assert done.num_frames == MANY
    timings = []
    for tenth in range(2, 10):
        first, last = MANY * tenth // 10, MANY * (tenth + 1) // 10
        resident = statistics.mean(mb for _, mb in seen[first + 1 : last + 1])
        seconds = (seen[last][0] - seen[first][0]) / (last - first)
        timings.append(Timing(f"frames {first + 1} to {last}", seconds, resident, resident, None))
    means = [timing.peak_mb for timing in timings]
    spread = 100 * (max(means) - min(means)) / 2 / statistics.mean(means)
    before, start = (statistics.mean(mb for _, mb in seen[a : a + MANY // 10]) for a in (0, MANY // 10))
    note = (
        f"resident MB, all of the process, by tenths: the first two {before:.0f} and {start:.0f}, until the first "
        f"segments are written; the others here, flat within {spread:.1f} % up or down"
    )
    report("annotate", f"annotate: memory over {MANY} frames (test-sam, 3 boxes a frame, 640x480)", timings, note=note)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def ray(folder: Path) -> None:
    """The local engine beside two workers on Ray, start included and start left out."""
    from maskwright.models import load_model
    from maskwright.workflows.annotate import Engine, InProcess, annotate
    from maskwright.workflows.annotate_plan import Footage
    from maskwright.workflows.ray_engine import RayEngine

    video = folder / "video.mp4"
    make_video(video, 2 * FRAMES)
    model, footage = load_model("tiny"), Footage.open(video)

    def seconds_of(engine: Engine) -> float:
        began = time.perf_counter()
        annotate(model, footage, _recipe(model, "boxes", footage), folder / "m", engine=engine)
        shutil.rmtree(folder / "m")
        return time.perf_counter() - began

    workers = RayEngine.of(model, "tiny", device="cpu", num_workers=2)
    seconds_of(InProcess(model))  # warms up
    timings = [
        Timing("local", seconds_of(InProcess(model)), 0.0, 0.0, None),
        Timing("ray, 2 workers, cluster started", seconds_of(workers), 0.0, 0.0, None),
        Timing("ray, 2 workers, cluster there", seconds_of(workers), 0.0, 0.0, None),
        Timing("local again", seconds_of(InProcess(model)), 0.0, 0.0, None),
    ]
    title = f"annotate with tiny on {2 * FRAMES} frames, 3 boxes a frame: Ray beside the local engine"
    report("annotate", title, timings, items=2 * FRAMES, note="ms a frame")


def _parts() -> Iterator[Callable[[Path], None]]:
    parts = {"overhead": overhead, "memory": memory, "ray": ray}
    yield from (parts[name] for name in sys.argv[1:] or parts)


if __name__ == "__main__":
    for part in _parts():
        with tempfile.TemporaryDirectory() as place:
            part(Path(place))
