"""`MaskRecord`: one mask of one image with everything known about it. Immutable; people's edits are `ReviewEvent`s."""

import uuid
from dataclasses import dataclass

from maskwright.core.errors import RecordError
from maskwright.core.image import FrameRef
from maskwright.core.provenance import Provenance
from maskwright.core.rle import RLE
from maskwright.core.shapes import BoxXYXY
from maskwright.core.track import TrackPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What the model thinks of its own mask, about 0 to 1, None where not computed.

    `agreement` is how alike the candidates were of which this mask is one: the mean IoU of each two. It is None where
    the model made one mask of the prompt.
    """

    predicted_iou: float | None = None
    stability: float | None = None
    agreement: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskRecord:
    """A mask of the image whose digest is `image_digest`.

    `box_xyxy` is the tight box in pixels with exclusive right and bottom edges ((0, 0, 0, 0) for an empty mask);
    `area` counts pixels; `parent` is the id of the record that this one is a part of. `track_point` says how a mask of
    a track came to be in it, where a tracker or a person said so.
    """

    id: str
    image_digest: str
    rle: RLE
    box_xyxy: BoxXYXY
    area: int
    provenance: Provenance
    frame: FrameRef | None = None
    label: str | None = None
    track: str | None = None
    parent: str | None = None
    scores: Scores = Scores()
    track_point: TrackPoint | None = None

    def __post_init__(self) -> None:
        if not self.id:
            raise RecordError("a mask record needs an id. Use new_id().")
        height, width = self.rle.size_hw
        if not 0 <= self.area <= height * width:
            raise RecordError(
                f"area must lie between 0 and {height * width} pixels, got {self.area} in record {self.id}"
            )


def new_id() -> str:
    """Make an id that no other record, event or track has."""
    return uuid.uuid4().hex


__all__ = ["MaskRecord", "Scores", "new_id"]
