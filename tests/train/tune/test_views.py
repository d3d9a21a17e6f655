import numpy as np

from maskwright.core import Image
from maskwright.masks import encode
from maskwright.models.frame import FrameSpec
from maskwright.train.tune.examples import Example, ExampleMask
from maskwright.train.tune.views import views_of

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
