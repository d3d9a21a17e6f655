"""Several people at one store: queues, second looks, disagreements, comments, roles, dashboard, exports, audits."""

import re
import zipfile
from dataclasses import dataclass, replace

import pytest

from maskwright.core import ModelRef, Scores, new_id
from maskwright.datasets.formats import find_format
from maskwright.datasets.loss_report import LossLog
from maskwright.review import AgreementBook
from maskwright.serve.tokens import add_token
from maskwright.store import Query, open_store
from review_app import free_port, needs_chromium, place, reviewing, wait_chip, wait_saved

pytestmark = needs_chromium
SCOPES = {"anna": "annotate", "bob": "annotate", "ria": "review", "vera": "read"}


@dataclass(frozen=True)
class Team:
    """A review that takes tokens, and the sign-in link of each."""

    address: str
    links: dict[str, str]


@pytest.fixture(scope="module")
def team(store_folder, tmp_path_factory):
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.jsonl"
    with open_store(store_folder) as store:
        store.put(list(proposals(store)))
    secrets = {name: add_token(tokens, name, scope) for name, scope in SCOPES.items()}
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with reviewing(store_folder, port, "--token-file", str(tokens)):
        yield Team(address, {name: f"{address}/#token={secret}" for name, secret in secrets.items()})


def proposals(store):
    """Masks of the last frame once more, as a model would have drawn them: nobody has verified these."""
    masks = list(store.query())
    model = ModelRef(name="tiny", family="tiny", checkpoint_sha256="ab" * 32)
    for one in masks:
        if one.record.frame == masks[-1].record.frame:
            provenance = replace(one.record.provenance, method="sam_raw", model=model)
            yield replace(one.record, id=new_id(), provenance=provenance, scores=Scores(predicted_iou=0.5))


def sign_in(page, team, name):
    page.goto(team.links[name])
    page.locator("[role=option]").first.wait_for()
    page.locator(".actor", has_text=name).first.wait_for()
    return page


def queue(page, name):
    """Begin a queue from the list of queues."""
    if not page.get_by_role("tab", name="Queues", selected=True).is_visible():
        page.get_by_role("tab", name="Queues").click()
    page.get_by_role("button", name=f"Begin: {name}").click()
    page.locator(".bar .left").wait_for()
    page.locator(".hand button.strong", has_text=re.compile("Accept|Done")).wait_for()  # its first mask is there


def left(page):
    found = page.locator(".bar .left").inner_text().split()[0]
    return 0 if found == "none" else int(found.replace(",", ""))


def wait_left(page, number):
    page.locator(".bar .left", has_text=f"{number:,} left" if number else "none left").wait_for()


def mask_of(page):
    return re.search(r"mask=([^&]+)", page.url)[1]


def test_a_queue_is_walked_left_and_come_back_to_and_what_is_said_is_seen_by_another(new_page, team, store_folder):
    page = sign_in(new_page(), team, "anna")
    assert "token" not in page.url
    queue(page, "Least sure first")
    whole = left(page)
    page.keyboard.press("Enter")
    wait_left(page, whole - 1)
    page.keyboard.press("s")
    wait_left(page, whole - 2)
    page.wait_for_url(lambda url: all(word in url for word in ("queue=uncertain", "after=", "mask=")))
    page.wait_for_timeout(500)
    here = mask_of(page)

    page.get_by_role("tab", name="Masks").click()
    page.keyboard.press("Shift+T")
    page.get_by_role("dialog").get_by_role("textbox").fill("is <b>this</b> a cup?")
    page.keyboard.press("Enter")
    page.locator(".row b", has_text="1").wait_for()
    wait_saved(page)
    page.reload()
    wait_left(page, whole - 2)
    page.wait_for_url(f"**mask={here}**")

    other = sign_in(new_page(), team, "bob")
    other.goto(page.url)
    other.locator(".row b", has_text="1").wait_for()
    other.keyboard.press("u")
    said = other.get_by_role("region", name="Comments")
    said.get_by_text("is <b>this</b> a cup?", exact=True).wait_for()
    assert "by anna" in said.inner_text()
    other.get_by_text("Licence of the model").wait_for()
    page.get_by_role("button", name="Leave the queue").click()
    page.get_by_role("region", name=re.compile("^Queue")).wait_for(state="detached")
    page.wait_for_url(lambda url: "queue=" not in url)
    with open_store(store_folder, read_only=True) as store:
        assert [one.text for one in store.record(here).comments] == ["is <b>this</b> a cup?"]


def test_a_second_look_is_compared_and_a_reviewer_settles_what_two_see_differently(new_page, team, store_folder):
    anna = sign_in(new_page(), team, "anna")
    anna.keyboard.press("d")
    anna.locator(".frame", has_text="Frame 2").wait_for()
    anna.locator("[role=option]").nth(3).wait_for()
    for _ in range(3):
        anna.keyboard.press("n")
        anna.keyboard.press("Enter")
    wait_chip(anna, "Accepted", 3)
    wait_saved(anna)

    bob = sign_in(new_page(), team, "bob")
    queue(bob, "Second look")
    whole = left(bob)
    bob.locator(".bar", has_text="anna accepted it").wait_for()
    bob.keyboard.press("Enter")
    bob.get_by_text("You and anna: IoU 1.00, the same").wait_for()
    wait_left(bob, whole - 1)
    bob.keyboard.press("Shift+R")
    bob.get_by_role("dialog").get_by_role("textbox").fill("that is no arm")
    bob.keyboard.press("Enter")
    bob.get_by_text("You and anna: IoU 0.00, one rejected it").wait_for()
    wait_left(bob, whole - 2)
    bob.get_by_role("button", name="Leave the queue").click()
    bob.get_by_label("Blind").check()
    queue(bob, "Second look")
    bob.locator(".hand", has_text="Correcting").wait_for()
    bob.get_by_role("tab", name="Masks").click()
    bob.locator("[role=option][aria-selected=true] .status", has_text="?").wait_for()
    bob.keyboard.press("w")
    bob.mouse.move(*place(bob, 0.4, 0.4))
    bob.mouse.down()
    bob.mouse.move(*place(bob, 0.55, 0.6), steps=3)
    bob.mouse.up()
    bob.locator(".candidates").wait_for()
    bob.keyboard.press("Enter")
    bob.locator(".look", has_text="other pixels").wait_for()
    wait_saved(bob)

    ria = sign_in(new_page(), team, "ria")
    ria.keyboard.press("Control+Alt+d")
    pairs = ria.get_by_role("navigation", name="Differences").get_by_role("listitem")
    pairs.nth(1).wait_for()
    assert pairs.count() == 2
    ria.get_by_role("img", name="The mask as anna and as bob see it, over the picture").wait_for()
    ria.get_by_text("rejected it", exact=True).wait_for()
    ria.keyboard.press("1")
    pairs.nth(0).get_by_text("Settled").wait_for()
    ria.get_by_role("button", name="Take bob's").wait_for()
    ria.locator("article", has_text="bob").get_by_text("rejected it").wait_for(state="detached")
    ria.keyboard.press("2")
    pairs.nth(1).get_by_text("Settled").wait_for()
    ria.locator(".page .sync", has_text="Saved").wait_for()
    ria.reload()
    ria.get_by_text("Nobody disagrees about anything that is not settled").wait_for()

    with open_store(store_folder, read_only=True) as store:
        compared = AgreementBook(store.pages()).agreement().comparisons
        settled = {one.record_id for one in compared if one.settled_by == "ria"}
        assert len(settled) == 2
        assert {store.record(one).status for one in settled} == {"accepted"}
        assert {store.record(one).verified_by for one in settled} == {"ria"}


def test_the_dashboard_tells_how_far_it_is_exports_and_audits(new_page, team, store_folder, tmp_path):
    page = sign_in(new_page(), team, "ria")
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    wait_saved(page)
    page.get_by_role("button", name="Dashboard").click()
    page.get_by_role("img", name=re.compile(r"Accepted \d+, Rejected \d+, Proposed \d+")).first.wait_for()
    with open_store(store_folder, read_only=True) as store:
        num_accepted = store.count(Query(status="accepted"))
        decided = num_accepted + store.count(Query(status="rejected"))
    assert f"{decided} / " in page.locator(".tiles").inner_text()
    page.wait_for_url("**view=dashboard**")

    exports = page.get_by_role("region", name="Export")
    exports.get_by_role("combobox").select_option("coco")
    exports.get_by_role("button", name="Export", exact=True).click()
    with page.expect_download() as begun:
        exports.get_by_role("button", name="Download").click()
    with zipfile.ZipFile(begun.value.path()) as archive:
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    frames = list(find_format("coco").read(folder, log=LossLog()))
    assert sum(len(frame.masks) for frame in frames) == num_accepted > 0

    audits = page.get_by_role("region", name="Audit")
    audits.get_by_role("button", name="Run the audit").click()
    finding = audits.get_by_role("listitem").filter(has_text="no person has verified")
    example = finding.get_by_role("button").first
    record_id = example.inner_text().split()[0]
    example.click()
    page.wait_for_url(lambda url: f"mask={record_id}" in url and "view=" not in url)
    page.locator("[role=option][aria-selected=true]").wait_for()


def test_each_role_is_offered_what_it_may_do_and_told_why_not(new_page, team):
    anna = sign_in(new_page(), team, "anna")
    anna.get_by_role("tab", name="Queues").click()
    disagreed = anna.get_by_role("button", name="Begin: Disagreements")
    disagreed.wait_for()
    assert disagreed.is_disabled()
    assert disagreed.get_attribute("title") == "For the role reviewer; you are annotator"
    anna.keyboard.press("Control+Alt+d")
    anna.keyboard.press("Control+Shift+d")
    anna.get_by_role("region", name="Audit").wait_for()
    assert anna.get_by_role("button", name="Run the audit").is_disabled()
    assert anna.get_by_role("button", name="Export", exact=True).is_enabled()
    anna.get_by_text("Your own pace").wait_for()
    anna.keyboard.press("Escape")
    anna.get_by_role("region", name="Audit").wait_for(state="detached")

    vera = sign_in(new_page(), team, "vera")
    brush = vera.get_by_role("toolbar").get_by_role("button", name=re.compile("^Brush"))
    assert brush.is_disabled()
    assert brush.get_attribute("title") == "For the role annotator; you are viewer"
    vera.keyboard.press("n")
    vera.locator("[role=option][aria-selected=true]").wait_for()
    before = vera.locator(".chip", has_text="Accepted").inner_text()
    vera.keyboard.press("Enter")
    vera.mouse.click(*place(vera, 0.5, 0.5))
    vera.wait_for_timeout(300)
    assert vera.locator(".chip", has_text="Accepted").inner_text() == before
    assert vera.locator(".candidates").count() == 0

    stranger = new_page()
    stranger.goto(f"{team.address}/#token=mw_wrong")
    stranger.get_by_role("heading", name="Sign in").wait_for()
