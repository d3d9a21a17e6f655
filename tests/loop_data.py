"""Squares on noise with proposals of `test-sam` in a store, and a reviewer who knows the squares: loops in seconds."""

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from maskwright.core import BoxPrompt
from maskwright.masks import encode
from maskwright.store import open_store
from maskwright.testing.reviewer import Reviewer
from maskwright.train.tune.recipe import TuneRecipe
from maskwright.workflows.annotate_recipe import ObjectPrompt, PromptsTask, Recipe
from maskwright.workflows.loop.call import Surroundings
from maskwright.workflows.loop.settings import LoopSettings

START = datetime(2026, 11, 26, 8, tzinfo=UTC)
# The random weights of test-sam mark squares with IoU 0.28 to 0.31; a few steps help.
CORRECTS_FROM = 0.2
QUICK = TuneRecipe(
    epochs=20,
    patience=20,
    batch=2,
    learning_rate=3e-3,
    warmup=1,
    ema=0.5,
    corrections=0,
    mirror=0,
    focal_weight=2.0,
    dice_weight=2.0,
    clip=10.0,
    eval_pictures=4,
    tolerance=1.0,  # random weights know nothing that they could forget
    replay=0.0,
    keep=0.0,
    keep_within=1.0,  # random weights know nothing that is to be kept
)


def square(number):
    x, y = np.random.default_rng(1000 + number).integers(2, 14, 2).tolist()
    return x, y, x + 40, y + 40


def true_mask(number):
    x1, y1, x2, y2 = square(number)
    mask = np.zeros((64, 64), bool)
    mask[y1:y2, x1:x2] = True
    return mask


def write_squares(folder, numbers):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        pixels = np.random.default_rng(number).integers(0, 40, (64, 64, 3)).astype(np.uint8)
        pixels[true_mask(number)] += 180
        cv2.imwrite(str(folder / f"{number:03d}.png"), pixels)
    return folder


def annotate_squares(root, model, numbers=range(12)):
    """Make pictures and a store with a proposal for each, from a box around its square."""
    from maskwright.workflows.annotate import annotate
    from maskwright.workflows.annotate_plan import Footage

    footage = Footage.open(write_squares(root / "pictures", numbers))
    (episode,) = footage.source.episodes
    camera = episode.cameras[0]
    boxes = {
        (episode.key, camera, at): (ObjectPrompt(prompt=BoxPrompt(square(number)), label="square"),)
        for at, number in enumerate(numbers)
    }
    annotate(model, footage, Recipe(task=PromptsTask(kind="boxes", by_place=boxes)), root / "masks")
    return root / "masks"


def truths_of(store):
    """The true masks of each picture, by its digest."""
    with open_store(store, read_only=True) as opened:
        return {one.image_digest: [encode(true_mask(int(one.name.split(".")[0][-3:])))] for one in opened.seen_frames()}


def reviewer(store, **changes):
    truths = truths_of(store)
    told = {"accepts_from": 0.9, "corrects_from": CORRECTS_FROM, "at": START + timedelta(minutes=1)} | changes
    return Reviewer(truth_of=lambda digest: truths.get(digest, ()), **told)


def asked(root, **changes):
    told = {"model": "test-sam", "out": root / "checkpoints", "budget": 8, "recipe": QUICK, "tolerance": 0.0}
    return LoopSettings(**(told | {"general": str(root / "general")} | changes))


class Clock:
    """A minute goes by each time somebody looks."""

    def __init__(self, at=START):
        self.at = at

    def __call__(self):
        self.at += timedelta(minutes=1)
        return self.at


def around(clock=None, **changes):
    return Surroundings(clock=clock or Clock(), **changes)


def newer(model):
    """The same network under another checkpoint's name."""
    model.checkpoint_sha256 = "cd" * 32
    return model


def propose_until_killed(store, tell):
    """Propose again with segments of two masks, so that a kill finds some frames done and some not; tell each frame."""
    from maskwright.models import load_model
    from maskwright.workflows.loop import propose

    propose._ROWS_PER_SEGMENT = 2
    propose.propose_again(
        store,
        newer(load_model("test-sam")),
        "again",
        number=2,
        at=START,
        told=lambda what, done, total: tell.send(done),
    )
