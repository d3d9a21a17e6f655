"""A model's tracker, as `track` takes it."""

from maskwright.models import Model
from maskwright.predict.embedding import model_ref
from maskwright.workflows.track import Tracking


def open_tracking(model: Model, *, model_name: str, budget: str = "default") -> Tracking:
    """Track with a model; `budget` is default, fast, accurate, or the milliseconds that a frame may take.

    Raises:
        SettingError: the budget cannot be read.
    """
    from maskwright.predict.tracking import make_tracker, tracker_settings

    settings = tracker_settings(budget)
    return Tracking(
        make=lambda: make_tracker(model, settings),
        model=model_ref(model),
        settings={"budget": budget},
        options={"model": model_name, "budget": budget},
        check_words=model.text_indices,
    )


__all__ = ["open_tracking"]
