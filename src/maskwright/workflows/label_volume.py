"""`LabelCanvas`: a label volume that is written slice by slice, and what each of its objects comes to.

The labels lie in a temporary file that is mapped, so the system may put them to disk; the file goes with them.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from maskwright.core import RLE
from maskwright.datasets.volume_slices import VolumeSlices
from maskwright.masks import decode


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentedObject:
    """One label: `first_slice` and `last_slice` have voxels of it, None where none has; `confidence` is their mean."""

    number: int
    name: str
    num_voxels: int
    volume_ml: float
    first_slice: int | None
    last_slice: int | None
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenMask:
    """An object on a slice as one pass saw it, in voxels, `distance` slices after it was shown last."""

    rle: RLE
    confidence: float
    distance: int


@dataclass(slots=True)
class _Tally:
    num_voxels: int = 0
    slices: list[int] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)


class LabelCanvas:
    """Labels of `numbers`, 0 elsewhere, on the grid of the slices' volume: `labels`, i j k."""

    def __init__(self, slices: VolumeSlices, numbers: Mapping[str, int]) -> None:
        self._slices, self._numbers = slices, numbers
        dtype = np.uint8 if len(numbers) <= np.iinfo(np.uint8).max else np.uint16
        with tempfile.TemporaryFile(prefix="maskwright-") as file:  # lives as long as it is mapped
            self.labels = np.memmap(file, dtype, "w+", shape=slices.volume.shape, order="F")
        self._tallies = {name: _Tally() for name in numbers}

    def draw(self, index: int, found: Mapping[str, SeenMask]) -> None:
        """Write one slice; the surer object, then the one that was named first, has what several claim."""
        drawn = np.zeros(self._slices.grid.voxels_hw, self.labels.dtype)
        for name in sorted(found, key=lambda name: (found[name].confidence, -self._numbers[name])):
            drawn[decode(found[name].rle)] = self._numbers[name]
        place: list[slice | int] = [slice(None)] * 3
        place[self._slices.axis] = index
        self.labels[tuple(place)] = drawn.T  # H W -> b c
        for name, one in found.items():
            count = int((drawn == self._numbers[name]).sum())
            if count:
                tally = self._tallies[name]
                tally.num_voxels += count
                tally.slices.append(index)
                tally.confidences.append(one.confidence)

    def objects(self) -> tuple[SegmentedObject, ...]:
        """Say what was written."""
        return tuple(
            SegmentedObject(
                number=self._numbers[name],
                name=name,
                num_voxels=tally.num_voxels,
                volume_ml=tally.num_voxels * self._slices.volume.voxel_ml,
                first_slice=min(tally.slices, default=None),
                last_slice=max(tally.slices, default=None),
                confidence=float(np.mean(tally.confidences)) if tally.confidences else 0.0,
            )
            for name, tally in self._tallies.items()
        )


__all__ = ["LabelCanvas", "SeenMask", "SegmentedObject"]
