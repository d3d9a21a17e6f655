"""Where is it again? The frames of a recording with the objects that look most like one, by vectors of their masks.

python examples/find_object.py [STORE RECORD [MODEL]]

STORE is a mask store whose pictures are at hand, RECORD the id of a mask in it. Without anything: the demo's mug.
`maskwright find STORE --like RECORD` is the same as a command; another picture and a box do as well (`LikeBox`).
"""

import sys
import tempfile
from pathlib import Path

import maskwright as mw
from maskwright.store import Query, open_store
from maskwright.workflows.demo import make_demo
from maskwright.workflows.find_objects import LikeRecord, find_objects


def main(store: Path, record_id: str, model: str = "tiny", query: Query | None = None) -> None:
    """Print the likest frames: how like, which, and what is written on the mask."""
    found = find_objects(store, LikeRecord(record_id=record_id), mw.load_model(model), limit=5, query=query)
    for one in found.frames:
        print(f"{one.score:.3f}", one.name, one.mask.record.label)
    print(f"{found.num_compared} masks of {found.num_encoded} pictures; their vectors are kept in {store / 'vectors'}")


def demo(folder: Path) -> None:
    """Look for the mug of the first frame in every fifteenth one."""
    store = make_demo(folder / "demo").store
    with open_store(store, read_only=True) as masks:
        mug = next(iter(masks.query(Query(label="mug", camera="front", first_frame=0, last_frame=0)))).record
    main(store, mug.id, query=Query(camera="front", where="frame_index % 15 = 0"))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), *sys.argv[2:])
    else:
        with tempfile.TemporaryDirectory() as scratch:
            demo(Path(scratch))
