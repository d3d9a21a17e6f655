"""Flags of a store: from depth into a queue, and into the audit."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from maskwright.cli.flag import app
from maskwright.core.errors import DuplicateRecord, ImageError, InputError
from maskwright.masks import area, box_xyxy, encode
from maskwright.review.named_queues import read_queue, write_queue
from maskwright.store import SeenFrame, create_store
from maskwright.testing.store_values import make_record, make_ref
from maskwright.workflows.audit import audit_store
from maskwright.workflows.flag_masks import flag_masks

SIZE_HW = (60, 80)


def _store(root: Path) -> Path:
    """One frame with a wire, and a window on which depth fails."""
    ref = make_ref(0)
    wire, window = np.zeros((2, *SIZE_HW), bool)
    wire[:, 5:8], window[10:40, 30:60] = True, True
    records = [
        replace(make_record(ref), rle=encode(one), box_xyxy=box_xyxy(encode(one)), area=area(encode(one)))
        for one in (wire, window)
    ]
    frame = SeenFrame(name="000000.jpg", size_hw=SIZE_HW, ref=ref, image_digest=records[0].image_digest)
    with create_store(root / "store") as store:
        store.put(records, frames=[frame])
    return root / "store"


def _depth(root: Path, millimetres: np.ndarray) -> Path:
    (root / "depth").mkdir()
    cv2.imwrite(str(root / "depth" / "000000.png"), millimetres.astype(np.uint16))
    return root / "depth"


def _failing() -> np.ndarray:
    millimetres = np.full(SIZE_HW, 900)
    millimetres[15:38, 32:58] = 0
    return millimetres


def test_flags_make_a_queue_with_reasons_and_notes_of_the_audit(tmp_path: Path):
    store, depth = _store(tmp_path), _depth(tmp_path, _failing())

    done = flag_masks(store, depth=depth)
    again = flag_masks(store, depth=depth)

    assert done.counts["thin"] == done.counts["see_through"] == 1
    assert done.num_with_depth == 1
    assert again.counts == done.counts
    reasons = [one.reasons for one in read_queue(store, "hard").entries]
    assert any("no sound depth" in text for told in reasons for text in told)
    notes = {one.check: one for one in audit_store(store).findings if one.check.startswith("flag")}
    assert notes["flag see through"].count == 1
    assert notes["flag thin"].severity == "note"


def test_without_depth_only_thin_ones_are_told_and_that_is_said(tmp_path: Path):
    done = flag_masks(_store(tmp_path))

    assert done.counts == {"thin": 1, "see_through": 0, "occluded": 0, "texture": 0}
    assert any("without depth" in line for line in done.lines())


def test_depth_that_does_not_fit_is_refused(tmp_path: Path):
    store = _store(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        flag_masks(store, depth=tmp_path / "none")
    depth = _depth(tmp_path, np.full((30, 40), 900))

    with pytest.raises(ImageError, match=r"000000\.png"):
        flag_masks(store, depth=depth)
    (depth / "000000.png").rename(depth / "other.png")
    with pytest.raises(InputError, match="named as the frames"):
        flag_masks(store, depth=depth)


def test_a_queue_of_other_masks_is_not_replaced(tmp_path: Path):
    store = _store(tmp_path)
    flag_masks(store)
    write_queue(store, replace(read_queue(store, "hard"), about="picked by hand"))

    with pytest.raises(DuplicateRecord, match="--name"):
        flag_masks(store)


def test_the_command_tells_what_it_found(tmp_path: Path):
    store, depth = _store(tmp_path), _depth(tmp_path, _failing())

    run = CliRunner().invoke(app, [str(store), "--depth", str(depth)])
    wrong = CliRunner().invoke(app, [str(store), "--unit", "feet"])

    assert run.exit_code == 0
    assert "2 of 2 masks flagged; 1 of 1 frames have depth" in run.output
    assert wrong.exit_code == 2
