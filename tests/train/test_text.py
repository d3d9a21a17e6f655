"""Training the text path: phrases mean what they say, features are kept, and nothing but the path learns."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.core.errors import InputError
from maskwright.models.cards import TINY
from maskwright.models.sam.mask_decoder import to_picture
from maskwright.models.tiny import TinyConfig, TinySam, build_tiny_network
from maskwright.models.tiny.vocabulary import COLOURS, WORDS, phrase_words
from maskwright.train.dice import Dice
from maskwright.train.feature_store import FeatureStore, build_store
from maskwright.train.scene_folder import LabelledObject, LabelledScene, write_scene_folder
from maskwright.train.text import TextRecipe, TextTrainer, export, make_text_trainer, resume, save, text_step
from maskwright.train.text_scores import asked, judge, score_text
from maskwright.train.text_step import by_object, pixel_logits, sample_pixels, words_held_loss
from maskwright.train.word_pixels import gather_pixels, learn_words, pixel_loss
from maskwright.train.words import absent_phrase, name_of, names_in, object_words, read_phrase

NAMES = ("mug", "ball", "robot arm", "cube", "toy cube", "table")
SIDE = 128


def silent(done: int, total: int) -> None:
    """Progress that nobody reads."""


def small_model() -> TinySam:
    torch.manual_seed(0)
    config = TinyConfig(trunk="lite0", side=SIDE, has_text=True)
    model = build_tiny_network(replace(TINY, name="small-tiny", takes_text=True), config)
    model.checkpoint_sha256 = "0" * 64
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of a red mug and a blue ball on a ground without a name."""
    root = tmp_path_factory.mktemp("scenes")
    with write_scene_folder(root, made_by={"seed": 0}) as scenes:
        for shift in (0, 8, 16):
            masks = np.zeros((96, 128), np.uint8)
            masks[16:56, 8 + shift : 48 + shift] = 3
            masks[40:88, 72 : 120 - shift] = 7
            image = np.full((96, 128, 3), 128, np.uint8)
            image[masks == 3], image[masks == 7] = (220, 30, 30), (30, 30, 220)
            objects = (
                LabelledObject(index=3, name="mug", colour="red"),
                LabelledObject(index=7, name="ball", colour="blue"),
            )
            scenes.add(LabelledScene(image=image, masks=masks, objects=objects))
    return root


@pytest.fixture(scope="module")
def store(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return build_store(small_model(), folder, tmp_path_factory.mktemp("store"), progress=silent)


def trainer(seed: int = 0) -> TextTrainer:
    return make_text_trainer(TextRecipe(pictures=2, seed=seed), small_model())


things = st.sampled_from(
    [object_words(*words) for words in itertools.product(NAMES, (None, *COLOURS), (None, "wood", "metal"))]
)


@given(st.lists(things, max_size=6), st.integers(0, 10_000))
def test_an_absent_phrase_means_nothing(pictured: list[frozenset[int]], seed: int) -> None:
    names = [(WORDS.index("hammer"),), (WORDS.index("sofa"),)]

    phrase = absent_phrase(Dice(seed), pictured, names)

    assert phrase.words
    assert phrase.is_absent
    assert not any(set(phrase.words) <= words for words in pictured)


@given(things, things)
def test_what_is_meant_is_never_unsure(asked_for: frozenset[int], thing: frozenset[int]) -> None:
    phrase = read_phrase(sorted(asked_for), [thing])

    assert not (phrase.meant[0] and phrase.unsure[0])
    if name_of(asked_for) and not set(name_of(asked_for)) <= thing:
        assert not phrase.unsure[0]


def test_an_unknown_colour_may_be_the_one_asked_for() -> None:
    red_mug = phrase_words("red mug")

    phrase = read_phrase(red_mug, [object_words("mug", "red"), object_words("mug"), object_words("mug", "blue")])

    assert phrase.meant == (True, False, False)
    assert phrase.unsure == (False, True, False)


def test_a_shorter_name_means_longer_ones_too() -> None:
    objects = [object_words("toy cube"), object_words("cube")]

    assert read_phrase(phrase_words("cube"), objects).meant == (True, True)
    assert read_phrase(phrase_words("toy cube"), objects).meant == (True, False)
    assert read_phrase(phrase_words("object"), objects).meant == (True, True)


def test_a_store_keeps_the_encoders_maps_and_the_masks(store: FeatureStore, folder: Path) -> None:
    assert len(store) == 3
    assert store.words[0] == (object_words("mug", "red"), object_words("ball", "blue"))
    assert set(np.unique(store.index_maps[0])) == {0, 1, 2}
    # 96 x 128 pixels fill the frame's width; a mug of 40 x 40 pixels is one of 20 x 20 at half the side.
    assert int((store.index_maps[0] == 1).sum()) == 400
    assert not store.index_maps[0][48:].any()
    assert store.features([0, 2]).image_embedding.shape == (2, 192, 8, 8)


def test_a_store_that_was_cut_goes_on(folder: Path, tmp_path: Path, store: FeatureStore) -> None:
    build_store(small_model(), folder, tmp_path, limit=1, progress=silent)
    done: list[int] = []

    continued = build_store(small_model(), folder, tmp_path, progress=lambda n, _: done.append(n))

    assert done == [2, 3]
    for ours, other in zip(continued.tensors, store.tensors, strict=True):
        assert np.array_equal(ours, other)


def test_a_store_of_another_checkpoint_is_refused(folder: Path, tmp_path: Path) -> None:
    build_store(small_model(), folder, tmp_path, limit=1, progress=silent)
    other = small_model()
    other.checkpoint_sha256 = "1" * 64

    with pytest.raises(InputError, match="this store holds features of checkpoint 000000000000, not of 111111111111"):
        build_store(other, folder, tmp_path, progress=silent)


def test_sampled_pixels_lie_on_their_owner_and_know_its_words(store: FeatureStore) -> None:
    sampled = sample_pixels(Dice(0), store, [0, 2])

    side = SIDE // 4
    where = to_picture(torch.arange(side * side).float()[None])[0].flatten().argsort()
    for row, picture in enumerate((0, 2)):
        of_row = sampled.row == row
        labels = torch.from_numpy(store.index_maps[picture, ::2, ::2].astype(np.int64)).flatten()
        assert torch.equal(labels[where[sampled.pixel[of_row]]], sampled.owner[of_row])
        assert set(sampled.owner[of_row].tolist()) == {0, 1, 2}
    red, wood, mug = (WORDS.index(word) for word in ("red", "wood", "mug"))
    of_mug = sampled.owner == 1
    assert sampled.holds[of_mug][:, [red, mug]].all()
    assert not sampled.holds[sampled.owner == 0].any()
    assert sampled.is_known[of_mug, red].all()
    assert not sampled.is_known[of_mug, wood].any(), "a mug of no known material may be of wood"


def test_words_at_pixels_are_the_words_of_the_whole_map(store: FeatureStore) -> None:
    model = small_model()
    assert model.text_path is not None
    sampled = sample_pixels(Dice(0), store, [1])
    words = torch.tensor([phrase_words("red blue mug ball")])
    with torch.no_grad():
        read = model.text_path.reader(store.features([1]))
        few = pixel_logits(model.text_path, read, sampled)
        whole = model.text_path.word_logits(read, words)

    torch.testing.assert_close(few[:, words[0]], whole[0, :, sampled.pixel].T, atol=1e-4, rtol=1e-4)


def test_gathered_pixels_learn_what_whole_pictures_would_before_the_blocks_do(store: FeatureStore) -> None:
    model = small_model()
    assert model.text_path is not None
    gathered = gather_pixels(Dice(5), [store])

    pictures = [0, 1, 2]
    with torch.no_grad():
        few = pixel_loss(model.text_path, gathered, torch.arange(len(gathered)))
        sampled = sample_pixels(Dice(6), store, pictures)
        logits = pixel_logits(model.text_path, model.text_path.reader(store.features(pictures)), sampled)
        whole = words_held_loss(logits, sampled.holds, sampled.is_known)

    # Other pixels of the same objects, and features rounded to fp16.
    assert float(few) == pytest.approx(float(whole), rel=0.05)
    assert learn_words(model.text_path, gathered, learning_rate=3e-3, seconds=1.5) < float(few)


def test_objects_are_judged_by_the_mean_of_their_pixels(store: FeatureStore) -> None:
    sampled = sample_pixels(Dice(0), store, [0, 1])
    logits = torch.randn(len(sampled.row), len(WORDS), generator=torch.Generator().manual_seed(0))

    mean, holds, known = by_object(sampled, logits)

    assert len(mean) == len(holds) == len(known) == 6  # nothing, mug and ball of each picture
    of_ball = (sampled.row == 1) & (sampled.owner == 2)
    torch.testing.assert_close(mean[5], logits[of_ball].mean(0))
    assert torch.equal(holds[5], sampled.holds[of_ball][0])
    assert torch.equal(known[5], sampled.is_known[of_ball][0])


def test_a_step_teaches_the_path_alone(store: FeatureStore) -> None:
    learner = trainer()
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}

    losses = [text_step(learner, [store], progress=i / 20) for i in range(20)]

    after = learner.model.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {name for name in after if name.startswith("text_path.")}
    assert losses[-1] < losses[0]


def test_a_run_goes_on_where_it_was_saved(store: FeatureStore, tmp_path: Path) -> None:
    learner, again = trainer(), trainer()
    text_step(learner, [store], progress=0.0)
    save(learner, tmp_path, seconds=12.0)

    seconds = resume(again, tmp_path / "last.pt")

    assert (seconds, again.step) == (12.0, 1)
    for ours, other in zip(learner.path.parameters(), again.path.parameters(), strict=True):
        assert torch.equal(ours, other)


def test_exported_weights_hold_the_average_and_all_else_as_it_was(tmp_path: Path, store: FeatureStore) -> None:
    from safetensors import safe_open

    learner = trainer()
    path_in_training = learner.model.text_path
    export(learner, tmp_path / "out.safetensors")

    assert learner.model.text_path is path_in_training
    with safe_open(tmp_path / "out.safetensors", "pt") as file:
        note = json.loads(file.metadata()["text"])
        kept = file.get_tensor("text_path.places.weight")
    assert note == {"step": 0, "behind": "0" * 64}
    assert torch.equal(kept, learner.average.places.weight.half())


@pytest.mark.parametrize(
    ("columns", "belief", "expected"),
    [(10, 0.9, (1.0, 1.0, 0.9)), (8, 0.9, (1.0, 0.8, 0.9)), (4, 0.9, (0.0, 0.4, 0.9)), (0, 0.2, (0.0, 0.0, 0.2))],
)
def test_an_answer_counts_from_an_iou_of_one_half(columns: int, belief: float, expected: tuple[float, ...]) -> None:
    truth, shown, nothing = (torch.zeros(20, 20, dtype=torch.bool) for _ in range(3))
    truth[:10, :10] = True
    shown[:10, :columns] = True

    assert judge(shown, truth, nothing, belief) == pytest.approx(expected)


@pytest.mark.parametrize(("pixels", "belief", "is_right"), [(0, 0.9, True), (9, 0.4, True), (9, 0.6, False)])
def test_silence_and_doubt_are_right_about_what_is_not_there(pixels: int, belief: float, is_right: bool) -> None:
    shown, nothing = torch.zeros(20, 20, dtype=torch.bool), torch.zeros(20, 20, dtype=torch.bool)
    shown[0, :pixels] = True

    found = judge(shown, nothing, nothing, belief)

    assert found is not None
    assert bool(found[0]) is is_right


def test_what_is_too_small_and_what_is_unsure_is_not_judged() -> None:
    small, shown = torch.zeros(20, 20, dtype=torch.bool), torch.ones(20, 20, dtype=torch.bool)
    small[:3, :3] = True
    large = torch.zeros_like(small)
    large[:10] = True

    assert judge(shown, small, torch.zeros_like(small), 0.9) is None
    assert judge(shown, large, ~large, 0.9) == pytest.approx((1.0, 1.0, 0.9))


def test_scores_ask_for_names_colours_and_what_is_not_there(store: FeatureStore) -> None:
    scores = score_text(small_model(), store, names_in(store.words))

    assert scores.counts == {"name": 6, "colour name": 6, "colour": 6, "absent": 3}
    assert all(0 <= share <= 1 for share in scores.precision.values())
    assert "colour name" in str(scores)


def test_a_phrases_mask_is_the_union_of_what_it_means(store: FeatureStore) -> None:
    objects = store.words[0]
    phrases = [read_phrase(phrase_words(text), objects) for text in ("red mug", "object", "green mug")]

    wanted = asked(store, 0, phrases)

    pixels = torch.from_numpy(store.index_maps[0].astype(np.int64))
    assert torch.equal(wanted.masks[0], pixels == 1)
    assert torch.equal(wanted.masks[1], pixels > 0)
    assert not wanted.masks[2].any()
    assert not wanted.ignored.any()
