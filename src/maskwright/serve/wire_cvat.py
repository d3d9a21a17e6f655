"""What CVAT sends to a serverless interactor (version 2) and what it wants to hear, as pydantic models."""

from typing import Annotated

from pydantic import BaseModel, Field, FiniteFloat

from maskwright.core import BoxPrompt, CombinedPrompt, PointPrompt, Prompt
from maskwright.core.errors import RequestError
from maskwright.serve.tool_bodies import FromTool

_Points = Annotated[list[tuple[FiniteFloat, FiniteFloat]], Field(max_length=1000)]


class CvatInteractIn(FromTool):
    """A click in CVAT: the picture's file in base64, points and a box in pixels.

    The box is two corners, as CVAT sends it, or four numbers; empty or null without one. A threshold, which some
    versions send, is not used: a mask has the pixels that the model finds more likely than not.
    """

    image: Annotated[str, Field(min_length=1)]
    pos_points: _Points | None = None
    neg_points: _Points | None = None
    obj_bbox: _Points | Annotated[list[FiniteFloat], Field(max_length=4)] | None = None

    def prompt(self) -> Prompt:
        """What the picture is asked for.

        Raises:
            RequestError: neither point nor box, or a box that is none.
            PromptError: the box is turned inside out.
        """
        on, off = self.pos_points or [], self.neg_points or []
        points, labels = [*on, *off], [1] * len(on) + [0] * len(off)
        box = _numbers(self.obj_bbox)
        parts = [
            *([BoxPrompt((box[0], box[1], box[2], box[3]))] if box else []),
            *([PointPrompt(points, labels)] if points else []),
        ]
        if not parts:
            raise RequestError("expected pos_points, neg_points or obj_bbox, got none of them")
        return parts[0] if len(parts) == 1 else CombinedPrompt(parts)


class CvatInteractOut(BaseModel):
    """The mask of the whole picture, row by row, 1 on the object; and the outline of its largest island."""

    mask: list[list[int]]
    points: list[tuple[float, float]]


def _numbers(box: list[tuple[float, float]] | list[float] | None) -> list[float]:
    numbers = [number for part in box or () for number in (part if isinstance(part, tuple) else (part,))]
    if len(numbers) not in (0, 4):
        raise RequestError(f"obj_bbox must be two corners, [[x1, y1], [x2, y2]], got {len(numbers)} numbers")
    return numbers


__all__ = ["CvatInteractIn", "CvatInteractOut"]
