"""An instruction becomes an object that is followed: what it means on the first picture, and where that is on the next.

python examples/ground_instruction.py [RECORDING CAMERA TEXT]

Without anything: the demo's task, "put the red mug into the bin", as its front camera sees it.
"""

import sys

import maskwright as mw
from maskwright.datasets import open_source
from maskwright.masks import box_xyxy
from maskwright.predict.grounding import Ranked, ground, things
from maskwright.workflows.demo import EPISODE

NUM_FOLLOWED = 8


def main(path: str, camera: str, text: str) -> None:
    """Ground the text on the first picture, then follow what it means for some more."""
    source = open_source(path)
    frames = source.frames(source.episodes[0], camera, stop=NUM_FOLLOWED)
    model = mw.load_model("tiny")
    first = next(iter(frames))

    found = ground(things.by_words(model)(first.image), text)
    print(f"read as {found.readings[0]}: {found.told}")
    for name, ranked in (("chosen", found.chosen), ("rival", found.rivals), ("goal", found.goal[:1])):
        for one in ranked:
            print(f"  {name} {told(one)}")
    if not found.chosen:
        return

    with mw.Perceiver(model) as perceiver:
        perceiver.add("target", mask=found.chosen[0].thing.rle)
        if found.goal:
            perceiver.add("goal", mask=found.goal[0].thing.rle)
        state = perceiver.step(first)
        for frame in frames:
            state = perceiver.step(frame)
        print(
            *(f"{one.name} on picture {state.frame}: {one.status}, {place(one.rle)}" for one in state.objects), sep="\n"
        )


def told(one: Ranked) -> str:
    """How sure it is, where, and why."""
    return f"{one.score:.2f} at {place(one.thing.rle)}: {'; '.join(map(str, one.reasons))}"


def place(rle: mw.RLE) -> str:
    """The box of a mask."""
    return ",".join(f"{edge:.0f}" for edge in box_xyxy(rle))


if __name__ == "__main__":
    main(*(sys.argv[1:] or [str(EPISODE), "front", "put the red mug into the bin"]))
