"""What tests of the review application share: a store, the command that reviews it, a browser, and a page."""

import pytest

from maskwright.workflows.demo import make_demo
from review_app import CHROMIUM, WAIT_MS, free_port, reviewing


@pytest.fixture(scope="module")
def store_folder(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("review") / "demo").store


@pytest.fixture(scope="module")
def address(store_folder):
    """A review that the tests of a file share, each on frames of its own."""
    port = free_port()
    with reviewing(store_folder, port):
        yield f"http://127.0.0.1:{port}"


# Not for the session: playwright keeps an event loop running, and other files' tests begin their own.
@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the dev extra: pip install -e .[dev]")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def new_page(browser):
    """A page of a browser that nobody has used; at the end no page may have failed."""
    contexts, failures = [], []

    def opened(**given):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **given})
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert failures == []


@pytest.fixture
def page(new_page):
    return new_page()
