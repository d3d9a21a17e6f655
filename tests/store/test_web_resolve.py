"""The vectors that the review app's fold is held to are what this fold gives."""

import sys
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden"


def test_the_golden_vectors_of_the_review_app_are_what_the_fold_gives(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(GOLDEN), *sys.path])
    import make_web_resolve

    stored = make_web_resolve.PATH.read_text(encoding="utf-8")

    assert stored == make_web_resolve.text(), "run python tests/golden/make_web_resolve.py, and look at what changed"
