"""What frames are called: in the store, in exports, and in the files of prompts that people write.

A picture of a folder has its path below the folder; a frame of a recording is EPISODE/CAMERA/frame_000012.png. Where a
name is looked up, leading zeros, "frame_" and the suffix do not matter, and an episode or a camera may be left out
where there is only one.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from maskwright.datasets.frame_source import Episode, FrameSource

_NUMBER = re.compile(r"(?:frame[_-]?)?(\d+)(?:\.[A-Za-z0-9]{2,4})?", re.IGNORECASE)

Place = tuple[str, str, int]  # episode, camera, frame number


class FrameNames:
    """The names of a source's frames, both ways. `root` is the path that it was opened at."""

    def __init__(self, source: FrameSource, root: Path) -> None:
        folder = root if root.is_dir() else root.parent
        paths: dict[str, tuple[Path, ...]] = getattr(source, "paths", {})  # of an `ImageFolder`
        self._pictures = {
            episode: [path.relative_to(folder).as_posix() for path in found] for episode, found in paths.items()
        }
        self._num_frames = {episode.key: episode.num_frames for episode in source.episodes}
        self._cameras = {episode.key: episode.cameras for episode in source.episodes}
        self._by_picture = self._index_pictures()
        self._by_prefix = _index_prefixes(source.episodes)

    def name(self, episode: str, camera: str, number: int) -> str:
        """What a frame is called."""
        if episode in self._pictures:
            return self._pictures[episode][number]
        return f"{episode}/{camera.strip('/')}/frame_{number:06d}.png"  # topics of ROS begin with a slash

    def find(self, name: str) -> Place | None:
        """Find the frame that a name means; None if there is none, or more than one."""
        if self._by_picture:
            return self._find_picture(name)
        *prefix, last = [part for part in name.replace("\\", "/").split("/") if part] or [""]
        match = _NUMBER.fullmatch(last)
        place = self._by_prefix.get("/".join(prefix))
        if match is None or place is None or int(match[1]) >= self._num_frames[place[0]]:
            return None
        return *place, int(match[1])

    def _find_picture(self, name: str) -> Place | None:
        path = PurePosixPath(name.replace("\\", "/"))
        tries = (str(path), str(path.with_suffix("")), path.name, path.stem) if path.name else ()
        return next((place for one in tries if (place := self._by_picture.get(one)) is not None), None)

    def _index_pictures(self) -> dict[str, Place | None]:
        """Map paths, and file names where they are unique, with their suffix and without."""
        found: dict[str, Place | None] = {}
        for shorten in (lambda path: path, lambda path: PurePosixPath(path.name)):
            known = set(found)
            for episode, names in self._pictures.items():
                (camera,) = self._cameras[episode]
                for number, name in enumerate(names):
                    path = shorten(PurePosixPath(name))
                    for key in {str(path), str(path.with_suffix(""))} - known:
                        found[key] = None if key in found else (episode, camera, number)
        return found


def _index_prefixes(episodes: Sequence[Episode]) -> dict[str, tuple[str, str]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for episode in episodes:
        for camera in episode.cameras:
            place = episode.key, camera
            name = camera.strip("/")
            for prefix in {f"{episode.key}/{name}", episode.key, name, ""}:
                found.setdefault(prefix, []).append(place)
    return {prefix: places[0] for prefix, places in found.items() if len(places) == 1}


__all__ = ["FrameNames", "Place"]
