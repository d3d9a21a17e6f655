"""What can be asked for: the models that are served, and those that could be."""

from functools import partial

import anyio
from fastapi import APIRouter
from starlette.responses import Response

from maskwright.models import ModelCard, has_weights, list_models
from maskwright.serve.access import Reader, ServiceOf
from maskwright.serve.answers import json_answer
from maskwright.serve.wire import ModelsOut

router = APIRouter(prefix="/v1")


@router.get("/models", summary="Models: served and registered", response_model=ModelsOut)
async def list_models_of_server(service: ServiceOf, who: Reader) -> Response:
    """The first of `served` is the default."""
    served = service.engine.status().models
    cards = await anyio.to_thread.run_sync(partial(_cards, served))
    return json_answer({"served": served, "registered": cards})


def _cards(served: tuple[str, ...]) -> list[dict[str, object]]:
    return [_card(card, is_served=card.name in served) for card in list_models()]


def _card(card: ModelCard, *, is_served: bool) -> dict[str, object]:
    return {
        "name": card.name,
        "title": card.title,
        "family": card.family,
        "input_side": card.input_side,
        "licence": card.licence,
        "takes_text": card.takes_text,
        "is_here": has_weights(card),
        "is_served": is_served,
    }


__all__ = ["router"]
