"""`LabelledFrame`: one picture with its masks. Every annotation format is read into these and written from them.

Frames come one at a time from an iterator, so no format holds a data set. Pixels are read only by formats that copy
pictures, through `open_image`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from maskwright.core.errors import RecordError
from maskwright.core.image import FrameRef, Image
from maskwright.core.resolved import ResolvedRecord
from maskwright.core.shapes import SizeHW


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFrame:
    """A picture called `name` (a relative path with forward slashes) and its masks, which may be none.

    `ref` says where the frame stands in a robot data set; `open_image` reads its pixels, None where they are not at
    hand. `image_digest` is the image's identity where it is known without reading.
    """

    name: str
    size_hw: SizeHW
    masks: tuple[ResolvedRecord, ...] = ()
    ref: FrameRef | None = None
    image_digest: str | None = None
    open_image: Callable[[], Image] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for one in self.masks:
            if one.record.rle.size_hw != self.size_hw:
                got = f"mask {one.record.id} has size {one.record.rle.size_hw} (h, w)"
                raise RecordError(f"{got}, its picture {self.size_hw}: {self.name}")


__all__ = ["LabelledFrame"]
