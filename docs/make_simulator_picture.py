"""Draw docs/pictures/simulator_report.jpg: the page of `maskwright check-sim`, as a browser shows it.

maskwright train scenes robots robots1 --count 24 --seed 1 --views 1
maskwright train scenes robots robots2 --count 24 --seed 2 --views 1
maskwright check-sim robots1 robots2
python docs/make_simulator_picture.py simulator-check/report.html [CHROMIUM]
"""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from playwright.sync_api import sync_playwright
from tiles import save

_WIDTH, _HEIGHT = 1280, 800
_TOP_PX, _FIGURES_PX, _SCALE = 405, 620, 0.8
_FIGURES = "h2:has-text('agrees least with')"


def main(report: Path, chromium: str = "/usr/bin/chromium") -> None:
    """Take the page's beginning, and the masks that the model agrees least with."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        top = _pixels(page.screenshot())[:_TOP_PX]
        page.locator(_FIGURES).evaluate("one => one.scrollIntoView()")
        figures = _pixels(page.screenshot())[:_FIGURES_PX]
        browser.close()
    both = PillowImage.fromarray(np.concatenate([top, figures]))
    size = round(both.width * _SCALE), round(both.height * _SCALE)
    save(np.asarray(both.resize(size, PillowImage.Resampling.LANCZOS)), "simulator_report.jpg")


def _pixels(png: bytes) -> np.ndarray:
    return np.asarray(PillowImage.open(io.BytesIO(png)).convert("RGB"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
