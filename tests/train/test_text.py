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
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from maskwright.core.errors import InputError
from maskwright.models.cards import TINY
from maskwright.models.tiny import TinyConfig, TinySam, build_tiny_network
from maskwright.models.tiny.finding import REGIONS
from maskwright.models.tiny.reading import oklab
from maskwright.models.tiny.text import num_rows
from maskwright.models.tiny.vocabulary import COLOURS, WORDS, phrase_words
from maskwright.train.belief_fit import Answered, Unseen, answers_to, fit_belief, look_twice, things_for
from maskwright.train.dice import Dice
from maskwright.train.feature_store import FeatureStore, build_store
from maskwright.train.finder_step import finder_loss, gather_cells, targets_of
from maskwright.train.palette import fit_palette
from maskwright.train.reader_step import questions_of, reader_loss
from maskwright.train.scene_folder import LabelledObject, LabelledScene, read_scene_folder, write_scene_folder
from maskwright.train.text import TextRecipe, TextTrainer, export, make_text_trainer, run
from maskwright.train.text_scores import asked, judge, score_text
from maskwright.train.thing_table import describe_picture
from maskwright.train.words import absent_phrase, name_of, names_in, object_words, phrases_about, read_phrase
from maskwright.train.zoomed import parts_anywhere, parts_of_second_look

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


@pytest.fixture(scope="module")
def unseen(store: FeatureStore, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Unseen:
    """The same scenes, with the parts that a second look takes."""
    place = tmp_path_factory.mktemp("looks")
    parts = build_store(small_model(), folder, place, zoom=parts_of_second_look, progress=silent)
    return Unseen(scenes=store, parts=parts, sizes=read_scene_folder(folder).sizes_hw)


def speaking_model() -> TinySam:
    return trainer().model


def trainer(seed: int = 0) -> TextTrainer:
    return make_text_trainer(TextRecipe(finder_cells=256, reader_pictures=3, seed=seed), small_model())


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


def test_a_finder_is_told_whose_each_cell_is(store: FeatureStore) -> None:
    targets = targets_of(store, [0, 1])

    assert set(targets.owner[0].unique().tolist()) == {0, 1, 2}
    assert set(targets.boxes[0][targets.owner[0] == 1].flatten().tolist()) == {8.0, 48.0, 16.0, 56.0}
    assert (targets.regions == len(REGIONS)).all(), "neither mug nor ball is a region"
    for one in (1, 2):
        cells = (targets.owner[0] == one).sum()
        assert float(targets.weight[0][targets.owner[0] == one].sum()) == pytest.approx(float(cells) ** 0.5)


def test_large_regions_have_no_box(store: FeatureStore) -> None:
    renamed = replace(store, words=tuple((object_words("table"), object_words("robot arm")) for _ in store.words))

    targets = targets_of(renamed, [0])

    assert set(targets.owner[0].unique().tolist()) == {0, 2}, "a robot arm has a box beside its region"
    regions = [REGIONS.index("table"), REGIONS.index("robot arm"), len(REGIONS)]
    assert sorted(targets.regions[0].unique().tolist()) == sorted(regions)


def test_masks_are_described_with_what_is_known_of_them(store: FeatureStore) -> None:
    things = describe_picture(speaking_model(), store, 0)

    true = ~things.is_found
    assert int(true.sum()) == 2
    torch.testing.assert_close(things.overlap[true], torch.eye(2))
    red, wood, mug, ball = (WORDS.index(word) for word in ("red", "wood", "mug", "ball"))
    assert things.holds[true][:, [red, mug, ball]].tolist() == [[True, True, False], [False, False, True]]
    assert not things.is_known[true][:, wood].any(), "a mug of no known material may be of wood"
    assert things.same[true][:, true].tolist() == [[True, False], [False, True]]


def test_parts_are_described_as_a_second_look_draws_them(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    model, drawn = speaking_model(), []
    draw = model.draw_things
    monkeypatch.setattr(
        model, "draw_things", lambda features, is_part: drawn.append(is_part) or draw(features, is_part=is_part)
    )

    for one in (store, replace(store, is_of_parts=True).every(1)):
        describe_picture(model, one, 0)

    assert drawn == [False, True]


def test_right_answers_are_one_thing_that_is_meant_or_all_of_them(store: FeatureStore) -> None:
    things = describe_picture(speaking_model(), store, 0)
    both = replace(things, words=(object_words("mug", "red"), object_words("mug", "blue")))

    right, unsure = both.right_for(read_phrase(phrase_words("mug"), both.words))
    of_blue, _ = both.right_for(read_phrase(phrase_words("blue mug"), both.words))

    assert right[~things.is_found].tolist() == [True, True]
    assert of_blue[~things.is_found].tolist() == [False, True]
    assert not unsure[~things.is_found].any()


def test_every_name_and_colour_of_a_picture_is_asked_about() -> None:
    objects = [object_words("mug", "red"), object_words("mug"), object_words("robot arm", "red")]

    asked_about = {(kind, *(WORDS[i] for i in phrase.words)) for kind, phrase in phrases_about(objects)}

    names = {("name", "mug"), ("name", "robot", "arm")}
    coloured = {("colour name", "red", "mug"), ("colour name", "red", "robot", "arm")}
    assert asked_about == names | coloured | {("colour", "red")}


def test_a_palette_is_of_the_colours_of_things(store: FeatureStore) -> None:
    palette = fit_palette([store], Dice(0))

    red, blue = oklab(torch.tensor([[220.0, 30, 30], [30, 30, 220]]) / 127.5 - 1)
    nearest = torch.minimum((palette - red).norm(dim=1), (palette - blue).norm(dim=1))
    assert float(nearest.median()) < 0.1


def test_cells_are_gathered_of_every_thing_with_its_share(store: FeatureStore) -> None:
    cells = gather_cells(Dice(0), [store])

    whole = [targets_of(store, [picture]) for picture in range(3)]
    assert float(cells.weight[cells.is_thing].sum()) == pytest.approx(
        float(sum(one.weight.sum() for one in whole)), rel=1e-4
    )
    inside = (cells.middles >= cells.boxes[:, :2]) & (cells.middles <= cells.boxes[:, 2:])
    assert inside[cells.is_thing].all()
    assert not cells.boxes[~cells.is_thing].any()


def test_cells_alone_say_what_whole_maps_say(store: FeatureStore) -> None:
    finder = trainer().finding.module.eval()
    torch.nn.init.normal_(finder.out.weight, std=0.3)
    features = store.features([0])
    cells, maps = gather_cells(Dice(0), [replace(store, words=store.words[:1])]), finder(features, num_rows(features))

    said = finder.of_cells(cells.coarse.float(), cells.fine.float())

    x, y = (cells.middles // 8).long().unbind(1)
    torch.testing.assert_close(said[:, 0], maps.things[0, y, x], atol=2e-2, rtol=2e-2)


def test_a_lesson_teaches_finding(store: FeatureStore) -> None:
    learner, cells = trainer(), gather_cells(Dice(0), [store])
    learner.finding.module.fit_ranges(cells.coarse.float(), cells.fine.float())

    losses = [learner.finding.learn(lambda _, finder: finder_loss(finder, cells), i / 30) for i in range(30)]

    assert losses[-1] < losses[0]


def test_a_lesson_teaches_reading(store: FeatureStore) -> None:
    learner = trainer()
    things = [describe_picture(learner.model, store, i) for i in range(3)]
    questions = [questions_of(one) for one in things]
    learner.reading.module.fit_ranges(torch.cat([one.numbers for one in things]).float())

    losses = [
        learner.reading.learn(lambda dice, reader: reader_loss(dice, reader, things, questions), i / 60)
        for i in range(60)
    ]

    assert losses[-1] < losses[0]


def test_a_run_teaches_the_path_alone_and_is_done_when_it_is_done(
    store: FeatureStore, unseen: Unseen, tmp_path: Path
) -> None:
    learner, again = trainer(), trainer()
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}

    run(learner, [store], tmp_path, minutes=0.05, unseen=unseen)
    first = load_file(tmp_path / "tiny.safetensors")
    run(again, [store], tmp_path, minutes=0.05, unseen=None)

    after = learner.model.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("text_path.") for name in changed)
    assert (again.finding.step, again.reading.step) == (learner.finding.step, learner.reading.step)
    second = load_file(tmp_path / "tiny.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first if "belief" not in name)
    taught = {WORDS[i] for i in first["text_path.is_taught"].nonzero()[:, 0].tolist()}
    assert taught == {"red", "blue", "mug", "ball", "object", "thing"}


def test_exported_weights_say_what_they_stand_behind(tmp_path: Path) -> None:
    export(trainer(), tmp_path / "out.safetensors")

    with safe_open(tmp_path / "out.safetensors", "pt") as file:
        note = json.loads(file.metadata()["text"])
    assert note == {"finding": 0, "reading": 0, "behind": "0" * 64}


def test_scenes_without_names_are_refused(store: FeatureStore, tmp_path: Path) -> None:
    nameless = replace(store, words=((), (), ()))

    with pytest.raises(InputError, match=r"the scenes name no objects"):
        run(trainer(), [nameless], tmp_path, minutes=0.1, unseen=None)


def test_belief_follows_how_often_answers_are_right(store: FeatureStore, unseen: Unseen) -> None:
    model = trainer().model
    assert model.text_path is not None
    torch.nn.init.normal_(model.text_path.finder.out.weight, std=0.3)

    fit_belief(model, unseen, names_in(store.words), least=2.0)

    for belief, looks in ((model.text_path.belief, 1), (model.text_path.belief_near, 5)):
        said: list[Tensor] = []
        right: list[bool] = []
        for picture in range(3):
            seen = look_twice(model, unseen, picture)[:looks]
            assert len(seen) == looks
            truth = torch.from_numpy(store.index_maps[picture].astype(np.int64))
            asked_about = [phrase for kind, phrase in phrases_about(store.words[picture]) if kind != "colour"]
            for answer in answers_to(asked_about, seen, truth):
                said.append(answer.evidence)
                right.append(answer.is_right)
        believed = torch.sigmoid(torch.stack(said) @ belief).mean()
        assert float(believed) == pytest.approx(sum(right) / len(right), abs=0.3)


def test_belief_in_single_things_follows_how_often_they_are_meant(store: FeatureStore, unseen: Unseen) -> None:
    model = trainer().model
    assert model.text_path is not None
    torch.nn.init.normal_(model.text_path.finder.out.weight, std=0.3)

    fit_belief(model, unseen, names_in(store.words), least=2.0)

    each: list[Answered] = []
    for picture in range(3):
        truth = torch.from_numpy(store.index_maps[picture].astype(np.int64))
        asked_about = [phrase for kind, phrase in phrases_about(store.words[picture]) if kind != "colour"]
        each += things_for(asked_about, look_twice(model, unseen, picture), truth)
    believed = torch.sigmoid(torch.stack([one.evidence for one in each]) @ model.text_path.belief_each)
    assert len(each) > 10
    assert float(believed.mean()) == pytest.approx(np.mean([one.is_right for one in each]), abs=0.1)


def test_parts_of_scenes_keep_their_objects_and_their_places(folder: Path) -> None:
    scenes = read_scene_folder(folder)

    anywhere, looks = parts_anywhere(scenes, parts=2), parts_of_second_look(scenes, every=2)

    assert (len(anywhere), len(looks)) == (6, 8)
    assert scenes.sizes_hw == ((96, 128),) * 3
    assert np.array_equal(anywhere[3].image, parts_anywhere(scenes, parts=2)[3].image)
    assert looks[7].image.shape == (58, 77, 3)
    assert np.array_equal(looks[7].masks, scenes[2].masks[-58:, -77:])
    assert looks.objects[7] == scenes.objects[2]


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
