"""A small LeRobot data set and a store of masks on it, for tests of what policies see.

Frame `i` has a mug of 8 pixels a side that moves right, and a bin that stands still; the third frame has no mug, the
last of each episode nobody looked at. The front camera alone is annotated.
"""

import numpy as np

from maskwright.core.image import FrameRef
from maskwright.store import SeenFrame, create_store
from robot_data import SIZE_HW, mask_of, write_lerobot

LENGTHS = (7, 5)
WITHOUT_MUG = 2


def mug(number, size_hw=SIZE_HW):
    dense = np.zeros(size_hw, bool)
    dense[10:18, 4 + 3 * number : 12 + 3 * number] = True
    return dense


def bin_(size_hw=SIZE_HW):
    dense = np.zeros(size_hw, bool)
    dense[30:44, 44:60] = True
    return dense


def write_episodes(folder, *, version="v3.0", kind="image", lengths=LENGTHS, size_hw=SIZE_HW, cups=1, depth=False):
    """Write both, and give their paths."""
    dataset = write_lerobot(folder / "dataset", version=version, lengths=lengths, kind=kind, depth=depth)
    store = folder / "masks"
    with create_store(store) as opened, opened.bulk_writer(run="test") as writer:
        for index, length in enumerate(lengths):
            for number in range(length - 1):
                place = {"dataset": "dataset", "episode": f"episode_{index:06d}", "camera": "front"}
                ref = FrameRef(**place, frame_index=number)
                masks = [mask_of(bin_(size_hw), label="bin", track="bin 1", frame=ref).record]
                if number != WITHOUT_MUG:
                    mugs = [np.roll(mug(number, size_hw), 20 * cup, axis=0) for cup in range(cups)]
                    masks += [
                        mask_of(one, label="mug", track=f"mug {at + 1}", frame=ref).record
                        for at, one in enumerate(mugs)
                    ]
                name = f"{ref.episode}/front/{number:06d}.png"
                writer.add(SeenFrame(name=name, size_hw=size_hw, ref=ref, image_digest=""), masks)
    return dataset, store
