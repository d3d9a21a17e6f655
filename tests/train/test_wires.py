import math

import cv2
import numpy as np
import pytest
import torch

from maskwright.train.assets import AssetPack
from maskwright.train.dice import Dice
from maskwright.train.plan import SceneMix
from maskwright.train.scenes import paint_plans
from maskwright.train.wires import draw_wires, roll_curve

CPU = torch.device("cpu")
WIRES_ALONE = SceneMix(scenes=(("wires", 1.0),), glass=0, film=0, metal=0, grate=0)


def straight(turn: float, length: float) -> np.ndarray:
    along = np.array([math.cos(turn), math.sin(turn)]) * length / 2
    return np.array([64.3, 63.8]) + np.stack([-along, along])


@pytest.mark.parametrize("width", [1.0, 2.0, 3.0, 6.0, 10.0])
@pytest.mark.parametrize("turn", [0.0, 0.4, math.pi / 4, math.pi / 2])
def test_a_wire_is_as_wide_as_it_should_be(width: float, turn: float) -> None:
    long, short = (draw_wires([straight(turn, length)], [width], 128, CPU)[0] for length in (100, 40))

    assert float(long.sum() - short.sum()) / 60 == pytest.approx(width, rel=0.04, abs=0.15)


def test_wires_of_a_batch_stay_in_their_own_tiles() -> None:
    both, _ = draw_wires([straight(0, 60), straight(1, 90)], [2.0, 5.0], 128, CPU)
    alone, _ = draw_wires([straight(1, 90)], [5.0], 128, CPU)

    assert torch.equal(both[1:], alone)


def test_curves_keep_within_reach() -> None:
    for seed in range(40):
        curve = roll_curve(Dice(seed))
        assert np.isfinite(curve).all()
        assert float(np.abs(curve).max()) < 1.6


def test_the_mask_of_a_wire_that_nothing_hides_is_in_one_piece(pack: AssetPack) -> None:
    scenes, contents = paint_plans(Dice(2), pack, batch=6, side=256, max_objects=4, mix=WIRES_ALONE)
    assert scenes.occlusion is not None

    pieces = []
    for index, objects in enumerate(contents):
        for layer, slot in enumerate(objects):
            mask = (scenes.visible[index, layer] >= 0.5).numpy().astype(np.uint8)
            at_edge = mask[0].any() or mask[:, 0].any() or (scenes.extent[index] < 1).any()
            whole = getattr(slot, "kind", "") == "wire" and float(scenes.occlusion[index, layer]) < 0.001
            if whole and not at_edge and not mask[-1].any() and not mask[:, -1].any():
                pieces.append(cv2.connectedComponents(mask, connectivity=8)[0] - 1)

    assert pieces
    assert pieces == [1] * len(pieces)
