"""Objects that a tracker finds by itself: each gets a track of its own, unless the store has it there already."""

from collections.abc import Collection

from maskwright.core import RLE, anchor, new_id
from maskwright.masks import iou_matrix
from maskwright.predict.tracking.tracked import TrackedMask
from maskwright.store import MaskStore, Query
from maskwright.workflows.stages import DecodedFrame
from maskwright.workflows.track_plan import Gap, Keyframe

_SAME = 0.5  # IoU from which a mask shows an object that a track has already


class NewTracks:
    """Names what is found on frames `numbers` of a recording; `names` are those that its tracks have or had."""

    def __init__(self, store: MaskStore, names: Collection[str], numbers: range) -> None:
        self._store, self._numbers = store, numbers
        self._names = set(names)

    def __call__(self, mask: TrackedMask, item: DecodedFrame) -> Gap | None:
        """Begin a track on this frame; None where the mask is empty, or one that the store has."""
        index = item.frame.ref.frame_index
        if mask.state != "visible" or self._is_known(mask.rle, item):
            return None
        name = self._free(mask.track)
        keyframe = Keyframe(
            index=index, record_id=new_id(), anchor=anchor(index, mask.rle), is_empty=False, is_found=True
        )
        return Gap(
            track=name,
            label=None,
            first=index + 1,
            last=self._numbers.stop - 1,
            before=keyframe,
            after=None,
            seeds_before=(),
            seeds_after=(),
        )

    def _is_known(self, rle: RLE, item: DecodedFrame) -> bool:
        ref = item.frame.ref
        query = Query(
            dataset=ref.dataset,
            episode=ref.episode,
            camera=ref.camera,
            first_frame=ref.frame_index,
            last_frame=ref.frame_index,
            where="track IS NOT NULL AND area > 0",
        )
        known = [mask.record.rle for mask in self._store.query(query)]
        return bool(known) and float(iou_matrix([rle], known).max()) > _SAME

    def _free(self, name: str) -> str:
        free, number = name, 2
        while free in self._names:
            free, number = f"{name} {number}", number + 1
        self._names.add(free)
        return free


__all__ = ["NewTracks"]
