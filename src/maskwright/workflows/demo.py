"""`demo`: the robot episode in the package, with its true masks in a store, and a model's proposals if one is given.

What is copied out is an ordinary LeRobot data set and an ordinary store: whatever works on them works on yours.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.core import MaskRecord
from maskwright.core.prompt import BoxPrompt
from maskwright.core.provenance import Method
from maskwright.datasets import lerobot, open_source
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.loss_report import LossLog
from maskwright.datasets.new_folder import new_folder
from maskwright.masks import iou_matrix
from maskwright.store import MaskStore, Query, SeenFrame, create_store, open_store
from maskwright.workflows.run_manifest import RunManifest, versions
from maskwright.workflows.source_facts import describe_source, licence_of

if TYPE_CHECKING:
    from maskwright.models import Model
    from maskwright.workflows.annotate import Progress

EPISODE = Path(__file__).parent.parent / "assets" / "demo"
DATASET, STORE = "pick_place", "masks"
_RUN = "demo-truth"
PROPOSED_EVERY = 30  # frames: one a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """What a model made of some frames, and how much of the truth it met on average."""

    model: str
    num_frames: int
    num_masks: int
    mean_iou: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Where the data set and the store are, and what is in them."""

    dataset: Path
    store: Path
    num_frames: int
    num_masks: int
    labels: tuple[str, ...]
    proposals: Proposals | None = None


def make_demo(out: Path, *, model: "Model | None" = None, progress: "Callable[[Progress], None] | None" = None) -> Demo:
    """Copy the episode to `out`, make a store of its true masks, and let a model propose masks for some frames.

    Episode and store appear whole or not at all; proposals are added frame by frame to a store that is whole before
    and after.

    Raises:
        SettingError: `out` exists and is not empty, or cannot be written.
    """
    with new_folder(out) as folder:
        shutil.copytree(EPISODE, folder / DATASET)
        with create_store(folder / STORE, name=DATASET) as store:
            num_frames, num_masks, labels = _add_truth(store, folder / DATASET)
            _write_manifest(store, folder / DATASET, (out / DATASET).resolve(), num_frames, num_masks)
    made = Demo(
        dataset=out / DATASET, store=out / STORE, num_frames=num_frames, num_masks=num_masks, labels=tuple(labels)
    )
    return made if model is None else replace(made, proposals=_propose(made, model, progress))


def true_frames(dataset: Path) -> Iterator[LabelledFrame]:
    """Read the frames of the episode with their true masks."""
    return lerobot.read(dataset, log=LossLog())


def _add_truth(store: MaskStore, dataset: Path) -> tuple[int, int, list[str]]:
    num_frames, num_masks = 0, 0
    labels: dict[str, None] = {}
    with store.bulk_writer(run=_RUN) as writer:
        for frame in true_frames(dataset):
            records = [mask.record for mask in frame.masks]
            seen = SeenFrame(name=frame.name, size_hw=frame.size_hw, ref=frame.ref, image_digest=frame.image_digest)
            writer.add(seen, records)
            num_frames, num_masks = num_frames + 1, num_masks + len(records)
            labels |= {record.label: None for record in records if record.label}
    return num_frames, num_masks, list(labels)


def _write_manifest(store: MaskStore, dataset: Path, path: Path, num_frames: int, num_masks: int) -> None:
    """Say where the masks come from, as `annotate` does for its runs; `path` is where the data set will be."""
    source, now = open_source(dataset), datetime.now(UTC)
    facts: dict[str, Any] = {
        "verb": "demo",
        "source": {**describe_source(source), "path": str(path)},
        "licence": licence_of(dataset),
    }
    manifest = RunManifest.of(store, _RUN)
    content = manifest.begin(facts, {"started_at": now.isoformat(), "versions": versions()})
    manifest.end(content, "done", now, num_frames=num_frames, num_masks=num_masks)


def _propose(made: Demo, model: "Model", progress: "Callable[[Progress], None] | None") -> Proposals:
    """Let a model draw the objects of some frames from boxes around them, as a detector would ask it to."""
    from maskwright.workflows.annotate import annotate
    from maskwright.workflows.annotate_plan import Footage
    from maskwright.workflows.annotate_recipe import ObjectPrompt, PromptsTask, Recipe

    chosen = {
        (frame.ref.episode, frame.ref.camera, frame.ref.frame_index): frame
        for frame in true_frames(made.dataset)
        if frame.ref is not None and frame.ref.frame_index % PROPOSED_EVERY == 0
    }
    boxes = {
        place: tuple(
            ObjectPrompt(prompt=BoxPrompt(mask.record.box_xyxy), label=mask.record.label, track=mask.record.track)
            for mask in frame.masks
        )
        for place, frame in chosen.items()
    }
    recipe = Recipe(task=PromptsTask(kind="boxes", by_place=boxes), actor="maskwright demo")
    done = annotate(model, Footage.open(made.dataset), recipe, made.store, progress=progress)
    with open_store(made.store, read_only=True) as store:
        ious = list(_agreements(store))
    mean = sum(ious) / len(ious) if ious else 0.0
    return Proposals(model=model.card.name, num_frames=done.num_frames, num_masks=done.num_masks, mean_iou=mean)


def _agreements(store: MaskStore) -> Iterator[float]:
    """Give the IoU of each proposal with the true mask of the same object on the same frame."""
    by_model: tuple[Method, ...] = ("sam_raw", "sam_refined")
    proposed = {_place(one.record): one.record for one in store.query(Query(method=by_model))}
    for one in store.query(Query(method="simulator")):
        other = proposed.get(_place(one.record))
        if other is not None:
            yield float(iou_matrix([one.record.rle], [other.rle])[0, 0])


def _place(record: MaskRecord) -> tuple[object, ...]:
    frame = record.frame
    return (frame and frame.camera, frame and frame.frame_index, record.track)


__all__ = ["DATASET", "EPISODE", "PROPOSED_EVERY", "STORE", "Demo", "Proposals", "make_demo", "true_frames"]
