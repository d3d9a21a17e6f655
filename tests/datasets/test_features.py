"""Which features a frame has, and which of them a format is told to lose."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from maskwright.core.record import Scores
from maskwright.datasets.features import features_of, tell_losses
from maskwright.datasets.formats import FEATURES
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.masks import area, box_xyxy, encode
from maskwright.testing.adapter_contract import plain_frame
from maskwright.testing.labelled_frames import labelled_frames


def _frame(*bitmaps: np.ndarray, **changes) -> LabelledFrame:
    one = plain_frame().masks[0]
    rles = [encode(bitmap) for bitmap in bitmaps]
    bare = replace(one.record, label=None, track=None)
    masks = [replace(one, record=replace(bare, rle=r, area=area(r), box_xyxy=box_xyxy(r), **changes)) for r in rles]
    return LabelledFrame(name="a.png", size_hw=bitmaps[0].shape, masks=tuple(masks))


RING = np.pad(np.pad(np.zeros((2, 2), bool), 2, constant_values=True), 2)
BAR = np.zeros((10, 10), bool)
BAR[0, 0:3] = True


def test_features_are_found_where_they_are() -> None:
    assert features_of(_frame(BAR)).keys() == {"provenance"}
    assert features_of(_frame(RING)).keys() == {"provenance", "holes"}
    assert features_of(_frame(RING | BAR)).keys() == {"provenance", "holes", "islands"}
    assert features_of(_frame(RING, BAR)).keys() == {"provenance", "holes"}
    assert features_of(_frame(BAR, BAR, label="x")).keys() == {"provenance", "overlaps", "labels"}
    assert features_of(_frame(BAR, scores=Scores(stability=0.0))).keys() == {"provenance", "scores"}
    assert features_of(replace(plain_frame(), masks=())).keys() == {"unlabelled frames"}


@settings(max_examples=25)
@given(frames=labelled_frames(max_frames=1))
def test_what_is_not_held_is_told_and_nothing_else(frames: list[LabelledFrame]) -> None:
    for frame in frames:
        present = features_of(frame)
        for holds in (frozenset(), frozenset(FEATURES), frozenset(["holes", "provenance"])):
            log = LossLog()
            tell_losses(frame, holds, log)

            told = {one.what: one.count for one in log.report().losses}
            assert told == {name: len(items) for name, items in present.items() if name not in holds}
