"""Islands and holes, against OpenCV's labelling."""

import cv2
import numpy as np
import pytest
from hypothesis import given

from maskwright.masks import area, decode, encode, holes, islands, union
from maskwright.testing.strategies import masks

connectivities = pytest.mark.parametrize("connectivity", [4, 8])


def labelled(mask, connectivity):
    num_labels, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=connectivity)
    return [labels == label for label in range(1, num_labels)]


@connectivities
@given(mask=masks())
def test_islands_are_those_of_opencv_largest_first(mask, connectivity):
    expected = sorted(labelled(mask, connectivity), key=lambda piece: -piece.sum())
    if connectivity == 4:  # OpenCV numbers these in another order, so ties may differ
        assert sorted(r.counts for r in islands(encode(mask), connectivity=4)) == sorted(
            encode(piece).counts for piece in expected
        )
    else:
        assert islands(encode(mask)) == [encode(piece) for piece in expected]


@given(masks())
def test_islands_make_the_mask_again(mask):
    pieces = islands(encode(mask))

    assert sum(area(piece) for piece in pieces) == mask.sum()
    if pieces:
        assert union(pieces) == encode(mask)


@connectivities
@given(mask=masks())
def test_holes_are_background_that_does_not_reach_the_edge(mask, connectivity):
    frame = np.ones_like(mask)
    frame[1:-1, 1:-1] = False
    expected = [encode(piece).counts for piece in labelled(~mask, connectivity) if not (piece & frame).any()]

    found = holes(encode(mask), connectivity=connectivity)

    assert sorted(rle.counts for rle in found) == sorted(expected)


def test_a_hole_open_at_a_corner_is_one_only_if_corners_do_not_join():
    mask = np.array([list("##."), list("#.#"), list("###")]) == "#"

    assert len(holes(encode(mask), connectivity=4)) == 1
    assert holes(encode(mask), connectivity=8) == []
    assert decode(holes(encode(mask))[0])[1, 1]
