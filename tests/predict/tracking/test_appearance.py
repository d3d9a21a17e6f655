"""The model of likeness, on cells whose classes are known."""

import numpy as np
import torch

from maskwright.predict.tracking.appearance import Appearance, resemblance

HW = (12, 16)


def cells(rng: np.random.Generator, labels: np.ndarray) -> torch.Tensor:
    """Cells of three kinds, told apart by the first three of eight numbers; the last is the 1 that cells end with."""
    values = rng.normal(0, 0.2, (labels.size, 8))
    values[np.arange(labels.size), labels.ravel()] += 1
    return torch.from_numpy(np.concatenate([values, np.ones((labels.size, 1))], 1)).float()


def scene() -> np.ndarray:
    labels = np.zeros(HW, int)
    labels[2:6, 2:7] = 1
    labels[7:11, 9:15] = 2
    return labels


def test_likeness_finds_what_was_learnt_wherever_it_is() -> None:
    rng = np.random.default_rng(0)
    labels = scene()
    model = Appearance(0.1)
    model.learn_keyframe(cells(rng, labels), {"a": labels == 1, "b": labels == 2})
    moved = np.roll(labels, (3, 5), (0, 1))
    likeness = model.likeness(cells(rng, moved), HW)
    for name, label in (("a", 1), ("b", 2)):
        assert ((likeness[name] > 0) == (moved == label)).mean() > 0.98
        assert resemblance((moved == label).astype(np.float32), likeness[name]) > 0.7
        assert resemblance((labels == label).astype(np.float32), likeness[name]) < 0.5


def test_what_was_seen_lately_is_learnt_and_fades_but_keyframes_stay() -> None:
    rng = np.random.default_rng(1)
    labels = scene()
    model = Appearance(0.5)
    model.learn_keyframe(cells(rng, labels), {"a": labels == 1})
    painted = np.where(labels == 1, 3, labels)  # the object has turned: its cells are of a fourth kind now
    before = model.likeness(cells(rng, painted), HW)["a"][painted == 3].mean()
    for _ in range(8):
        model.learn_lately(cells(rng, painted), {"a": painted == 3})
    assert model.likeness(cells(rng, painted), HW)["a"][painted == 3].mean() > before + 0.5
    assert model.likeness(cells(rng, labels), HW)["a"][labels == 1].mean() > 0
    model.forget_lately("a")
    assert model.likeness(cells(rng, painted), HW)["a"][painted == 3].mean() < before + 0.5


def test_a_track_is_forgotten_without_others_noticing() -> None:
    rng = np.random.default_rng(2)
    labels = scene()
    model = Appearance(0.1)
    model.learn_keyframe(cells(rng, labels), {"a": labels == 1, "b": labels == 2})
    later = cells(rng, labels)
    both = model.likeness(later, HW)
    model.forget("a")
    assert list(model.likeness(later, HW)) == ["b"]
    assert np.allclose(model.likeness(later, HW)["b"], both["b"], atol=1e-4)
