"""A model's tracker, as `track` takes it."""

from dataclasses import asdict, replace

from maskwright.core.errors import SettingError
from maskwright.models import Model, VideoModel
from maskwright.predict.embedding import model_ref
from maskwright.predict.tracking.settings import TrackSettings
from maskwright.workflows.track import Tracking


def open_tracking(
    model: Model | VideoModel, *, model_name: str, budget: str = "default", find_new: int = 0
) -> Tracking:
    """Track with a model; `budget` is default, fast, accurate, or the milliseconds that a frame may take.

    Every `find_new` frames it looks for objects that have no track; 0 never does. A video model draws every frame and
    takes neither.

    Raises:
        SettingError: the budget cannot be read, or the model takes none or finds no new objects.
    """
    from maskwright.predict.tracking import make_tracker, tracker_settings

    settings = tracker_settings(budget)
    if isinstance(model, VideoModel):
        return _open_video(model, settings, model_name=model_name, budget=budget, find_new=find_new)
    finding = replace(settings, find_new=find_new)
    return Tracking(
        make=lambda: make_tracker(model, settings),
        make_finder=(lambda: make_tracker(model, finding)) if find_new else None,
        model=model_ref(model),
        settings=asdict(finding),
        options={"model": model_name, "budget": budget, "find_new": find_new},
        check_words=model.text_indices,
    )


def _open_video(model: VideoModel, settings: TrackSettings, *, model_name: str, budget: str, find_new: int) -> Tracking:
    from maskwright.predict.tracking import make_tracker

    if budget != "default":
        raise SettingError(f"{model.card.name} draws every frame, so it takes no budget; got {budget!r}. Leave it out.")
    if find_new:
        raise SettingError(
            f"{model.card.name} follows the objects that it is told of and finds no new ones; got {find_new} frames. "
            "Leave it out, or use another model."
        )
    return Tracking(
        make=lambda: make_tracker(model, settings),
        model=model_ref(model),
        settings={"patience": settings.patience},
        options={"model": model_name, "budget": budget, "find_new": find_new},
        check_words=model.text_indices,
    )


__all__ = ["open_tracking"]
