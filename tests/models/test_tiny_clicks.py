from itertools import combinations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from maskwright.models.protocol import Decoded, FramePrompts
from maskwright.models.tiny.clicks import corrects, keep_clicks, shades_of

SIDE, CELLS = 128, 32


def prompt(*clicks, box=None, earlier=None):
    """Clicks are (x, y, label) in frame pixels; `earlier` are the logits of an earlier answer."""
    points = [[float(x), float(y)] for x, y, _ in clicks]
    labels = [label for _, _, label in clicks]
    if box is None:
        points, labels = [*points, [0.0, 0.0]], [*labels, -1]
    else:
        points, labels = [*points, list(box[:2]), list(box[2:])], [*labels, 2, 3]
    masks = None if earlier is None else earlier[None, None]
    return FramePrompts(points=torch.tensor([points]).float(), labels=torch.tensor([labels]), mask_logits=masks)


def decoded(logits):
    return Decoded(logits=logits[None, None], predicted_iou=torch.full((1, 1), 0.7))


def two_squares():
    """Logits of a square at the left and one at the right, on a picture of one colour."""
    logits = torch.full((CELLS, CELLS), -3.0)
    logits[8:16, 4:12] = 3.0
    logits[8:16, 20:28] = 3.0
    return logits, torch.zeros(1, CELLS, CELLS, 3)


def kept(logits, shades, prompts):
    return keep_clicks(decoded(logits), prompts, shades, SIDE).logits[0, 0]


def test_islands_without_a_click_are_dropped():
    logits, shades = two_squares()

    mask = kept(logits, shades, prompt((32, 48, 1))) > 0

    assert mask[8:16, 4:12].all()
    assert not mask[:, 16:].any()


def test_each_clicked_island_is_kept():
    logits, shades = two_squares()

    mask = kept(logits, shades, prompt((32, 48, 1), (96, 48, 1))) > 0

    assert (mask == (logits > 0)).all()


def test_islands_stay_where_a_box_says_where_the_object_is():
    logits, shades = two_squares()

    mask = kept(logits, shades, prompt((32, 48, 1), box=(8, 24, 120, 72))) > 0

    assert (mask == (logits > 0)).all()


def test_prompts_without_clicks_come_back_as_they_were():
    logits, shades = two_squares()

    assert (kept(logits, shades, prompt(box=(8, 24, 120, 72))) == logits).all()


@given(
    seed=st.integers(0, 1000),
    clicks=st.lists(
        st.tuples(st.integers(0, SIDE - 1), st.integers(0, SIDE - 1), st.integers(0, 1)),
        min_size=1,
        max_size=6,
        unique_by=lambda click: (click[0] // 24, click[1] // 24),
    ),
)
def test_clicks_apart_from_each_other_are_all_honoured(seed, clicks):
    assume(all(max(abs(a[0] - b[0]), abs(a[1] - b[1])) >= 24 for a, b in combinations(clicks, 2)))
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(CELLS, CELLS, generator=generator) * 3
    shades = torch.rand(1, CELLS, CELLS, 3, generator=generator) * 2 - 1

    answer = kept(logits, shades, prompt(*clicks))

    for x, y, label in clicks:
        assert (answer[int(y) // 4, int(x) // 4] > 0) == bool(label)


@given(
    seed=st.integers(0, 1000),
    num_prompts=st.integers(1, 3),
    labels=st.lists(st.integers(0, 1), min_size=1, max_size=6),
    box=st.booleans(),
    is_one_image=st.booleans(),
    has_earlier=st.booleans(),
)
def test_rules_on_a_cpu_are_those_in_torch(seed, num_prompts, labels, box, is_one_image, has_earlier):
    random = torch.Generator().manual_seed(seed)
    coarse = torch.randn(num_prompts, 3, 6, 6, generator=random) * 4
    logits = torch.nn.functional.interpolate(coarse, (CELLS, CELLS), mode="bicubic")
    shades = torch.rand(1 if is_one_image else num_prompts, CELLS, CELLS, 3, generator=random) * 2 - 1
    prompts = FramePrompts(
        points=torch.rand(num_prompts, len(labels) + 2, 2, generator=random) * SIDE,
        labels=torch.tensor([[*labels, *((2, 3) if box else (-1, -1))]]).repeat(num_prompts, 1),
        mask_logits=torch.randn(num_prompts, 1, CELLS, CELLS, generator=random) * 9 if has_earlier else None,
    )
    iou = torch.zeros(num_prompts, 3)

    on_cpu = keep_clicks(Decoded(logits=logits, predicted_iou=iou), prompts, shades, SIDE).logits

    in_torch = keep_clicks(
        Decoded(logits=logits.clone().requires_grad_(), predicted_iou=iou), prompts, shades, SIDE
    ).logits
    torch.testing.assert_close(on_cpu, in_torch.detach(), rtol=1e-3, atol=1e-3)
    assert in_torch.requires_grad


def test_answers_given_are_not_changed():
    logits, shades = two_squares()
    before = logits.clone()

    kept(logits, shades, prompt((96, 48, 1), (2, 2, 0)))

    assert torch.equal(logits, before)


def test_a_click_in_the_first_cell_is_honoured_beside_padding():
    logits = torch.full((CELLS, CELLS), -1.0)
    logits[20:28, 20:28] = 3.0

    answer = kept(logits, torch.zeros(1, CELLS, CELLS, 3), prompt((1, 1, 1), (96, 96, 1)))

    assert answer[0, 0] > 0
    assert answer[24, 24] > 0


def test_a_correction_goes_as_far_as_the_colour_and_not_beyond():
    logits = torch.full((CELLS, CELLS), -1.0)
    logits[4:28, 4:12] = 3.0
    shades = torch.full((1, CELLS, CELLS, 3), -0.8)
    shades[:, :, 12:15] = 0.8  # a bright strip beside what was found

    answer = kept(logits, shades, prompt((32, 64, 1), (54, 64, 1)))

    assert (answer[15:18, 12:15] > 0).all()
    assert (answer[:, 16:] < 0).all()


def test_an_answer_that_honours_its_clicks_is_left_alone():
    logits, shades = two_squares()

    assert (kept(logits, shades, prompt((32, 48, 1), (96, 48, 1))) == logits).all()


def test_each_candidate_is_bent_by_what_it_lacks():
    logits, shades = two_squares()
    both = Decoded(logits=torch.stack([logits, logits - 4])[None], predicted_iou=torch.tensor([[0.7, 0.6]]))

    answer = keep_clicks(both, prompt((32, 48, 1)), shades, SIDE).logits[0]

    assert answer[0, 12, 8] == logits[12, 8]
    assert answer[1, 12, 8] > 0


def blob(*boxes):
    """Logits of rectangles (x1, y1, x2, y2), in cells."""
    logits = torch.full((CELLS, CELLS), -3.0)
    for x1, y1, x2, y2 in boxes:
        logits[y1:y2, x1:x2] = 3.0
    return logits


FOUR = ((32, 32, 1), (48, 48, 1), (60, 60, 1), (70, 70, 1))


def test_a_correction_of_many_clicks_keeps_half_of_the_earlier_answer():
    earlier, anew = blob((6, 6, 20, 20)), blob((6, 6, 24, 20)) - 1

    answer = kept(anew, torch.zeros(1, CELLS, CELLS, 3), prompt(*FOUR, earlier=3 * earlier))

    assert answer[0, 0] == pytest.approx((-4 - 6) / 2)  # an earlier answer counts for 6 at most
    assert not (answer > 0)[:, 20:].any()


def test_a_correction_of_few_clicks_is_what_the_network_says():
    earlier, anew = blob((6, 6, 20, 20)), blob((6, 6, 24, 20))

    answer = kept(anew, torch.zeros(1, CELLS, CELLS, 3), prompt(*FOUR[:3], earlier=3 * earlier))

    assert torch.equal(answer, anew)


def test_a_prompt_corrects_if_its_newest_click_is_news():
    earlier = blob((6, 6, 20, 20))

    assert corrects(prompt((32, 32, 1), (90, 60, 1), earlier=earlier), SIDE).tolist() == [True]
    assert corrects(prompt((32, 32, 1), (60, 60, 0), earlier=earlier), SIDE).tolist() == [True]
    assert corrects(prompt((90, 60, 1), (32, 32, 1), earlier=earlier), SIDE).tolist() == [False]
    assert corrects(prompt(box=(8, 8, 90, 90), earlier=earlier), SIDE).tolist() == [False]


def test_shades_are_the_mean_colours_of_cells():
    pixels = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 3, 8, 8)

    shades = shades_of(pixels)

    assert shades.shape == (1, 2, 2, 3)
    assert (shades[0, 0, :, 0] == torch.tensor([1.5, 5.5])).all()
