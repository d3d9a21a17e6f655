"""Small real sources for the tests of `annotate`, and a process that annotates until it is killed."""

import numpy as np
from PIL import Image as PillowImage

from maskwright.predict.everything_settings import EverythingSettings
from maskwright.store import ANY_STATUS, Query, open_store
from maskwright.workflows.annotate_recipe import EverythingTask, Recipe

SIZE_HW = (48, 64)
# Nearly all masks of test-sam pass, few are asked for.
FEW = EverythingSettings(points_per_side=2, pred_iou_thresh=0.3, stability_score_thresh=0.1)
EVERYTHING = Recipe(task=EverythingTask(settings=FEW))


def pixels(number):
    return np.random.default_rng(number).integers(0, 256, (*SIZE_HW, 3), dtype=np.uint8)


def write_pictures(folder, numbers):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        PillowImage.fromarray(pixels(number)).save(folder / f"{number:03d}.png")
    return folder


def contents(path):
    """What a store holds, without what differs between runs: for each frame its name and the masks' pixels."""
    with open_store(path, read_only=True) as store:
        return [
            (
                one.frame.name,
                one.frame.ref,
                one.frame.image_digest,
                sorted((mask.record.rle.counts, mask.record.label or "") for mask in one.masks),
            )
            for one in store.frames(Query(status=ANY_STATUS))
        ]


def annotate_until_killed(source, out, tell):
    """Annotate with segments of a few masks, so that a kill finds some on the disk and some not; tell each frame."""
    from maskwright.models import load_model
    from maskwright.workflows import annotate as workflow
    from maskwright.workflows.annotate_plan import Footage

    workflow.ROWS_PER_SEGMENT = 3  # the second waits for the first: who told of six frames has three on the disk
    model = load_model("test-sam")
    workflow.annotate(model, Footage.open(source), EVERYTHING, out, progress=lambda at: tell.send(at.num_done))
