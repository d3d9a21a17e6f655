"""The review application as people use it: Chromium, the real command, the real `tiny` model, the demo's store."""

from urllib.parse import parse_qs, urlsplit

import httpx

from maskwright.store import open_store
from maskwright.workflows.demo import make_demo
from review_app import (
    DOUBLE_CLICK_MS,
    chip,
    drag,
    free_port,
    needs_chromium,
    open_page,
    place,
    reviewing,
    wait_chip,
    wait_saved,
)

pytestmark = needs_chromium


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
        drag(page, (0.53, 0.6), (0.66, 0.85))
        page.locator(".candidates").wait_for()
        page.keyboard.press("Enter")
        wait_chip(page, "Accepted", 1)
        wait_saved(page)
        process.kill()
        process.wait(30)

        page.keyboard.press("p")
        for corner in ((0.75, 0.15), (0.85, 0.15), (0.85, 0.3), (0.75, 0.3), (0.75, 0.15)):
            page.mouse.click(*place(page, *corner))
            page.wait_for_timeout(DOUBLE_CLICK_MS)
        page.keyboard.press("Enter")
        wait_chip(page, "Accepted", 2)
        page.keyboard.press("b")
        drag(page, (0.2, 0.2), (0.3, 0.25))
        page.keyboard.press("Enter")
        wait_chip(page, "Accepted", 3)
        page.locator(".banner", has_text="The server does not answer").wait_for()
        page.locator(".sync", has_text="2 changes kept here").wait_for()

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
    card = page.get_by_role("alertdialog").filter(has_text="By anna")  # whoever rejected it is told by its history
    card.get_by_role("button", name="Take theirs").click()
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
    page.reload()
    page.locator(".frame", has_text="Frame 2").wait_for()

    page.keyboard.press("d")
    page.locator(".frame", has_text="Frame 1").wait_for()
