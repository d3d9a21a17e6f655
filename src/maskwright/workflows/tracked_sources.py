"""The sources whose tracks a store holds, as the manifests of its runs tell: for tracking again after corrections."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.core.errors import InputError, StoreMissing
from maskwright.workflows.annotate_plan import Selection
from maskwright.workflows.run_manifest import read_manifests


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedBefore:
    """A source, some frames of it that were tracked, and the options of the last session there."""

    path: Path
    selection: Selection
    options: dict[str, Any]


def tracked_before(store: Path) -> list[TrackedBefore]:
    """List what `track` worked on.

    Raises:
        StoreMissing: there is no store.
        InputError: nothing was tracked in it, or a source is no longer where it was.
    """
    if not (store / "store.json").exists():
        raise StoreMissing(f"there is no mask store here (no store.json): {store}")
    manifests = [one for one in read_manifests(store) if one.get("verb") == "track"]
    if not manifests:
        raise InputError(f"nothing was tracked into this store yet. Name a source: maskwright track SOURCE -o {store}")
    return [one for manifest in manifests for one in _of_manifest(manifest, store)]


def _of_manifest(manifest: dict[str, Any], store: Path) -> Iterator[TrackedBefore]:
    """Give each selection of frames once, the newest first."""
    path = Path(manifest["source"]["path"])
    if not path.exists():
        raise InputError(f"the frames are no longer there. Say where: maskwright track SOURCE -o {store}: {path}")
    for selection in dict.fromkeys(_selection(session) for session in reversed(manifest["sessions"])):
        yield TrackedBefore(path=path, selection=selection, options=manifest["sessions"][-1].get("options", {}))


def _selection(session: dict[str, Any]) -> Selection:
    said = session.get("selection", {})
    episodes, cameras = (None if said.get(name) is None else tuple(said[name]) for name in ("episodes", "cameras"))
    return Selection(episodes=episodes, cameras=cameras, start=said.get("start", 0), stop=said.get("stop"))


__all__ = ["TrackedBefore", "tracked_before"]
