"""Files of boxes and of points: which objects to look for on which frames.

    {"NAME OF A FRAME": [[x1, y1, x2, y2], {"box": [x1, y1, x2, y2], "label": "mug", "track": "1"}]}
    {"NAME OF A FRAME": [[x, y], {"points": [[x, y], [x, y]], "labels": [1, 0], "label": "mug"}]}
    {"images": [...], "categories": [...], "annotations": [...]}            COCO, whose boxes are x, y, width, height
    [{"image_id": "NAME OF A FRAME", "bbox": [x, y, width, height], "label": "mug", "score": 0.9}]     detections

Names are those of `frame_names`. The file as a whole must be right; an entry that is not is left out and named.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from maskwright.core.errors import InputError, PromptError
from maskwright.core.prompt import BoxPrompt, PointPrompt, Prompt
from maskwright.datasets.json_files import load_json
from maskwright.workflows.annotate_recipe import ObjectPrompt, PromptsTask
from maskwright.workflows.frame_names import FrameNames, Place

Kind = Literal["boxes", "points"]
Entry = tuple[str, str, Any]  # the frame's name, what the entry is called in messages, and what it says

_SHAPES = {
    "boxes": '{"frame name": [[x1, y1, x2, y2], ...]}, COCO, or a list of detections with image_id and bbox',
    "points": '{"frame name": [[x, y], {"points": [[x, y], ...], "labels": [1, 0, ...]}, ...]}',
}


def read_prompts(path: Path, kind: Kind, names: FrameNames) -> tuple[PromptsTask, tuple[str, ...]]:
    """Read a file of prompts; the second value names the entries that had to be left out, and says why.

    Raises:
        InputError: there is no such file, it is not JSON or of another shape, or no entry of it can be used.
    """
    content = load_json(path, what=f"the file of {kind}")
    by_place: dict[Place, list[ObjectPrompt]] = defaultdict(list)
    problems: list[str] = []
    unknown: set[str] = set()
    spoilt: set[Place] = set()
    for name, item, said in _entries(content, kind, path):
        place = names.find(name)
        if place is None:
            if name not in unknown:
                problems.append(f"{item}: no frame of the source is called {name!r}")
            unknown.add(name)
            continue
        objects = by_place[place]
        if said is not None:
            try:
                objects.append(_object(said, kind))
            except PromptError as error:
                problems.append(f"{item}: {error}")
                spoilt.add(place)
    # A frame with bad entries alone is not one with nothing on it.
    by_frame = {place: tuple(objects) for place, objects in by_place.items() if objects or place not in spoilt}
    if not by_frame:
        told = f"; the first: {problems[0]}" if problems else ""
        raise InputError(f"no entry of the file of {kind} can be used, of {len(problems)} tried{told}: {path}")
    return PromptsTask(kind=kind, by_place=by_frame), tuple(problems)


def _entries(content: Any, kind: Kind, path: Path) -> Iterator[Entry]:
    """List what a file says, whatever its shape; a frame with nothing on it has one entry that says None."""
    if kind == "boxes" and isinstance(content, Mapping) and "images" in content and "annotations" in content:
        return _of_coco(content, path)
    if kind == "boxes" and isinstance(content, list):
        return _of_detections(content)
    if isinstance(content, Mapping) and all(isinstance(objects, list) for objects in content.values()):
        return _of_names(content)
    raise InputError(f"expected {_SHAPES[kind]}: {path}")


def _of_names(content: Mapping[str, list[Any]]) -> Iterator[Entry]:
    for name, objects in content.items():
        yield name, name, None
        for number, said in enumerate(objects, 1):
            yield name, f"{name}#{number}", said if said is not None else {}


def _of_detections(content: Sequence[Any]) -> Iterator[Entry]:
    for number, one in enumerate(content, 1):
        item = f"entry {number}"
        if not isinstance(one, Mapping) or not isinstance(one.get("image_id"), str | int):
            yield "", f"{item} has no image_id", {}
            continue
        yield str(one["image_id"]), item, _from_coco(one, one.get("label", one.get("category_name")))


def _of_coco(content: Mapping[str, Any], path: Path) -> Iterator[Entry]:
    try:
        names = {one["id"]: str(one["file_name"]) for one in content["images"]}
        labels = {one["id"]: str(one["name"]) for one in content.get("categories", ())}
        found = [(one["image_id"], one.get("category_id"), one) for one in content["annotations"]]
        known = [(names.get(image), labels.get(category), one) for image, category, one in found]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"expected COCO's images, annotations and categories; {error} is missing: {path}") from None
    for name in names.values():
        yield name, name, None
    for number, (name, label, one) in enumerate(known, 1):
        item = f"annotation {one.get('id', number)}"
        yield name or f"image {one['image_id']}", item, _from_coco(one, label)


def _from_coco(one: Mapping[str, Any], label: Any) -> dict[str, Any]:
    """Turn x, y, width, height into corners; what is no box stays as it is, to be named."""
    box = one.get("bbox")
    if isinstance(box, list) and len(box) == 4 and all(_is_number(value) for value in box):
        x, y, width, height = box
        box = [x, y, x + width, y + height]
    return {"box": box, "label": label, "track": one.get("track", one.get("track_id"))}


def _object(said: Any, kind: Kind) -> ObjectPrompt:
    """Read one object.

    Raises:
        PromptError: it is malformed.
    """
    if isinstance(said, list):
        said = {"box" if kind == "boxes" else "point": said}
    if not isinstance(said, Mapping):
        raise PromptError(f"an object must be a list of numbers or an object with its keys, got {said!r}")
    label, track = said.get("label"), said.get("track")
    return ObjectPrompt(
        prompt=_box(said) if kind == "boxes" else _points(said),
        label=None if label is None else str(label),
        track=None if track is None else str(track),
    )


def _box(said: Mapping[str, Any]) -> Prompt:
    box = said.get("box")
    if not isinstance(box, list) or not all(_is_number(value) for value in box):
        raise PromptError(f"a box must be four numbers x1, y1, x2, y2, got {box!r}")
    return BoxPrompt(box)


def _points(said: Mapping[str, Any]) -> Prompt:
    points = said.get("points", [said["point"]] if "point" in said else None)
    if not isinstance(points, list) or not all(_is_pair(point) for point in points):
        raise PromptError(f"points must be a list of pairs x, y, got {points!r}")
    return PointPrompt([(x, y) for x, y in points], said.get("labels"))


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_number(one) for one in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


__all__ = ["Kind", "read_prompts"]
