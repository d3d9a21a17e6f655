"""A model's tracker, as `track` takes it."""

from dataclasses import asdict, replace

from maskwright.models import Model
from maskwright.predict.embedding import model_ref
from maskwright.workflows.track import Tracking


def open_tracking(model: Model, *, model_name: str, budget: str = "default", find_new: int = 0) -> Tracking:
    """Track with a model; `budget` is default, fast, accurate, or the milliseconds that a frame may take.

    Every `find_new` frames it looks for objects that have no track; 0 never does.

    Raises:
        SettingError: the budget cannot be read.
    """
    from maskwright.predict.tracking import make_tracker, tracker_settings

    settings = tracker_settings(budget)
    finding = replace(settings, find_new=find_new)
    return Tracking(
        make=lambda: make_tracker(model, settings),
        make_finder=(lambda: make_tracker(model, finding)) if find_new else None,
        model=model_ref(model),
        settings=asdict(finding),
        options={"model": model_name, "budget": budget, "find_new": find_new},
        check_words=model.text_indices,
    )


__all__ = ["open_tracking"]
