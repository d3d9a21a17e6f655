from dataclasses import replace

import numpy as np
import pytest

from maskwright.core import PointPrompt
from maskwright.core.errors import PromptError
from maskwright.masks import decode, encode
from maskwright.predict import PromptTree, embed, predict, to_records
from maskwright.predict.hierarchy import CLIP_TO_PARENT, _best_inside


@pytest.fixture
def record(model, image):
    return to_records(predict(model, embed(model, image), [PointPrompt([(20, 30)])]))[0]


def with_mask(record, rows, columns, record_id):
    mask = np.zeros(record.rle.size_hw, bool)
    mask[rows, columns] = True
    return replace(record, id=record_id, rle=encode(mask), area=int(mask.sum()))


def test_a_part_is_clipped_to_its_parent_and_linked_to_it(record):
    whole = with_mask(record, slice(0, 20), slice(0, 20), "whole")
    part = with_mask(record, slice(10, 24), slice(5, 15), "part")

    child = _best_inside([part], whole)

    assert child.parent == "whole"
    assert child.provenance.derived_from == ("whole",)
    assert child.provenance.steps[-1].name == CLIP_TO_PARENT
    assert child.area == decode(child.rle).sum() == 100
    assert child.box_xyxy == (5, 10, 15, 20)


def test_candidates_that_are_the_parent_or_some_other_object_are_passed_over(record):
    whole = with_mask(record, slice(0, 20), slice(0, 20), "whole")
    same = with_mask(record, slice(0, 20), slice(0, 20), "same")
    outside = with_mask(record, slice(15, 40), slice(0, 20), "outside")
    part = with_mask(record, slice(2, 6), slice(2, 6), "part")

    assert _best_inside([same, outside, part], whole).id == "part"
    with pytest.raises(PromptError, match="no candidate lies inside the object"):
        _best_inside([same, outside], whole)


def test_a_tree_keeps_its_prompts_and_parts(model, image):
    tree = PromptTree(prompt=PointPrompt([(20, 30)]), label="mug", parts=(PromptTree(prompt=PointPrompt([(21, 30)])),))

    assert tree.parts[0].label is None
    assert tree.parts[0].parts == ()
