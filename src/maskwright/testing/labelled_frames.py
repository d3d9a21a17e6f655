"""Hypothesis strategies for labelled frames: the ones that formats stumble over.

Empty masks and frames, overlaps, odd names and labels, every status and score, provenance of every kind. Needs
hypothesis, which only the dev extra brings.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import numpy as np
from hypothesis import strategies as st

from maskwright.core.image import FrameRef, Image
from maskwright.core.prompt import BoxPrompt, PointPrompt
from maskwright.core.provenance import Method, ModelRef, ProcessingStep, Provenance
from maskwright.core.record import MaskRecord, Scores, new_id
from maskwright.core.resolved import ResolvedRecord, SignedComment
from maskwright.core.rle import RLE
from maskwright.core.shapes import SizeHW
from maskwright.core.track import TrackPoint, TrackSource, TrackState
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.masks import area, box_xyxy
from maskwright.testing.strategies import rles, sizes_hw

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_LABELS = ["mug", "red mug", "чашка", "杯子", 'a "quoted" <tag> & more', "yes", "007", "with, comma", "it's: - #1"]
_STEMS = ["frame", "frame_0001", "Über größe", "写真 1", "a.b.c", "x_mask", "#1 100%", "it's", "a&b<c>"]
_FOLDERS = ["", "seq/", "run 1/cam.left/", "エピソード/"]
_SUFFIXES = [".png", ".jpg", ".JPG", ".bmp", ""]
_COMMENTS = (
    SignedComment(actor="bo", at=_NOON, text="is the <b>handle</b> part of it?\nask Ann"),
    SignedComment(actor="ann", at=_NOON + timedelta(minutes=1), text="да"),
)
_MODEL = ModelRef(name="tiny", family="tiny", checkpoint_sha256="0" * 64)


def moments() -> st.SearchStrategy[datetime]:
    """Draw moments with a time zone."""
    return st.integers(0, 10**6).map(lambda seconds: _NOON + timedelta(seconds=seconds))


@st.composite
def provenances(draw: st.DrawFn) -> Provenance:
    """Draw stories of masks."""
    method: Any = draw(st.sampled_from(get_args(Method)))
    return Provenance(
        method=method,
        created_at=draw(moments()),
        model=_MODEL if method.startswith("sam") else None,
        prompt=draw(st.sampled_from([None, PointPrompt([(1, 2), (3, 4)], [1, 0]), BoxPrompt((0, 0, 5, 6))])),
        steps=draw(
            st.sampled_from([(), (ProcessingStep(name="fill_holes", parameters={"max_area": 3, "all": True}),)])
        ),
        actor=draw(st.sampled_from([None, "anna", "Ольга"])),
        captured_at=draw(st.none() | moments()),
        licence=draw(st.sampled_from([None, "CC-BY-4.0"])),
        derived_from=draw(st.sampled_from([(), ("abc", "def")])),
        source=draw(st.sampled_from([None, "other.json (coco)"])),
    )


def track_points() -> st.SearchStrategy[TrackPoint]:
    """Draw how masks stand in their tracks."""
    return st.builds(
        TrackPoint,
        source=st.sampled_from(get_args(TrackSource)),
        state=st.sampled_from(get_args(TrackState)),
        confidence=st.floats(0, 1).map(lambda value: round(value, 6)),
        anchors=st.sampled_from([(), ("0:0123456789abcdef",), ("0:0123456789abcdef", "40:fedcba9876543210")]),
    )


@st.composite
def resolved_records(draw: st.DrawFn, rle: RLE, *, track: str | None = None, image_digest: str = "") -> ResolvedRecord:
    """Draw a record of given pixels."""
    scored = st.none() | st.floats(0, 1).map(lambda value: round(value, 6))
    record = MaskRecord(
        id=new_id(),
        image_digest=image_digest,
        rle=rle,
        box_xyxy=box_xyxy(rle),
        area=area(rle),
        provenance=draw(provenances()),
        label=draw(st.none() | st.sampled_from(_LABELS)),
        track=track,
        parent=draw(st.sampled_from([None, "parent-1"])),
        scores=Scores(predicted_iou=draw(scored), stability=draw(scored), agreement=draw(scored)),
        track_point=draw(st.none() | track_points()) if track is not None else None,
    )
    reviewed = draw(st.booleans())
    return ResolvedRecord(
        record=record,
        status="accepted" if reviewed else "proposed",
        verified_by="bo" if reviewed else None,
        verified_at=draw(moments()) if reviewed else None,
        num_events=1 if reviewed else 0,
        as_of=_NOON if reviewed else None,
        comments=draw(st.sampled_from([(), (), _COMMENTS])),
    )


@st.composite
def labelled_frames(
    draw: st.DrawFn, *, min_frames: int = 0, max_frames: int = 4, max_masks: int = 5, with_pictures: bool | None = None
) -> list[LabelledFrame]:
    """Draw frames with names of their own; `with_pictures` None means some have pictures and some not."""
    stems = st.builds(str.__add__, st.sampled_from(_FOLDERS), st.sampled_from(_STEMS))
    names = draw(st.lists(stems, min_size=min_frames, max_size=max_frames, unique=True))
    return [draw(_frames(name + draw(st.sampled_from(_SUFFIXES)), max_masks, with_pictures)) for name in names]


@st.composite
def _frames(draw: st.DrawFn, name: str, max_masks: int, with_pictures: bool | None) -> LabelledFrame:
    size_hw = draw(sizes_hw())
    image = _picture(size_hw, draw(st.integers(0, 255)))
    has_picture = draw(st.booleans()) if with_pictures is None else with_pictures
    digest = image.digest if draw(st.booleans()) else None
    tracks = draw(st.lists(st.sampled_from([None, "1", "7", "left arm", "вилка"]), max_size=max_masks))
    unique = [track if track not in tracks[:i] else None for i, track in enumerate(tracks)]
    return LabelledFrame(
        name=name,
        size_hw=size_hw,
        masks=tuple(draw(resolved_records(draw(rles(size_hw)), track=t, image_digest=digest or "")) for t in unique),
        ref=draw(st.sampled_from([None, FrameRef(dataset="d", episode="3", camera="wrist", frame_index=4)])),
        image_digest=digest,
        open_image=(lambda: image) if has_picture else None,
    )


def _picture(size_hw: SizeHW, grey: int) -> Image:
    pixels: Any = np.full((*size_hw, 3), grey, np.uint8)
    pixels[0, 0] = (255, 0, 40)
    return Image(pixels)


__all__ = ["labelled_frames", "moments", "provenances", "resolved_records", "track_points"]
