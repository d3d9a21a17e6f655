import json

import numpy as np

from maskwright.masks import area, box_xyxy, from_coco
from maskwright.testing.tabletop import SCENE, SIZE_HW, render
from maskwright.workflows.pictures import example_path


def test_the_program_still_makes_the_scene_that_is_in_the_package():
    pixels, owners = render((20, 30))
    truth = {name: from_coco(rle) for name, rle in json.loads(example_path().with_suffix(".json").read_text()).items()}

    assert pixels.shape == (20, 30, 3)
    assert truth.keys() == {thing.name for thing in SCENE} - {"table", "wall"}
    scale = SIZE_HW[0] / 20
    for name in ("mug", "carton"):
        y, x = np.nonzero(owners == [thing.name for thing in SCENE].index(name))
        x1, y1, x2, y2 = box_xyxy(truth[name])
        assert abs(len(x) * scale**2 / area(truth[name]) - 1) < 0.25
        assert np.allclose([x.min() * scale, y.min() * scale], [x1, y1], atol=2 * scale)
        assert np.allclose([x.max() * scale, y.max() * scale], [x2, y2], atol=2 * scale)
