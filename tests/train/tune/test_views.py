from dataclasses import replace
from itertools import pairwise

import numpy as np

from maskwright.core import Image
from maskwright.masks import encode
from maskwright.models.frame import FrameSpec
from maskwright.train.tune.examples import Example, ExampleMask
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.train.tune.samples import Samples
from maskwright.train.tune.views import closest_view, views_of

SPEC = FrameSpec(side=128, logits_side=32)


def example(*boxes, size_hw=(200, 400)):
    masks = []
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        bitmap = np.zeros(size_hw, bool)
        bitmap[y1:y2, x1:x2] = True
        masks.append(ExampleMask(key=str(i), rle=encode(bitmap)))
    image = Image(np.zeros((*size_hw, 3), np.uint8))
    return Example(name="x", group="x", digest=image.digest, masks=tuple(masks), read=lambda: image)


def test_a_mask_lies_in_the_frame_at_half_its_side():
    (view,) = views_of(example((0, 0, 200, 200)), mirror=False, crops=0)

    target = view.target(0, SPEC)

    assert target.shape == (64, 64)
    assert target[:32, :32].all()
    assert not target[:, 32:].any()
    assert not target[32:].any()


def test_mirroring_turns_the_mask_with_the_picture():
    _, view = views_of(example((0, 0, 200, 200)), mirror=True, crops=0)

    target = view.target(0, SPEC)

    assert target[:32, 32:].all()
    assert not target[:, :32].any()


def test_a_small_object_is_seen_on_a_crop_of_its_own():
    whole, near = views_of(example((100, 100, 120, 120), (0, 0, 300, 200)), mirror=False, crops=2)

    assert whole.masks == (0, 1)
    assert near.masks == (0,)
    assert near.target(0, SPEC).sum() > 8 * whole.target(0, SPEC).sum()
    assert whole.key != near.key


def test_few_crops_show_as_many_small_objects_as_may_be():
    far, *group = (10, 150, 22, 162), (200, 100, 212, 112), (230, 100, 242, 112), (215, 120, 227, 132)

    _, near, other = views_of(example(far, *group), mirror=False, crops=2)

    assert near.masks == (1, 2, 3)
    assert other.masks == (0,)
    assert len(list(views_of(example(far, *group), mirror=False, crops=9))) == 3


def test_the_closest_view_of_a_large_object_is_the_whole_picture():
    one = example((100, 100, 120, 120), (0, 0, 300, 200))

    assert closest_view(one, 0).target(0, SPEC).sum() > 8 * closest_view(one, 1).target(0, SPEC).sum()
    assert closest_view(one, 1).box is None


def test_small_objects_are_mostly_asked_for_on_crops():
    samples = Samples([example((100, 100, 120, 120), (0, 0, 300, 200))], TuneRecipe(mirror=0), crops=1)

    drawn = [sample for number in range(60) for sample in samples.epoch(number)]
    on_crops = {i: [one.view.box is not None for one in drawn if one.position == i] for i in (0, 1)}

    assert len(on_crops[1]) == 60
    assert not any(on_crops[1])
    assert 0.6 < np.mean(on_crops[0]) < 1.0


def drawn_of(recipe):
    many = [example((0, 0, 90, 90), (100, 0, 190, 90), (200, 0, 290, 90), (0, 100, 90, 190)) for _ in range(12)]
    many = [replace(one, name=f"{i}", digest=f"{i}") for i, one in enumerate(many)]
    return [one.view.key for one in Samples(many, recipe, crops=0).epoch(0)]


def test_where_the_encoder_learns_what_a_view_shows_is_asked_for_together():
    asked = drawn_of(TuneRecipe(parts="decoder+lora", epoch_masks=20))

    changes = sum(a != b for a, b in pairwise(asked))
    assert len(asked) == 20
    assert len(set(asked)) == changes + 1 == 5  # five pictures of four masks each, one way round
    assert len(set(drawn_of(TuneRecipe(epoch_masks=20)))) > 8  # an encoding that is kept costs nothing


def test_other_epochs_ask_about_other_pictures_where_the_encoder_learns():
    many = [replace(example((0, 0, 90, 90)), name=f"{i}", digest=f"{i}") for i in range(12)]
    samples = Samples(many, TuneRecipe(parts="full", epoch_masks=5), crops=0)

    assert samples.epoch(1) == samples.epoch(1)
    assert {one.name for n in range(12) for one in samples.epoch(n)} == {f"{i}: 0" for i in range(12)}
