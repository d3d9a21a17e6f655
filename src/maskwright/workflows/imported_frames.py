"""Which frames imported masks belong to: those of a source, pictures by their digest, or names where there is nothing.

Masks that this program wrote know their frame. Otherwise the pictures decide: a folder of pictures is a source, as
`annotate` sees it, so that masks from elsewhere and proposals of a model meet on the same frames.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from maskwright.core.errors import InputError, MaskwrightError
from maskwright.core.image import FrameRef
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.store import SeenFrame
from maskwright.workflows.annotate_plan import Footage

BY_NAME = "identities of pictures, which are not at hand; masks are kept by the names of pictures (--images says where)"


class FramePlaces:
    """Gives frames of a file their places. `images` is what the user named, a source of frames or a folder."""

    def __init__(self, path: Path, images: Path | None, log: LossLog) -> None:
        self._path, self._log = path, log
        self._footage = _opened(images)
        self._num_named: dict[str, int] = defaultdict(int)

    def placed(self, frames: Iterable[LabelledFrame]) -> Iterator[tuple[SeenFrame, LabelledFrame]]:
        """Give each frame as the store knows it; one whose picture cannot be used is left out and logged."""
        for frame in frames:
            try:
                yield self._seen(frame), frame
            except MaskwrightError as error:
                self._log.skip(frame.name, str(error))

    def _seen(self, frame: LabelledFrame) -> SeenFrame:
        ref = frame.ref or self._ref_of_source(frame)
        digest = frame.image_digest or self._digest(frame)
        if ref is None and digest is None:
            self._log.lose(BY_NAME, frame.name)
            ref = self._ref_by_name(frame)
        return SeenFrame(name=frame.name, size_hw=frame.size_hw, ref=ref, image_digest=digest)

    def _ref_of_source(self, frame: LabelledFrame) -> FrameRef | None:
        place = self._footage.names.find(frame.name) if self._footage else None
        if place is None or self._footage is None:
            return None
        episode, camera, number = place
        return FrameRef(dataset=self._footage.source.name, episode=episode, camera=camera, frame_index=number)

    def _digest(self, frame: LabelledFrame) -> str | None:
        if frame.open_image is None:
            return None
        image = frame.open_image()
        if image.size_hw != frame.size_hw:
            raise InputError(f"its masks have the size {frame.size_hw} (h, w), its picture {image.size_hw}")
        return image.digest

    def _ref_by_name(self, frame: LabelledFrame) -> FrameRef:
        """Number the pictures of each folder in the order of the file."""
        episode = str(PurePosixPath(frame.name).parent)
        number = self._num_named[episode]
        self._num_named[episode] += 1
        return FrameRef(dataset=self._path.stem, episode=episode, camera="image", frame_index=number)


def _opened(images: Path | None) -> Footage | None:
    if images is None:
        return None
    try:
        return Footage.open(images)
    except InputError as error:
        if not images.exists():
            raise InputError(f"there is no such folder of pictures: {images}") from error
        return None


__all__ = ["BY_NAME", "FramePlaces"]
