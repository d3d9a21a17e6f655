"""What Label Studio sends to an ML backend, and what it wants to hear, as pydantic models. Only what we look at."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, FiniteFloat

from maskwright.serve.tool_bodies import FromTool

_Percent = Annotated[FiniteFloat, Field(ge=-1000, le=1000)]
_LONGEST_LABEL = 1000


class RegionValueIn(FromTool):
    """Where a region is, in percent of the picture's width and height; its labels are under the name of its type."""

    model_config = ConfigDict(extra="allow", frozen=True)
    x: _Percent
    y: _Percent
    width: _Percent = 0.0
    height: _Percent = 0.0
    rotation: FiniteFloat = 0.0


class RegionIn(FromTool):
    """A region that a smart tool has drawn: `type` is keypointlabels, rectanglelabels, keypoint or rectangle."""

    type: Annotated[str, Field(max_length=100)]
    value: RegionValueIn
    is_positive: bool | None = None
    image_rotation: FiniteFloat = 0.0

    @property
    def label(self) -> str | None:
        """Its label."""
        given = (self.value.model_extra or {}).get(self.type) or (self.value.model_extra or {}).get("labels")
        first = given[0] if isinstance(given, list) and given else None
        return first[:_LONGEST_LABEL] if isinstance(first, str) else None


class ContextIn(FromTool):
    """What was drawn so far, for interactive labelling."""

    result: Annotated[tuple[RegionIn, ...], Field(max_length=1000)] = ()


class ParamsIn(FromTool):
    """Parameters of a prediction."""

    context: ContextIn | None = None


class LabelStudioTask(FromTool):
    """A task: `data` has the picture's address under the name that the labelling interface gives it."""

    id: int | str | None = None
    data: dict[str, Any]


class LabelStudioPredictIn(FromTool):
    """POST /predict as Label Studio sends it."""

    tasks: Annotated[list[LabelStudioTask], Field(max_length=1000)]
    label_config: str | None = None
    params: ParamsIn | None = None


class LabelStudioSetupIn(FromTool):
    """POST /setup as Label Studio sends it. The token in it is not looked at."""

    project: str | int | None = None


class LabelStudioPredictOut(FromTool):
    """A prediction for each task, or none; `result` has regions."""

    results: list[dict[str, Any]]
    model_version: str


class LabelStudioSetupOut(FromTool):
    """Which model answers."""

    model_version: str


class LabelStudioHealthOut(FromTool):
    """`status` is UP."""

    status: str
    model_class: str


class LabelStudioWebhookOut(FromTool):
    """What came of an event."""

    status: str
    result: str


__all__ = [
    "ContextIn",
    "LabelStudioHealthOut",
    "LabelStudioPredictIn",
    "LabelStudioPredictOut",
    "LabelStudioSetupIn",
    "LabelStudioSetupOut",
    "LabelStudioTask",
    "LabelStudioWebhookOut",
    "ParamsIn",
    "RegionIn",
    "RegionValueIn",
]
