"""What goes wrong while people review: servers, networks, browsers, pictures. Nothing is lost, and they are told."""

import json
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from maskwright.core import MaskRecord, ModelRef, Provenance, new_id
from maskwright.datasets import open_source
from maskwright.masks import area, box_xyxy, from_runs
from maskwright.serve.tokens import add_token, remove_token
from maskwright.store import SeenFrame, create_store, open_store
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.demo import make_demo
from maskwright.workflows.run_manifest import RunManifest
from maskwright.workflows.source_facts import describe_source
from review_app import (
    WHOLE_CHROMIUM,
    chip,
    drag,
    free_port,
    needs_chromium,
    open_page,
    place,
    reviewing,
    to_frame,
    wait_chip,
    wait_frame,
    wait_saved,
)

pytestmark = needs_chromium
LARGE_HW = (5774, 8660)  # 50 megapixels
HTML = "<img src=x onerror=window.hacked=1>"
MANY = 10_000


def test_a_server_that_dies_in_the_midst_of_work_loses_nothing_and_is_asked_again_when_it_is_back(page, tmp_path):
    demo = make_demo(tmp_path / "demo").store
    port = free_port()
    with reviewing(demo, port) as process:
        open_page(page, f"http://127.0.0.1:{port}")
        page.mouse.click(*place(page, 0.63, 0.72))
        page.locator(".candidates").wait_for()
        process.kill()
        process.wait(30)
        page.mouse.click(*place(page, 0.66, 0.75))
        page.get_by_role("alert").filter(has_text="The server does not answer").first.wait_for()
        page.keyboard.press("b")
        drag(page, (0.2, 0.2), (0.3, 0.25))
        page.keyboard.press("Enter")
        wait_chip(page, "Accepted", 1)
        page.keyboard.press("n")
        page.keyboard.press("r")
        wait_chip(page, "Rejected", 1)
        page.keyboard.press("d")
        page.get_by_role("alert").filter(has_text="The server does not answer").first.wait_for()
        page.locator(".sync", has_text="2 changes kept here").wait_for()

    with reviewing(demo, port):
        page.evaluate("window.dispatchEvent(new Event('online'))")  # otherwise up to half a minute until the next try
        wait_saved(page)
        page.keyboard.press("a")
        wait_frame(page, 1)
        wait_chip(page, "Accepted", 1)
        page.keyboard.press("q")
        page.mouse.click(*place(page, 0.63, 0.72))
        page.locator(".candidates").wait_for()

    with open_store(demo) as store:
        mine = [one for one in store.query() if one.record.provenance.actor == "anna"]
    assert [one.status for one in mine] == ["accepted"]


def test_over_a_slow_line_decisions_show_at_once_and_arrive(page, address, store_folder):
    open_page(page, address)
    to_frame(page, 2)
    wait_chip(page, "Proposed", 7)
    slow(page, latency_ms=900, bytes_per_s=60_000)
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    wait_chip(page, "Accepted", 1)
    page.locator(".sync", has_text="Saving…").wait_for()
    page.keyboard.press("r")
    wait_chip(page, "Rejected", 1)
    page.keyboard.press("d")
    wait_frame(page, 3)
    wait_chip(page, "Proposed", 7)
    wait_saved(page)

    with open_store(store_folder) as store:
        frame = [one for one in store.query() if one.record.frame.frame_index == 1]
    assert sum(one.status == "accepted" for one in frame) == 1


def test_two_tabs_of_one_person_show_the_same_and_what_one_left_behind_the_other_sends(page, address, store_folder):
    open_page(page, address)
    to_frame(page, 4)
    other = page.context.new_page()
    other.goto(page.url)
    wait_chip(other, "Proposed", 7)
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    wait_chip(other, "Accepted", 1)
    wait_saved(page)

    page.context.set_offline(True)
    page.keyboard.press("Enter")
    wait_chip(other, "Accepted", 2)
    other.bring_to_front()
    other.keyboard.press("n")
    other.keyboard.press("r")
    wait_chip(page, "Rejected", 1)
    page.close()
    other.context.set_offline(False)
    other.evaluate("window.dispatchEvent(new Event('online'))")
    wait_saved(other)
    other.keyboard.press("Control+z")
    wait_chip(other, "Rejected", 0)
    wait_saved(other)
    other.reload()

    wait_chip(other, "Accepted", 2)
    wait_chip(other, "Proposed", 5)


def test_back_and_forward_go_through_frames_and_a_mask_in_hand_waits_where_it_was(page, address):
    open_page(page, address)
    to_frame(page, 7)
    page.keyboard.press("b")
    drag(page, (0.2, 0.2), (0.3, 0.25))
    page.get_by_text("New mask").wait_for()
    page.wait_for_timeout(400)
    page.go_back()
    wait_frame(page, 6)
    page.get_by_text("No mask in hand").wait_for()
    page.go_back()
    wait_frame(page, 5)
    wait_chip(page, "Proposed", 7)
    page.go_forward()
    wait_frame(page, 6)
    page.go_forward()
    wait_frame(page, 7)

    page.get_by_text("Your unfinished mask is back").wait_for()
    page.get_by_text("New mask").wait_for()
    page.keyboard.press("Escape")


def test_a_token_that_is_taken_back_costs_nothing_and_another_goes_on_with_the_same_work(new_page, tmp_path):
    demo, token_file, port = make_demo(tmp_path / "demo").store, tmp_path / "tokens.jsonl", free_port()
    first = add_token(token_file, "anna", "annotate")
    page = new_page()
    with reviewing(demo, port, "--token-file", token_file):
        address = f"http://127.0.0.1:{port}"
        open_page(page, f"{address}/#token={first}")
        page.evaluate("window.isSamePage = true")
        page.keyboard.press("n")
        page.keyboard.press("Enter")
        wait_saved(page)
        remove_token(token_file, "anna")
        page.wait_for_timeout(1200)  # the server looks at the file once a second
        page.keyboard.press("Enter")
        page.get_by_role("alert").filter(has_text="Your sign-in has run out").wait_for()
        page.keyboard.press("b")
        drag(page, (0.2, 0.2), (0.3, 0.25))
        page.keyboard.press("Enter")
        wait_chip(page, "Accepted", 3)
        page.locator(".sync", has_text="2 changes kept here").wait_for()

        field, enter = page.get_by_label("Sign-in link or token"), page.get_by_role("button", name="Sign in")
        field.fill("mw_nonsense")
        enter.click()
        page.get_by_role("alert").filter(has_text="does not know this token").first.wait_for()
        field.fill(f"{address}/#token={add_token(token_file, 'ben', 'annotate')}")
        page.wait_for_timeout(1200)
        enter.click()
        page.get_by_role("alert").filter(has_text="somebody else's").first.wait_for()
        field.fill(f"{address}/#token={add_token(token_file, 'anna', 'annotate')}")
        page.wait_for_timeout(1200)
        enter.click()
        wait_saved(page)
        assert page.evaluate("window.isSamePage")
        page.mouse.click(*place(page, 0.63, 0.72))

    with open_store(demo) as store:
        accepted = [one for one in store.query() if one.status == "accepted"]
    assert len(accepted) == 3
    assert {one.verified_by for one in accepted} == {"anna"}


def test_a_browser_that_is_full_says_so_and_what_is_done_still_reaches_the_server(page, address):
    open_page(page, address)
    to_frame(page, 21)
    session = page.context.new_cdp_session(page)
    session.send("Storage.overrideQuotaForOrigin", {"origin": address, "quotaSize": 1})
    page.keyboard.press("b")
    drag(page, (0.2, 0.2), (0.3, 0.25))
    page.keyboard.press("Enter")
    wait_chip(page, "Accepted", 1)

    wait_saved(page)
    page.get_by_role("alert").filter(has_text="keeps nothing").wait_for()
    session.send("Storage.overrideQuotaForOrigin", {"origin": address})
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="keeps nothing").wait_for(state="detached")


@pytest.mark.skipif(WHOLE_CHROMIUM is None, reason="the headless shell has no settings; apt install chromium")
def test_a_browser_that_may_keep_nothing_says_so_and_works_on(browser, address, tmp_path):
    profile = tmp_path / "profile"
    (profile / "Default").mkdir(parents=True)
    blocked = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (profile / "Default" / "Preferences").write_text(json.dumps(blocked))
    context = browser.browser_type.launch_persistent_context(
        str(profile), executable_path=WHOLE_CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
    )
    page = context.new_page()
    open_page(page, address)
    assert page.evaluate("(() => { try { return sessionStorage !== null } catch { return false } })()") is False
    page.get_by_role("alert").filter(has_text="keeps nothing").wait_for()
    to_frame(page, 31)
    wait_chip(page, "Proposed", 7)
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    wait_chip(page, "Accepted", 1)

    wait_saved(page)
    context.close()


@pytest.fixture(scope="module")
def odd_address(tmp_path_factory):
    """Odd pictures: 1 has labels of HTML, 2 is damaged, 3 has 50 megapixels, 4 has 10,000 masks."""
    folder = tmp_path_factory.mktemp("odd")
    store = odd_store(folder)
    port = free_port()
    with reviewing(store, port):
        yield f"http://127.0.0.1:{port}"


def test_a_label_of_html_is_a_text_wherever_it_shows(page, odd_address):
    open_page(page, odd_address)
    page.locator("[role=option]", has_text=HTML).first.wait_for()
    page.keyboard.press("n")
    for panel in ("History", "Queues", "Masks"):
        page.get_by_role("tab", name=panel).click()
        page.wait_for_timeout(300)
    page.keyboard.press("Control+Shift+d")
    page.get_by_role("region", name="By label").get_by_text(HTML).wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("region", name="By label").wait_for(state="detached")
    page.keyboard.press("f")
    page.get_by_text(f"Correcting {HTML}").wait_for()
    page.keyboard.press("Escape")

    assert page.evaluate("window.hacked === undefined")
    assert page.locator("img").count() == 0


def test_a_damaged_picture_is_told_of_and_its_masks_are_still_decided_about(page, odd_address):
    open_page(page, odd_address)
    page.keyboard.press("d")
    wait_frame(page, 2)
    page.get_by_role("alert").filter(has_text="The picture of this frame cannot be shown").wait_for()
    page.locator("[role=option]").first.wait_for()
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    wait_chip(page, "Accepted", 1)
    wait_saved(page)
    page.mouse.click(*place(page, 0.2, 0.8))
    page.locator(".hand .problem").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("a")

    wait_frame(page, 1)
    page.get_by_role("alert").filter(has_text="cannot be shown").wait_for(state="detached")


def test_a_picture_of_50_megapixels_opens_zooms_and_is_clicked_on(page, odd_address):
    open_page(page, odd_address)
    page.keyboard.press("d")
    page.keyboard.press("d")
    wait_frame(page, 3)
    wait_pixel(page, 0, (0.5, 0.5))
    page.mouse.click(*place(page, 0.5, 0.5))
    page.locator(".candidates").wait_for()
    page.keyboard.press("Enter")
    wait_chip(page, "Accepted", 1)
    wait_saved(page)
    page.mouse.move(*place(page, 0.5, 0.5))
    page.keyboard.press("Shift+Z")
    page.wait_for_timeout(1500)

    # At its own size single pixels of the checkerboard in its middle are told apart.
    assert (
        page.evaluate("""() => {
        const canvas = document.querySelector("[role=application] canvas");
        const row = canvas.getContext("2d").getImageData(canvas.width / 2 - 20, canvas.height / 2, 40, 1).data;
        const steps = Array.from({length: 39}, (_, i) => Math.abs(row[4 * i + 4] - row[4 * i]));
        return steps.filter((one) => one > 40).length;
    }""")
        >= 8
    )


def test_ten_thousand_masks_on_a_frame_are_listed_gone_through_and_accepted_at_once(page, odd_address):
    open_page(page, odd_address)
    for _ in range(3):
        page.keyboard.press("d")
    wait_frame(page, 4)
    page.locator(".chip", has_text="Proposed 10,000").or_(page.locator(".chip", has_text="Proposed 10000")).wait_for()
    assert page.locator("[role=option]").count() < 100
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    wait_saved(page)
    page.keyboard.press("Control+Enter")
    page.get_by_role("dialog").get_by_role("button", name="Do it").click()
    page.locator(".chip", has_text="Proposed 0").wait_for()

    wait_saved(page, timeout_s=120)  # ten thousand, on a machine that tests other things
    assert "10" in chip(page, "Accepted")


def slow(page, *, latency_ms, bytes_per_s):
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    limits = {"latency": latency_ms, "downloadThroughput": bytes_per_s, "uploadThroughput": bytes_per_s}
    session.send("Network.emulateNetworkConditions", {"offline": False, **limits})


def wait_pixel(page, layer, share):
    """Until a layer of the canvas shows something at a place."""
    page.wait_for_function(
        """([layer, [x, y]]) => {
            const canvas = document.querySelectorAll("[role=application] canvas")[layer];
            return canvas.getContext("2d").getImageData(canvas.width * x, canvas.height * y, 1, 1).data[3] > 0;
        }""",
        arg=[layer, list(share)],
        polling=100,
    )


def odd_store(folder):
    """Pictures in a folder and a store of them."""
    pictures = folder / "odd"
    pictures.mkdir()
    sizes_hw = [(480, 640), (480, 640), LARGE_HW, (1080, 1920)]
    for number, size_hw in enumerate(sizes_hw):
        cv2.imwrite(str(pictures / f"{number}.png"), picture(size_hw, number), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    masks = [
        [(HTML, square((480, 640), 40 + 60 * i)) for i in range(3)],
        [("mug", square((480, 640), 40 + 60 * i)) for i in range(3)],
        [],
        [("cell", rle) for rle in cells((1080, 1920))],
    ]
    footage = Footage.open(pictures)
    (episode,) = footage.source.episodes
    with create_store(folder / "masks", name=footage.source.name) as store:
        with store.bulk_writer(run="odd") as writer:
            for frame, drawn in zip(footage.source.frames(episode, episode.cameras[0]), masks, strict=True):
                name = footage.names.name(episode.key, episode.cameras[0], frame.ref.frame_index)
                digest = frame.image.digest
                seen = SeenFrame(name=name, size_hw=frame.image.size_hw, ref=frame.ref, image_digest=digest)
                writer.add(seen, [record(label, rle, frame.ref, digest) for label, rle in drawn])
        manifest, now = RunManifest.of(store, "odd"), datetime.now(UTC)
        facts = {"verb": "test", "source": {**describe_source(open_source(pictures)), "path": str(pictures)}}
        manifest.end(manifest.begin(facts, {"started_at": now.isoformat(), "versions": {}}), "done", now)
    damaged = pictures / "1.png"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    return folder / "masks"


def picture(size_hw, number):
    """A gradient with a disc, and small squares of black and white in the middle; no two numbers are alike."""
    height, width = size_hw
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, :, 0] = np.linspace(40, 200, width).astype(np.uint8)
    pixels[:, :, 1] = np.linspace(60, 160, height).astype(np.uint8)[:, None]
    cv2.circle(pixels, (width // 2, height // 2), height // 5, (40, 60, 220), -1)
    y, x = np.mgrid[height // 2 - 64 : height // 2 + 64, width // 2 - 64 : width // 2 + 64]
    pixels[y, x] = np.where((x // 2 + y // 2) % 2, 255, 0)[..., None]
    pixels[:8, :8] = 40 * number
    return pixels


def square(size_hw, at):
    return rectangle(size_hw, (at, at, at + 40, at + 40))


def rectangle(size_hw, box):
    """A mask that is a box, by its run lengths."""
    height, width = size_hw
    x1, y1, x2, y2 = box
    high = y2 - y1
    inner = [high, height - high] * (x2 - x1)
    runs = [x1 * height + y1, *inner[:-1], (width - x2) * height + height - y2]
    return from_runs(np.array(runs), size_hw)


def cells(size_hw):
    """Ten thousand small squares."""
    height, width = size_hw
    columns, rows = 125, 80
    step_x, step_y = width // columns, height // rows
    for i in range(MANY):
        row, column = divmod(i, columns)
        x, y = column * step_x, row * step_y
        yield rectangle(size_hw, (x + 2, y + 2, x + step_x - 2, y + step_y - 2))


def record(label, rle, ref, digest):
    return MaskRecord(
        id=new_id(),
        image_digest=digest,
        rle=rle,
        box_xyxy=box_xyxy(rle),
        area=area(rle),
        provenance=Provenance(
            method="sam_raw",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            model=ModelRef(name="tiny", family="sam", checkpoint_sha256="0" * 64),
        ),
        frame=ref,
        label=label,
        track=None,
    )
