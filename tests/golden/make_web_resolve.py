"""Write web_resolve.json: sequences of review events and the records that they come to, for the review app's own fold.

Run by hand, when the fold is meant to change: python tests/golden/make_web_resolve.py
Tests compare: were the browser's fold another, it would show another record than the store has.
"""

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.core import (
    Accept,
    Action,
    Comment,
    Edit,
    MaskRecord,
    Merge,
    Reject,
    Relabel,
    Reparent,
    Retrack,
    Revert,
    ReviewEvent,
    Split,
    to_json,
)
from maskwright.core.rle import RLE
from maskwright.masks import area, box_xyxy, encode
from maskwright.serve.store_tags import tag_after
from maskwright.store.resolve import resolve
from maskwright.testing.store_values import START, make_record, rectangle

PATH = Path(__file__).parent / "web_resolve.json"
RECORDS = ("a", "b", "c")
NUM_CASES, MOST_EVENTS = 60, 14


def content() -> dict[str, Any]:
    """Make the whole file's content; the same each time."""
    chance = random.Random(20260131)
    pixels = masks(np.random.default_rng(7))
    records = [make_record(id=name, track=None, parent=None) for name in RECORDS]
    return {
        "masks": [{"rle": to_json(rle), "area": area(rle), "box_xyxy": to_json(box_xyxy(rle))} for rle in pixels],
        "records": [to_json(record) for record in records],
        "cases": [case(records, events(chance, pixels)) for _ in range(NUM_CASES)],
    }


def masks(noise: np.random.Generator) -> list[RLE]:
    """Rectangles, nothing, everything, noise, and one whose run lengths need many characters."""
    wide = np.zeros((300, 4000), bool)
    wide[17:290, 3990:] = True
    drawn = [np.zeros((5, 7), bool), np.ones((5, 7), bool), wide, *(noise.random((9, 11)) < 0.4 for _ in range(4))]
    return [rectangle(0, 0, 2, 1), rectangle(3, 4, 11, 9), rectangle(5, 0, 6, 12), *map(encode, drawn)]


def events(chance: random.Random, pixels: list[RLE]) -> list[ReviewEvent]:
    """A random life of three records. Clocks run unevenly, and some moments have no microseconds."""
    found: list[ReviewEvent] = []
    for index in range(chance.randint(0, MOST_EVENTS)):
        at = START.replace(microsecond=chance.choice([0, 1, 450_000, 999_999])) + timedelta(
            seconds=chance.randint(0, 99)
        )
        name = chance.choice(RECORDS)
        found.append(
            ReviewEvent(
                id=f"e{index}",
                record_id=name,
                actor=chance.choice(["ann", "bob"]),
                at=at,
                action=action(chance, name, found, pixels),
            )
        )
    return found


def action(chance: random.Random, name: str, before: list[ReviewEvent], pixels: list[RLE]) -> Action:
    """Something to do with a record; often to take something back."""
    others = tuple(chance.sample([one for one in RECORDS if one != name], k=chance.randint(1, 2)))
    options: list[Action] = [
        Accept(),
        Reject(chance.choice([None, "blurred"])),
        Edit(chance.choice(pixels[:3])),
        Relabel(chance.choice([None, "cup", "lid"])),
        Retrack(chance.choice([None, "track 2"])),
        Reparent(chance.choice([None, others[0]])),
        Merge(others),
        Split(others),
        Comment(chance.choice(["why?", "<b>not</b> a cup"])),
    ]
    if before and chance.random() < 0.4:
        return Revert(chance.choice(before).id)
    return chance.choice(options)


def case(records: list[MaskRecord], life: list[ReviewEvent]) -> dict[str, Any]:
    """One life and what each record is after it; of the record itself only what events can change."""
    return {"events": [to_json(event) for event in life], "resolved": [outcome(one, life) for one in records]}


def outcome(record: MaskRecord, life: list[ReviewEvent]) -> dict[str, Any]:
    """What a record is after a life."""
    written: Any = to_json(resolve(record, life))
    changing = {name: written["record"][name] for name in ("rle", "box_xyxy", "area", "label", "track", "parent")}
    return {**written, "record": changing, "etag": tag_after(record.id, life)}


def text() -> str:
    """The file's text: one case a line, so that a change shows which."""
    made = content()
    cases = ",\n".join(json.dumps(one, ensure_ascii=False) for one in made["cases"])
    head = json.dumps({"masks": made["masks"], "records": made["records"]}, ensure_ascii=False)
    return f'{head[:-1]}, "cases": [\n{cases}\n]}}\n'


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
