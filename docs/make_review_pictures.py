"""Take docs/pictures/review_*.jpg: the review application as people see it, one picture for each view.

    python docs/make_review_pictures.py [VIEW ...] [--look FOLDER]

The real command on the demo's store, the real model, and Chromium (on Debian: apt install chromium). Each view is a
function below that brings a page to the state worth showing; it begins with a store of its own, and writes for nobody
else. Pictures are 1280x800, dark. `--look` writes PNG of each view at both sizes, dark and light, for looking at.

To add a view: write a function of a `Studio`, name it in VIEWS, and show the picture in docs/guides/review.md.
"""

import argparse
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
from PIL import Image as PillowImage
from playwright.sync_api import Browser, Page, sync_playwright

from maskwright.models import load_model
from maskwright.serve.tokens import add_token
from maskwright.serve.values import Scope
from maskwright.workflows.demo import make_demo

PICTURES = Path(__file__).parent / "pictures"
SIZES = ((1280, 800), (1920, 1080))
QUALITY = 80
WAIT_MS = 60_000
# Who works on the store, and how far they may go. The first is the one whose screen is shown.
PEOPLE: tuple[tuple[str, Scope], ...] = (("anna", "review"), ("ben", "review"))
Share = tuple[float, float]


@dataclass(frozen=True)
class Studio:
    """A review of a fresh store that is running, a page that shows it, and who may come in."""

    browser: Browser
    page: Page
    address: str
    tokens: dict[str, str]
    store: Path

    def open(self, number: int = 1, who: str = "anna") -> Page:
        """Open a frame, counted from 1, as somebody."""
        frame = self.ask(who, "GET", "/v1/frames", params={"limit": 200})["items"][number - 1]["id"]
        self.page.goto(f"{self.address}/?frame={frame}#token={self.tokens[who]}")
        self.page.wait_for_selector("[role=option]")
        self.page.locator(".frame small", has_text=re.compile(rf"^Frame {number}\b")).wait_for()
        return self.page

    def ask(self, who: str, method: str, path: str, **given: Any) -> Any:
        """Ask the server as somebody, beside the page."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}", **given.pop("headers", {})}
        answer = httpx.request(method, f"{self.address}{path}", headers=headers, timeout=60, **given)
        answer.raise_for_status()
        return answer.json()

    def decide(self, who: str, record: str, action: dict[str, Any]) -> None:
        """Let somebody else decide about a mask."""
        event = {"record_id": record, "action": action}
        self.ask(who, "POST", "/v1/events", json={"events": [event]}, headers={"If-Match": "*"})

    def masks(self, number: int) -> list[dict[str, Any]]:
        """Read the masks of a frame, counted from 1."""
        frame = self.ask("anna", "GET", "/v1/frames", params={"limit": 200})["items"][number - 1]["id"]
        return self.ask("anna", "GET", f"/v1/frames/{frame}/records")["items"]

    def place(self, at: Share) -> tuple[float, float]:
        """A point of the canvas, by its share of width and height."""
        box = self.page.get_by_role("application").bounding_box()
        assert box is not None
        return box["x"] + box["width"] * at[0], box["y"] + box["height"] * at[1]

    def share_of(self, x: float, y: float) -> Share:
        """Where a pixel of the demo's pictures is on the canvas, while the picture is fitted."""
        box = self.page.get_by_role("application").bounding_box()
        assert box is not None
        scale = min((box["width"] - 32) / 320, (box["height"] - 32) / 240)
        left, top = (box["width"] - 320 * scale) / 2, (box["height"] - 240 * scale) / 2
        return (left + x * scale) / box["width"], (top + y * scale) / box["height"]

    def drag(self, *points: Share) -> None:
        """Press at the first point, go along the others, and let go."""
        self.page.mouse.move(*self.place(points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.place(point), steps=5)
        self.page.mouse.up()

    def keys(self, *keys: str) -> None:
        """Press keys one after the other, with time for what they do."""
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(150)

    def saved(self) -> None:
        """Wait until the server has everything."""
        self.page.locator(".sync", has_text="Saved").wait_for()


def frame(studio: Studio) -> None:
    """The workspace: masks of a frame, one selected, some decided."""
    studio.open(31)
    studio.keys("n", "Enter", "Enter", "r")
    studio.saved()


def click(studio: Studio) -> None:
    """A click on the mug, with its candidates and a label."""
    page = studio.open(31)
    page.mouse.click(*studio.place((0.37, 0.69)))
    page.locator(".candidates").wait_for()
    studio.keys("6")


def polygon(studio: Studio) -> None:
    """A mask in hand whose vertices can be moved."""
    page = studio.open(31)
    studio.keys("n", "f", "p")
    page.get_by_role("button", name="Done").wait_for()


def history(studio: Studio) -> None:
    """How a mask came to be, and what was done to it."""
    studio.open(31)
    studio.keys("n", "f", "b")
    studio.drag((0.45, 0.5), (0.5, 0.52))
    studio.keys("Enter")
    studio.keys("ArrowUp", "u")
    studio.saved()
    studio.page.get_by_text("Pixels corrected").wait_for()


def shortcuts(studio: Studio) -> None:
    """Every key."""
    studio.open(1)
    studio.keys("?")
    studio.page.get_by_role("dialog", name="Shortcuts").wait_for()


def time_(studio: Studio) -> None:
    """A track over time: keyframes, what was propagated and where it ends; and the other camera."""
    page = studio.open(1)
    studio.keys("Shift+K", "w")
    studio.drag(*(studio.share_of(*corner) for corner in ((102, 145), (132, 186))))
    page.locator(".candidates").wait_for()
    studio.keys("6", ".")
    page.locator(".banner", has_text="propagated").wait_for()
    for index, keys in ((40, ("Enter",)), (70, ("Control+Alt+k",)), (100, ("Control+Alt+o",)), (20, ("r",)), (40, ())):
        studio.keys("Control+j")
        page.get_by_role("spinbutton", name="Frame number").fill(str(index))
        studio.keys("Enter")
        page.locator(".controls button", has_text=re.compile(rf"^\s*{index} ")).wait_for()
        page.get_by_role("button", name=re.compile(r"^mug 2 ")).click()
        page.locator("[role=option][aria-selected=true]").wait_for()
        studio.keys(*keys)
        studio.saved()
    studio.keys("Shift+I")
    page.get_by_role("group", name="Other cameras").get_by_role("button").wait_for()
    page.locator(".banner").first.wait_for(state="detached")


def conflict(studio: Studio) -> None:
    """Two who changed one mask."""
    page = studio.open(31)
    studio.keys("n", "f", "b")
    studio.drag((0.45, 0.45), (0.5, 0.5))
    first = studio.masks(31)[0]["record"]["id"]
    page.context.set_offline(True)
    studio.keys("Enter")
    studio.decide("ben", first, {"kind": "Reject", "reason": "not an object"})
    page.context.set_offline(False)
    page.get_by_role("button", name="Keep mine").wait_for()


def dashboard(studio: Studio) -> None:
    """How far all is, and how the models and people did."""
    for number in (*range(1, 40), *range(61, 200, 30)):  # of some frames there are masks of the model
        masks = sorted(studio.masks(number), key=lambda one: one["record"]["provenance"]["model"] is None)
        for i, one in enumerate(masks[:4]):
            studio.decide("anna" if number % 3 else "ben", one["record"]["id"], _decision(i, number))
    page = studio.open(41)
    studio.keys("Control+Shift+d")
    page.get_by_role("button", name="Export", exact=True).click()
    page.get_by_role("button", name="Run the audit").click()
    page.get_by_role("button", name="Download").wait_for()
    page.get_by_role("region", name="Audit").get_by_text("looked at").wait_for()


def queue(studio: Studio) -> None:
    """A second look at what somebody else has accepted, with what became of the last."""
    for number in (31, 32, 33):
        for one in studio.masks(number)[:4]:
            studio.decide("ben", one["record"]["id"], {"kind": "Accept"})
    page = studio.open(1)
    studio.keys("Shift+Q")
    page.get_by_role("button", name="Begin: Second look").click()
    page.locator(".bar", has_text="ben accepted it").wait_for()
    studio.keys("f", "b")
    studio.drag((0.45, 0.45), (0.6, 0.55))
    studio.keys("Enter")
    page.locator(".look").wait_for()
    studio.keys("v")


def disagreement(studio: Studio) -> None:
    """What two people see differently, over each other."""
    studio.open(31)
    studio.keys("n", "f", "b")
    studio.drag((0.45, 0.45), (0.5, 0.5))
    studio.keys("Enter")
    studio.saved()
    kept = studio.masks(31)
    for one in kept[:2]:
        if one["status"] == "accepted":
            whole = studio.ask("ben", "GET", f"/v1/records/{one['record']['id']}/history")["record"]["rle"]
            studio.decide("ben", one["record"]["id"], {"kind": "Edit", "rle": whole})
            studio.decide("ben", one["record"]["id"], {"kind": "Accept"})
    studio.keys("Control+Alt+d")
    studio.page.get_by_role("button", name="Take ben's").wait_for()


def offline(studio: Studio) -> None:
    """The server is away, and what is done is kept."""
    page = studio.open(31)
    page.context.set_offline(True)
    studio.keys("n", "Enter", "Enter")
    page.get_by_role("button", name="Try now").wait_for()


def signed_out(studio: Studio) -> None:
    """The sign-in ran out in the midst of work."""
    page = studio.open(31)
    studio.keys("n")
    page.route("**/v1/**", lambda route: route.fulfill(status=401, json={"error": {"code": "x", "message": "x"}}))
    studio.keys("Enter")
    page.get_by_role("button", name="Sign in").wait_for()


def _decision(i: int, number: int) -> dict[str, Any]:
    if (i + number) % 7 == 0:
        return {"kind": "Reject", "reason": None}
    return {"kind": "Accept"}


VIEWS: dict[str, Callable[[Studio], None]] = {
    "frame": frame,
    "click": click,
    "polygon": polygon,
    "history": history,
    "time": time_,
    "shortcuts": shortcuts,
    "conflict": conflict,
    "dashboard": dashboard,
    "queue": queue,
    "disagreement": disagreement,
    "offline": offline,
    "signed_out": signed_out,
}
# Those that are only looked at; the guide does not show them.
UNSHOWN = frozenset({"polygon", "offline", "signed_out"})


def main() -> None:
    """Take pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("views", nargs="*", metavar="VIEW", help=f"{', '.join(VIEWS)}; all if none is named")
    parser.add_argument("--look", type=Path, metavar="FOLDER", help="PNG at both sizes, dark and light, instead")
    args = parser.parse_args()
    unknown = [view for view in args.views if view not in VIEWS]
    if unknown:
        parser.error(f"expected {', '.join(VIEWS)}, got {', '.join(unknown)}")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        demo = make_demo(Path(folder) / "demo", model=load_model("tiny")).store
        for view in args.views or VIEWS:
            if args.look is None and view in UNSHOWN:
                continue
            with _studio(browser, demo, Path(folder) / view) as studio:
                VIEWS[view](studio)
                studio.page.wait_for_timeout(1500)  # small pictures come later
                _take(studio.page, view, args.look)
        browser.close()


def _take(page: Page, view: str, look: Path | None) -> None:
    if look is None:
        PICTURES.mkdir(exist_ok=True)
        shot = PillowImage.open(io.BytesIO(page.screenshot())).convert("RGB")
        shot.save(PICTURES / f"review_{view}.jpg", quality=QUALITY, optimize=True)
        return
    look.mkdir(parents=True, exist_ok=True)
    themes: tuple[Literal["dark", "light"], ...] = ("dark", "light")
    for width, height in SIZES:
        for theme in themes:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=theme)
            page.wait_for_timeout(400)
            page.screenshot(path=look / f"{view}_{width}_{theme}.png")


@contextmanager
def _studio(browser: Browser, demo: Path, folder: Path) -> Iterator[Studio]:
    """A copy of the store, a review of it, and a page."""
    store = shutil.copytree(demo, folder / "masks")
    token_file = folder / "tokens.jsonl"
    tokens = {name: add_token(token_file, name, scope) for name, scope in PEOPLE}
    with _reviewing(store, token_file) as address:
        (width, height), _ = SIZES
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark", reduced_motion="reduce"
        )
        context.set_default_timeout(WAIT_MS)
        yield Studio(browser, context.new_page(), address, tokens, store)
        context.close()


@contextmanager
def _reviewing(store: Path, token_file: Path) -> Iterator[str]:
    words = [sys.executable, "-m", "maskwright.cli", "review", str(store), "--model", "tiny", "--port", "0"]
    command = [*words, "--no-browser", "--token-file", str(token_file)]
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()))
    reader.start()
    try:
        while "Ctrl+C" not in "".join(lines):
            if process.poll() is not None:
                sys.exit(f"the server did not start: {''.join(lines)}")
            time.sleep(0.1)
        yield next(word for line in lines for word in line.split() if word.startswith("http://"))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        reader.join()


if __name__ == "__main__":
    main()
