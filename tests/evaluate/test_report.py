"""The page, its pictures, and the JSON beside it."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from maskwright.evaluate import (
    Answer,
    BoxFill,
    Case,
    Dataset,
    TrueObject,
    evaluate,
    html_report,
    results_json,
    summarise,
)
from maskwright.evaluate.case_pictures import ANSWER_RGB, TRUTH_RGB, draw_case
from maskwright.masks import encode
from scripted_segmenter import Scripted, bitmap

MakeDataset = Callable[..., Dataset]
HALF = encode(bitmap((slice(10, 30), slice(10, 20))))


class _Page(HTMLParser):
    """Collects what a browser would load, and which tags were opened and closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.open_tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for key, value in attrs if key in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag


def _report(dataset: MakeDataset, **named: str) -> str:
    square = TrueObject(key=named.get("key", "square"), mask=encode(bitmap((slice(10, 30), slice(10, 30)))))
    scripted = Scripted(
        name=named.get("name", "scripted"),
        can=frozenset({"box", "click"}),
        box=Answer(mask=HALF, predicted_iou=0.7),
        clicks=[Answer(mask=HALF, predicted_iou=0.6)],
    )
    data = dataset(square, num_pictures=3)
    evaluation = evaluate([scripted, BoxFill()], data, tasks=["box", "noc"])
    return html_report(evaluation, summarise(evaluation), data, {"command": "maskwright evaluate", "models": []})


def test_the_page_needs_nothing_else_and_is_well_formed(dataset: MakeDataset) -> None:
    text = _report(dataset)

    page = _Page(text)

    assert page.open_tags == []
    assert page.loaded
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.loaded)
    assert "<script" not in text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium on this machine")
def test_a_browser_draws_the_page(dataset: MakeDataset, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(_report(dataset))
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=1200,3600",
        "--force-device-scale-factor=1",
    )

    subprocess.run(
        ["chromium", *options, f"--user-data-dir={tmp_path}", "--screenshot=shot.png", "report.html"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=120,
    )

    drawn = cv2.imread(str(tmp_path / "shot.png"))
    assert drawn is not None
    assert drawn.shape == (3600, 1200, 3)
    for colour in (TRUTH_RGB, ANSWER_RGB):  # both outlines, and so the pictures of the cases
        off = np.abs(drawn[..., ::-1].astype(int) - colour).max(-1)
        assert (off < 40).sum() > 100


def test_the_page_holds_scores_slices_curves_and_cases(dataset: MakeDataset) -> None:
    text = _report(dataset)

    for heading in ("Scores", "Curves", "Slices", "Worst and best answers", "How this was made"):
        assert f"<h2>{heading}</h2>" in text
    assert text.count("<svg") == 2
    assert text.count("<figcaption>IoU 0.50, believed 0.70") == 3
    assert "NoC@85" in text
    assert "maskwright evaluate" in text


def test_what_another_answered_better_than_the_baseline_is_drawn_beside_it(dataset: MakeDataset) -> None:
    square = TrueObject(key="square", mask=encode(bitmap((slice(10, 30), slice(10, 30)))))
    data = dataset(square, num_pictures=3)
    weak = Scripted(name="weak", can=frozenset({"box"}), box=Answer(mask=HALF, predicted_iou=0.7))
    evaluation = evaluate([weak, BoxFill()], data, tasks=["box"])

    text = html_report(evaluation, summarise(evaluation), data, {}, baseline="weak")

    assert len(evaluation.changes) == 3
    assert all(one.before.segmenter == "weak" and one.gain > 0.4 for one in evaluation.changes)
    assert text.count('<div class="pair"><p>+0.50</p>') == 3
    assert "What changed most" not in html_report(evaluation, summarise(evaluation), data, {})


def test_names_are_escaped(dataset: MakeDataset) -> None:
    text = _report(dataset, key="<b>&", name='m"<i>')

    assert "<b>&" not in text
    assert "&lt;b&gt;&amp;" in text
    assert "<i>" not in text


def test_pictures_of_cases_can_be_decoded(dataset: MakeDataset) -> None:
    found = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", _report(dataset))

    for text in found:
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert max(picture.shape) == 400


def _near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(picture.astype(int) - colour).max(-1) < 40


def test_a_case_shows_both_outlines_where_they_are(dataset: MakeDataset) -> None:
    truth = encode(bitmap((slice(10, 30), slice(5, 25))))
    answer = encode(bitmap((slice(10, 30), slice(35, 55))))
    case = Case(segmenter="s", kind="click", index=0, asked="a", truth=truth, answer=answer, iou=0.0)

    drawn = draw_case(case, dataset()[0].image)

    middle = drawn.shape[1] // 2
    assert _near(drawn, TRUTH_RGB)[:, :middle].any()
    assert not _near(drawn, TRUTH_RGB)[:, middle:].any()
    assert _near(drawn, ANSWER_RGB)[:, middle:].any()
    assert not _near(drawn, ANSWER_RGB)[:, :middle].any()


def test_results_survive_json_and_name_what_they_mean(dataset: MakeDataset, square: TrueObject) -> None:
    segmenter = Scripted(box=Answer(mask=HALF, predicted_iou=0.7), can=frozenset({"box"}))
    evaluation = evaluate([segmenter, BoxFill()], dataset(square), tasks=["box"])

    results = json.loads(json.dumps(results_json(evaluation, summarise(evaluation), {"command": "x"})))

    assert results["format"] == "maskwright-evaluation-1"
    assert results["data"] == {"name": "constructed", "num_pictures": 1, "num_objects": 1}
    scripted, filled = results["segmenters"]
    assert set(results["meaning"]) == set(scripted["scores"]) == set(filled["scores"])
    assert scripted["scores"]["box"] == 0.5
    assert scripted["calibration"] == [{"num_answers": 2, "predicted": 0.7, "reached": 0.5}]
    assert filled["scores"]["belief error"] is None
    assert scripted["slices"][0]["bucket"] == "above 10 %"
