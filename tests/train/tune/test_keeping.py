from dataclasses import replace

import numpy as np
import pytest
import torch

from maskwright.models.frame import FrameSpec
from maskwright.train.dice import Dice
from maskwright.train.interaction import MASK_STRIDE
from maskwright.train.tune.crew import Crew
from maskwright.train.tune.features import FeatureCache
from maskwright.train.tune.keeping import ask_base, elsewhere, elsewhere_in, keeping_loss
from maskwright.train.tune.samples import Sample, Samples, batch_of


@pytest.fixture(scope="session")
def pictures(squares, tmp_path_factory):
    """Views of five pictures, and their features."""
    from maskwright.models import load_model
    from maskwright.train.tune.recipe import TuneRecipe

    model = load_model("test-sam")
    views = Samples(squares[:5], replace(TuneRecipe(), mirror=0), crops=0).views()
    cache = FeatureCache(tmp_path_factory.mktemp("features"), model)
    cache.fill(model, views)
    return views, cache


def kept_of(model, pictures, seed, at_once=16, **more):
    views, cache = pictures
    at = elsewhere([views[i] for i in (0, 3, 1, 3)], model.frame, np.random.default_rng(seed), "cpu")
    features = cache.take(at.views)
    return at, features, ask_base(model, features, at, Dice(seed), 0.25, at_once, **more)


@pytest.mark.parametrize("seed", range(8))
def test_the_base_itself_is_no_way_from_the_base_whatever_is_asked(test_sam, pictures, seed):
    _, features, kept = kept_of(test_sam, pictures, seed)

    assert keeping_loss(test_sam, features, kept).abs().max() < 1e-5


def test_a_decoder_that_answers_otherwise_is_further_away_the_more_it_changed(test_sam, pictures):
    _, features, kept = kept_of(test_sam, pictures, 1)
    far = []
    with torch.no_grad():
        for _ in range(3):
            for parameter in test_sam.mask_decoder.output_hypernetworks_mlps.parameters():
                parameter.add_(0.05 * torch.ones_like(parameter))
            far.append(float(keeping_loss(test_sam, features, kept).mean()))

    assert 0 < far[0] < far[1] < far[2]


def test_clicks_boxes_and_corrections_are_asked(test_sam, pictures):
    kinds = set()
    for seed in range(16):
        prompts = kept_of(test_sam, pictures, seed)[2].prompts
        kinds.add((tuple(prompts.labels[0, :2].tolist()), prompts.mask_logits is not None))

    assert kinds == {((1, -1), False), ((2, 3), False), ((1, -1), True)}


def test_clicks_lie_where_they_should(test_sam, pictures):
    for seed in range(16):
        at, _, kept = kept_of(test_sam, pictures, seed)
        if kept.prompts.labels[0, 0] == 1:
            x, y = ((kept.prompts.points[:, 0] + 0.5) / MASK_STRIDE).long().unbind(1)
            assert at.region[torch.arange(len(x)), y, x].all()


def test_a_base_that_is_asked_piece_by_piece_answers_the_same(test_sam, pictures):
    for seed in range(4):
        whole, pieces = (kept_of(test_sam, pictures, seed, at_once)[2] for at_once in (16, 3))

        assert torch.allclose(whole.logits, pieces.logits, atol=1e-4)
        assert torch.equal(whole[1:3].cells.index, whole.cells.index[1:3])


@pytest.mark.parametrize("own", [slice(0, 2), slice(2, 4)])
def test_who_answers_a_share_asks_the_same_and_gets_the_same(test_sam, pictures, own):
    for seed in range(6):
        whole, share = kept_of(test_sam, pictures, seed)[2], kept_of(test_sam, pictures, seed, own=own)[2]

        assert torch.equal(whole[own].prompts.points, share[own].prompts.points)
        assert torch.allclose(whole[own].logits, share[own].logits, atol=1e-4)
        assert torch.equal(whole[own].cells.index, share[own].cells.index)


def seen_together(pictures, names, *, general, share=1.0, seed=0):
    """Places in what a batch sees: a sample of each of some pictures, of which some are general."""
    spec = FrameSpec(side=128, logits_side=32)
    views = {view.example.name: view for view in pictures[0]}
    batch = batch_of([Sample(view=views[name], position=0) for name in names], spec, "cpu")
    assert batch is not None
    rng = np.random.default_rng(seed)
    return batch, elsewhere_in(batch, lambda view: view.example.name in general, share, spec, rng)


def test_where_every_view_is_encoded_anew_the_base_is_asked_about_general_pictures_of_the_batch(pictures):
    _, at = seen_together(pictures, ["0.png", "1.png", "2.png", "1.png"], general=["1.png"])

    assert at.beside == (1, 3)
    assert {at.views[i].example.name for i in at.view_index} == {"1.png"}
    assert at.region.flatten(1).any(1).all()


def test_a_batch_without_general_pictures_leaves_the_base_nothing_to_say(pictures):
    assert seen_together(pictures, ["0.png", "2.png"], general=["1.png"])[1] is None


def test_a_share_of_a_batch_is_asked_about_and_whoever_answers_a_sample_answers_beside_it(pictures):
    names = ["3.png", "0.png", "3.png", "1.png", "2.png", "0.png"]
    batch, at = seen_together(pictures, names, general=names, share=0.6, seed=2)

    assert len(at.beside) == 4
    assert [at.views[i] for i in at.view_index] == [batch.samples[row].view for row in at.beside]
    found = []
    for rank in range(2):
        crew = Crew(rank=rank, size=2)
        own, samples = at.share(crew, len(names)), crew.share(len(names))
        found += at.beside[own]
        assert all(samples.start <= row < samples.stop for row in at.beside[own])
    assert tuple(found) == at.beside
