"""`Newcomers`: objects that have no track yet, found by segmenting everything now and then."""

from collections.abc import Collection, Iterable

from maskwright.core import RLE, Image
from maskwright.masks import area, intersection, iou_matrix, union
from maskwright.models.protocol import Model
from maskwright.predict.embedding import ImageEmbedding
from maskwright.predict.everything import everything
from maskwright.predict.everything_settings import preset_for
from maskwright.predict.tracking.drawn import Drawn

# Shares of the picture that an object has, and of itself that lie in tracks already.
_LEAST, _MOST, _KNOWN = 0.0005, 0.4, 0.3


class Newcomers:
    """Looks every `every` frames for objects that no track covers, 0 never; their names are object-1, object-2, ..."""

    def __init__(self, model: Model, every: int) -> None:
        self._model = model
        self._every = every
        self._next = 0
        self._count = 0

    def are_due(self, index: int) -> bool:
        """Whether to look on frame `index`."""
        return bool(self._every) and index >= self._next

    def find(
        self, image: Image, embedding: ImageEmbedding, index: int, known: Iterable[RLE], names: Collection[str]
    ) -> dict[str, Drawn]:
        """Find objects outside of the masks that are known, with names that are none of `names`."""
        self._next = index + self._every
        height, width = image.size_hw
        covered = [rle for rle in known if area(rle)]
        found: dict[str, Drawn] = {}
        records = everything(self._model, image, settings=preset_for(self._model.card, "fast"), embedding=embedding)
        for record in sorted(records, key=lambda one: -(one.scores.predicted_iou or 0)):
            if not _LEAST < record.area / (height * width) < _MOST:
                continue
            if covered and self._is_known(record.rle, covered):
                continue
            covered.append(record.rle)
            found[self._name(names)] = Drawn(rle=record.rle, prompt=record.provenance.prompt, scores=record.scores)
        return found

    def _is_known(self, rle: RLE, covered: list[RLE]) -> bool:
        if area(intersection([rle, union(covered)])) > _KNOWN * area(rle):
            return True
        return float(iou_matrix([rle], covered).max()) > _KNOWN

    def _name(self, names: Collection[str]) -> str:
        self._count += 1
        while f"object-{self._count}" in names:
            self._count += 1
        return f"object-{self._count}"


__all__ = ["Newcomers"]
