"""Labelled scenes on disk: pictures, instance masks, parts, depth and names, written and read one by one.

    SCENES/images/000000.jpg   picture
    SCENES/masks/000000.png    index of the visible instance, 1..N; 0 where nothing is asked about
    SCENES/parts/000000.png    optional: index of a part within its instance; 0 is its body
    SCENES/depth/000000.png    optional: millimetres, 0 where unknown
    SCENES/objects.json        what each instance is, how the scenes were made, and from what

A scene counts once objects.json lists it, and objects.json is replaced whole: a run that was cut leaves a folder that
reads as what was finished. Words are not checked here; that is for whoever knows the vocabulary. No torch.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image as PillowImage

from maskwright.core.errors import ImageError, InputError, MaskError, RecordError

FORMAT = "maskwright-scenes-1"
_JPEG_QUALITY = 92
# objects.json is rewritten after this many scenes, or this share of those it lists, whichever is more: the cost of
# rewriting stays in proportion, and a killed run repeats at most this much.
_FLUSH_SCENES, _FLUSH_SHARE = 16, 1 / 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledObject:
    """One instance of a scene: its index in the mask and what is known of it.

    `occlusion` is the share of its pixels that others hide, 0..1; `parts` names indices of the part map, None for one
    without a name.
    """

    index: int
    name: str
    colour: str | None = None
    material: str | None = None
    occlusion: float = 0.0
    parts: Mapping[int, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledScene:
    """A picture with what is in it; all maps have the picture's size.

    `episode` names the pictures that belong together, as views of one scene; None where each stands alone.
    """

    image: UInt8[np.ndarray, "H W 3"]
    masks: UInt8[np.ndarray, "H W"] | UInt16[np.ndarray, "H W"]
    objects: tuple[LabelledObject, ...]
    parts: UInt8[np.ndarray, "H W"] | None = None
    depth_mm: UInt16[np.ndarray, "H W"] | None = None
    episode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSource:
    """Something that a scene shows and the licence it came under."""

    what: str
    licence: str


class SceneFolder(Sequence[LabelledScene]):
    """Scenes of a folder; nothing but objects.json is read until a scene is asked for."""

    def __init__(self, root: Path, listing: "_Listing") -> None:
        self.root = root
        self._listing = listing

    def __len__(self) -> int:
        return len(self._listing.scenes)

    def __getitem__(self, index: Any) -> Any:
        """Decode a scene.

        Raises:
            ImageError: its picture is missing or damaged.
            MaskError: a map is missing, damaged or of another size than the picture.
        """
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return _read_scene(self.root, self._listing.scenes[index])

    def __iter__(self) -> Iterator[LabelledScene]:
        return (self[i] for i in range(len(self)))

    @property
    def image_paths(self) -> tuple[Path, ...]:
        """Where the pictures lie, in the order of the scenes."""
        return tuple(self.root / "images" / scene.image for scene in self._listing.scenes)

    @property
    def sizes_hw(self) -> tuple[tuple[int, int], ...]:
        """Sizes of the pictures, read from the heads of their files."""
        return tuple(map(_size_of, self.image_paths))

    @property
    def objects(self) -> tuple[tuple[LabelledObject, ...], ...]:
        """What each scene holds, without decoding any."""
        return tuple(scene.objects for scene in self._listing.scenes)

    @property
    def made_by(self) -> Mapping[str, Any]:
        """Generator, seed and versions, as they were written."""
        return self._listing.made_by

    @property
    def sources(self) -> tuple[SceneSource, ...]:
        """What the scenes show and under which licences."""
        return self._listing.sources


class SceneWriter:
    """Appends scenes to a folder; use it as a context manager.

    A folder that holds scenes of the same `made_by` is continued: `num_written` says where.
    """

    def __init__(self, root: Path, *, made_by: Mapping[str, Any], sources: Sequence[SceneSource] = ()) -> None:
        self.root = root
        made_by = json.loads(json.dumps(dict(made_by)))
        listing = _read_listing(root) if (root / "objects.json").exists() else _Listing(made_by=made_by)
        if listing.made_by != made_by:
            raise InputError(
                f"this folder holds scenes that were made otherwise ({_difference(listing.made_by, made_by)}). "
                f"Give the same settings to go on, or another folder: {root}"
            )
        self._scenes = list(listing.scenes)
        self._made_by = made_by
        self._sources = dict.fromkeys((*listing.sources, *sources))
        self._num_listed = len(self._scenes)

    @property
    def num_written(self) -> int:
        """How many scenes the folder holds."""
        return len(self._scenes)

    def __enter__(self) -> Self:
        for folder in ("images", "masks"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def add(self, scene: LabelledScene, *, sources: Sequence[SceneSource] = ()) -> None:
        """Write a scene's files and list it with the next flush; `sources` joins those of the folder."""
        _check_scene(scene)
        stem = f"{len(self._scenes):06d}"
        _write_picture(self.root / "images" / f"{stem}.jpg", cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR))
        _write_picture(self.root / "masks" / f"{stem}.png", scene.masks)
        for folder, pixels in (("parts", scene.parts), ("depth", scene.depth_mm)):
            if pixels is not None:
                (self.root / folder).mkdir(exist_ok=True)
                _write_picture(self.root / folder / f"{stem}.png", pixels)
        self._scenes.append(_ListedScene(image=f"{stem}.jpg", objects=scene.objects, episode=scene.episode))
        self._sources.update(dict.fromkeys(sources))
        if len(self._scenes) - self._num_listed >= max(_FLUSH_SCENES, _FLUSH_SHARE * self._num_listed):
            self.flush()

    def flush(self) -> None:
        """List every scene written so far."""
        listing = _Listing(scenes=tuple(self._scenes), made_by=self._made_by, sources=tuple(self._sources))
        temporary = self.root / f".objects.{os.getpid()}.json"
        temporary.write_text(json.dumps(_listing_to_json(listing)), encoding="utf-8")
        temporary.replace(self.root / "objects.json")
        self._num_listed = len(self._scenes)


def write_scene_folder(root: Path, *, made_by: Mapping[str, Any], sources: Sequence[SceneSource] = ()) -> SceneWriter:
    """Open a folder for writing, or for going on with scenes of the same making.

    Raises:
        InputError: the folder holds scenes that were made otherwise.
        RecordError: its objects.json is damaged.
    """
    return SceneWriter(root, made_by=made_by, sources=sources)


def read_scene_folder(root: Path) -> SceneFolder:
    """Open a folder of labelled scenes.

    Raises:
        RecordError: objects.json is missing, damaged or of another format.
    """
    return SceneFolder(root, _read_listing(root))


@dataclass(frozen=True, slots=True, kw_only=True)
class _ListedScene:
    image: str
    objects: tuple[LabelledObject, ...]
    episode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    scenes: tuple[_ListedScene, ...] = ()
    made_by: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[SceneSource, ...] = ()


def _listing_to_json(listing: _Listing) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "made_by": dict(listing.made_by),
        "sources": [{"what": source.what, "licence": source.licence} for source in listing.sources],
        "scenes": [
            {
                "image": scene.image,
                **({} if scene.episode is None else {"episode": scene.episode}),
                "objects": [_object_to_json(one) for one in scene.objects],
            }
            for scene in listing.scenes
        ],
    }


def _object_to_json(one: LabelledObject) -> dict[str, Any]:
    return {
        "id": one.index,
        "name": one.name,
        "colour": one.colour,
        "material": one.material,
        "occlusion": round(one.occlusion, 4),
        "parts": {str(part): name for part, name in one.parts.items()},
    }


def _read_listing(root: Path) -> _Listing:
    path = root / "objects.json"
    if not path.exists():
        raise RecordError(f"expected a folder of labelled scenes with an objects.json, found none: {path}")
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise RecordError(f"objects.json is damaged ({error}). Restore it or make the scenes again: {path}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        got = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise RecordError(f'expected objects.json of the format "{FORMAT}", got {got!r}: {path}')
    try:
        return _Listing(
            scenes=tuple(_scene_from_json(scene) for scene in content["scenes"]),
            made_by=dict(content.get("made_by") or {}),
            sources=tuple(SceneSource(what=s["what"], licence=s["licence"]) for s in content.get("sources") or ()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RecordError(f"objects.json does not say what was expected: {what}: {path}") from None


def _scene_from_json(scene: Mapping[str, Any]) -> _ListedScene:
    objects = tuple(_object_from_json(one) for one in scene["objects"])
    if len({one.index for one in objects}) != len(objects):
        raise ValueError(f"an id occurs twice in {scene['image']}")
    episode = scene.get("episode")
    return _ListedScene(image=str(scene["image"]), objects=objects, episode=None if episode is None else str(episode))


def _object_from_json(one: Mapping[str, Any]) -> LabelledObject:
    index, occlusion = int(one["id"]), float(one.get("occlusion") or 0.0)
    if index < 1 or not 0 <= occlusion <= 1:
        raise ValueError(f"an id is at least 1 and an occlusion within 0..1, got {index} and {occlusion}")
    return LabelledObject(
        index=index,
        name=str(one["name"]),
        colour=one.get("colour"),
        material=one.get("material"),
        occlusion=occlusion,
        parts={int(part): name for part, name in (one.get("parts") or {}).items()},
    )


def _read_scene(root: Path, listed: _ListedScene) -> LabelledScene:
    path = root / "images" / listed.image
    image = _decode(path, ImageError, "RGB")
    stem = f"{Path(listed.image).stem}.png"
    return LabelledScene(
        image=image,
        masks=_read_map(root / "masks" / stem, image.shape[:2], (np.uint8, np.uint16)),
        objects=listed.objects,
        episode=listed.episode,
        parts=_read_map(root / "parts" / stem, image.shape[:2], (np.uint8,))
        if (root / "parts" / stem).exists()
        else None,
        depth_mm=_read_map(root / "depth" / stem, image.shape[:2], (np.uint16,))
        if (root / "depth" / stem).exists()
        else None,
    )


def _size_of(path: Path) -> tuple[int, int]:
    try:
        with PillowImage.open(path) as picture:
            return picture.height, picture.width
    except (OSError, SyntaxError) as error:
        raise ImageError(f"a picture of a scene is missing or damaged ({error}): {path}") from None


def _read_map(path: Path, size_hw: tuple[int, ...], dtypes: tuple[type, ...]) -> np.ndarray:
    pixels = _decode(path, MaskError, None)
    if pixels.shape != tuple(size_hw):
        raise MaskError(f"expected one channel of the picture's size, {size_hw}, got {pixels.shape}: {path}")
    if pixels.dtype not in dtypes:
        raise MaskError(f"expected {' or '.join(t.__name__ for t in dtypes)}, got {pixels.dtype}: {path}")
    return pixels


def _decode(path: Path, error_class: type[InputError], mode: str | None) -> np.ndarray:
    if not path.exists():
        raise error_class(f"objects.json lists this scene, but one of its files is missing: {path}")
    try:
        with PillowImage.open(path) as picture:
            pixels = np.asarray(picture.convert(mode) if mode else picture)
    except (OSError, SyntaxError) as error:
        raise error_class(f"a file of this scene is damaged ({error}): {path}") from None
    # Pillow opens 16-bit grey as uint16 or, by version, as int32.
    return pixels.astype(np.uint16) if pixels.dtype == np.int32 else pixels


def _write_picture(path: Path, pixels: np.ndarray) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 3]
    if not cv2.imwrite(str(path), pixels, options):
        raise InputError(f"this file could not be written; is the disk full? {path}")


def _check_scene(scene: LabelledScene) -> None:
    size_hw = scene.image.shape[:2]
    maps = {"masks": scene.masks, "parts": scene.parts, "depth": scene.depth_mm}
    for name, pixels in maps.items():
        if pixels is not None and pixels.shape != size_hw:
            raise MaskError(f"expected {name} of the picture's size, {size_hw}, got {pixels.shape}")
    present, named = set(np.unique(scene.masks).tolist()) - {0}, [one.index for one in scene.objects]
    if len(named) != len(set(named)) or present != set(named):
        raise MaskError(
            f"expected each index of the mask to be one object and each object to be seen: the mask shows "
            f"{sorted(present)}, the objects are {sorted(named)}. Drop what is hidden, number what is there."
        )


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    keys = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    return ", ".join(f"{key} is {old.get(key)!r}, now {new.get(key)!r}" for key in keys)


__all__ = [
    "FORMAT",
    "LabelledObject",
    "LabelledScene",
    "SceneFolder",
    "SceneSource",
    "SceneWriter",
    "read_scene_folder",
    "write_scene_folder",
]
