"""The text of a data set card: front matter for Hugging Face, then tables of what is in a store and how good it is."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from maskwright import __version__
from maskwright.workflows.findings import SEVERITIES, Finding
from maskwright.workflows.grades import RULE, VOUCHED, Slice
from maskwright.workflows.licences import terms_of
from maskwright.workflows.store_facts import Quantiles, StoreFacts

_MOST_ROWS = 40
# Upper ends of Hugging Face's size categories.
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
# Licences that Hugging Face knows by an identifier, as far as data sets of robots use them.
_IDENTIFIERS = re.compile(
    r"(apache-2\.0|mit|bsd-[23]-clause|cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-[234]\.0|odc-by|odbl|pddl|unlicense|gpl-[23]\.0)"
)


def card_text(
    facts: StoreFacts, slices: Sequence[Slice], findings: Sequence[Finding], *, licence: str | None, at: datetime
) -> str:
    """Write the card."""
    parts = (
        front_matter(facts, licence),
        f"# {facts.name}",
        description_of(facts),
        *_disclaimer(facts),
        "## What is in it",
        *_contents(facts),
        "## How good it is",
        *_quality(slices),
        "## What an audit finds",
        *_findings(findings),
        "## Terms",
        *_terms(facts, licence),
        "## How it was counted",
        f"Computed by maskwright {__version__} on {at:%Y-%m-%d} from moment {facts.moment} of the store: "
        f"`maskwright card {facts.path.name}`.\nNothing here was written by hand.",
    )
    return "\n\n".join(parts) + "\n"


def front_matter(facts: StoreFacts, licence: str | None) -> str:
    """Write the YAML head that Hugging Face reads."""
    name = (licence or "").lower()
    is_known = _IDENTIFIERS.fullmatch(name) is not None
    lines = [f"license: {name if is_known else 'other' if licence else 'unknown'}"]
    if licence and not is_known:
        lines.append(f"license_name: {_quoted(licence)}")
    size = next((word for most, word in _SIZES if facts.num_frames < most), "n>1M")
    lines += [
        f"pretty_name: {_quoted(facts.name)}",
        "task_categories:",
        "- image-segmentation",
        "- robotics",
        "size_categories:",
        f"- {size}",
        "tags:",
        "- maskwright",
        "- segmentation-masks",
        *(f"- {_quoted(robot)}" for robot in facts.robots),
    ]
    return "\n".join(["---", *lines, "---"])


def description_of(facts: StoreFacts) -> str:
    """Say in a sentence or two what the store holds."""
    labels = [label for label in facts.labels if label]
    of = f" of {_plural(len(labels), 'kind')} of things" if labels else ""
    told = [f"{_plural(facts.num_masks, 'mask')}{of} on {_plural(facts.num_frames, 'frame')}."]
    if facts.recordings:
        episodes = {(one.dataset, one.episode) for one in facts.recordings}
        cameras = {one.camera for one in facts.recordings}
        told.append(f"{_plural(len(episodes), 'episode')}, cameras: {', '.join(sorted(cameras)[:6])}.")
    if facts.robots:
        told.append(f"Robots: {', '.join(facts.robots)}.")
    if facts.tasks:
        told.append(f"Tasks: {'; '.join(facts.tasks[:3])}{'; ...' if len(facts.tasks) > 3 else ''}.")
    return " ".join(told)


def licence_of_masks(facts: StoreFacts) -> str | None:
    """The licence that every mask tells; None where some tell none, or they differ."""
    return next(iter(facts.licences)) or None if len(facts.licences) == 1 else None


def _disclaimer(facts: StoreFacts) -> Iterator[str]:
    count = facts.num_masks - facts.num_trusted
    if not count:
        return
    raw = sum(number for method, number in facts.methods.items() if method == "sam_raw")
    as_drawn = f" ({_plural(raw, 'mask')} in all `sam_raw`: exactly as a model drew them)" if raw else ""
    yield (
        f"> **Not verified by a person: {count:,} of {facts.num_masks:,} masks ({_percent(count, facts.num_masks)})**"
        f"{as_drawn}.\n"
        "> They can be wrong in their outline, in what they cover, and in their label.\n"
        "> A model's predicted IoU is its own guess.\n"
        "> Do not use these masks as ground truth, or to measure other models."
    )


def _contents(facts: StoreFacts) -> Iterator[str]:
    covered = facts.share_covered
    yield _table(
        ("", ""),
        (
            ("masks", f"{facts.num_masks:,}"),
            ("frames looked at", f"{facts.num_frames:,}, {facts.num_masked_frames:,} of them with masks"),
            ("tracks", f"{facts.num_tracks:,}"),
            ("vouched for", f"{facts.num_trusted:,} ({_percent(facts.num_trusted, facts.num_masks)})"),
            ("accepted by people", f"{facts.num_verified:,}{_by(facts.verifiers)}"),
            ("rejected, merged or split", f"{sum(facts.statuses.values()) - facts.num_masks:,}"),
            ("review events", f"{facts.num_events:,}"),
            ("frames of the recordings covered", "-" if covered is None else f"{100 * covered:.1f} %"),
            ("masks on a frame that has some", _range(facts.masks_per_frame)),
            ("pixels of a mask", _range(facts.areas)),
        ),
    )
    yield _table(("made by", "masks"), ((f"`{name}`", f"{count:,}") for name, count in facts.methods.items()))
    if facts.models:
        yield _table(
            ("model", "family", "checkpoint (SHA-256)", "precision", "masks"),
            ((use.name, use.family, f"`{use.sha256}`", use.precision, f"{use.num_masks:,}") for use in facts.models),
        )
    yield _counts("label", facts.labels, "no label")
    yield _counts("size (height x width)", facts.sizes_hw, "")
    if facts.recordings:
        yield _table(
            ("recording", "recorded at", "masks at", "frames looked at", "with masks"),
            (
                (
                    one.name, _hz(one.native_hz), _hz(one.hz),
                    f"{one.num_frames:,} of {one.num_expected:,}", f"{one.num_masked:,}",
                )
                for one in facts.recordings[:_MOST_ROWS]
            ),
        )  # fmt: skip
        if len(facts.recordings) > _MOST_ROWS:
            yield f"And {len(facts.recordings) - _MOST_ROWS:,} recordings more."


def _quality(slices: Sequence[Slice]) -> Iterator[str]:
    yield f"{VOUCHED}\nGrades go by that, never by a model's own scores:"
    yield _table(("grade", "means"), RULE)
    yield _table(
        ("slice", "grade", "masks", "vouched for", "decided on by people", "of these rejected"),
        (
            (
                f"{one.kind}: {one.name}", one.grade, f"{one.num_masks:,}", _percent(one.num_vouched, one.num_masks),
                f"{one.num_decided:,}", f"{one.num_rejected:,}",
            )
            for one in slices
        ),
    )  # fmt: skip


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        yield "Nothing."
        return
    order = sorted(findings, key=lambda one: SEVERITIES.index(one.severity))
    yield _table(("", "what", "how many", "for instance"), (
        (one.severity, one.says, f"{one.count:,}", one.examples[0] if one.examples else "") for one in order
    ))  # fmt: skip


def _terms(facts: StoreFacts, licence: str | None) -> Iterator[str]:
    yield f"Licence of the data set: {licence or 'not stated'}."
    rows = ((name or "not told", terms_of(name), f"{count:,}") for name, count in facts.licences.items())
    yield _table(("licence of masks", "kind of terms", "masks"), rows)


def _counts(what: str, counts: Mapping[str, int], nameless: str) -> str:
    shown = list(counts.items())[:_MOST_ROWS]
    rest = list(counts.items())[_MOST_ROWS:]
    rows = [(name or nameless, f"{count:,}") for name, count in shown]
    if rest:
        rows.append((f"{len(rest):,} others", f"{sum(count for _, count in rest):,}"))
    return _table((what, "masks"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _quoted(text: str) -> str:
    """Quote a text for YAML: JSON's strings are YAML's too."""
    import json

    return json.dumps(text, ensure_ascii=False)


def _range(span: Quantiles | None) -> str:
    if span is None:
        return "-"
    low, middle, high = (f"{value:,.0f}" for value in (span.low, span.middle, span.high))
    return f"{middle} in the middle, 90 % between {low} and {high}"


def _percent(count: int, total: int) -> str:
    """Say a share so that some is never none and not all is never all."""
    share = 100 * count / total if total else 0.0
    if 0 < share < 0.1:
        return "under 0.1 %"
    return "over 99.9 %" if 99.9 < share < 100 else f"{share:.1f} %"


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _by(names: Sequence[str]) -> str:
    return f", by {', '.join(names[:5])}{' and others' if len(names) > 5 else ''}" if names else ""


def _hz(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.3g} Hz"


__all__ = ["card_text", "description_of", "front_matter", "licence_of_masks"]
