"""`ServedModels`: the models that an engine serves, by name: one copy for all lanes of a CPU, one for each GPU."""

import logging
from collections.abc import Callable, Sequence

import numpy as np
import torch

from maskwright.core import Image, PointPrompt
from maskwright.core.errors import UnknownModel
from maskwright.models import Model, load_model
from maskwright.predict import embed, predict, to_records

_log = logging.getLogger(__name__)

# How a model is made: a name or checkpoint file, a device, a precision.
Load = Callable[[str, torch.device, str], Model]

# An encoder beyond this takes many seconds on a CPU, for which a server that starts does not wait.
_WARM_PARAMETERS = 50_000_000


def load(name: str, device: torch.device, precision: str, backend: str = "default") -> Model:
    """Load a model as every other part of the package does."""
    return load_model(name, device=device, precision=precision, backend=backend)


class ServedModels:
    """Names of models, and the copy of each that a device has. The first name is the default."""

    def __init__(self, names: Sequence[str], *, precision: str = "auto", load: Load = load) -> None:
        self._names = tuple(names)
        self._precision = precision
        self._load = load
        self._copies: dict[tuple[str, torch.device], Model] = {}
        self._meant: dict[str, str] = {}

    def load_onto(self, device: torch.device) -> None:
        """Load every model onto a device, unless it is there, and try it, so that the first click is not slow."""
        for name in self._names:
            if (name, device) in self._copies:
                continue
            model = self._load(name, device, self._precision)
            if device.type != "cpu" or model.card.num_parameters < _WARM_PARAMETERS:
                _try(model)
            self._copies[name, device] = model
            for known in (name, model.card.name, *model.card.aliases):
                self._meant.setdefault(known, name)

    def resolve(self, name: str | None) -> str:
        """Find the name by which a model was loaded; None is the default.

        Raises:
            UnknownModel: it is not served.
        """
        if name is None:
            return self._names[0]
        if name not in self._meant:
            raise UnknownModel(f"this server runs {', '.join(self._names)}, not {name!r}. Ask for one of those")
        return self._meant[name]

    def copy_on(self, device: torch.device, name: str) -> Model:
        """The copy of a model on a device; `name` as `resolve` gives it."""
        return self._copies[name, device]

    def any_copy(self, name: str) -> Model:
        """A copy on some device, to ask what all copies have in common."""
        return next(model for (known, _), model in self._copies.items() if known == name)

    @property
    def names(self) -> tuple[str, ...]:
        """The cards' names, the default first."""
        return tuple(self.any_copy(name).card.name for name in self._names) if self._copies else self._names


def _try(model: Model) -> None:
    blank = Image(np.zeros((64, 64, 3), np.uint8))
    to_records(predict(model, embed(model, blank), [PointPrompt([(32, 32)])]))
    _log.debug("model %s is ready on %s", model.card.name, model.device)


__all__ = ["Load", "ServedModels", "load"]
