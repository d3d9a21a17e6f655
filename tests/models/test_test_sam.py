import json
import sys
from pathlib import Path

import numpy as np
import pytest

from maskwright.models import load_model
from maskwright.models.test_sam.model import fixed_tensor

GOLDEN = Path(__file__).parents[1] / "golden"
SIDECAR = json.loads((GOLDEN / "test_sam.json").read_text())


@pytest.fixture(scope="module")
def got():
    sys.path.insert(0, str(GOLDEN))
    try:
        from make_test_sam import outputs
    finally:
        sys.path.remove(str(GOLDEN))
    return outputs()


def test_outputs_are_the_golden_ones(got):
    with np.load(GOLDEN / "test_sam.npz") as expected:
        assert set(expected) == set(got)
        for name in expected:
            scale = np.abs(expected[name]).max()
            assert np.abs(got[name] - expected[name]).max() <= SIDECAR["tolerance"] * scale, name


def test_weights_are_the_same_everywhere():
    assert load_model("test-sam").checkpoint_sha256 == SIDECAR["checkpoint_sha256"]


def test_a_weight_depends_on_its_name_and_shape_alone():
    first = fixed_tensor("a.weight", (3, 4))

    assert np.array_equal(first, fixed_tensor("a.weight", (3, 4)))
    assert not np.array_equal(first, fixed_tensor("b.weight", (3, 4)))


def test_masks_and_scores_lie_where_filters_decide_something(got):
    assert np.abs(got["click.three.logits"]).max() > 10
    assert 0.5 < got["click.three.iou"].min() < got["click.three.iou"].max() < 1.2
    assert (got["click.three.logits"] > 0).any()
    assert (got["click.three.logits"] < 0).any()
