"""Is a source the one that a store knows by its name? Two data sets called "data" must not end up as one."""

import logging
from pathlib import Path

from maskwright.core.errors import InputError, MaskwrightError
from maskwright.store import MaskStore, SeenFrame
from maskwright.workflows.annotate_plan import Footage
from maskwright.workflows.run_manifest import source_paths

_log = logging.getLogger(__name__)


def check_same_frames(store: MaskStore, run: str, footage: Footage) -> None:
    """Compare the first frame that the store has of a data set of this name, and the names of a folder's pictures.

    A changed first frame at the same path is a warning, since decoders change; at another path it is another data set.

    Raises:
        InputError: it is another data set, or the pictures of a folder have other numbers now.
    """
    _check_names(store, run, footage)
    known = next((one for one in store.seen_frames() if one.ref and one.ref.dataset == footage.source.name), None)
    if known is None or known.image_digest is None or _digest(footage, known) in (None, known.image_digest):
        return
    told = (
        f"the store has other frames of a data set called {footage.source.name}: {known.name} is another picture there"
    )
    if str(footage.path.resolve()) not in source_paths(store.path, footage.source.name):
        raise InputError(f"{told}. Use another store, or give the source another name: {footage.path}")
    _log.warning("%s; it was changed, or another decoder reads it: %s", told, footage.path)


def _digest(footage: Footage, known: SeenFrame) -> str | None:
    """Decode a frame and give its digest; None where it is not there or cannot be decoded."""
    ref = known.ref
    assert ref is not None  # as the caller chose
    episode = next((one for one in footage.source.episodes if one.key == ref.episode), None)
    if episode is None or ref.camera not in episode.cameras or ref.frame_index >= episode.num_frames:
        return None
    try:
        frames = footage.source.frames(episode, ref.camera, start=ref.frame_index, stop=ref.frame_index + 1)
        frame = next(iter(frames), None)
    except (MaskwrightError, OSError):
        return None
    return None if frame is None else frame.image.digest


def _check_names(store: MaskStore, run: str, footage: Footage) -> None:
    """Refuse a folder in which new pictures stand before others, so that numbers mean other pictures than before."""
    paths: dict[str, tuple[Path, ...]] = getattr(footage.source, "paths", {})
    if not paths or run not in store.runs():
        return
    with store.sql() as views:
        rows = views.execute(
            "SELECT episode, camera, frame_index, name FROM frames WHERE run = ? AND dataset = ? ORDER BY ALL",
            [run, footage.source.name],
        ).fetchall()
    for episode, camera, number, name in rows:
        now = footage.names.name(episode, camera, number) if number < len(paths.get(episode, ())) else None
        if now != name:
            there = f"is {now} now" if now else "is gone"
            raise InputError(
                f"the folder's pictures have changed since this run began: number {number} was {name} and {there}. "
                f"Add pictures after the others, or take a new store: {footage.path}"
            )


__all__ = ["check_same_frames"]
