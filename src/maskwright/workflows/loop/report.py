"""The report of a loop: its rounds in a table and in curves, each round in words, and the worst corrections drawn.

STORE/loop/report.html needs nothing else; STORE/loop/loop.json has the same for programs. Both are written whole at the
end of each call, from what is written down and what the log says, so they can be deleted at any time.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from pathlib import Path

from maskwright.core.errors import ImageError, InputError
from maskwright.core.resolved import ResolvedRecord
from maskwright.evaluate import Case, colour_of, html_page, html_table
from maskwright.evaluate.case_pictures import ANSWER_RGB, TRUTH_RGB, as_data_uri, draw_case
from maskwright.review.engine import wilson
from maskwright.store import MaskStore, Query, open_store
from maskwright.store.query import ANY_STATUS
from maskwright.workflows.loop.book import Book
from maskwright.workflows.loop.figures import Correction, worst_corrections
from maskwright.workflows.loop.plots import Dot, round_plot
from maskwright.workflows.loop.rounds import Learnt, Round, Window
from maskwright.workflows.loop.settings import LoopSettings, dashed
from maskwright.workflows.loop.standing import Standing, cost_of, standing_of, table
from maskwright.workflows.store_pictures import StorePictures

PAGE, NUMBERS = "report.html", "loop.json"
_MOST_DRAWN = 8
_DRAWN_ROUNDS = 3  # the newest


def write_report(book: Book, rounds: Sequence[Round], settings: LoopSettings, at: datetime) -> Path:
    """Write page and numbers, and give the page's path.

    Raises:
        StoreError: the store cannot be read, or they cannot be written.
    """
    standing = standing_of(book.store, rounds, settings)
    told = {**standing.as_json(), "written_at": at.isoformat(timespec="seconds")}
    book.write_file(NUMBERS, (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode())
    return book.write_file(PAGE, _page(book, standing, at).encode())


def _page(book: Book, standing: Standing, at: datetime) -> str:
    title = f"The loop of {book.store.resolve().name}"
    head, *rows = table(standing)
    parts = [
        f"<h1>{escape(title)}</h1>",
        *(f"<p>{escape(line)}</p>" for line in standing.next_lines()),
        "<h2>Rounds</h2>",
        html_table([escape(cell) for cell in head], [[escape(cell) for cell in row] for row in rows]),
        _LEGEND,
        _curves(standing.rounds, standing.settings),
        "<h2>Round by round</h2>",
        *(_round(one) for one in standing.rounds),
        _drawn(book, standing),
        "<h2>What was asked</h2>",
        html_table(["", ""], list(_asked(standing, at)), last_left=True),
    ]
    return html_page(title, parts)


_LEGEND = (
    '<p class="muted">shown: masks in the queue; rule: accepted before anybody looked; decided: masks of models that '
    "people decided about; right: of these, accepted as they came; IoU: mean over accepted masks of the proposal "
    "against what was accepted; masks/h: of people, pauses left out; held out: mean of mIoU by a box and by one click, "
    "before and after training; gain: its change an object; cost: wages for the time in the log, and the machine's.</p>"
)


def _curves(rounds: Sequence[Round], settings: LoopSettings) -> str:
    told = [(one, one.figures) for one in rounds if one.figures is not None]
    learnt = [(one, one.learnt) for one in rounds if one.learnt is not None]
    rates = [
        Dot(one.number, rate, *wilson(figures.num_accepted, figures.num_decided))
        for one, figures in told
        if (rate := figures.acceptance_rate) is not None
    ]
    ious = [Dot(one.number, figures.iou) for one, figures in told if figures.iou is not None]
    corrected = [Dot(one.number, iou) for one, figures in told if (iou := figures.iou_corrected) is not None]
    paces = [Dot(one.number, pace) for one, figures in told if (pace := figures.masks_per_hour) is not None]
    costs, total = [], 0.0
    for one, _ in told:
        cost = cost_of(one, settings)
        total += (cost.low + cost.high) / 2
        costs.append(Dot(one.number, round(total, 4)))
    plots = (
        ("Right as it came", "share", {"right as it came": rates}, 0.0, 1.0, "of what people decided; bars: 95 %"),
        ("Proposals against what was accepted", "IoU", {"accepted": ious, "corrected alone": corrected}, 0.0, 1.0, ""),
        ("Held-out masks", "mIoU", _held_out(learnt), None, None, "the model before and after each training"),
        ("Gain", "IoU", {"gain": _gains(learnt)}, None, None, "an object on average; bars: 95 % over pictures"),
        ("Masks an hour", "masks/hour", {"masks/hour": paces}, 0.0, None, "of people"),
        ("Cost", "$", {"cost so far": costs}, 0.0, None, "the middle of the range, all rounds so far"),
    )
    figures = "".join(
        f"<figure>{drawn}<figcaption><strong>{escape(title)}</strong> {_keys(lines)} {escape(words)}</figcaption>"
        "</figure>"
        for title, unit, lines, floor, top, words in plots
        if (drawn := round_plot(title, unit, lines, floor=floor, top=top))
    )
    return f'<h2>Curves</h2><div class="plots">{figures}</div>' if figures else ""


def _held_out(learnt: Sequence[tuple[Round, Learnt]]) -> dict[str, list[Dot]]:
    lines: dict[str, list[Dot]] = {}
    for name in ("box", "1 click"):
        for when in ("before", "after"):
            found = [(one.number, getattr(told, when).get(name)) for one, told in learnt]
            lines[f"{name} {when}"] = [Dot(number, value) for number, value in found if value is not None]
    return lines


def _gains(learnt: Sequence[tuple[Round, Learnt]]) -> list[Dot]:
    return [Dot(one.number, told.gain, told.gain_low, told.gain_high) for one, told in learnt]


def _keys(lines: dict[str, list[Dot]]) -> str:
    """Name the lines by their colours, where there are several."""
    if len(lines) < 2:
        return ""
    return "".join(
        f'<span class="key" style="background:{colour_of(i)}"></span>{escape(name)}' for i, name in enumerate(lines)
    )


def _round(one: Round) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in _lines(one))
    return f"<h3>Round {one.number}, {escape(dashed(one.mode))}: {escape(one.stage)}</h3><ul>{items}</ul>"


def _lines(one: Round) -> Iterator[str]:
    """Tell a round in sentences."""
    yield f"proposed by {one.proposer}" + (f" ({one.proposer_sha256[:12]})" if one.proposer_sha256 else "")
    if one.num_proposed or one.num_replaced:
        yield f"{one.num_proposed} new masks, {one.num_replaced} proposals made again, on {one.num_frames} frames"
    if one.chosen_at is not None and one.mode != "assisted_manual":
        bar = one.bar_predicted_iou or 0.0
        told = "nothing was sure enough" if bar > 1 else f"predicted IoU {bar:.3f}, stability {one.bar_stability:.3f}"
        yield f"accepted by the rule: {one.num_by_rule} masks; the bar: {told} ({one.bar_from})"
    if one.chosen_at is not None:
        yield f"shown to people: {one.num_queued} masks, {one.num_audit} of them a sample of what the rule accepted"
    if (told := one.figures) is not None:
        yield (
            f"people ({', '.join(told.people) or 'nobody'}): {told.num_accepted} accepted as they came, "
            f"{told.num_corrected} corrected, {told.num_rejected} rejected, {told.num_drawn} drawn anew"
        )
    if one.audit is not None:
        yield f"audit: {one.audit.line()}"
    if (learnt := one.learnt) is not None:
        scores = ", ".join(f"{name} {learnt.before[name]:.3f} to {learnt.after[name]:.3f}" for name in learnt.before)
        general = ", ".join(
            f"{name} {value:.3f} to {learnt.general_after[name]:.3f}" for name, value in learnt.general_before.items()
        )
        yield f"trained on {learnt.num_training} masks into {learnt.checkpoint}: {scores}; general data: {general}"
        yield f"{'takes over' if learnt.is_adopted else 'does not take over'}: {learnt.why}"
    if one.not_learnt is not None:
        yield f"not trained: {one.not_learnt}"
    yield from (f"note: {note}" for note in one.notes)


def _drawn(book: Book, standing: Standing) -> str:
    """Draw what had to be changed most in the newest rounds."""
    parts: list[str] = []
    told = [one for one in standing.rounds if one.figures is not None and one.reviewed_moment is not None]
    with open_store(book.store, read_only=True) as store:
        pictures = StorePictures(store, standing.settings.images)
        for one in reversed(told[-_DRAWN_ROUNDS:]):
            figures = _of_round(store, pictures, one.window)
            if figures:
                parts.append(f'<h3>Round {one.number}</h3><div class="cases">{figures}</div>')
    if not parts:
        return ""
    keys = "".join(
        f'<span class="key" style="background:rgb{colour}"></span>{text}'
        for colour, text in ((TRUTH_RGB, "accepted"), (ANSWER_RGB, "proposed"))
    )
    return f"<h2>Worst corrections</h2><p>What had to be changed most.{keys}</p>" + "".join(parts)


def _of_round(store: MaskStore, pictures: StorePictures, window: Window) -> str:
    worst = worst_corrections(store, window, _MOST_DRAWN)
    if not worst:
        return ""
    found = {mask.record.id: (correction, mask) for correction, mask in worst}
    names = ", ".join(f"'{name}'" for name in found)
    drawn: dict[str, str] = {}
    for frame in store.frames(Query(status=ANY_STATUS, where=f"id IN ({names})")):
        if not frame.masks:
            continue
        opener = pictures.opener(frame.frame)
        try:
            image = None if opener is None else opener()
        except (ImageError, InputError):
            image = None
        for mask in frame.masks:
            correction, _ = found[mask.record.id]
            uri = None
            if image is not None:
                uri = as_data_uri(draw_case(_case(correction), image))
            drawn[mask.record.id] = _figure(correction, mask, frame.frame.name, uri)
    return "".join(drawn[name] for name in found if name in drawn)


def _case(one: Correction) -> Case:
    return Case(
        segmenter="", kind="proposal", index=0, asked=one.record_id, truth=one.final, answer=one.proposed, iou=one.iou
    )


def _figure(one: Correction, mask: ResolvedRecord, frame: str, uri: str | None) -> str:
    picture = f'<img src="{uri}" alt="{escape(one.record_id)}">' if uri else "<p>its picture is not at hand</p>"
    who = f", by {escape(mask.edited_by)}" if mask.edited_by else ""
    label = f" {escape(mask.record.label)}" if mask.record.label else ""
    return f"<figure>{picture}<figcaption>IoU {one.iou:.2f}{label}{who}<br>{escape(frame)}</figcaption></figure>"


def _asked(standing: Standing, at: datetime) -> Iterator[list[str]]:
    settings = standing.settings.as_json()
    for name, value in settings.items():
        if name != "recipe" and value not in (None, []):
            shown = dashed(value) if name == "mode" else str(value)
            yield [escape(name.replace("_", " ")), escape(shown)]
    yield ["recipe", escape(", ".join(f"{name}={value}" for name, value in settings["recipe"].items()))]
    yield ["written", at.isoformat(timespec="seconds")]


__all__ = ["NUMBERS", "PAGE", "write_report"]
