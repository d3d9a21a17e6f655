"""Habits of hands: the keyboard alone, shortcuts of one's own, presets, contrast, names for those who do not see."""

import json
from pathlib import Path

import pytest

from review_app import masks_here, needs_chromium, open_page, pull, to_frame, wait_chip, wait_saved

pytestmark = needs_chromium

# The numbers under the small frames are no names that anybody says.
RUN_AXE = """(async () => [
  ...(await axe.run(document, {rules: {'label-content-name-mismatch': {enabled: false}}})).violations,
  ...(await axe.run({exclude: ['nav']}, {runOnly: ['label-content-name-mismatch']})).violations,
])()"""
AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def steps(page, right, down):
    """Move the pointer by keys, in steps of ten pixels of the screen."""
    for key, number in (("ArrowRight", right), ("ArrowLeft", -right), ("ArrowDown", down), ("ArrowUp", -down)):
        press(page, *[key] * max(number, 0))


def focused(page):
    """What has the keyboard: its role or element, and its name."""
    return page.evaluate(
        "(e => [e.getAttribute('role') ?? e.tagName, e.ariaLabel ?? e.innerText ?? ''])(document.activeElement)"
    )


def test_a_mask_is_made_with_the_keyboard_alone(page, address):
    page.goto(address)
    page.wait_for_selector("[role=option]")
    press(page, "i")
    page.locator(".pointing", has_text="Arrow keys move the pointer").wait_for()
    steps(page, -10, 11)  # from the middle to the mug
    press(page, "Shift+ArrowLeft", "Shift+ArrowUp", "Space")
    page.locator(".candidates").wait_for()
    steps(page, 28, 0)
    press(page, "Shift+Space")  # not the carton
    page.locator(".hand header", has_text="at work").wait_for(state="detached")
    press(page, "6", "Enter")
    wait_chip(page, "Accepted", 1)
    wait_saved(page)
    (made,) = [one["record"] for one in masks_here(page, address) if one["record"]["provenance"]["actor"] == "anna"]
    points = made["provenance"]["prompt"]
    points = points.get("parts", [points])[0]
    assert points["labels"] == [1, 0]
    assert made["label"] == "mug"
    x1, y1, x2, y2 = made["box_xyxy"]
    assert x1 < 122 < x2
    assert y1 < 162 < y2

    # What a mouse drags goes from one press to the next: a box, then a stroke.
    press(page, "w")
    steps(page, -4, -6)
    press(page, "Space")
    steps(page, 12, 17)
    press(page, "Space")
    page.locator(".candidates").wait_for()
    press(page, "Escape", "b", "Space")
    steps(page, 0, -8)
    press(page, "Space", "Enter")
    wait_chip(page, "Accepted", 2)
    # A polygon is closed with Enter.
    press(page, "p")
    for right, down in ((0, 0), (8, 0), (0, 8)):
        steps(page, right, down)
        press(page, "Space")
    press(page, "Enter", "Enter")
    wait_chip(page, "Accepted", 3)
    press(page, "i")
    page.locator(".pointing").wait_for(state="detached")
    press(page, "ArrowRight")  # is the next frame again
    page.locator(".frame", has_text="Frame 2").wait_for()
    wait_saved(page)


def test_every_part_of_the_page_is_reached_by_keys_and_messages_are_closed(page, address):
    open_page(page, address)
    to_frame(page, 3)
    reached = []
    press(page, "F6")
    while len(reached) < 2 or focused(page)[0] != "application":
        reached.append(focused(page)[0])
        assert len(reached) < 10
        press(page, "F6")
    assert reached[0] == "application"
    assert len(set(reached)) > 1
    press(page, "F6")
    assert "Click" in focused(page)[1]
    press(page, "Tab", "Enter")  # the box tool, by its button
    page.locator(".tools [aria-pressed=true]", has_text="Box").wait_for()
    press(page, "b")  # other keys mean the same wherever the keyboard is
    page.locator(".tools [aria-pressed=true]", has_text="Brush").wait_for()
    press(page, "Shift+F6")
    assert focused(page)[0] == "application"

    page.context.set_offline(True)
    press(page, "t")
    page.get_by_role("dialog").get_by_role("textbox").fill("a mug")
    press(page, "Enter")
    page.get_by_role("alert").filter(has=page.get_by_role("button", name="Close")).wait_for()
    press(page, "Escape")
    page.get_by_role("alert").filter(has=page.get_by_role("button", name="Close")).wait_for(state="detached")
    page.context.set_offline(False)


def test_keys_are_bound_anew_and_a_key_that_was_taken_says_from_whom(page, address):
    open_page(page, address)
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Shortcuts")
    dialog.get_by_role("button", name="Add a key for Skip").click()
    press(page, "d")
    dialog.get_by_role("status").filter(has_text="Taken from Next frame").wait_for()
    dialog.get_by_role("button", name="Add a key for Next frame", exact=True).click()
    press(page, "Escape")  # no key, after all
    assert dialog.is_visible()
    dialog.get_by_role("button", name="Remove S from Skip").click()
    press(page, "Escape")
    dialog.wait_for(state="detached")
    press(page, "n", "d")
    page.wait_for_function("document.querySelector('.row[aria-selected=true]') !== document.querySelector('.row')")
    assert "Frame 1" in page.locator(".frame").inner_text()

    page.reload()
    page.wait_for_selector("[role=option]")
    press(page, "?")
    page.get_by_role("button", name="Remove D from Skip").wait_for()
    page.get_by_role("button", name="Reset all keys").click()
    page.get_by_role("button", name="Remove D from Next frame").wait_for()
    page.get_by_role("button", name="Remove S from Skip").wait_for()
    press(page, "?")
    dialog.wait_for(state="detached")
    press(page, "d")
    page.locator(".frame", has_text="Frame 2").wait_for()


# What hands expect of each tool, as far as we have the action: key, and what shows that it was done.
HANDS = {
    "cvat": [
        "f>Frame 2",
        "d>Frame 1",
        "v>Frame 11",
        "c>Frame 1",
        "Tab>selected",
        "Control+3>bottle",
        "b>Brush",
        "stroke>",
        "Shift>stays",
        "F1>Shortcuts",
    ],
    "label_studio": [
        *("Alt+ArrowRight>Frame 2", "Alt+ArrowLeft>Frame 1", "Alt+.>selected", "3>bottle", "Control+Space>selected"),
        *("b>Brush", "e>Eraser", "p>Polygon", "Control+h>hidden"),
    ],
    "x_anylabeling": ["d>Frame 2", "a>Frame 1", "Tab>selected", "p>Polygon", "Shift+b>Brush", "q>Click", "s>hidden"],
}


@pytest.mark.parametrize("hand", HANDS)
def test_hands_from_other_tools_find_their_keys(page, address, hand):
    open_page(page, address)
    press(page, "?")
    page.get_by_role("dialog", name="Shortcuts").get_by_role("combobox").select_option(hand)
    press(page, "Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    for wanted in HANDS[hand]:
        key, _, shows = wanted.partition(">")
        if key == "stroke":
            pull(page, (200, 30), (240, 30))
            continue
        before = page.get_by_role("application").screenshot() if shows == "hidden" else b""
        press(page, key)
        if shows == "hidden":
            page.wait_for_timeout(200)
            assert page.get_by_role("application").screenshot() != before
        if shows.startswith("Frame"):
            page.locator(".frame", has_text=shows).wait_for()
            page.wait_for_selector("[role=option]")
        elif shows == "selected":
            page.locator(".row[aria-selected=true]").wait_for()
        elif shows == "bottle":
            page.locator(".row[aria-selected=true]", has_text="bottle").wait_for()
            press(page, "Control+z")
        elif shows in ("Brush", "Eraser", "Polygon", "Click"):
            page.locator(".tools [aria-pressed=true]", has_text=shows).wait_for()
        elif shows == "Shortcuts":
            page.get_by_role("dialog", name="Shortcuts").wait_for()
        elif shows == "stays":
            page.wait_for_timeout(200)
            page.locator(".hand", has_text="New mask").wait_for()
            press(page, "Escape")
    wait_saved(page)


def test_a_reload_right_after_a_key_is_where_one_was(page, address):
    open_page(page, address)
    press(page, "d", "n")
    page.locator(".row[aria-selected=true]").wait_for()
    row = page.locator(".row[aria-selected=true] .name").inner_text()
    press(page, "p")
    page.reload()

    page.locator(".row[aria-selected=true]", has_text=row).wait_for()
    assert "Frame 2" in page.locator(".frame").inner_text()
    page.locator(".tools [aria-pressed=true]", has_text="Polygon").wait_for()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_names_roles_and_contrast_are_as_they_should_be(new_page, address, scheme):
    if not AXE.exists():
        pytest.skip("checks with axe-core need what `npm ci` in web/ brings")
    page = new_page(color_scheme=scheme)
    open_page(page, address)
    page.add_init_script(path=AXE)
    page.reload()
    page.wait_for_selector("[role=option]")
    press(page, "n")
    found = {}

    def check(where):
        page.wait_for_timeout(100)
        for one in page.evaluate(RUN_AXE):
            for node in one["nodes"]:
                found.setdefault(f"{one['id']}: {node['html'][:160]}", f"{where}: {node['failureSummary']}")

    check("one selected")
    press(page, "f", "b")
    check("in hand")
    press(page, "Escape", "u")
    check("history")
    press(page, "Shift+Q")
    page.get_by_role("button", name="Begin: Least sure first").wait_for()
    check("queues")
    page.get_by_role("button", name="Begin: Least sure first").click()
    page.locator(".bar .left").wait_for()
    check("a queue")
    press(page, "Control+Shift+d")
    page.get_by_role("region", name="Export").wait_for()
    check("dashboard")
    press(page, "Control+Alt+d")
    page.get_by_role("region", name="Disagreements").get_by_role("status").last.wait_for()
    check("disagreements")
    press(page, "Escape")
    page.get_by_role("region", name="Disagreements").wait_for(state="detached")
    press(page, "?")
    page.get_by_role("dialog", name="Shortcuts").wait_for()
    check("shortcuts")
    assert found == {}, json.dumps(found, indent=1)
