"""The review application as people use it: Chromium, the real command, the real `tiny` model, the demo's store."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from maskwright.store import open_store
from maskwright.workflows.demo import make_demo

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; on Debian: apt install chromium")
WAIT_MS = 30_000


@pytest.fixture(scope="module")
def store_folder(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("review") / "demo").store


@pytest.fixture(scope="module")
def address(store_folder):
    """A review that several tests share, each on frames of its own."""
    port = free_port()
    with reviewing(store_folder, port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the dev extra: pip install -e .[dev]")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(WAIT_MS)
    opened = context.new_page()
    failures = []
    opened.on("pageerror", lambda error: failures.append(str(error)))
    yield opened
    context.close()
    assert failures == []


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def reviewing(store, port):
    """`maskwright review` of a store, once it has said that it listens."""
    command = [sys.executable, "-m", "maskwright.cli", "review", str(store), "--model", "tiny"]
    words = [*command, "--port", str(port), "--no-browser", "--actor", "anna"]
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
        process.wait(30)
        reader.join()
        process.stderr.close()


def open_page(page, address):
    page.goto(address)
    page.wait_for_selector("[role=option]")


def place(page, x, y):
    """A point of the canvas, in shares of its width and height."""
    box = page.get_by_role("application").bounding_box()
    return box["x"] + box["width"] * x, box["y"] + box["height"] * y


def wait_saved(page):
    page.locator(".sync", has_text="Saved").wait_for()


def chip(page, status):
    return page.locator(".chip", has_text=status).inner_text()


def wait_chip(page, status, number):
    page.locator(".chip", has_text=f"{status} {number}").wait_for()


def test_a_click_gives_a_mask_that_is_named_accepted_undone_and_there_after_a_reload(page, address, store_folder):
    open_page(page, address)
    assert chip(page, "Proposed") == "Proposed 7"

    page.mouse.click(*place(page, 0.63, 0.72))
    page.locator(".candidates").wait_for()
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    wait_chip(page, "Accepted", 1)
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    wait_chip(page, "Accepted", 2)
    page.keyboard.press("r")
    wait_chip(page, "Rejected", 1)
    page.keyboard.press("Control+z")
    wait_chip(page, "Rejected", 0)
    wait_saved(page)
    page.reload()
    page.wait_for_selector("[role=option]")

    wait_chip(page, "Accepted", 2)
    wait_chip(page, "Proposed", 6)

    with open_store(store_folder) as store:
        made = [one for one in store.query() if one.record.provenance.actor == "anna"]
        decided = [one for one in store.query() if one.status == "accepted"]
    assert [one.record.label for one in made] == ["carton"]
    assert made[0].record.provenance.method == "sam_raw"
    assert made[0].record.provenance.model.name == "tiny"
    assert len(decided) == 2


def test_a_stroke_a_polygon_and_a_box_are_kept_while_the_server_is_killed_and_begun_again(page, tmp_path):
    demo = make_demo(tmp_path / "demo").store
    port = free_port()
    with reviewing(demo, port) as process:
        open_page(page, f"http://127.0.0.1:{port}")
        page.keyboard.press("d")
        page.locator(".frame", has_text="Frame 2").wait_for()
        page.locator(".chip", has_text="Proposed 7").wait_for()
        page.keyboard.press("w")
        page.mouse.move(*place(page, 0.53, 0.6))
        page.mouse.down()
        page.mouse.move(*place(page, 0.66, 0.85), steps=3)
        page.mouse.up()
        page.locator(".candidates").wait_for()
        page.keyboard.press("Enter")
        wait_chip(page, "Accepted", 1)
        wait_saved(page)
        process.kill()
        process.wait(30)

        page.keyboard.press("p")
        for corner in ((0.75, 0.15), (0.85, 0.15), (0.85, 0.3), (0.75, 0.3), (0.75, 0.15)):
            page.mouse.click(*place(page, *corner))
            page.wait_for_timeout(350)  # two clicks in quick succession are a double click
        page.keyboard.press("Enter")
        wait_chip(page, "Accepted", 2)
        page.keyboard.press("b")
        page.mouse.move(*place(page, 0.2, 0.2))
        page.mouse.down()
        page.mouse.move(*place(page, 0.3, 0.25), steps=4)
        page.mouse.up()
        page.keyboard.press("Enter")
        wait_chip(page, "Accepted", 3)
        page.locator(".banner", has_text="The server does not answer").wait_for()
        assert "2 changes kept here" in page.locator(".sync").inner_text()

    with reviewing(demo, port):
        page.evaluate("window.dispatchEvent(new Event('online'))")  # otherwise up to half a minute until the next try
        wait_saved(page)

    with open_store(demo) as store:
        drawn = [one for one in store.query() if one.record.provenance.method == "human_drawn"]
    assert [one.status for one in drawn] == ["accepted", "accepted"]


def test_two_who_change_one_mask_are_asked_and_a_list_is_accepted_and_named_at_once(page, address, store_folder):
    open_page(page, address)
    page.keyboard.press("Shift+ArrowRight")
    page.locator(".frame", has_text="Frame 11").wait_for()
    wait_chip(page, "Proposed", 7)
    page.keyboard.press("n")
    page.locator("[role=option][aria-selected=true]").wait_for()
    page.wait_for_url("**mask=*")
    mask = parse_qs(urlsplit(page.url).query)["mask"][0]
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    wait_chip(page, "Accepted", 1)
    event = {"record_id": mask, "action": {"kind": "Reject", "reason": "not an arm"}}
    answer = httpx.post(f"{address}/v1/events", json={"events": [event]}, headers={"If-Match": "*"})
    assert answer.status_code == 201
    page.context.set_offline(False)
    page.get_by_role("button", name="Take theirs").click()
    wait_chip(page, "Rejected", 1)
    wait_saved(page)

    page.keyboard.press("Control+Enter")
    page.get_by_role("dialog", name="Accept 6 masks?").get_by_role("button", name="Do it").click()
    wait_chip(page, "Accepted", 6)
    page.keyboard.press("Control+a")
    page.keyboard.press("l")
    page.keyboard.type("<b>things</b>")
    page.keyboard.press("Enter")
    page.locator("[role=option]", has_text="<b>things</b>").nth(5).wait_for()
    wait_saved(page)

    with open_store(store_folder) as store:
        listed = list(store.query())
    named = [one for one in listed if one.record.label == "<b>things</b>"]
    assert [one.status for one in named] == ["accepted"] * 6
    assert mask not in {one.record.id for one in listed}  # what was rejected is not listed


def test_keys_of_other_tools_work_once_their_preset_is_chosen(page, address):
    open_page(page, address)
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Shortcuts").get_by_role("combobox").select_option("cvat")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    page.keyboard.press("f")
    page.locator(".frame", has_text="Frame 2").wait_for()
    page.wait_for_timeout(500)  # the address follows a little later
    page.reload()
    page.locator(".frame", has_text="Frame 2").wait_for()

    page.keyboard.press("d")
    page.locator(".frame", has_text="Frame 1").wait_for()
