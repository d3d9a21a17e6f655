import pytest
import torch
from torch.nn.utils import parametrize

from maskwright.core.errors import ModelError
from maskwright.models import load_model
from maskwright.models.backends.export import export_model, to_onnx
from maskwright.models.unsaved import check_saved


def _one(model):
    return model.image_encoder.get_submodule("blocks.0.attn.qkv")


def _step(model):
    _one(model).weight.sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()


def _copy(model):
    with torch.no_grad():
        _one(model).bias.copy_(torch.ones_like(_one(model).bias))


def _add_parts(model):
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor(2.0))

        def forward(self, weight):
            return self.factor * weight

    parametrize.register_parametrization(_one(model), "weight", Twice())


@pytest.mark.parametrize("change", [_step, _copy, _add_parts])
def test_a_model_with_unsaved_changes_is_not_exported(change, tmp_path):
    model = load_model("test-sam")
    change(model)

    for export in (lambda: export_model(model, tmp_path / "a.onnx"), lambda: to_onnx(model)):
        with pytest.raises(ModelError, match="changed after they were loaded.*Save them.*load and export that"):
            export()

    assert not list(tmp_path.iterdir())


@torch.no_grad()
def test_use_and_moves_are_no_changes():
    model = load_model("test-sam")
    check_saved(model)

    model.encode(torch.zeros(1, 3, 128, 128))
    model.to("cpu").double().float()

    check_saved(model)


def test_a_checkpoint_of_the_changes_is_as_good_as_any(tmp_path):
    model = load_model("test-sam")
    _copy(model)
    torch.save(model.state_dict(), tmp_path / "changed.pth")

    check_saved(load_model(tmp_path / "changed.pth"))


def test_a_model_that_was_loaded_where_changes_are_not_counted_is_believed():
    with torch.inference_mode():
        check_saved(load_model("test-sam"))
