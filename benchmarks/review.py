"""How long does a person wait in the review application? And how smoothly does it move with thousands of masks?

    python benchmarks/review.py [PART ...] [--model tiny] [--repeats 15]

Chromium, headless, in front of a real `maskwright review` process with its model, on loopback; a window of 1920x1080,
pictures of 1920x1080. Times are taken in the page, from the browser's own time stamp of the key or the pointer to the
frame of the screen that shows what came of it (`review_page.js`). Rows are the target, the median and the 95th
percentile. Beside the canvas stand what one would write to draw masks: an element of SVG for each mask, and a path of
a canvas for each (`review_other.js`), moved alike, in turn, in the same browser.
"""

import argparse
import base64
import gzip
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from harness import Timing, report
from playwright.sync_api import Browser, Page, sync_playwright
from review_data import make_recording, outlines

from maskwright.workflows.demo import make_demo

HERE = Path(__file__).parent
FEW, MANY, MOST = 20, 2_000, 10_000
# Frames with few masks to go through, then one with many between two with few, then one with very many.
NUM_MASKS = (*[FEW] * 8, MANY, FEW, MOST, FEW)
AT_MANY, AT_MOST = NUM_MASKS.index(MANY), NUM_MASKS.index(MOST)
VIEWPORT = {"width": 1920, "height": 1080}
# Shares of the picture where something lies that can be clicked on.
PLACES = ((0.3, 0.42), (0.36, 0.62), (0.62, 0.4), (0.7, 0.6), (0.44, 0.34), (0.56, 0.68))
WAIT_MS = 120_000
READS_MS, LOOKS_MS = 6_000, 4_000
SETTLE_MS = 1_200  # until neighbours are ready and the hand rests
MOVE_S = 4.0


@dataclass(frozen=True)
class Bench:
    """A running review of the generated recording, the browser, and how often to measure."""

    browser: Browser
    address: str
    model: str
    repeats: int

    def page(self) -> Page:
        """Open a page that nobody has used, with the stopwatches in it."""
        context = self.browser.new_context(viewport=VIEWPORT)
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(path=HERE / "review_page.js")
        return context.new_page()

    @contextmanager
    def frame(self, number: int = 0) -> Iterator[Page]:
        """Open the application on a frame, and let it come to rest."""
        page = self.page()
        first = page.request.get(f"{self.address}/v1/frames").json()["items"]
        page.goto(f"{self.address}/?frame={first[number]['id']}")
        page.evaluate("stopwatch.first")
        page.wait_for_timeout(SETTLE_MS)
        yield page
        page.context.close()


def first_frame(bench: Bench) -> None:
    """From the address to picture and masks on the screen, nothing of the page in the browser yet."""
    seconds = []
    for _ in range(bench.repeats + 1):
        page = bench.page()
        page.goto(bench.address)
        seconds.append(page.evaluate("stopwatch.first") / 1000)
        page.context.close()
    note = f"nothing cached in the browser; {FEW} masks; the bundle is {_bundle_kb():.0f} kB gzipped (target 1,000)"
    _tell("first frame there", 1.5, seconds[1:], f"{note}; the very first of the server {1000 * seconds[0]:.0f} ms")


def frame_change(bench: Bench) -> None:
    """To the next frame and the one before, both made ready."""
    with bench.frame() as page:
        seconds = []
        for i in range(bench.repeats):
            key = "d" if i % 12 < 6 else "a"
            seconds.append(_timed(page, "keydown", "frame", lambda key=key: page.keyboard.press(key)))
            page.wait_for_timeout(SETTLE_MS)
    _tell(
        "the next frame",
        0.1,
        seconds,
        f"picture, {FEW} masks and list; neighbours had {SETTLE_MS / 1000} s to be ready",
    )


def click(bench: Bench) -> None:
    """A click on a picture whose embedding is there: three candidates, the best on the screen."""
    with bench.frame() as page:
        seconds = []
        for i in range(bench.repeats + 1):
            x, y = _place(page, i)
            page.mouse.move(x, y)
            page.wait_for_timeout(600)  # the preview is there
            seconds.append(_timed(page, "pointerdown", "click", lambda: (page.mouse.down(), page.mouse.up())))
            page.keyboard.press("Escape")
            page.wait_for_timeout(150)
        moving = []
        for i in range(bench.repeats):
            x, y = _place(page, i)
            page.mouse.move(x - 60, y - 20)
            page.wait_for_timeout(600)
            page.mouse.move(x, y, steps=4)
            moving.append(_timed(page, "pointerdown", "click", lambda: (page.mouse.down(), page.mouse.up())))
            page.keyboard.press("Escape")
            page.wait_for_timeout(150)
    note = f"{bench.model} on the processor, cached embedding, 3 candidates"
    _tell("a click, until the mask is painted", 0.15, seconds[1:], f"{note}; the pointer had come to rest")
    _tell("a click out of a movement", 0.15, moving, f"{note}; a preview was on its way")


def hover(bench: Bench) -> None:
    """What a click would give, under a pointer that has come to rest."""
    with bench.frame() as page:
        seconds = []
        for i in range(bench.repeats + 1):
            page.mouse.move(5, 5)  # over the bar: no preview
            page.wait_for_timeout(400)
            x, y = _place(page, i)
            seconds.append(_timed(page, "pointermove", "hover", lambda x=x, y=y: page.mouse.move(x, y)))
    _tell("a preview under the pointer", 0.15, seconds[1:], f"{bench.model} on the processor, cached embedding")


def accept(bench: Bench) -> None:
    """The key that accepts, until the next mask is selected and shown."""
    for number, masks in ((1, FEW), (AT_MANY, MANY), (AT_MOST, MOST)):
        with bench.frame(number) as page:
            page.keyboard.press("n")
            page.wait_for_timeout(300)
            seconds = []
            for _ in range(min(bench.repeats, FEW - 3)):
                seconds.append(_timed(page, "keydown", "next", lambda: page.keyboard.press("Enter")))
                page.wait_for_timeout(700)
        _tell(f"accept, until the next of {masks:,} masks is there", 0.05, seconds, f"{masks:,} masks on the frame")


def moving(bench: Bench) -> None:
    """Drag and wheel in every frame, over 2,000 masks."""
    gaps: dict[str, list[list[float]]] = {name: [] for name in ("maskwright", "canvas", "svg")}
    with bench.frame(AT_MANY) as page:
        painter = page.evaluate("document.querySelectorAll('[role=application] canvas')[1].getContext('2d') !== null")
        box = page.get_by_role("application").bounding_box()
        assert box is not None
        frame = page.request.get(f"{bench.address}/v1/frames").json()["items"][AT_MANY]["id"]
        picture = page.request.get(f"{bench.address}/v1/frames/{frame}/picture?format=jpeg").body()
        asked = {
            "seconds": MOVE_S,
            "source": f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}",
            "outlines": outlines(MANY, seed=AT_MANY),
            "widthHeight": [box["width"], box["height"]],
        }
        beside = bench.page()
        beside.goto("about:blank")
        beside.add_script_tag(path=HERE / "review_other.js")
        for _ in range(3):
            page.bring_to_front()
            gaps["maskwright"].append(page.evaluate(f"stopwatch.moveApplication({MOVE_S})"))
            beside.bring_to_front()
            for kind in ("canvas", "svg"):
                gaps[kind].append(beside.evaluate("asked => other(asked)", {**asked, "kind": kind}))
        beside.context.close()
    names = {"maskwright": "maskwright", "canvas": "a path of a canvas a mask", "svg": "an element of SVG a mask"}
    means = {kind: statistics.median(statistics.mean(one) for one in some) / 1000 for kind, some in gaps.items()}
    worst = {kind: float(np.percentile(np.concatenate(some), 95)) for kind, some in gaps.items()}
    told = ", ".join(f"{names[kind]} {1 / means[kind]:.0f} ({worst[kind]:.0f} ms)" for kind in names)
    note = (
        f"frames a second, and the 95th percentile between two frames: {told}; target 50; no graphics card, "
        f"masks are painted {'by the processor' if painter else 'by WebGL'}; "
        f"the canvas is {box['width']:.0f}x{box['height']:.0f}"
    )
    timings = [_timing(names[kind], means[kind]) for kind in names]
    report("review", f"moving over {MANY:,} masks on 1920x1080, ms a frame", timings, note=note)


def memory(bench: Bench) -> None:
    """Opening frames of many masks, and what the page holds then."""
    rows = []
    with bench.frame() as page:
        session = page.context.new_cdp_session(page)
        few = _held_mb(session)
        for number, masks in ((AT_MANY, MANY), (AT_MOST, MOST)):
            frame = page.request.get(f"{bench.address}/v1/frames").json()["items"][number]["id"]
            page.goto(f"{bench.address}/?frame={frame}")
            seconds = page.evaluate("stopwatch.first") / 1000
            page.wait_for_timeout(3 * SETTLE_MS)
            held = _held_mb(session)
            rows.append(Timing(f"{masks:,} masks", seconds, held, held, None))
    note = (
        "ms until the frame is there, the page loaded anew; MB of scripts' values and buffers after collection; "
        f"with {FEW} masks {few:.0f}"
    )
    report("review", "a frame of very many masks, and the page's memory", rows, note=note)


def first_mask(bench: Bench) -> None:
    """From the command on the demo's store to the first accepted mask, with the pauses of somebody who reads."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        store = make_demo(Path(folder) / "demo").store
        for _ in range(3):
            begun = time.perf_counter()
            with reviewing(store, bench.model) as address:
                page = bench.page()
                page.goto(address)
                page.locator("[role=option]").first.wait_for()
                for name, pause_ms in (("Next unreviewed", READS_MS), ("Accept", LOOKS_MS)):
                    button = page.locator("aside").get_by_role("button", name=name, exact=False).first
                    button.wait_for()
                    page.wait_for_timeout(pause_ms)
                    button.hover()
                    button.click()
                page.locator(".sync", has_text="Saved").wait_for()
                page.locator(".chip", has_text="Accepted").wait_for()
                seconds.append(time.perf_counter() - begun)
                page.context.close()
    note = (
        f"with {(READS_MS + LOOKS_MS) / 1000:g} s to read the page and to look at the mask; imports and model included"
    )
    _tell("from the command to the first accepted mask", 60.0, seconds, note)


def _held_mb(session: Any) -> float:
    session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    return (usage["usedSize"] + usage.get("backingStorageSize", 0)) / 1e6


def _timed(page: Page, kind: str, end: str, act: Callable[[], object]) -> float:
    page.evaluate("([kind, end]) => stopwatch.begin(kind, end)", [kind, end])
    act()
    return page.evaluate("stopwatch.end()") / 1000


def _place(page: Page, number: int) -> tuple[float, float]:
    box = page.get_by_role("application").bounding_box()
    assert box is not None
    x, y = PLACES[number % len(PLACES)]
    nudge = 3 * (number // len(PLACES))  # never the same click twice
    return box["x"] + box["width"] * x + nudge, box["y"] + box["height"] * y


def _bundle_kb() -> float:
    """What a browser loads, as the server sends it."""
    folder = files("maskwright") / "ui" / "static"
    found = [folder / "index.html", *(folder / "assets").iterdir()]
    return sum(len(gzip.compress(one.read_bytes())) for one in found) / 1000


def _tell(title: str, target: float, seconds: Sequence[float], note: str) -> None:
    rows = [
        _timing("target", target),
        _timing("median", statistics.median(seconds)),
        _timing("95th percentile", float(np.percentile(seconds, 95))),
    ]
    report("review", title, rows, note=f"{note}; {len(seconds)} times")


def _timing(name: str, seconds: float) -> Timing:
    return Timing(name, seconds, 0.0, 0.0, None)


@contextmanager
def reviewing(store: Path, model: str) -> Iterator[str]:
    """Run `maskwright review` of a store; gives its address."""
    words = [sys.executable, "-m", "maskwright.cli", "review", str(store), "--model", model, "--port", "0"]
    process = subprocess.Popen([*words, "--no-browser", "--actor", "anna"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()))
    reader.start()
    try:
        while "Ctrl+C" not in "".join(lines):
            if process.poll() is not None:
                sys.exit(f"the server did not start: {''.join(lines)}")
            time.sleep(0.1)
        yield next(word.rstrip(",") for line in lines for word in line.split() if word.startswith("http://"))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        reader.join()


PARTS: dict[str, Callable[[Bench], None]] = {
    "first": first_frame,
    "frame": frame_change,
    "click": click,
    "hover": hover,
    "accept": accept,
    "moving": moving,
    "memory": memory,
    "minute": first_mask,
}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all if none is named")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    unknown = [part for part in args.parts if part not in PARTS]
    if unknown:
        parser.error(f"expected {', '.join(PARTS)}, got {', '.join(unknown)}")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ["MASKWRIGHT_CACHE"] = f"{folder}/cache"
        store = make_recording(Path(folder), NUM_MASKS)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        with reviewing(store, args.model) as address:
            bench = Bench(browser, address, args.model, args.repeats)
            for part in args.parts or PARTS:
                PARTS[part](bench)
        browser.close()


if __name__ == "__main__":
    main()
