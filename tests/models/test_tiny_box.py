import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.models.protocol import Decoded, FramePrompts
from maskwright.models.tiny.box import best_threshold, distance_beyond, keep_promises

SIDE, CELLS = 64, 16  # a cell is four pixels


def boxed(*boxes, clicks=()):
    points = torch.tensor([[*[list(c) for c in clicks], [x1, y1], [x2, y2]] for x1, y1, x2, y2 in boxes]).float()
    labels = torch.tensor([[*[1 for _ in clicks], 2, 3]] * len(boxes))
    return FramePrompts(points=points, labels=labels)


def answer(logits, predicted_iou=0.9):
    return Decoded(logits=logits, predicted_iou=torch.full(logits.shape[:2], predicted_iou))


def test_a_mask_ends_at_its_box():
    everywhere = answer(torch.full((1, 1, CELLS, CELLS), 3.0))

    cut = keep_promises(everywhere, boxed((16, 8, 48, 40)), SIDE)

    inside = torch.zeros(CELLS, CELLS, dtype=torch.bool)
    inside[2:10, 4:12] = True
    assert torch.equal(cut.logits[0, 0] > 0, inside)
    assert torch.equal(cut.predicted_iou, everywhere.predicted_iou)


def test_a_box_in_which_nothing_was_found_is_the_answer_itself_and_says_so():
    nothing = answer(torch.full((2, 1, CELLS, CELLS), -5.0))

    kept = keep_promises(nothing, boxed((16, 16, 48, 48), (0, 0, 8, 8)), SIDE)

    assert (kept.logits > 0).sum((1, 2, 3)).tolist() == [64, 4]
    assert torch.allclose(kept.predicted_iou, torch.full((2, 1), 0.66))


def test_with_a_click_an_empty_answer_stays_empty():
    nothing = answer(torch.full((1, 1, CELLS, CELLS), -5.0))

    kept = keep_promises(nothing, boxed((16, 16, 48, 48), clicks=[(20, 20)]), SIDE)

    assert not (kept.logits > 0).any()


def test_prompts_without_a_box_come_back_untouched():
    decoded = answer(torch.randn(3, 2, CELLS, CELLS))
    clicks = FramePrompts(points=torch.zeros(3, 2, 2), labels=torch.tensor([[1, -1]] * 3))

    assert keep_promises(decoded, clicks, SIDE) is decoded


@given(x=st.floats(0, 60), y=st.floats(0, 60), width=st.floats(0.1, 4), height=st.floats(0.1, 4))
def test_a_box_smaller_than_a_cell_still_has_an_answer_near_it(x, y, width, height):
    nothing = answer(torch.full((1, 1, CELLS, CELLS), -5.0))
    prompts = boxed((x, y, x + width, y + height))

    kept = keep_promises(nothing, prompts, SIDE)

    beyond, _ = distance_beyond(prompts, SIDE / CELLS, CELLS)
    assert kept.logits[0, 0].argmax() == beyond[0].argmin()
    assert torch.isfinite(kept.logits).all()


@given(seed=st.integers(0, 999), scale=st.floats(0.1, 4), shift=st.floats(-4, 4))
def test_no_other_threshold_has_a_higher_expected_iou(seed, scale, shift):
    logits = torch.randn(1, 1, 6, 6, generator=torch.Generator().manual_seed(seed)).double() * scale + shift
    inside = torch.ones(1, 6, 6, dtype=torch.bool)
    inside[0, 4:] = False
    p = logits[0, 0, :4].sigmoid().flatten()

    def expected_iou(threshold):
        chosen = logits[0, 0, :4].flatten() > threshold
        return float(p[chosen].sum() / (chosen.sum() + p[~chosen].sum()))

    best = expected_iou(best_threshold(logits, inside).item())

    assert all(best >= expected_iou(float(other) - 1e-9) - 1e-12 for other in logits.flatten())


def test_a_sure_mask_keeps_its_shape():
    logits = torch.full((1, 1, CELLS, CELLS), -9.0)
    logits[0, 0, 3:8, 5:9] = 9

    kept = keep_promises(answer(logits), boxed((16, 8, 48, 40)), SIDE)

    assert torch.equal(kept.logits > 0, logits > 0)
