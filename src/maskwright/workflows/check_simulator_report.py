"""A check of a simulator as one HTML page: verdicts, measures with their distributions, the worst frames drawn."""

from collections.abc import Sequence
from html import escape
from typing import get_args

import cv2
import numpy as np
from jaxtyping import UInt8

from maskwright.core import RLE, Image
from maskwright.core.errors import MaskwrightError
from maskwright.evaluate import html_page, html_table
from maskwright.evaluate.case_pictures import ANSWER_RGB, RGB, TRUTH_RGB, as_data_uri
from maskwright.masks import box_xyxy, decode
from maskwright.robot.simulator import ClassRealism, OddFrame
from maskwright.robot.simulator_traits import TRAITS, Trait
from maskwright.workflows.check_simulator import ModelAgreement, SimulatorCheck
from maskwright.workflows.simulator_frames import CheckedFrame, picture_of

_LONG_SIDE = 420
_OTHER_RGB: RGB = (255, 255, 255)
_SMALL_PX, _RING_PX = 26, 20  # a mask of fewer pixels a side is hard to see, so that a ring is drawn around it
_MOST_CLASSES = 12  # are listed; the others can be unfolded
_STYLE = (
    "<style>td { white-space: nowrap; } td:last-child { white-space: normal; } summary { cursor: pointer; }</style>"
)
_INK = {"realistic": "#2b8a3e", "flagged": "#d9480f", "in between": "#b08900", "too few to tell": "inherit"}


def simulator_report(check: SimulatorCheck) -> str:
    """Write the page. A picture that cannot be read any more is said in its place."""
    realism, settings = check.realism, check.realism.settings
    rows = [realism.overall, *realism.classes]
    title = f"How real are {check.simulated}?"
    parts = [
        _STYLE,
        f"<h1>{escape(title)}</h1>",
        f"<p>Compared with {escape(check.real)}. {_verdict(realism.overall)}</p>",
        *(f"<p>Note: {escape(note)}.</p>" for note in check.notes),
        "<h2>Realism</h2>",
        html_table(
            ["class", "simulated", "real", "realism", "90 % of draws", "verdict", "least real measure"],
            [_class_cells(one) for one in rows if one is realism.overall or one.traits],
            last_left=True,
        ),
        *_too_few(realism.classes),
        f'<p class="muted">1 is no difference beyond chance, 0 no overlap. A class is as real as its least real '
        f"measure: realistic above {settings.realistic:g}, flagged below {settings.flagged:g}. The spread comes from "
        f"drawing frames (or episodes) again; below {settings.least_masks} masks or {settings.least_groups} frames a "
        "side nothing is said.</p>",
        *(
            f"<p>Only {which}: {escape(', '.join(names))}.</p>"
            for which, names in (("simulated", realism.only_simulated), ("real", realism.only_real))
            if names
        ),
        "<h2>Measures</h2>",
        *(_traits(one) for one in rows if one.traits),
        _agreements(check),
        _worst(check),
        _odd(check),
    ]
    return html_page(title, parts)


def _verdict(one: ClassRealism) -> str:
    score = "" if one.score is None else f", {one.score:.2f}"
    return f'All masks together: <strong style="color:{_INK[one.verdict]}">{one.verdict}{score}</strong>.'


def _too_few(classes: Sequence[ClassRealism]) -> list[str]:
    few = [f"{escape(one.label)} ({one.num_simulated}&nbsp;/&nbsp;{one.num_real})" for one in classes if not one.traits]
    return [f"<p>Too few to tell (simulated / real): {', '.join(few)}.</p>"] if few else []


def _class_cells(one: ClassRealism) -> list[str]:
    numbers = [escape(one.label), str(one.num_simulated), str(one.num_real)]
    verdict = f'<span style="color:{_INK[one.verdict]}">{one.verdict}</span>'
    if one.score is None or one.weakest is None or one.low is None or one.high is None:
        return [*numbers, "", "", verdict, ""]
    weakest = f"{_named(one.weakest.trait)}: {TRAITS[one.weakest.trait]}"
    return [*numbers, f"{one.score:.2f}", f"{one.low:.2f} to {one.high:.2f}", verdict, escape(weakest)]


def _traits(one: ClassRealism) -> str:
    rows = [
        [
            _named(found.trait), _value(found.trait, found.simulated), _value(found.trait, found.real),
            _bar(found.score), f"{found.score:.2f}", f"{found.low:.2f} to {found.high:.2f}",
            "yes" if found.differs else "",
            f'<span class="muted">{escape(TRAITS[found.trait])}</span>',
        ]
        for found in sorted(one.traits, key=lambda found: found.score)
    ]  # fmt: skip
    head = [
        "measure",
        "median, simulated",
        "median, real",
        "",
        "realism",
        "90 % of draws",
        "surely differs",
        "what it is",
    ]
    return f"<h3>{escape(one.label)}</h3>" + html_table(head, rows, last_left=True)


def _bar(score: float) -> str:
    return (
        '<svg viewBox="0 0 80 10" style="width:80px;height:10px" role="img" aria-hidden="true">'
        '<rect width="80" height="10" fill="currentColor" opacity="0.12"/>'
        f'<rect width="{80 * score:.1f}" height="10" fill="#0b6bcb"/></svg>'
    )


def _agreements(check: SimulatorCheck) -> str:
    if not check.agreement:
        return ""
    real = {one.label: one for one in check.agreement_real}
    rows = [
        [
            escape(one.label), str(one.num_masks), f"{one.mean:.3f}", f"{one.low:.3f} to {one.high:.3f}",
            f"{one.median:.3f}", f"{one.tenth:.3f}", f"{one.share_low:.0%}", *_real_cells(real.get(one.label)),
        ]
        for one in check.agreement
    ]  # fmt: skip
    head = ["class", "masks", "mean IoU", "90 % of draws", "median", "lowest tenth", "below 0.5", "mean IoU, real"]
    name = check.model or "the model"
    shown, folded = rows[: _MOST_CLASSES + 1], rows[_MOST_CLASSES + 1 :]
    tables = [html_table([*head, "masks, real"], shown)]
    if folded:
        more = html_table([*head, "masks, real"], folded)
        tables.append(f"<details><summary>{len(folded)} more classes, with fewer masks</summary>{more}</details>")
    return f"<h2>{escape(name)} against the simulator's truth</h2>" + "".join(tables)


def _real_cells(one: ModelAgreement | None) -> list[str]:
    return ["", ""] if one is None else [f"{one.mean:.3f}", str(one.num_masks)]


def _worst(check: SimulatorCheck) -> str:
    if not check.worst:
        return ""
    figures = [
        _figure(check.frames[i], place, f"IoU {iou:.2f}", answer=check.frames[i].answers[place])
        for i, place, iou in check.worst
    ]
    return (
        "<h2>Frames that the model agrees least with</h2>"
        f"<p>{_key(TRUTH_RGB, 'truth')}{_key(ANSWER_RGB, 'answer')}{_key(_OTHER_RGB, 'other masks')}</p>"
        f'<div class="cases">{"".join(figures)}</div>'
    )


def _odd(check: SimulatorCheck) -> str:
    frames = {frame.name: frame for frame in check.frames}
    figures = [_figure(frames[one.name], one.place, _oddity(one)) for one in check.realism.oddest if one.name in frames]
    if not figures:
        return ""
    return (
        "<h2>Frames that are least like real ones</h2>"
        f"<p>{_key(TRUTH_RGB, 'the mask that is odd')}{_key(_OTHER_RGB, 'other masks')}</p>"
        f'<div class="cases">{"".join(figures)}</div>'
    )


def _oddity(one: OddFrame) -> str:
    return f"{_named(one.trait)} {_value(one.trait, one.value)}, real ones mostly {_value(one.trait, one.real)}"


def _figure(frame: CheckedFrame, place: int, told: str, *, answer: RLE | None = None) -> str:
    label = frame.masks[place].label or ""
    caption = f"<figcaption>{told}<br>{escape(label)} {escape(frame.name)}</figcaption>"
    try:
        drawn = as_data_uri(_drawn(picture_of(frame), frame, place, answer))
    except MaskwrightError as error:
        return f'<figure><p class="muted">{escape(str(error))}</p>{caption}</figure>'
    return f'<figure><img src="{drawn}" alt="{escape(label)}">{caption}</figure>'


def _drawn(image: Image, frame: CheckedFrame, place: int, answer: RLE | None) -> UInt8[np.ndarray, "h w 3"]:
    scale = min(1.0, _LONG_SIDE / max(image.size_hw))
    canvas = cv2.resize(image.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    others = [one.mask for i, one in enumerate(frame.masks) if i != place]
    _outline(canvas, others, _OTHER_RGB, 1)
    _outline(canvas, [frame.masks[place].mask], TRUTH_RGB, 2)
    _outline(canvas, [answer] if answer is not None else [], ANSWER_RGB, 2)
    _ring(canvas, frame.masks[place].mask, scale)
    return canvas


def _ring(canvas: UInt8[np.ndarray, "h w 3"], mask: RLE, scale: float) -> None:
    """Draw a ring around a mask that is too small to be found."""
    x1, y1, x2, y2 = (scale * edge for edge in box_xyxy(mask))
    if max(x2 - x1, y2 - y1) >= _SMALL_PX:
        return
    centre = round((x1 + x2) / 2), round((y1 + y2) / 2)
    for colour, width in (((0, 0, 0), 4), (TRUTH_RGB, 2)):
        cv2.circle(canvas, centre, _RING_PX, colour, width, cv2.LINE_AA)


def _outline(canvas: UInt8[np.ndarray, "h w 3"], masks: Sequence[RLE], colour: RGB, width: int) -> None:
    for mask in masks:
        size_wh = canvas.shape[1], canvas.shape[0]
        small = cv2.resize(decode(mask).astype(np.float32), size_wh, interpolation=cv2.INTER_AREA) > 0.5
        found, _ = cv2.findContours(small.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        if width > 1:
            cv2.drawContours(canvas, found, -1, (0, 0, 0), width + 2, cv2.LINE_AA)
        cv2.drawContours(canvas, found, -1, colour, width, cv2.LINE_AA)


def _key(colour: RGB, text: str) -> str:
    return f'<span class="key" style="background:rgb{colour};outline:1px solid #8886"></span>{text}'


def _value(trait: Trait, value: float) -> str:
    """Write a measure: shares of the picture and of outlines, which are small, in hundredths."""
    return f"{100 * value:.2g}&nbsp;%" if trait in ("area", "holes") else f"{value:.3g}"


def _named(trait: Trait) -> str:
    assert trait in get_args(Trait)
    return trait.replace("_", " ").replace("iou", "IoU")


__all__ = ["simulator_report"]
