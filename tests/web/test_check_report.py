"""The page of `maskwright check-sim` in a browser: it needs nothing else, and fits the window."""

import re

import cv2
import numpy as np

import maskwright as mw
from maskwright.robot.simulator import RealismSettings
from maskwright.train.scene_folder import LabelledObject, LabelledScene, write_scene_folder
from maskwright.workflows.check_simulator import check_simulator, write_check

FEW = RealismSettings(least_masks=5, least_groups=5)


def scenes(root, seed, number=8):
    rng = np.random.default_rng(seed)
    with write_scene_folder(root, made_by={"by": "test"}) as writer:
        for _ in range(number):
            masks = np.zeros((60, 80), np.uint8)
            for index, (width, height) in enumerate(((20, 14), (3, 3)), start=1):
                x, y = rng.integers(0, 80 - width), rng.integers(0, 60 - height)
                masks[y : y + height, x : x + width] = index
            image = cv2.GaussianBlur(np.repeat((80 + 60 * masks)[:, :, None], 3, axis=2), (0, 0), 0.7)
            things = tuple(LabelledObject(index=at, name=name) for at, name in ((1, "cup"), (2, "nut")))
            writer.add(LabelledScene(image=image, masks=masks, objects=things))
    return str(root)


def test_the_page_opens_alone_and_fits(tmp_path, page):
    check = check_simulator(
        scenes(tmp_path / "a", 1), scenes(tmp_path / "b", 2), model=mw.load_model("test-sam"), settings=FEW
    )
    asked = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(write_check(check, tmp_path / "out").as_uri())

    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert page.locator("figure img").count() == len(check.worst) + len(check.realism.oddest)
    drawn = "Array.from(document.images, one => one.naturalWidth)"
    assert min(page.evaluate(drawn)) > 0
    assert re.search(r"All masks together: (realistic|in between|too few to tell|flagged)", page.inner_text("body"))
