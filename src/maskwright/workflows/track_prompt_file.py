"""Files of prompts for `track`: which objects are where, by frame.

    {"0": [{"track": "mug", "box": [x1, y1, x2, y2], "label": "cup"}, {"track": "gripper", "points": [[x, y]]}],
     "80": [{"track": "gripper", "points": [[x, y], [x, y]], "labels": [1, 0]}, {"track": "lid", "mask": "lid.png"},
            {"track": "red mug", "text": "red mug"}]}

Frames have the names of `frame_names`: where there is one recording, a number will do. A mask is a picture beside the
file, white on the object. Unlike the files of `annotate`, which may hold thousands of entries, this one must be right
as a whole: an object left out would be missing from every frame.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskwright.core import BoxPrompt, CombinedPrompt, MaskPrompt, PointPrompt, SinglePrompt, TextPrompt
from maskwright.core.errors import InputError, PromptError
from maskwright.datasets.json_files import load_json
from maskwright.workflows.frame_names import FrameNames
from maskwright.workflows.pictures import read_mask
from maskwright.workflows.track_prompts import TrackPrompt

_KEYS = ("track", "label", "box", "points", "labels", "text", "mask")


def read_track_prompts(path: Path, names: FrameNames) -> list[TrackPrompt]:
    """Read a file of prompts.

    Raises:
        InputError: there is no such file, it is of another shape, or an entry of it cannot be used.
    """
    content = load_json(path, what="the file of prompts")
    if not isinstance(content, Mapping) or not all(isinstance(objects, list) for objects in content.values()):
        shape = '{"frame name or number": [{"track": "mug", "box": [x1, y1, x2, y2]}, ...]}'
        raise InputError(f"expected {shape}: {path}")
    found = []
    for name, objects in content.items():
        place = names.find(name)
        if place is None:
            raise InputError(f"no frame of the source is called {name!r}, or more than one is: {path}")
        for number, said in enumerate(objects, 1):
            try:
                found.append(TrackPrompt(place=place, **_object(said, path.parent)))
            except PromptError as error:
                raise InputError(f"{name}#{number}: {error}: {path}") from error
    return found


def _object(said: Any, folder: Path) -> dict[str, Any]:
    if not isinstance(said, Mapping) or not isinstance(said.get("track"), str):
        raise PromptError(f'an object must be an object with its keys and a "track", its name; got {said!r:.80}')
    unknown = said.keys() - set(_KEYS)
    if unknown:
        raise PromptError(f"an object has the keys {', '.join(_KEYS)}; got {', '.join(sorted(map(str, unknown)))}")
    parts: list[SinglePrompt] = []
    if "points" in said:
        parts.append(PointPrompt(said["points"], said.get("labels")))
    if "box" in said:
        parts.append(BoxPrompt(said["box"]))
    if "mask" in said:
        parts.append(MaskPrompt(read_mask(folder / str(said["mask"]))))
    if "text" in said:
        parts.append(TextPrompt(said["text"]))
    if not parts:
        raise PromptError("an object needs points, a box, a mask or a text")
    label = said.get("label")
    return {
        "track": said["track"],
        "label": None if label is None else str(label),
        "prompt": parts[0] if len(parts) == 1 else CombinedPrompt(parts),
    }


__all__ = ["read_track_prompts"]
