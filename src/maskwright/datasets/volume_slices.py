"""`VolumeSlices`: a volume as pictures along one of its axes, with square pixels and one range of grays for all.

Coordinates of prompts and masks are voxels: on the slices across i they are (j, k), across j (i, k), across k (i, j),
x before y, never mirrored. Where voxels are not square, the picture is: the coarser side is stretched (linear), because
networks have seen squares; masks go back by nearest, so that `to_voxels(to_picture(mask)) == mask`. Percentiles are
those of the whole volume, so that neighbours look alike.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Num, UInt8

from maskwright.core.errors import ImageError, InputError, PromptError
from maskwright.core.image import Frame, FrameRef, Image
from maskwright.core.prompt import BoxPrompt, CombinedPrompt, MaskPrompt, PointPrompt, Prompt, SinglePrompt
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.datasets.frame_source import Episode
from maskwright.datasets.medical import Intensity, Percentiles, Window, stretch
from maskwright.datasets.volume import Volume, axis_name, find_axis
from maskwright.masks import resize

_NEARLY_SQUARE = 1.05
_LONGEST_PX = 2048  # of a stretched side; slices that are larger by themselves stay as they are
_MOST_SAMPLES = 1 << 23
_Tone = Callable[[Num[np.ndarray, "b c"]], UInt8[np.ndarray, "b c"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceGrid:
    """How the voxels of a slice lie in its picture; both sizes are (height, width), pictures are never smaller."""

    voxels_hw: SizeHW
    picture_hw: SizeHW

    def to_picture(self, prompt: Prompt) -> Prompt:
        """Move a prompt from voxels to pixels of the picture."""
        if self.voxels_hw == self.picture_hw:
            return prompt
        if isinstance(prompt, CombinedPrompt):
            return CombinedPrompt([self._one_to_picture(part) for part in prompt.parts])
        return self._one_to_picture(prompt)

    def to_voxels(self, mask: RLE) -> RLE:
        """Give each voxel what the picture's mask has at its centre."""
        return resize(mask, self.voxels_hw)

    def _one_to_picture(self, prompt: SinglePrompt) -> SinglePrompt:
        sy, sx = (new / old for new, old in zip(self.picture_hw, self.voxels_hw, strict=True))
        match prompt:
            case PointPrompt(points_xy=points, labels=labels):
                return PointPrompt([(x * sx, y * sy) for x, y in points], labels)
            case BoxPrompt(box_xyxy=(x1, y1, x2, y2)):
                return BoxPrompt((x1 * sx, y1 * sy, x2 * sx, y2 * sy))
            case MaskPrompt(rle=rle):
                if rle.size_hw != self.voxels_hw:
                    raise PromptError(
                        f"a mask prompt must have the slice's size {self.voxels_hw} (h, w), got {rle.size_hw}"
                    )
                return MaskPrompt(resize(rle, self.picture_hw))
            case _:
                return prompt


class VolumeSlices:
    """A `FrameSource`: the volume is its episode, the axis its camera, a slice a frame.

    Without an intensity the file's own window is taken, 8-bit volumes are shown as they are, others between their
    percentiles 0.5 and 99.5.
    """

    def __init__(self, volume: Volume, *, axis: str | int | None = None, intensity: Intensity | None = None) -> None:
        """Choose the axis; the grays are found at the first slice, which for percentiles costs a look at all.

        Raises:
            SettingError: there is no such axis.
        """
        self.volume = volume
        self.axis = find_axis(volume, axis)
        self.name = volume.name
        self.robot: str | None = None
        self.grid = _grid(volume, self.axis)
        self.camera = axis_name(volume, self.axis)
        self.num_slices = volume.shape[self.axis]
        self.episodes: Sequence[Episode] = (
            Episode(key=volume.name, cameras=(self.camera,), num_frames=self.num_slices),
        )
        self._intensity = intensity
        self._found_tone: _Tone | None = None

    def image(self, index: int) -> Image:
        """Show one slice.

        Raises:
            InputError: there is no such slice, or it cannot be decoded.
        """
        if not 0 <= index < self.num_slices:
            raise InputError(
                f"there is no {self.camera} slice {index}; slices are 0 to {self.num_slices - 1}: {self.volume.path}"
            )
        values = self.volume.voxels.read(self.axis, index)
        gray = np.ascontiguousarray(self._tone(values).T)  # b c -> H W
        height, width = self.grid.picture_hw
        if gray.shape != (height, width):
            gray = np.asarray(cv2.resize(gray, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        if self.volume.is_inverted:
            gray = 255 - gray
        return Image(np.repeat(gray[:, :, None], 3, axis=2))

    def frames(
        self, episode: Episode, camera: str, *, start: int = 0, stop: int | None = None, stride: int = 1
    ) -> Iterator[Frame]:
        """Show the slices `start`, `start + stride`, ... below `stop`."""
        end = self.num_slices if stop is None else min(stop, self.num_slices)
        for index in range(start, end, stride):
            ref = FrameRef(dataset=self.name, episode=episode.key, camera=camera, frame_index=index)
            yield Frame(image=self.image(index), ref=ref)

    @property
    def _tone(self) -> _Tone:
        if self._found_tone is None:
            self._found_tone = _tone(self.volume, self._intensity)
        return self._found_tone


def percentile_range(volume: Volume, percentiles: Percentiles) -> tuple[float, float]:
    """Find the two percentiles of a volume's finite values, from at most 8 million voxels spread evenly over it.

    Raises:
        ImageError: no voxel is a finite number.
    """
    axis = volume.native_axis
    num_slices = volume.shape[axis]
    each = max(1, _MOST_SAMPLES // num_slices)
    samples = []
    for index in range(num_slices):
        values = volume.voxels.read(axis, index).ravel()
        taken = values[:: -(-values.size // each)]
        samples.append(taken[np.isfinite(taken)])
    finite = np.concatenate(samples)
    if not finite.size:
        raise ImageError(f"no voxel is a finite number, so there are no percentiles to take: {volume.path}")
    low, high = np.percentile(finite, [percentiles.low, percentiles.high])
    return float(low), float(high)


def _tone(volume: Volume, intensity: Intensity | None) -> _Tone:
    intensity = intensity or volume.window
    if isinstance(intensity, Window):
        return intensity.apply
    if intensity is None and volume.voxels.dtype == np.uint8:
        return np.asarray
    low, high = percentile_range(volume, intensity or Percentiles())
    return lambda values: stretch(values, low, high)


def _grid(volume: Volume, axis: int) -> SliceGrid:
    x, y = (other for other in range(3) if other != axis)
    height, width = volume.shape[y], volume.shape[x]
    finest = min(volume.spacing_mm[x], volume.spacing_mm[y])
    return SliceGrid(
        voxels_hw=(height, width),
        picture_hw=(
            _stretched(height, volume.spacing_mm[y] / finest),
            _stretched(width, volume.spacing_mm[x] / finest),
        ),
    )


def _stretched(side: int, factor: float) -> int:
    return side if factor < _NEARLY_SQUARE else max(side, min(round(side * factor), _LONGEST_PX))


__all__ = ["SliceGrid", "VolumeSlices", "percentile_range"]
