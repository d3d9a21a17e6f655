"""Hierarchical prompts: the object first, then its parts within it, each child linked to its parent."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from maskwright.core import MaskRecord, ProcessingStep, Prompt
from maskwright.core.errors import PromptError
from maskwright.masks import area, box_xyxy, intersection
from maskwright.models.protocol import Model
from maskwright.predict.embedding import ImageEmbedding
from maskwright.predict.predict import predict
from maskwright.predict.records import to_records, utc_now

CLIP_TO_PARENT = "clip_to_parent"
_SAME_AS_PARENT = 0.95  # a candidate that covers more of its parent than this is the parent again
_LEAST_INSIDE = 0.5  # a candidate with less of itself inside is some other object


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTree:
    """A prompt for one object, its label, and prompts for its parts, to any depth."""

    prompt: Prompt
    label: str | None = None
    parts: tuple["PromptTree", ...] = ()


def predict_tree(
    model: Model, embedding: ImageEmbedding, tree: PromptTree, *, clock: Callable[[], datetime] = utc_now
) -> list[MaskRecord]:
    """Predict an object and its parts: parents stand before their children, and `parent` holds the parent's id.

    A part is answered with the best candidate that lies mostly inside its parent and is not the parent again, and is
    clipped to it; the clipping is in its provenance.

    Raises:
        PromptError: the prompt of a part finds nothing inside its parent.
    """
    whole = to_records(predict(model, embedding, [tree.prompt]), labels=[tree.label], clock=clock)[0]
    return [whole, *_parts(model, embedding, tree, whole, clock)]


def _parts(
    model: Model, embedding: ImageEmbedding, tree: PromptTree, whole: MaskRecord, clock: Callable[[], datetime]
) -> Iterator[MaskRecord]:
    if not tree.parts:
        return
    M = model.num_candidates
    batch = predict(model, embedding, [part.prompt for part in tree.parts], num_masks=M)
    candidates = to_records(batch, labels=[part.label for part in tree.parts], clock=clock)
    for i, part in enumerate(tree.parts):
        child = _best_inside(candidates[M * i : M * (i + 1)], whole)
        yield child
        yield from _parts(model, embedding, part, child, clock)


def _best_inside(candidates: list[MaskRecord], whole: MaskRecord) -> MaskRecord:
    for candidate in candidates:  # best first
        inside = intersection([candidate.rle, whole.rle])
        covered = area(inside)
        if not candidate.area or covered < _LEAST_INSIDE * candidate.area or covered > _SAME_AS_PARENT * whole.area:
            continue
        step = ProcessingStep(name=CLIP_TO_PARENT, parameters={})
        provenance = replace(
            candidate.provenance,
            method="sam_refined",
            steps=(*candidate.provenance.steps, step),
            derived_from=(whole.id,),
        )
        return replace(
            candidate, rle=inside, area=covered, box_xyxy=box_xyxy(inside), parent=whole.id, provenance=provenance
        )
    name = f" of {whole.label}" if whole.label else ""
    raise PromptError(
        f"no part{name} was found at {candidates[0].provenance.prompt}: no candidate lies inside the object "
        "and is smaller than it. Move the prompt further inside the part."
    )


__all__ = ["CLIP_TO_PARENT", "PromptTree", "predict_tree"]
