"""What a policy sees, in a training loop: `PolicyDataset` over a data set and a store, `PolicyTransform` for lerobot's.

Both call `make_inputs` on decoded frames, so nothing is written beforehand. Masks are read once and kept packed, a few
hundred bytes a mask, which the workers of a `DataLoader` share by fork or get by pickle. torch is imported when the
first tensor is made; without torch, `as_tensors=False` gives arrays.
"""

import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.core.errors import InputError, SettingError
from maskwright.core.image import FrameRef, Image
from maskwright.datasets import open_source
from maskwright.datasets.frame_opener import FrameOpener
from maskwright.datasets.frame_source import Episode, FrameSource
from maskwright.datasets.lerobot_rows import iter_rows
from maskwright.datasets.lerobot_source import LeRobotSource
from maskwright.robot.policy_background import Backdrops, check_backdrops
from maskwright.robot.policy_inputs import PolicyInputs, make_inputs
from maskwright.robot.policy_layout import number_key, picture_key
from maskwright.robot.policy_masks import EpisodeMasks, StoredMasks, one_each
from maskwright.robot.policy_recipe import PolicyRecipe
from maskwright.store.moments import Moment

_OPEN_DECODERS = 8  # of a worker
_IMAGES = "observation.images."
_LEFT_BEHIND: list[Any] = []  # of a parent process; never closed


@dataclass(frozen=True, slots=True, eq=False)
class MaskShelf:
    """The masks of a recipe's slots on all episodes, by episode and camera."""

    dataset: str
    episodes: Mapping[tuple[str, str], EpisodeMasks]

    @classmethod
    def read(cls, store: Path | str, recipe: PolicyRecipe, *, dataset: str, as_of: Moment = None) -> "MaskShelf":
        """Read them all; costs some 10 ms an episode, and a few hundred bytes a mask.

        Raises:
            StoreError: there is no store, or it cannot be read.
            SettingError: a slot names nothing, or the store is of other data sets.
        """
        with StoredMasks(Path(store), dataset=dataset, as_of=as_of) as stored:
            stored.check(recipe.names)
            places = sorted(stored.cameras())
            return cls(dataset, {place: stored.episode(*place, recipe.names) for place in places})

    def inputs(
        self, image: Image, recipe: PolicyRecipe, ref: FrameRef, backdrops: Backdrops | None = None
    ) -> PolicyInputs:
        """Make what a policy sees of a frame.

        Raises:
            InputError: a mask has another size than the frame.
        """
        masks = self.episodes.get((ref.episode, ref.camera))
        found = {} if masks is None else one_each(masks.of(ref.frame_index), recipe.several)
        return make_inputs(image.pixels, found, recipe, ref=ref, depth_m=image.depth_m, backdrops=backdrops)


class PolicyDataset:
    """A map-style data set for `torch.utils.data.DataLoader`: an item is a row, as a dictionary.

    Pictures are uint8, C H W: red, green, blue, and with `channels` in the recipe one more for each slot (255 where its
    object is). `columns` are numbers of a LeRobot data set that go along. Frames are decoded where they stand, so
    reading in order is much cheaper than at random: a video is sought for each item that is not the next.

    Raises:
        SettingError: a slot or a camera is not there, or the pictures to put behind objects are not the recipe's.
        InputError, StoreError: the data set or the store cannot be read.
    """

    def __init__(
        self,
        dataset: Path | str,
        store: Path | str,
        recipe: PolicyRecipe,
        *,
        cameras: Sequence[str] | None = None,
        columns: Sequence[str] = ("observation.state", "action"),
        backdrops: Backdrops | None = None,
        as_of: Moment = None,
        as_tensors: bool = True,
    ) -> None:
        check_backdrops(recipe.background, backdrops)
        self.recipe, self._path = recipe, Path(dataset)
        self._backdrops, self._as_tensors = backdrops, as_tensors
        source = open_source(dataset)
        self._shelf = MaskShelf.read(store, recipe, dataset=source.name, as_of=as_of)
        annotated = {episode for episode, _ in self._shelf.episodes}
        self._episodes = [one for one in source.episodes if one.key in annotated and one.num_frames]
        self.cameras = _cameras(self._episodes, self._shelf, cameras)
        self._ends = np.cumsum([one.num_frames for one in self._episodes])
        self._rows = _numbers(source, self._episodes, columns)
        self._source: FrameSource | None = None
        self._openers: OrderedDict[tuple[str, str], FrameOpener] = OrderedDict()
        self._pid = os.getpid()

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getstate__(self) -> dict[str, Any]:  # decoders stay where they are
        return {**self.__dict__, "_source": None, "_openers": OrderedDict()}

    def __getitem__(self, index: int) -> dict[str, Any]:
        index = range(len(self))[index]
        place = int(np.searchsorted(self._ends, index, side="right"))
        episode = self._episodes[place]
        number = index - int(self._ends[place]) + episode.num_frames
        item: dict[str, Any] = {"episode_index": place, "frame_index": number, "index": index}
        for camera in self.cameras:
            image = self._opener(episode, camera).read(number)
            ref = FrameRef(dataset=self._shelf.dataset, episode=episode.key, camera=camera, frame_index=number)
            made = self._shelf.inputs(image, self.recipe, ref, self._backdrops)
            item |= as_item(made, camera, as_tensors=self._as_tensors)
        for name, values in self._rows.items():
            item[name] = _tensor(values[index]) if self._as_tensors else values[index]
        return item

    def _opener(self, episode: Episode, camera: str) -> FrameOpener:
        if self._pid != os.getpid():  # a forked worker: the decoders' threads stayed behind, and closing waits for them
            _LEFT_BEHIND.append((self._source, self._openers))
            self._source, self._openers, self._pid = None, OrderedDict(), os.getpid()
        key = episode.key, camera
        if key not in self._openers:
            self._source = self._source or open_source(self._path)
            here = next(one for one in self._source.episodes if one.key == episode.key)
            self._openers[key] = FrameOpener(self._source, here, camera)
            while len(self._openers) > _OPEN_DECODERS:
                self._openers.popitem(last=False)
        self._openers.move_to_end(key)
        return self._openers[key]


class PolicyTransform:
    """Turns an item of lerobot's own data set into what a policy sees; its cameras make place for the views.

    An item has `episode_index`, `frame_index`, and pictures under `observation.images.<camera>`, C H W from 0 to 1 as
    lerobot gives them, or uint8. Batches of several times are not taken.

    Raises:
        SettingError: the pictures to put behind objects are not the recipe's.
    """

    def __init__(self, shelf: MaskShelf, recipe: PolicyRecipe, *, backdrops: Backdrops | None = None) -> None:
        check_backdrops(recipe.background, backdrops)
        self._shelf, self._recipe, self._backdrops = shelf, recipe, backdrops

    def __call__(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Make a new item.

        Raises:
            InputError: the item lacks what says where it stands, or a picture has another shape.
        """
        try:
            episode, number = f"episode_{int(item['episode_index']):06d}", int(item["frame_index"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("an item needs episode_index and frame_index, as those of lerobot have") from error
        made: dict[str, Any] = {}
        for key, value in item.items():
            camera = key.removeprefix(_IMAGES)
            if camera == key or (episode, camera) not in self._shelf.episodes:
                made[key] = value
                continue
            ref = FrameRef(dataset=self._shelf.dataset, episode=episode, camera=camera, frame_index=number)
            inputs = self._shelf.inputs(Image(_pixels(value, key)), self._recipe, ref, self._backdrops)
            made |= as_item(inputs, camera, as_tensors=not isinstance(value, np.ndarray))
        return made


def as_item(made: PolicyInputs, camera: str, *, as_tensors: bool = True) -> dict[str, Any]:
    """Name what a policy sees of one camera: pictures as C H W with their masks, and numbers in their shapes."""
    named: dict[str, np.ndarray] = {}
    for view in made.views:
        whole = view.pixels if view.channels is None else view.stacked()
        named[picture_key(camera, view.name)] = np.ascontiguousarray(whole.transpose(2, 0, 1))
    named[number_key(camera, "present")] = made.present
    named[number_key(camera, "windows")] = np.array([view.window_xyxy for view in made.views], np.int64)
    shares = [view.shares for view in made.views if view.shares is not None]
    if shares:
        named[number_key(camera, "patches")] = np.stack(shares)
    if made.clouds is not None:
        named[number_key(camera, "cloud")] = made.clouds
    return {key: _tensor(value) for key, value in named.items()} if as_tensors else dict(named)


def _tensor(value: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(value)


def _pixels(value: Any, key: str) -> np.ndarray:
    array = np.asarray(value)
    if array.ndim != 3 or array.shape[0] != 3:
        raise InputError(f"{key} must be one picture of 3 channels first, got the shape {array.shape}")
    if array.dtype != np.uint8:
        array = np.rint(array * 255).astype(np.uint8)
    return np.ascontiguousarray(array.transpose(1, 2, 0))


def _cameras(episodes: Iterable[Episode], shelf: MaskShelf, wanted: Sequence[str] | None) -> tuple[str, ...]:
    known = list(dict.fromkeys(camera for one in episodes for camera in one.cameras))
    annotated = {camera for _, camera in shelf.episodes}
    for name in wanted or ():
        if name not in known:
            raise SettingError(f"no camera with masks is called {name!r}; there are {', '.join(known) or 'none'}")
    return tuple(wanted) if wanted is not None else tuple(one for one in known if one in annotated)


def _numbers(source: FrameSource, episodes: Sequence[Episode], columns: Sequence[str]) -> dict[str, np.ndarray]:
    """Read the numbers that go along, which are small beside pictures."""
    if not isinstance(source, LeRobotSource):
        return {}
    names = [name for name in columns if name in source.meta.info["features"]]
    places = {one.key: one for one in source.meta.episodes}
    rows: dict[str, list[Any]] = {name: [] for name in names}
    for episode in episodes if names else ():
        for row in iter_rows(source.meta, places[episode.key], names):
            for name in names:
                rows[name].append(row[name])
    return {name: np.array(values, source.meta.info["features"][name]["dtype"]) for name, values in rows.items()}


__all__ = ["MaskShelf", "PolicyDataset", "PolicyTransform", "as_item"]
