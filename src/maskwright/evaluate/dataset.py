"""What a segmenter is scored on: pictures, the true masks of their objects, and what is known of these.

A `Dataset` is a list of pictures that are read one at a time; `open_dataset` in `layouts` finds it on disk.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from maskwright.core import RLE, BoxXYXY, Image
from maskwright.evaluate.thinness import THIN_PX, median_width
from maskwright.masks import area, box_xyxy

_LEAST_AREA = 16  # pixels; of anything smaller an IoU says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueObject:
    """One object of a picture: its true mask, and what is known of it beside that.

    `name` may be several words; `occlusion` is the share of the object that others hide.
    """

    key: str
    mask: RLE
    name: str | None = None
    colour: str | None = None
    material: str | None = None
    occlusion: float | None = None

    @property
    def box_xyxy(self) -> BoxXYXY:
        """The smallest box around the mask."""
        return box_xyxy(self.mask)

    def facts(self) -> "Facts":
        """Measure the mask, for slices of the scores."""
        height, width = self.mask.size_hw
        return Facts(
            area_share=area(self.mask) / (height * width),
            width_px=median_width(self.mask),
            material=self.material,
            occlusion=self.occlusion,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the scores of an object are sliced by. `area_share` is of the picture, `width_px` its median width."""

    area_share: float
    width_px: float
    material: str | None = None
    occlusion: float | None = None

    def slices(self) -> dict[str, str]:
        """Tell to which slice of each kind the object belongs; what is unknown is left out."""
        found = {
            "size": _bucket(self.area_share, ((0.02, "below 2 %"), (0.10, "2 to 10 %")), "above 10 %"),
            "width": _bucket(self.width_px, ((THIN_PX, "below 10 px"), (40, "10 to 40 px")), "above 40 px"),
        }
        if self.material is not None:
            found["material"] = self.material
        if self.occlusion is not None:
            found["occlusion"] = _bucket(self.occlusion, ((0.05, "below 5 %"), (0.40, "5 to 40 %")), "above 40 %")
        return found


def _bucket(value: float, limits: Sequence[tuple[float, str]], last: str) -> str:
    return next((name for limit, name in limits if value < limit), last)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPicture:
    """A picture and its true objects; too small ones are left out."""

    name: str
    image: Image
    objects: tuple[TrueObject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSource:
    """A picture that has not been read yet. `read` raises ImageError, MaskError or InputError.

    `episode` names the pictures that belong together, where that is known.
    """

    name: str
    read: Callable[[], LabelledPicture]
    episode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Labelled pictures under a name; each is read when it is asked for, and none is kept.

    `names` are all names that its objects have.
    """

    name: str
    sources: tuple[PictureSource, ...]
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> LabelledPicture:
        return self.sources[index].read()

    def __iter__(self) -> Iterator[LabelledPicture]:
        return (source.read() for source in self.sources)

    def take(self, limit: int | None = None, *, every: int = 1) -> Self:
        """Take every so many pictures, and at most `limit` of these."""
        return replace(self, sources=self.sources[::every][:limit])


def keep_visible(objects: Sequence[TrueObject]) -> tuple[TrueObject, ...]:
    """Leave out objects of fewer pixels than an IoU can be told from."""
    return tuple(one for one in objects if area(one.mask) >= _LEAST_AREA)


__all__ = ["Dataset", "Facts", "LabelledPicture", "PictureSource", "TrueObject", "keep_visible"]
