"""Draw docs/pictures/track_*: the demo episode tracked, before and after corrections, and its tracks over time.

    python docs/make_track_pictures.py

Three objects are named by boxes on frame 0; then the gripper is shown on three more frames, and what lies between is
done again. The boxes are those of the true masks, as a careful person draws them. Every fourth frame is drawn by the
model, whatever the machine, so that the pictures come out the same.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from maskwright.core import BoxPrompt
from maskwright.datasets import open_source
from maskwright.models import load_model
from maskwright.predict.embedding import model_ref
from maskwright.predict.tracking import TrackSettings, make_tracker
from maskwright.store import Query, open_store
from maskwright.workflows.annotate_plan import Footage, Selection
from maskwright.workflows.demo import make_demo
from maskwright.workflows.overlay import distinct_colours
from maskwright.workflows.track import Tracking, track
from maskwright.workflows.track_prompts import TrackPrompt
from maskwright.workflows.track_video import write_track_video

PICTURES = Path(__file__).parent / "pictures"
EPISODE, CAMERA = "episode_000000", "front"
NAMED = ((0, "mug"), (0, "gripper"), (0, "bin"))
CORRECTED = ((40, "gripper"), (80, "gripper"), (119, "gripper"))
SHOWN = (0, 20, 40, 60, 80, 93, 106, 119)
_COLUMNS, _TILE_WH, _QUALITY = 4, (400, 300), 78
_ROW, _LEFT, _STEP = 46, 150, 12  # pixels: a track's height, the names' width, a frame's width
_INK, _PAPER, _HIDDEN = (40, 40, 40), (255, 255, 255), (190, 190, 190)
Drawn = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A track on one frame."""

    index: int
    confidence: float
    state: str
    is_keyframe: bool


def main() -> None:
    """Track, draw, correct, draw again."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        demo = make_demo(here / "demo")
        stages = []
        for name, said in (("named", NAMED), ("corrected", CORRECTED)):
            _follow(demo.dataset, here / "masks", [_prompt(demo.store, *one) for one in said])
            _write(f"track_{name}.jpg", _sheet(demo.dataset, here))
            stages.append(_moments(here / "masks"))
        _write("track_states.png", np.vstack([_timeline(stage) for stage in stages]))


def _prompt(truth: Path, index: int, name: str) -> TrackPrompt:
    query = Query(camera=CAMERA, track=name, first_frame=index, last_frame=index)
    with open_store(truth, read_only=True) as store:
        (mask,) = store.query(query)
    return TrackPrompt(place=(EPISODE, CAMERA, index), track=name, prompt=BoxPrompt(mask.record.box_xyxy))


def _selection() -> Selection:
    return Selection(episodes=(EPISODE,), cameras=(CAMERA,))


def _follow(dataset: Path, out: Path, prompts: Sequence[TrackPrompt]) -> None:
    model = load_model("tiny")
    tracking = Tracking(make=lambda: make_tracker(model, TrackSettings(stride=4)), model=model_ref(model))
    track(tracking, Footage.open(dataset), out, prompts=prompts, selection=_selection())


def _sheet(dataset: Path, here: Path) -> Drawn:
    """Take some frames of the overlay video."""
    video = here / "overlay.mp4"
    with open_store(here / "masks", read_only=True) as store:
        write_track_video(store, Footage.open(dataset), _selection(), video)
    source = open_source(video)
    frames = source.frames(source.episodes[0], source.episodes[0].cameras[0])
    tiles = [_tile(frame.image.pixels, index) for index, frame in enumerate(frames) if index in SHOWN]
    return np.vstack([np.hstack(tiles[i : i + _COLUMNS]) for i in range(0, len(tiles), _COLUMNS)])


def _tile(pixels: Drawn, index: int) -> Drawn:
    tile = cv2.resize(pixels, _TILE_WH, interpolation=cv2.INTER_AREA)
    cv2.putText(tile, str(index), (8, _TILE_WH[1] - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.55, _PAPER, 1, cv2.LINE_AA)
    return tile


def _moments(out: Path) -> dict[str, list[Moment]]:
    found: dict[str, list[Moment]] = {}
    with open_store(out, read_only=True) as store:
        for mask in store.query(Query(where="track IS NOT NULL")):
            record, point = mask.record, mask.record.track_point
            assert record.frame is not None
            assert record.track is not None
            assert point is not None
            index = record.frame.frame_index
            moment = Moment(index, point.confidence or 0.0, point.state, mask.is_keyframe)
            found.setdefault(record.track, []).append(moment)
    return dict(sorted(found.items()))


def _timeline(tracks: dict[str, list[Moment]]) -> Drawn:
    """Draw a row for each track: a bar's height is confidence, gray where it is not seen, stars are keyframes."""
    last = max(one.index for moments in tracks.values() for one in moments)
    page = PillowImage.new("RGB", (_LEFT + (last + 2) * _STEP, _ROW * len(tracks) + 34), _PAPER)
    draw = ImageDraw.Draw(page)
    font, star = ImageFont.load_default(size=18), ImageFont.load_default(size=30)
    for row, ((name, moments), colour) in enumerate(zip(tracks.items(), distinct_colours(len(tracks)), strict=True)):
        floor = (row + 1) * _ROW
        draw.text((_LEFT - 12, floor - _ROW / 3), name, fill=_INK, font=font, anchor="rm")
        for one in moments:
            left = _LEFT + one.index * _STEP
            height = max(3, (_ROW - 12) * one.confidence) if one.state == "visible" else 6
            ink = colour if one.state == "visible" else _HIDDEN
            draw.rectangle((left, floor - height, left + _STEP - 2, floor), fill=ink)
            if one.is_keyframe:
                draw.text((left + _STEP / 2, floor - _ROW / 2), "*", fill=_INK, font=star, anchor="mm")
    for index in range(0, last + 1, 20):
        draw.text((_LEFT + index * _STEP, _ROW * len(tracks) + 6), str(index), fill=_INK, font=font)
    return np.asarray(page)


def _write(name: str, picture: Drawn) -> None:
    PillowImage.fromarray(picture).save(PICTURES / name, quality=_QUALITY, optimize=True)


if __name__ == "__main__":
    main()
