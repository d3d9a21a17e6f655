"""The review application for tests in a browser: the real command on a store, and what people do on its page."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

# A browser with windows, profiles and settings; and its shell, which tests take where it stands: a fifth less work.
WHOLE_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM = shutil.which("chromium-headless-shell") or WHOLE_CHROMIUM
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; on Debian: apt install chromium")
WAIT_MS = 30_000
PICTURE_HW = (240, 320)
MARGIN = 16  # around a fitted picture
DOUBLE_CLICK_MS = 360  # two clicks within less are one double click


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def reviewing(store, port, *options):
    """`maskwright review` of a store, once it has said that it listens."""
    command = [sys.executable, "-m", "maskwright.cli", "review", str(store), "--model", "tiny"]
    who = [] if "--token-file" in options else ["--actor", "anna"]
    words = [*command, "--port", str(port), "--no-browser", *who, *map(str, options)]
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(words, env=environ, stderr=subprocess.PIPE, text=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr))
    reader.start()
    try:
        until = time.monotonic() + 60
        while "Ctrl+C" not in "".join(lines):
            assert process.poll() is None, lines
            assert time.monotonic() < until, lines
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(120)
        finally:  # one that stays would be warned of in another test
            process.kill()
        reader.join()
        process.stderr.close()


def open_page(page, address):
    page.goto(address)
    page.wait_for_selector("[role=option]")


def place(page, x, y):
    """A point of the canvas, in shares of its width and height."""
    box = page.get_by_role("application").bounding_box()
    return box["x"] + box["width"] * x, box["y"] + box["height"] * y


def drag(page, *points, button="left"):
    """Press at the first of some points of the canvas, go along the others, and let go."""
    page.mouse.move(*place(page, *points[0]))
    page.mouse.down(button=button)
    for point in points[1:]:
        page.mouse.move(*place(page, *point), steps=4)
    page.mouse.up(button=button)


def at(page, x, y):
    """Where a pixel of the demo's pictures is on the screen, while the picture is fitted."""
    box = page.get_by_role("application").bounding_box()
    height, width = PICTURE_HW
    scale = min((box["width"] - 2 * MARGIN) / width, (box["height"] - 2 * MARGIN) / height)
    left, top = box["x"] + (box["width"] - width * scale) / 2, box["y"] + (box["height"] - height * scale) / 2
    return left + x * scale, top + y * scale


def click(page, x, y, **how):
    """Click on a pixel of the picture, and be in no hurry: two clicks in quick succession are a double click."""
    page.mouse.click(*at(page, x, y), **how)
    page.wait_for_timeout(DOUBLE_CLICK_MS)


def pull(page, *points, button="left"):
    """Press on a pixel of the picture, go along others, and let go."""
    page.mouse.move(*at(page, *points[0]))
    page.mouse.down(button=button)
    for point in points[1:]:
        page.mouse.move(*at(page, *point), steps=4)
    page.mouse.up(button=button)


def masks_here(page, address):
    """The masks of the open frame, of any status, as the server has them."""
    frame = parse_qs(urlsplit(page.url).query)["frame"][0]
    return httpx.get(f"{address}/v1/frames/{quote(frame, safe='')}/records", params={"status": "any"}).json()["items"]


def wait_saved(page, timeout_s=30):
    page.locator(".sync", has_text="Saved").wait_for(timeout=1000 * timeout_s)


def chip(page, status):
    return page.locator(".chip", has_text=status).inner_text()


def wait_chip(page, status, number):
    page.locator(".chip", has_text=f"{status} {number}").wait_for()


def wait_frame(page, number):
    """Until a frame is the open one; how many there are it says only where the whole list is known."""
    page.locator(".frame small", has_text=re.compile(rf"^Frame {number}\b")).wait_for()


def to_frame(page, number):
    """Go on by keys until a frame is open and its masks are there."""
    here = int(re.search(r"Frame (\d+)", page.locator(".frame").inner_text())[1])
    while here < number:
        tens = number - here >= 10
        page.keyboard.press("Shift+ArrowRight" if tens else "d")
        here += 10 if tens else 1
        wait_frame(page, here)
    page.locator(".list .row").first.wait_for()
