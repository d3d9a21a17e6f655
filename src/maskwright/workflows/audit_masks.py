"""The checks of masks that need no pixels: each asks the store's SQL views, and gives findings.

What is counted never leaves DuckDB, but for a few examples.
"""

from collections.abc import Iterator
from typing import Any

from maskwright.workflows.findings import Finding, of_rows
from maskwright.workflows.store_facts import LISTED, TRUSTED, StoreFacts

_WHERE = "coalesce(dataset || ' ' || episode || '/' || camera || ' frame ' || frame_index, image_digest)"
_FRAME = "dataset, episode, camera, frame_index, CASE WHEN dataset IS NULL THEN image_digest END"
_ON_FRAME = f"min({_WHERE})"


def unverified(views: Any, facts: StoreFacts) -> Iterator[Finding]:
    """Find masks of models and imports that no person has accepted or redrawn."""
    share = 1 - facts.share_trusted
    yield from of_rows(
        views,
        f"SELECT id || coalesce(' (' || label || ')', ''), id FROM masks WHERE {LISTED} AND NOT {TRUSTED}",
        check="unverified",
        severity="warning",
        says=f"masks of a model or from elsewhere that no person has verified ({100 * share:.0f} % of all)",
        advice="review them, or at least a sample; exports take status=accepted to leave them out",
    )


def impossible(views: Any, facts: StoreFacts) -> Iterator[Finding]:
    """Find masks that cannot be: of another size than their frame, or with a box outside it."""
    yield from of_rows(
        views,
        "SELECT m.id || ': ' || m.height || 'x' || m.width || ' on a frame of ' || f.height || 'x' || f.width, "
        "m.id "
        "FROM masks m JOIN (SELECT DISTINCT dataset, episode, camera, frame_index, height, width FROM frames "
        "WHERE dataset IS NOT NULL) f USING (dataset, episode, camera, frame_index) "
        f"WHERE {LISTED} AND (m.height <> f.height OR m.width <> f.width)",
        check="wrong size",
        severity="error",
        says="masks of another size than their frame",
        advice="they were made on a resized picture: resize them (masks.resize) or make them again",
    )
    yield from of_rows(
        views,
        f"SELECT id, id FROM masks WHERE {LISTED} AND (x1 < 0 OR y1 < 0 OR x2 > width OR y2 > height OR x2 < x1 "
        "OR y2 < y1 OR isnan(x1) OR isnan(y1) OR isnan(x2) OR isnan(y2))",
        check="box outside",
        severity="error",
        says="masks with a box that does not lie within their picture",
        advice="boxes are x1, y1, x2, y2 in pixels of the picture: put them again with masks.box_xyxy(rle)",
    )
    yield from of_rows(
        views,
        f"SELECT {_ON_FRAME}, min(id) FROM masks WHERE {LISTED} AND dataset IS NOT NULL AND image_digest <> '' "
        f"GROUP BY {_FRAME} HAVING count(DISTINCT image_digest) > 1",
        check="two pictures",
        severity="warning",
        says="frames with masks that were made on different pixels",
        advice="the source changed between runs, or another decoder read it: annotate these frames again",
    )


def scores(views: Any, facts: StoreFacts) -> Iterator[Finding]:
    """Find scores that are no scores."""
    for column, name in (("predicted_iou", "predicted IoU"), ("stability", "stability")):
        yield from of_rows(
            views,
            f"SELECT id, id FROM masks WHERE {LISTED} AND (isnan({column}) OR isinf({column}))",
            check=f"{name} is no number",
            severity="error",
            says=f"masks with a {name} that is not a number",
            advice="the model overflowed, often in half precision: run them again with --precision fp32",
        )
        yield from of_rows(
            views,
            f"SELECT id || ': ' || round({column}, 3), id FROM masks WHERE {LISTED} AND isfinite({column}) "
            f"AND ({column} < 0 OR {column} > 1)",
            check=f"{name} outside 0..1",
            severity="warning",
            says=f"masks with a {name} outside 0..1",
            advice="the model's head is not calibrated: do not compare these scores with those of other models",
        )


def tracks(views: Any, facts: StoreFacts) -> Iterator[Finding]:
    """Find tracks whose label changes, and frames on which one maker has a track twice."""
    track = "min(coalesce(dataset || ' ' || episode || ' ', '') || track)"
    yield from of_rows(
        views,
        f"SELECT {track} || ': ' || string_agg(DISTINCT coalesce(label, 'none'), ', '), min(id) FROM masks "
        f"WHERE {LISTED} AND track IS NOT NULL GROUP BY dataset, episode, track "
        "HAVING count(DISTINCT coalesce(label, '')) > 1",
        check="labels in a track",
        severity="warning",
        says="tracks with more than one label",
        advice="an object keeps its name: relabel the odd ones, or split the track",
    )
    yield from of_rows(
        views,
        f"SELECT {_ON_FRAME} || ': ' || min(track), min(id) FROM "
        f"{_repeated(f'{_FRAME}, track, method, model_sha256, source', 'track IS NOT NULL')} GROUP BY key",
        check="track twice on a frame",
        severity="warning",
        says="tracks with several masks on one frame",
        advice="merge the pieces into one mask, or give them tracks of their own",
    )


def duplicates(views: Any, facts: StoreFacts) -> Iterator[Finding]:
    """Find the same pixels twice on a frame."""
    yield from of_rows(
        views,
        f"SELECT {_ON_FRAME} || ': ' || string_agg(substr(id, 1, 12), ', '), min(id) FROM "
        f"{_repeated(f'{_FRAME}, method, model_sha256, rle', 'area > 0')} GROUP BY key",
        check="duplicates",
        severity="warning",
        says="masks that a frame has more than once",
        advice="often a run that was imported twice: reject one of each, or export one method only",
    )


def _repeated(columns: str, condition: str) -> str:
    """Write the SELECT of masks that share some columns with another one, with a hash of these as `key`.

    Grouping the values themselves would hold all of them at once; of a hash, two that meet by chance among ten million
    masks are less likely than one in a hundred thousand.
    """
    key, where = f"hash({columns})", f"{LISTED} AND {condition}"
    twice = f"SELECT {key} FROM masks WHERE {where} GROUP BY 1 HAVING count(*) > 1"
    return f"(SELECT *, {key} AS key FROM masks WHERE {where} AND {key} IN ({twice}))"


__all__ = ["duplicates", "impossible", "scores", "tracks", "unverified"]
