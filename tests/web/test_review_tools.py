"""Every tool of the hand, the tree of parts and the list, as people use them: Chromium, the real command and `tiny`."""

import json
import re
from contextlib import contextmanager

import httpx

from maskwright.core import RLE
from maskwright.masks import area, decode, holes, islands
from review_app import (
    DOUBLE_CLICK_MS,
    at,
    click,
    masks_here,
    needs_chromium,
    open_page,
    pull,
    to_frame,
    wait_chip,
    wait_saved,
)

pytestmark = needs_chromium

# Pixels of the demo's first frames, which differ by little.
MUG, CARTON, BIN, BALL = (122, 162), (190, 176), (222, 139), (108, 208)


@contextmanager
def asking(page):
    """What the page asks the model for meanwhile: the bodies of its clicks and boxes, without the previews."""
    asked = []

    def note(request):
        if request.url.endswith("/v1/segment") and request.method == "POST":
            body = json.loads(request.post_data)
            if body["num_masks"] > 1:
                asked.append(body["prompts"][0])

    page.on("request", note)
    yield asked
    page.remove_listener("request", note)


def labels_of(prompt):
    parts = prompt.get("parts", [prompt])
    return next(one["labels"] for one in parts if one["kind"] == "PointPrompt")


def candidates(page):
    page.locator(".candidates").wait_for()
    page.locator(".hand header", has_text="at work").wait_for(state="detached")
    return page.locator(".candidates button[aria-pressed]")


def commit(page, address):
    """Enter: the mask in hand is saved; give it as the server has it."""
    before = {one["record"]["id"] for one in masks_here(page, address)}
    page.keyboard.press("Enter")
    page.locator(".hand strong", has_text="New mask").wait_for(state="detached")
    wait_saved(page)
    (made,) = [one for one in masks_here(page, address) if one["record"]["id"] not in before]
    return made


def rle_of(mask):
    rle = mask["record"]["rle"]
    return RLE(tuple(rle["size_hw"]), rle["counts"].encode())


def test_clicks_show_before_they_are_made_gather_cycle_and_are_undone(page, address):
    open_page(page, address)
    with page.expect_response("**/v1/segment") as previewed:
        page.mouse.move(*at(page, *MUG))
    assert previewed.value.ok
    assert json.loads(previewed.value.request.post_data)["num_masks"] == 1
    page.locator(".hand", has_text="No mask in hand").wait_for()

    with asking(page) as asked:
        click(page, *MUG)
        found = candidates(page)
        scores = [float(one.locator("small").inner_text()) for one in found.all()]
        page.keyboard.press("c")
        chosen = [one.get_attribute("aria-pressed") for one in found.all()]
        click(page, *BALL, button="right")
        candidates(page)
        page.keyboard.down("Alt")
        click(page, *BIN)
        page.keyboard.up("Alt")
        candidates(page)
    assert len(scores) == 3
    assert all(0 < score <= 1 for score in scores)
    assert chosen == ["false", "true", "false"]
    assert [labels_of(one) for one in asked] == [[1], [0], [0, 0]]  # of a chosen candidate, what was clicked since
    assert [part["kind"] for part in asked[1]["parts"]] == ["PointPrompt", "MaskPrompt"]

    page.keyboard.press("Escape")
    with asking(page) as asked:
        page.keyboard.down("Control")
        click(page, *CARTON)
        click(page, CARTON[0], CARTON[1] + 10)
        click(page, *BIN, button="right")
        page.locator(".hand", has_text="Clicks wait").wait_for()
        assert asked == []
        page.keyboard.up("Control")
        candidates(page)
    assert [labels_of(one) for one in asked] == [[1, 1, 0]]

    page.keyboard.press("Control+z")
    page.locator(".hand", has_text="Nothing drawn yet").wait_for()
    page.keyboard.press("Control+Shift+z")
    candidates(page)
    page.keyboard.press("4")
    made = commit(page, address)
    assert made["record"]["label"] == "carton"
    assert decode(rle_of(made))[CARTON[1], CARTON[0]]
    assert not decode(rle_of(made))[BIN[1], BIN[0]]


def test_boxes_words_and_everything_in_a_frame_or_in_a_box(page, address):
    open_page(page, address)
    to_frame(page, 2)
    page.keyboard.press("w")
    with asking(page) as asked:
        pull(page, (198, 115), (252, 168))
        candidates(page)
    assert [one["kind"] for one in asked] == ["BoxPrompt"]
    made = commit(page, address)
    assert decode(rle_of(made))[BIN[1], BIN[0]]

    page.keyboard.press("Shift+w")
    with page.expect_response("**/v1/everything", timeout=60_000) as answered:
        pull(page, (70, 142), (142, 230))
    body = json.loads(answered.value.request.post_data)
    assert [round(side) for side in body["within"]] == [70, 142, 142, 230]
    page.locator(".banner", has_text="added to the list").wait_for()
    wait_saved(page)
    found = [one for one in masks_here(page, address) if one["record"]["provenance"]["actor"] == "anna"]
    boxes = [one["record"]["box_xyxy"] for one in found if one["record"]["id"] != made["record"]["id"]]
    assert boxes
    assert any(x1 <= BALL[0] <= x2 and y1 <= BALL[1] <= y2 for x1, y1, x2, y2 in boxes)
    assert all(x2 > 70 and y2 > 142 and x1 < 142 and y1 < 230 for x1, y1, x2, y2 in boxes)
    page.locator(".hand", has_text="New mask").wait_for(state="detached")

    page.keyboard.press("Escape")
    page.keyboard.press("t")
    page.get_by_role("dialog").get_by_role("textbox").fill("a yellow ball")
    page.keyboard.press("Enter")
    page.locator(".banner", has_text=re.compile("Nothing that is surely|added to the list")).wait_for(timeout=60_000)

    page.keyboard.press("Escape")
    with page.expect_response("**/v1/everything", timeout=60_000) as answered:
        page.keyboard.press("Control+e")
    assert "within" not in answered.value.request.post_data or '"within":null' in answered.value.request.post_data


def test_a_brush_an_eraser_and_their_sizes_stroke_by_stroke(page, address):
    open_page(page, address)
    to_frame(page, 3)
    page.keyboard.press("b")
    size = page.locator(".size span")
    page.mouse.move(*at(page, 200, 30))
    before = size.inner_text()
    page.keyboard.down("Shift")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Shift")
    larger = size.inner_text()
    page.keyboard.press("[")
    smaller = size.inner_text()
    pixels = [int(one.removesuffix(" px")) for one in (before, larger, smaller)]
    assert pixels[0] < pixels[2] < pixels[1]

    for _ in range(6):
        page.keyboard.press("[")
    pull(page, (200, 30), (260, 30))
    pull(page, (200, 90), (260, 90))
    page.keyboard.press("e")
    pull(page, (230, 10), (230, 110))
    page.keyboard.press("b")
    page.keyboard.down("Control")  # with a brush it erases
    pull(page, (210, 20), (210, 40))
    page.keyboard.up("Control")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+Shift+z")
    made = commit(page, address)

    mask = decode(rle_of(made))
    drawn = [bool(mask[y, x]) for x, y in ((200, 30), (230, 30), (210, 30), (250, 90), (230, 90))]
    assert drawn == [True, False, True, True, False]
    assert len(islands(rle_of(made))) == 4
    assert made["status"] == "accepted"
    assert made["record"]["provenance"]["method"] == "human_drawn"
    # Nothing is in hand: what is undone now is the whole mask.
    page.keyboard.press("Control+z")
    wait_chip(page, "Rejected", 1)


def test_a_polygon_with_a_hole_islands_and_vertices_that_move(page, address):
    open_page(page, address)
    to_frame(page, 4)
    page.keyboard.press("p")

    def ring(*corners):
        for corner in (*corners, corners[0]):
            click(page, *corner)

    ring((210, 15), (280, 15), (280, 75), (210, 75))
    ring((230, 30), (260, 30), (260, 60), (230, 60))
    ring((300, 15), (315, 15), (315, 30), (300, 30))
    page.locator(".hand", has_text="New mask").wait_for()
    page.keyboard.press("Enter")
    wait_saved(page)
    (made,) = [one for one in masks_here(page, address) if one["record"]["provenance"]["method"] == "human_drawn"]
    assert (len(islands(rle_of(made))), len(holes(rle_of(made)))) == (2, 1)
    whole = area(rle_of(made))
    assert abs(whole - (70 * 60 - 30 * 30 + 15 * 15)) < 150

    page.keyboard.press("f")  # the same mask, in hand again
    page.locator(".hand", has_text="Correcting").wait_for()
    pull(page, (210, 15), (190, 5))  # a vertex
    pull(page, (245, 75), (245, 100))  # an edge, on which a vertex is put
    click(page, 280, 15, button="right")  # a vertex goes
    click(page, 2, 2)  # begins a ring
    page.keyboard.press("Backspace")  # which is gone with its only point
    page.keyboard.press("Enter")
    page.locator(".hand", has_text="Correcting").wait_for(state="detached")
    wait_saved(page)
    (changed,) = [one for one in masks_here(page, address) if one["record"]["id"] == made["record"]["id"]]
    mask = decode(rle_of(changed))
    assert mask[12, 198]
    assert mask[92, 245]
    assert not mask[18, 275]
    assert len(holes(rle_of(changed))) == 1
    assert changed["num_events"] == made["num_events"] + 2  # pixels, and that they are right


def test_lassos_add_and_take_away_holes_are_filled_and_outlines_smoothed(page, address):
    open_page(page, address)
    to_frame(page, 5)
    page.keyboard.press("o")
    pull(page, (210, 15), (280, 15), (280, 75), (210, 75), (210, 16))
    pull(page, (230, 30), (260, 30), (260, 60), (230, 60), (230, 31), button="right")
    made = commit(page, address)
    assert (len(islands(rle_of(made))), len(holes(rle_of(made)))) == (1, 1)

    page.keyboard.press("g")
    page.locator(".hand", has_text="Correcting").wait_for()
    page.keyboard.press("Shift+g")
    page.keyboard.press("Enter")
    page.locator(".hand", has_text="Correcting").wait_for(state="detached")
    wait_saved(page)
    (filled,) = [one for one in masks_here(page, address) if one["record"]["id"] == made["record"]["id"]]
    assert holes(rle_of(filled)) == []
    assert abs(area(rle_of(filled)) - 70 * 60) < 150
    others = [one for one in masks_here(page, address) if one["record"]["id"] != made["record"]["id"]]
    assert all(one["num_events"] == 0 for one in others)  # each tool works on the mask in hand alone


def test_what_is_cut_off_becomes_a_mask_once_the_rest_is_saved_and_goes_with_undo(page, address):
    open_page(page, address)
    to_frame(page, 6)
    page.keyboard.press("b")
    pull(page, (200, 30), (300, 30))
    page.keyboard.press("x")
    pull(page, (225, 10), (225, 50))
    pull(page, (275, 10), (275, 50))
    page.keyboard.press("Control+z")
    wait_saved(page)
    assert len(masks_here(page, address)) == 7
    page.keyboard.press("6")
    page.keyboard.press("Enter")
    wait_chip(page, "Accepted", 1)
    wait_saved(page)
    kept, piece = masks_here(page, address)[7:]
    assert decode(rle_of(kept))[30, 250]
    assert decode(rle_of(piece))[30, 210]
    assert piece["record"]["label"] == kept["record"]["label"] is not None  # whatever the sixth label is by now
    assert piece["status"] == "proposed"
    assert piece["record"]["provenance"]["derived_from"] == [kept["record"]["id"]]

    page.keyboard.press("Control+z")
    wait_chip(page, "Rejected", 2)
    wait_chip(page, "Proposed", 7)
    wait_saved(page)


def test_masks_are_picked_merged_and_split_into_islands(page, address):
    open_page(page, address)
    to_frame(page, 7)
    page.keyboard.press("v")
    click(page, *BALL)
    page.locator(".hand strong", has_text="ball").wait_for()
    page.keyboard.down("Shift")
    click(page, *CARTON)
    page.keyboard.up("Shift")
    page.locator(".hand strong", has_text="2 selected").wait_for()
    page.keyboard.press("m")
    wait_chip(page, "Merged", 1)
    page.keyboard.press("Shift+m")
    wait_chip(page, "Split", 1)
    wait_saved(page)
    after = masks_here(page, address)
    pieces = [one for one in after if one["record"]["provenance"]["actor"] == "anna"]
    assert sorted(one["record"]["label"] for one in pieces) == ["ball", "ball"]
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    wait_chip(page, "Proposed", 7)


def test_parts_stand_under_their_object_and_fold(page, address):
    open_page(page, address)
    to_frame(page, 8)
    rows = page.locator(".list .row")

    def row(label):
        return rows.filter(has=page.locator(".name", has_text=label)).first

    row("robot arm").click()
    row("gripper").click(modifiers=["Control"])
    page.keyboard.press("Control+g")
    page.get_by_role("treeitem", name="gripper").wait_for()
    assert row("gripper").get_attribute("aria-level") == "2"

    row("ball").drag_to(row("gripper"))
    wait_saved(page)
    assert row("ball").get_attribute("aria-level") == "3"
    row("robot arm").drag_to(row("ball"))  # which is a part of it
    wait_saved(page)
    told = {one["record"]["label"]: one["record"] for one in masks_here(page, address)}
    assert told["ball"]["parent"] == told["gripper"]["id"]
    assert told["gripper"]["parent"] == told["robot arm"]["id"]
    assert told["robot arm"]["parent"] is None

    row("robot arm").click()
    page.keyboard.press("Shift+p")
    row("gripper").wait_for(state="detached")
    assert row("robot arm").get_attribute("aria-expanded") == "false"
    page.keyboard.press("Alt+p")
    page.locator(".hand strong", has_text="3 selected").wait_for()
    page.get_by_role("button", name="Show 1 part").click()
    row("gripper").wait_for()

    # A new mask in hand becomes a part of the selected one.
    row("mug").click()
    page.keyboard.press("b")
    pull(page, (129, 165), (131, 170))
    page.keyboard.press("Control+g")
    page.locator(".hand", has_text="Part of mug").wait_for()
    made = commit(page, address)
    assert made["record"]["parent"] == told["mug"]["id"]
    page.keyboard.press("Control+Shift+g")
    wait_saved(page)
    (freed,) = [one for one in masks_here(page, address) if one["record"]["id"] == made["record"]["id"]]
    assert freed["record"]["parent"] is None
    page.keyboard.press("Control+z")
    made_row = rows.filter(has_text="raw").or_(rows.filter(has_text="human"))
    made_row.and_(page.locator("[aria-level='2']")).wait_for()
    wait_saved(page)
    page.reload()
    page.get_by_role("treeitem").first.wait_for()
    made_row.and_(page.locator("[aria-level='2']")).wait_for()


def test_masks_that_others_add_come_without_a_reload(page, address):
    open_page(page, address)
    to_frame(page, 9)
    given = masks_here(page, address)[0]["record"]
    made = {
        "rle": given["rle"],
        "frame": given["frame"],
        "label": "word of it",
        "provenance": {"method": "human_drawn"},
    }

    answer = httpx.post(f"{address}/v1/records", json={"records": [made]})

    assert answer.status_code == 201, answer.text
    page.locator(".row", has_text="word of it").wait_for()
    wait_chip(page, "Proposed", 8)


def test_the_list_is_filtered_sorted_and_decided_about_at_once(page, address):
    open_page(page, address)
    to_frame(page, 10)
    rows = page.locator(".list .row")
    page.keyboard.press("w")
    pull(page, (198, 115), (252, 168))
    candidates(page)
    page.keyboard.press("Enter")
    wait_chip(page, "Accepted", 1)
    page.get_by_text("More filters").click()

    def only(name, value, number):
        page.locator(".filters").get_by_label(name).select_option(label=value)
        page.wait_for_function("n => document.querySelectorAll('.list .row').length === n", arg=number)
        page.get_by_role("button", name="Clear the filter").click()
        page.wait_for_function("document.querySelectorAll('.list .row').length === 8")

    only("Label", "mug (1)", 1)
    only("Label", "No label (1)", 1)
    only("Made by", "Model (1)", 1)
    only("Annotator", "anna (1)", 1)
    only("Track", "arm (1)", 1)
    page.get_by_label("Score from").fill("0.1")
    page.get_by_label("Score from").press("Enter")
    page.wait_for_function("document.querySelectorAll('.list .row').length === 1")
    page.get_by_label("Score from").fill("")
    page.get_by_label("Pixels to").fill("1000")
    page.get_by_label("Pixels to").press("Enter")
    page.wait_for_function("document.querySelectorAll('.list .row').length < 8")
    small = [one["record"] for one in masks_here(page, address) if one["record"]["area"] <= 1000]
    assert rows.count() == len(small) > 0

    # What the filter lets through is decided about, and no other.
    page.get_by_role("application").focus()
    page.keyboard.press("Control+Shift+r")
    proposed = sum(one["provenance"]["method"] != "sam_raw" for one in small)
    page.get_by_role("dialog", name=f"Reject {proposed} mask").get_by_role("button", name="Do it").click()
    wait_chip(page, "Rejected", proposed)
    page.get_by_role("button", name="Clear the filter").click()
    wait_chip(page, "Proposed", 7 - proposed)

    page.get_by_label("Sort").select_option("area")
    areas = {one["record"]["id"]: one["record"]["area"] for one in masks_here(page, address)}
    listed = [one.get_attribute("id").split("-")[-1] for one in rows.all()]
    assert [areas[one] for one in listed] == sorted((areas[one] for one in listed), reverse=True)
    page.get_by_label("Sort").select_option("uncertain")
    assert "raw" not in rows.first.inner_text()  # what nobody has an opinion of is as uncertain as can be

    # Several are named at once, by typing with completion and by a digit.
    rows.nth(0).click()
    rows.nth(1).click(modifiers=["Shift"])
    page.keyboard.press("l")
    page.keyboard.type("bot")
    page.locator(".label").get_by_role("option", name="bottle").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "[...document.querySelectorAll('.row .name')].filter(e => e.innerText.includes('bottle')).length >= 2"
    )
    page.keyboard.press("1")
    page.wait_for_function(
        "[...document.querySelectorAll('.row .name')].filter(e => e.innerText.includes('ball')).length >= 2"
    )
    wait_saved(page)


def test_next_unreviewed_goes_on_to_the_next_frame_and_back(page, address):
    open_page(page, address)
    to_frame(page, 12)
    page.keyboard.press("Control+Enter")
    page.get_by_role("dialog").get_by_role("button", name="Do it").click()
    wait_chip(page, "Accepted", 7)
    page.keyboard.press("n")
    page.locator(".frame", has_text="Frame 13").wait_for()
    page.locator(".row[aria-selected=true]").wait_for()
    page.wait_for_timeout(DOUBLE_CLICK_MS)
    page.keyboard.press("Shift+a")
    page.locator(".frame", has_text="Frame 11").wait_for()
