"""Notes of ours in other files: whole, about these pixels only, and refused when damaged."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from maskwright.core.errors import RecordError
from maskwright.datasets.json_files import dump_line
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.notes import frame_facts, frame_note, is_about, mask_from_note, mask_note
from maskwright.masks import encode
from maskwright.testing.adapter_contract import plain_frame
from maskwright.testing.labelled_frames import labelled_frames


@settings(max_examples=15)
@given(frames=labelled_frames(max_frames=2))
def test_a_note_and_the_pixels_are_the_record(frames: list[LabelledFrame]) -> None:
    for frame in frames:
        for mask in frame.masks:
            note = mask_note(mask)

            assert "counts" not in dump_line(note)
            assert mask_from_note(note, mask.record.rle) == mask
            assert is_about(note, mask.record.rle)
        facts = frame_facts(frame_note(frame, written_as="other.png"), name="other.png")
        assert facts == {"name": frame.name, "ref": frame.ref, "image_digest": frame.image_digest}


def test_a_note_is_not_about_other_pixels() -> None:
    note = mask_note(plain_frame().masks[0])

    assert not is_about(note, encode(np.ones((24, 32), bool)))
    assert not is_about(None, encode(np.ones((24, 32), bool)))


@pytest.mark.parametrize("note", [5, {}, {"record": []}, {"record": {}}, {"record": {"id": "x"}, "status": "odd"}])
def test_a_damaged_note_is_refused(note: Any) -> None:
    with pytest.raises(RecordError):
        mask_from_note(note, encode(np.ones((2, 2), bool)))


@pytest.mark.parametrize("note", [5, {"name": 3}, {"ref": {"dataset": 1}}, {"image_digest": []}])
def test_a_damaged_note_of_a_frame_is_refused(note: Any) -> None:
    with pytest.raises(RecordError):
        frame_facts(note, name="a.png")


def test_numbers_that_json_does_not_know_become_null() -> None:
    assert dump_line({"a": [float("nan"), 1.5, {"b": float("inf")}]}) == '{"a":[null,1.5,{"b":null}]}'
