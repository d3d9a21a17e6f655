"""Whether a network still holds the weights that its checkpoint names, told by torch's counters of changes in place."""

from typing import TYPE_CHECKING

from torch import nn

from maskwright.core.errors import ModelError

if TYPE_CHECKING:
    from maskwright.models.registry import Network


def count_changes(network: nn.Module) -> tuple[int, int]:
    """Count the tensors of a network, and how often they were changed in place."""
    tensors = list(network.state_dict().values())
    return len(tensors), sum(x._version for x in tensors if not x.is_inference())


def check_saved(model: "Network") -> None:
    """Check that nothing was changed since a model was loaded; moved to another device, its counters begin again.

    Raises:
        ModelError: something was.
    """
    if (loaded := getattr(model, "loaded", None)) is None:  # built by hand, or no network of this package
        return
    tensors, changes = count_changes(model)
    if tensors != loaded[0] or changes > loaded[1]:
        raise ModelError(
            f"the weights of {model.card.name} were changed after they were loaded, and an export names the checkpoint "
            "that holds its weights. Save them (torch.save(model.state_dict(), 'changed.pth')), load and export that"
        )


__all__ = ["check_saved", "count_changes"]
