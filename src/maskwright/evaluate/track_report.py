"""An evaluation of trackers as one HTML page that needs nothing else: tables, and the worst stretch of each video.

Pictures are read again, one at a time, for these stretches alone.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from maskwright.core import RLE, Image
from maskwright.evaluate.case_pictures import ANSWER_RGB, TRUTH_RGB, _outline, as_data_uri
from maskwright.evaluate.report import _STYLE, _made_by, html_table
from maskwright.evaluate.sequences import LabelledSequence, SequenceFrame
from maskwright.evaluate.stretches import Stretch, StretchFrame
from maskwright.evaluate.track_summary import TRACK_METRICS, TrackSummary, format_track_score
from maskwright.evaluate.tracking import SequenceScores, TrackEvaluation
from maskwright.masks import decode, is_empty

_NUM_DRAWN, _LONG_SIDE = 6, 320
_SHEET = (
    ".sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); gap: 0.5rem; }"
    ".sheet figure { margin: 0; } .sheet img { width: 100%; }"
)


def tracking_report(
    evaluation: TrackEvaluation,
    summaries: Sequence[TrackSummary],
    sequences: Sequence[LabelledSequence],
    made_by: Mapping[str, Any],
) -> str:
    """Write the page.

    Raises:
        InputError: a frame of a stretch can no longer be read.
    """
    title = f"{', '.join(one.tracker for one in summaries)} on {evaluation.dataset}"
    ends = "All frames are scored" if evaluation.keep_ends else "The frame of the prompt and the last one do not count"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{len(evaluation.sequences)} videos, {evaluation.num_frames} frames. Each object was given by its true "
        f"{evaluation.start} on the first frame that shows 100 pixels of it. {ends}.</p>",
        *(f"<p>Note: {escape(note)}.</p>" for note in evaluation.notes),
        "<h2>Scores</h2>",
        _scores(summaries),
        "<h2>J&amp;F of each video</h2>",
        _videos(summaries),
        _stretches(evaluation, sequences),
        "<h2>How this was made</h2>",
        _made_by(made_by),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{_SHEET}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _scores(summaries: Sequence[TrackSummary]) -> str:
    rows = [
        [
            escape(metric),
            *(format_track_score(metric, one.scores[metric]) for one in summaries),
            f'<span class="muted">{escape(meaning)}</span>',
        ]
        for metric, meaning in TRACK_METRICS.items()
        if any(one.scores[metric] is not None for one in summaries)
    ]
    return html_table(["", *(escape(one.tracker) for one in summaries), "what it is"], rows, last_left=True)


def _videos(summaries: Sequence[TrackSummary]) -> str:
    rows = [
        [escape(video), *(format_track_score("J&F", one.sequences[video]["J&F"]) for one in summaries)]
        for video in summaries[0].sequences
    ]
    return html_table(["", *(escape(one.tracker) for one in summaries)], rows)


def _stretches(evaluation: TrackEvaluation, sequences: Sequence[LabelledSequence]) -> str:
    keys = "".join(
        f'<span class="key" style="background:rgb{colour}"></span>{text}'
        for colour, text in ((TRUTH_RGB, "truth"), (ANSWER_RGB, "answer"))
    )
    parts = [f"<h2>The worst stretch of each video</h2><p>{keys}</p>"]
    by_name = {one.name: one for one in sequences}
    for name in evaluation.sequences:
        parts.append(f"<h3>{escape(name)}</h3>")
        parts += [_sheet(one, by_name[name]) for one in evaluation.scores if one.sequence == name]
    return "".join(parts)


def _sheet(scores: SequenceScores, sequence: LabelledSequence) -> str:
    if scores.worst is None:
        return ""
    figures = []
    for drawn in _chosen(scores.worst):
        frame = next(iter(sequence.read(drawn.index, drawn.index + 1)))
        if not isinstance(frame, SequenceFrame):
            raise frame.error
        uri = as_data_uri(draw_masks(frame.image, drawn.truth, drawn.answers))
        caption = f"frame {drawn.index}, J {drawn.mean_j:.2f}"
        figures.append(f'<figure><img src="{uri}" alt="{caption}"><figcaption>{caption}</figcaption></figure>')
    told = f"{escape(scores.tracker)}, mean J {scores.worst.mean_j:.2f}"
    return f'<p>{told}</p><div class="sheet">{"".join(figures)}</div>'


def _chosen(stretch: Stretch) -> list[StretchFrame]:
    """A few frames of a stretch, evenly spread, its ends included."""
    places = np.unique(np.linspace(0, len(stretch.frames) - 1, _NUM_DRAWN).round().astype(int))
    return [stretch.frames[place] for place in places.tolist()]


def draw_masks(image: Image, truth: Mapping[str, RLE], answers: Mapping[str, RLE]) -> UInt8[np.ndarray, "h w 3"]:
    """Draw the outlines of true masks and of answers on a picture, at most 320 pixels long."""
    scale = min(1.0, _LONG_SIDE / max(image.size_hw))
    height, width = (max(1, round(side * scale)) for side in image.size_hw)
    canvas = np.ascontiguousarray(cv2.resize(image.pixels, (width, height), interpolation=cv2.INTER_AREA))
    for masks, colour in ((truth, TRUTH_RGB), (answers, ANSWER_RGB)):
        for rle in masks.values():
            if not is_empty(rle):
                _outline(canvas, decode(rle), colour)
    return canvas


__all__ = ["draw_masks", "tracking_report"]
