"""What goes over REST about the work of reviewing: presence, progress, queues, agreement, as pydantic models."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from maskwright.serve.store_cursors import MOST_CHARACTERS
from maskwright.serve.wire_store import AnyId


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


# Presence


class PresenceIn(_In):
    """Where somebody is. `page` tells several open pages of one person apart."""

    frame: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)] | None
    record: Annotated[AnyId | None, Field(description="The mask in hand.")] = None
    page: Annotated[str, Field(max_length=64)] = ""


class PersonOut(_Out):
    """Somebody on a frame, with the mask in hand if there is one."""

    name: str
    record: str | None


class PresenceOut(_Out):
    """Who is on a frame, each person once. Who says nothing for `kept_s` seconds is gone."""

    frame: str | None
    people: list[PersonOut]
    kept_s: float
