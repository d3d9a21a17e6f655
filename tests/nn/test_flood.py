import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maskwright.masks import decode, encode, islands
from maskwright.nn.flood import flood

SMALL = hnp.arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)))


@given(masks=SMALL, data=st.data())
def test_what_is_reached_are_the_islands_that_seeds_lie_on(masks, data):
    seeds = data.draw(hnp.arrays(bool, masks.shape))

    reached = flood(torch.from_numpy(masks), torch.from_numpy(seeds)).numpy()

    for mask, seed, found in zip(masks, seeds, reached, strict=True):
        parts = [decode(one) for one in islands(encode(mask), connectivity=4)]
        expected = np.any([part for part in parts if (part & seed).any()] or [np.zeros_like(mask)], axis=0)
        assert (found == expected).all()


def test_a_spiral_is_reached_to_its_end():
    spiral = np.zeros((41, 41), bool)
    for ring in range(0, 20, 2):
        spiral[ring, ring : 41 - ring] = spiral[40 - ring, ring : 41 - ring] = True
        spiral[ring : 41 - ring, 40 - ring] = spiral[ring : 41 - ring, ring] = True
        spiral[ring + 1, ring] = False
        spiral[ring + 2, ring : ring + 3] = True
    seed = np.zeros_like(spiral)
    seed[0, 0] = True

    reached = flood(torch.from_numpy(spiral)[None], torch.from_numpy(seed)[None])[0].numpy()

    parts = [decode(one) for one in islands(encode(spiral), connectivity=4)]
    assert (reached == next(part for part in parts if part[0, 0])).all()
    assert reached.sum() > spiral.sum() // 2
