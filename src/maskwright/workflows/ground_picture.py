"""From a picture file and an instruction to the masks that it means, and to files that say why.

Beside what `predict` writes, `photo.grounding.json` holds how the text was read and every thing that may be meant,
with its score and reasons.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maskwright.core import BoxXYXY, Image, MaskRecord, ProcessingStep
from maskwright.core.errors import ImageError
from maskwright.datasets.depth import read_depth
from maskwright.masks import area, box_xyxy
from maskwright.predict.grounding import Find, Grounding, Ranked, ground
from maskwright.workflows.outputs import SavedFiles, save_prompted, write_all
from maskwright.workflows.pictures import Picture

# Of a picture: how things are found in it by words.
FindIn = Callable[[Image], Find]
_MOST_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounded:
    """What an instruction means in one picture: `records` are the things that were chosen, the likeliest first."""

    picture: Picture
    image: Image
    grounding: Grounding
    records: tuple[MaskRecord, ...]
    files: SavedFiles | None
    seconds: float


def ground_picture(
    find_in: FindIn,
    picture: Picture,
    text: str,
    *,
    depth: Path | None = None,
    min_score: float,
    out: Path | None = None,
) -> Grounded:
    """Find what an instruction means in a picture, and write masks, overlay and reasons to `out` if there is one.

    Raises:
        ImageError: the picture or its depth cannot be read, or they differ in size.
        PromptError: the text cannot be read, or names something that is not known.
        SettingError: the folder cannot be written, or `min_score` is out of range.
    """
    image = picture.read()
    depth_m = None if depth is None else read_depth(depth)
    if depth_m is not None and depth_m.shape != image.size_hw:
        height, width = image.size_hw
        raise ImageError(
            f"the depth has {depth_m.shape[1]} x {depth_m.shape[0]} pixels, expected the picture's {width} x {height}. "
            f"Align it to the picture first: {depth}"
        )
    started = time.perf_counter()
    found = ground(find_in(image), text, depth_m=depth_m, min_score=min_score)
    records = tuple(_record_of(one, text) for one in found.chosen)
    seconds = time.perf_counter() - started
    files = None if out is None else _save(out, picture, image, records, found)
    return Grounded(picture=picture, image=image, grounding=found, records=records, files=files, seconds=seconds)


def grounding_json(found: Grounding, records: Sequence[MaskRecord]) -> dict[str, Any]:
    """Say what was found as JSON types; `records` are those of the chosen things, in order."""
    ids = {id(one): record.id for one, record in zip(found.chosen, records, strict=True)}
    return {
        "text": found.text,
        "told": found.told,
        "readings": [str(one) for one in found.readings],
        "is_ambiguous": found.is_ambiguous,
        "ranked": [_ranked_json(one) | {"record_id": ids.get(id(one))} for one in found.ranked[:_MOST_LISTED]],
        "relation": found.relation,
        "goal": [_ranked_json(one) for one in found.goal[:_MOST_LISTED]],
    }


def _ranked_json(one: Ranked) -> dict[str, Any]:
    box: BoxXYXY = box_xyxy(one.thing.rle)
    return {
        "score": round(one.score, 4),
        "box_xyxy": list(box),
        "area": area(one.thing.rle),
        "reasons": [{"said": reason.said, "truth": round(reason.truth, 4)} for reason in one.reasons],
        "reading": one.reading,
    }


def _record_of(one: Ranked, text: str) -> MaskRecord:
    """Take the record of a thing, and say in its provenance how it was chosen."""
    record = one.thing.record
    assert record is not None, "things that are found in pictures have records"
    step = ProcessingStep(
        name="ground", parameters={"text": text, "reading": one.reading, "score": round(one.score, 4)}
    )
    steps = (*record.provenance.steps, step)
    return replace(record, label=one.thing.name or record.label, provenance=replace(record.provenance, steps=steps))


def _save(out: Path, picture: Picture, image: Image, records: Sequence[MaskRecord], found: Grounding) -> SavedFiles:
    files = save_prompted(out, picture, image, records)
    said = json.dumps(grounding_json(found, records), indent=1) + "\n"
    write_all({out / f"{picture.stem}.grounding.json": said.encode()})
    return files


__all__ = ["FindIn", "Grounded", "ground_picture", "grounding_json"]
