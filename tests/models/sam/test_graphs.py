"""What is recorded, when, and what is played; the graph itself needs a GPU, so here it is a record of inputs."""

import gc
from functools import lru_cache
from typing import Any
from weakref import WeakMethod

import pytest
import torch

from maskwright.models import load_model
from maskwright.models.protocol import Decoded, Features, FramePrompts
from maskwright.models.sam import graphs
from maskwright.models.sam.graphs import Recording, play, put_together, tensors_of


class OnPaper(Recording):
    """Stands for a graph: keeps tensors of its own, and decodes from them when it is played."""

    made = 0

    def __init__(self, decode: Any, features: Features, prompts: FramePrompts, multimask: bool, pool: object) -> None:
        type(self).made += 1
        self.inputs = [x.clone() for x in tensors_of(features, prompts)]
        # Weak, because a graph does not hold the model either.
        run, num_extra = WeakMethod(decode), len(features.extra)
        self.run = lambda: run()(*put_together(self.inputs, num_extra), multimask)

    def play(self, features: Features, prompts: FramePrompts) -> Decoded:
        for own, given in zip(self.inputs, tensors_of(features, prompts), strict=True):
            own.copy_(given)
        return self.run()  # type: ignore[misc]


@pytest.fixture(autouse=True)
def on_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    OnPaper.made = 0
    monkeypatch.setattr(graphs, "Recording", OnPaper)
    monkeypatch.setattr(graphs, "_is_on_gpu", lambda prompts: True)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 0))


def a_click(x: float, num_points: int = 1, *, with_mask: bool = False) -> FramePrompts:
    points = torch.full((1, num_points + 1, 2), x)
    labels = torch.tensor([[1] * num_points + [-1]])
    side = load_model("test-sam").frame.logits_side
    return FramePrompts(points=points, labels=labels, mask_logits=torch.randn(1, 1, side, side) if with_mask else None)


@lru_cache
def seen_by(name: str, seed: int) -> Features:
    """What a model as it ships sees, encoded once for all tests."""
    return seen(load_model(name), seed)


def seen(model: Any, seed: int = 0) -> Features:
    pixels = torch.randn(1, 3, model.frame.side, model.frame.side, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return model.encode(pixels)


@pytest.mark.parametrize("name", ["test-sam", "tiny"])
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("multimask", [False, True])
def test_what_is_played_is_what_decode_gives(name: str, with_mask: bool, multimask: bool) -> None:
    model = load_model(name)
    side = model.frame.logits_side

    with torch.no_grad():
        for seed in range(5):
            features = seen_by(name, seed)
            generator = torch.Generator().manual_seed(seed)
            xy = torch.rand(1, 2, 2, generator=generator) * model.frame.side
            mask = torch.randn(1, 1, side, side, generator=generator) if with_mask else None
            prompts = FramePrompts(points=xy, labels=torch.tensor([[1, -1]]), mask_logits=mask)
            played = graphs_only(model, features, prompts, multimask)
            plain = model._decode(features, prompts, multimask)  # type: ignore[attr-defined]
            assert (played is None) == (seed < 2)
            if played is not None:
                torch.testing.assert_close(played.logits, plain.logits, rtol=0, atol=0)
                torch.testing.assert_close(played.predicted_iou, plain.predicted_iou, rtol=0, atol=0)
    assert OnPaper.made == 1


def graphs_only(model: Any, features: Features, prompts: FramePrompts, multimask: bool) -> Decoded | None:
    return play(model, model._decode, features, prompts, multimask=multimask)


def test_every_shape_is_recorded_once_and_the_least_used_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "_MOST_GRAPHS", 2)
    model = load_model("test-sam")
    features = seen(model)

    with torch.no_grad():
        for num_points in (1, 2, 3, 1):
            for _ in range(3):
                assert model.decode(features, a_click(3.0, num_points), multimask=True).logits.isfinite().all()

    assert OnPaper.made == 4


def test_new_weights_drop_what_was_recorded() -> None:
    model: Any = load_model("test-sam")
    features = seen(model)
    with torch.no_grad():
        for _ in range(4):
            model.decode(features, a_click(3.0), multimask=True)
        model.load_state_dict({key: value.clone() for key, value in model.state_dict().items()}, assign=True)
        model.decode(features, a_click(3.0), multimask=True)

    assert OnPaper.made == 2


def test_weights_changed_in_place_are_seen() -> None:
    model: Any = load_model("test-sam")
    features = seen(model)
    with torch.no_grad():
        before = [model.decode(features, a_click(3.0), multimask=True) for _ in range(3)][-1]
        model.mask_decoder.iou_prediction_head.layers[-1].bias += 1.0
        after = model.decode(features, a_click(3.0), multimask=True)

    assert OnPaper.made == 1
    torch.testing.assert_close(after.predicted_iou, before.predicted_iou + 1.0)


def test_a_recording_that_fails_is_told_once_and_decoding_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(graphs, "Recording", fail)
    model = load_model("test-sam")
    features = seen(model)

    with torch.no_grad():
        found = [model.decode(features, a_click(3.0), multimask=True).logits for _ in range(5)]

    assert all(torch.equal(one, found[0]) for one in found)
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "decoding goes on without a CUDA graph, because recording one failed"
    ]


@pytest.mark.parametrize("why", ["gradients", "setting", "many"])
def test_nothing_is_recorded(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model("test-sam")
    features, prompts = seen(model), a_click(3.0)
    if why == "setting":
        monkeypatch.setenv("MASKWRIGHT_CUDA_GRAPHS", "0")
    if why == "many":
        prompts = FramePrompts(points=prompts.points.expand(9, -1, -1), labels=prompts.labels.expand(9, -1))

    with torch.set_grad_enabled(why == "gradients"):
        for _ in range(4):
            model.decode(features, prompts, multimask=True)

    assert OnPaper.made == 0


def test_recordings_go_with_their_model() -> None:
    model = load_model("test-sam")
    with torch.no_grad():
        for _ in range(3):
            model.decode(seen(model), a_click(3.0), multimask=True)
    before = len(graphs._graphs_of)

    del model
    gc.collect()

    assert len(graphs._graphs_of) < before
