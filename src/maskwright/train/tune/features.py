"""`FeatureCache`: what the encoder makes of every view, computed once and read from disk for every epoch after.

One raw fp16 file for each tensor of `Features`, and `keys.txt`, a line a view, which is written after the tensors: a
run that was killed leaves a cache that goes on where it was. A folder belongs to one encoder; fine-tuned checkpoints
that kept the encoder of their base use the same. Everything can be deleted at any time.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from maskwright.core import Image
from maskwright.core.errors import InputError, SettingError
from maskwright.models.frame import ModelFrame
from maskwright.models.protocol import Features
from maskwright.models.sam.model import SamModel
from maskwright.nn.threads import most_at_once, side_by_side
from maskwright.train.tune.crew import ALONE, Crew
from maskwright.train.tune.views import View

_KEYS, _LAYOUT = "keys.txt", "layout.json"
_HANDFUL = 16
_SPARE_BYTES = 200_000_000  # of the disk, to be left alone


class FeatureCache:
    """Features of views by their keys, of one encoder."""

    def __init__(self, root: Path, model: SamModel) -> None:
        sha = model.encoder_sha256 or model.checkpoint_sha256
        self.folder = root / f"{sha[:16]}-{model.frame.side}"
        self._rows: dict[str, int] = {}
        self._shapes: list[list[int]] = []
        self._maps: list[np.ndarray] = []
        self._load()

    def __contains__(self, view: View) -> bool:
        return view.key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def view_bytes(self) -> int:
        """Bytes that one view takes; 0 before the first is encoded."""
        return sum(2 * int(np.prod(shape)) for shape in self._shapes)

    @property
    def num_bytes(self) -> int:
        """Bytes on disk."""
        return self.view_bytes * len(self)

    def fill(
        self,
        model: SamModel,
        views: Iterable[View],
        *,
        progress: Callable[[int, int], None] | None = None,
        crew: Crew = ALONE,
    ) -> int:
        """Encode the views that are not here yet, picture by picture, a crew a share each; returns how many that were.

        Raises:
            InputError: the disk has no room for them.
            ImageError, InputError: a picture can no longer be read.
        """
        wanted = {view.key: view for view in views}
        if crew.size > 1:
            return self._fill_together(model, wanted, progress, crew)
        return self._fill_alone(model, wanted, progress)

    def _fill_alone(
        self, model: SamModel, wanted: Mapping[str, View], progress: Callable[[int, int], None] | None
    ) -> int:
        with self._alone():
            self._load()
            missing = [view for key, view in wanted.items() if key not in self._rows]
            for number, (view, features) in enumerate(encoded(model, missing), 1):
                self._append(view, features, num_left=len(missing) - number + 1)
                if progress is not None:
                    progress(number, len(missing))
            self._open()
        return len(missing)

    def _fill_together(
        self, model: SamModel, wanted: Mapping[str, View], progress: Callable[[int, int], None] | None, crew: Crew
    ) -> int:
        """Encode one's share in handfuls; the files are one process's at a time."""
        self._load()
        missing = crew.told([key for key in wanted if key not in self._rows])
        own = [wanted[key] for key in missing[crew.share(len(missing))]]
        for start in range(0, len(own), _HANDFUL):
            some = list(encoded(model, own[start : start + _HANDFUL]))
            with self._alone():
                self._load()
                for number, (view, features) in enumerate(some):
                    if view.key not in self._rows:
                        self._append(view, features, num_left=crew.size * (len(own) - start - number))
            if progress is not None:
                progress(min(start + _HANDFUL, len(own)), len(own))
        crew.wait()
        self._load()
        return len(missing)

    def take(self, views: Sequence[View], device: torch.device | str = "cpu") -> Features:
        """Read the features of some views as one batch, in full precision."""
        rows = [self._rows[view.key] for view in views]
        first, *extra = (torch.from_numpy(np.asarray(one[rows])).to(device).float() for one in self._maps)
        return Features(image_embedding=first, extra=tuple(extra))

    def _append(self, view: View, features: Features, *, num_left: int) -> None:
        tensors = [x[0].half().cpu().numpy() for x in (features.image_embedding, *features.extra)]
        if not self._shapes:
            self._shapes = [list(x.shape) for x in tensors]
            (self.folder / _LAYOUT).write_text(json.dumps(self._shapes))
        if num_left * self.view_bytes > shutil.disk_usage(self.folder).free - _SPARE_BYTES:
            raise InputError(
                f"the features of {num_left} more views take {num_left * self.view_bytes / 1e9:.1f} GB, and the disk "
                f"has {shutil.disk_usage(self.folder).free / 1e9:.1f} GB free. Free space, take fewer (--set mirror=0, "
                f"--set crops=0), or set MASKWRIGHT_CACHE to a folder elsewhere: {self.folder}"
            )
        row = len(self._rows)
        for i, tensor in enumerate(tensors):
            path = self._path(i)
            with path.open("r+b" if path.exists() else "wb") as file:
                file.seek(row * tensor.nbytes)  # beyond lies what a killed run wrote and did not list
                file.write(tensor.tobytes())
        with (self.folder / _KEYS).open("a", encoding="utf-8") as keys:
            keys.write(view.key + "\n")
        self._rows[view.key] = row

    def _load(self) -> None:
        self._rows, self._shapes = {}, []
        if not (self.folder / _LAYOUT).exists():
            return
        try:
            self._shapes = json.loads((self.folder / _LAYOUT).read_text())
            text = (self.folder / _KEYS).read_text(encoding="utf-8") if (self.folder / _KEYS).exists() else ""
        except (OSError, ValueError) as error:
            raise SettingError(f"the cache of features is damaged ({error}). Delete it: {self.folder}") from error
        whole = text[: text.rfind("\n") + 1]
        if whole != text:  # killed while it wrote a line
            (self.folder / _KEYS).write_text(whole, encoding="utf-8")
        self._rows = {key: row for row, key in enumerate(whole.splitlines())}
        self._open()

    def _open(self) -> None:
        """Map the files; a file that is shorter than its list says is cut to what it has."""
        if not self._rows:
            return
        sizes = [self._path(i).stat().st_size if self._path(i).exists() else 0 for i in range(len(self._shapes))]
        have = min(size // (2 * int(np.prod(shape))) for size, shape in zip(sizes, self._shapes, strict=True))
        if have < len(self._rows):
            self._rows = dict(list(self._rows.items())[:have])
            (self.folder / _KEYS).write_text("".join(key + "\n" for key in self._rows), encoding="utf-8")
        count = len(self._rows)
        self._maps = (
            [np.memmap(self._path(i), np.float16, "r", shape=(count, *shape)) for i, shape in enumerate(self._shapes)]
            if count
            else []
        )

    def _path(self, i: int) -> Path:
        return self.folder / f"map{i}.raw"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / ".lock")
            lock.acquire()
        except OSError as error:
            raise SettingError(f"features cannot be kept ({error.strerror or error}): {self.folder}") from error
        try:
            yield
        finally:
            lock.release()


def encoded(model: SamModel, views: Sequence[View]) -> Iterator[tuple[View, Features]]:
    """Encode views one at a time, in order; those of one picture, which follow each other, decode it once.

    On a CPU several pictures are encoded side by side.
    """
    pictures = [list(some) for _, some in groupby(views, key=lambda view: view.example.digest)]
    found = side_by_side(
        partial(_encoded_picture, model), pictures, at_once=most_at_once(model.device) if len(pictures) > 1 else 1
    )
    for some, features in zip(pictures, found, strict=True):
        yield from zip(some, features, strict=True)


@torch.no_grad()
def _encoded_picture(model: SamModel, views: Sequence[View]) -> list[Features]:
    image = views[0].example.read()
    return [model.encode(frame_of(view, image, model)) for view in views]


def frame_of(view: View, image: Image, model: SamModel) -> torch.Tensor:
    """Lay what a view sees into the model's frame."""
    pixels = view.pixels(image)
    return ModelFrame.of((pixels.shape[0], pixels.shape[1]), model.frame).pixels_to_model(pixels, model.device)


__all__ = ["FeatureCache", "encoded", "frame_of"]
