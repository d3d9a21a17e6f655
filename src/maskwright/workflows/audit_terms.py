"""The checks of where masks come from: which checkpoints drew them, under which terms they may be used, from what."""

from collections.abc import Iterator
from typing import Any

from maskwright.workflows.findings import MOST_EXAMPLES, Finding, Severity, of_rows
from maskwright.workflows.licences import terms_of
from maskwright.workflows.store_facts import LISTED, StoreFacts


def checkpoints(views: Any, facts: StoreFacts) -> Iterator[Finding]:
    """Find masks of one model name that several checkpoints or precisions drew, and data sets of several models."""
    yield from of_rows(
        views,
        "SELECT model_name || ': ' || string_agg(DISTINCT substr(model_sha256, 1, 12), ', ') FROM masks "
        f"WHERE {LISTED} AND model_name IS NOT NULL GROUP BY model_name HAVING count(DISTINCT model_sha256) > 1",
        check="mixed checkpoints",
        severity="warning",
        says="model names that stand for several checkpoints",
        advice="their masks differ in kind: query by SQL over model_sha256, and annotate again with one of them",
    )
    yield from of_rows(
        views,
        "SELECT model_name || ': ' || string_agg(DISTINCT model_precision, ', ') FROM masks "
        f"WHERE {LISTED} AND model_name IS NOT NULL GROUP BY model_name HAVING count(DISTINCT model_precision) > 1",
        check="mixed precisions",
        severity="note",
        says="models that ran in several precisions",
        advice="edges can differ by a pixel; harmless unless you compare runs",
    )
    names = [f"{use.name} ({use.num_masks})" for use in facts.models]
    if len({use.name for use in facts.models}) > 1:
        yield Finding(
            check="several models", severity="note", count=len(names), says="models whose masks are mixed",
            advice="tell them apart with --model, and say so where you publish", examples=tuple(names[:MOST_EXAMPLES]),
            num_more=max(0, len(names) - MOST_EXAMPLES),
        )  # fmt: skip


def licences(views: Any, facts: StoreFacts) -> Iterator[Finding]:
    """Find terms that bind, terms that contradict each other, and masks that say nothing of theirs."""
    by_terms: dict[str, dict[str, int]] = {}
    for licence, count in facts.licences.items():
        by_terms.setdefault(terms_of(licence), {})[licence or "none told"] = count
    mixed = len([terms for terms in by_terms if terms not in ("unknown", "other")]) > 1
    told: tuple[tuple[str, Severity, str, str], ...] = (
        ("research only", "error" if mixed else "warning", "that may be used for research only",
         "keep them out of products: query licence in SQL, and export the rest"),
        ("share alike", "warning" if mixed else "note", "that pass their terms on to what is made of them",
         "publish what you make of them under the same terms, or leave them out"),
        ("other", "note", "under terms that are not known here", "read them before you publish"),
        ("unknown", "note", "that do not say under which terms they may be used",
         "name the licence when annotating or importing (annotate takes --licence), or ask who recorded the frames"),
    )  # fmt: skip
    for terms, severity, says, advice in told:
        found = by_terms.get(terms)
        if found:
            count = sum(found.values())
            beside = ", beside masks under other terms" if mixed and terms != "unknown" else ""
            yield Finding(
                check=f"licence: {terms}", severity=severity, count=count, says=f"masks {says}{beside}",
                advice=advice, examples=tuple(f"{name} ({n})" for name, n in list(found.items())[:MOST_EXAMPLES]),
                num_more=max(0, len(found) - MOST_EXAMPLES),
            )  # fmt: skip
    yield from of_rows(
        views,
        f"SELECT id || ' (' || source || ')', id FROM masks WHERE {LISTED} AND licence IS NULL "
        "AND (source ILIKE '%sa-1b%' OR source ILIKE '%sa1b%' OR source ILIKE '%sa_1b%')",
        check="licence: SA-1B",
        severity="warning",
        says="masks from files in the layout of SA-1B that tell no licence",
        advice="if they are SA-1B's own they are for research only; if they are yours, import them with their licence",
    )


def lineage(views: Any, facts: StoreFacts) -> Iterator[Finding]:
    """Find masks made from masks that are gone, or under stricter terms than they tell."""
    parents = (
        "SELECT m.id, m.licence, unnest(CAST(m.derived_from AS JSON)->>'$[*]') AS parent FROM masks m "
        f"WHERE {LISTED} AND m.derived_from IS NOT NULL"
    )
    yield from of_rows(
        views,
        f"SELECT c.id || ' from ' || c.parent, c.id FROM ({parents}) c ANTI JOIN records r ON r.id = c.parent",
        check="origin is elsewhere",
        severity="note",
        says="masks that were made from masks that are not in this store",
        advice="keep the store that has them; their story ends here",
    )
    pairs = views.execute(
        f"SELECT DISTINCT c.licence, r.licence FROM ({parents}) c JOIN records r ON r.id = c.parent "
        "WHERE c.licence IS DISTINCT FROM r.licence"
    ).fetchall()
    for mine, origin in pairs:
        if terms_of(origin) in ("research only", "share alike") and terms_of(mine) != terms_of(origin):
            yield from of_rows(
                views,
                f"SELECT c.id || ' from ' || r.id, c.id FROM ({parents}) c JOIN records r ON r.id = c.parent "
                f"WHERE c.licence IS NOT DISTINCT FROM {_literal(mine)} AND r.licence = {_literal(origin)}",
                check="licence lost on the way",
                severity="error",
                says=f"masks that tell {mine or 'no licence'} and were made from masks under {origin}",
                advice="the terms of the origin hold; do not publish them under others",
            )


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


__all__ = ["checkpoints", "licences", "lineage"]
