from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from maskwright import example_path
from maskwright.core.errors import ImageError, ModelError
from maskwright.models import load_model
from maskwright.models.protocol import Decoded, FramePrompts
from maskwright.models.sam.model import SamModel
from maskwright.models.tiny import TinyConfig, build_tiny_network
from maskwright.predict.everything_settings import EverythingSettings
from maskwright.train.dice import Dice
from maskwright.train.distill import Taught, Teacher, distillation_loss, mask_distance, teacher_frames
from maskwright.train.label_pictures import label_pictures, scene_of
from maskwright.train.labelled import LabelledScenes
from maskwright.train.recipe import Recipe
from maskwright.train.scene_folder import read_scene_folder
from maskwright.train.step import train_step
from maskwright.train.stream import SceneMaker, batches
from maskwright.train.trainer import make_trainer

SMALL = TinyConfig(trunk="lite0", side=96, width=64, context_width=64, context_depth=1, embedding_depth=1)
RECIPE = Recipe(
    side=96, batch=2, per_image=2, steps=9, warmup=1, max_objects=4, photographs=1, learning_rate=2e-3, workers=0
)


@pytest.fixture(scope="module")
def teacher() -> SamModel:
    return load_model("test-sam")


def prompts_of(*labels: list[int]) -> FramePrompts:
    points = torch.tensor([[[10.0, 12.0], [60.0, 70.0]]] * len(labels))
    return FramePrompts(points=points, labels=torch.tensor(labels))


def test_steps_beside_a_teacher_bring_the_student_nearer_to_it(pack, teacher) -> None:
    with batches(
        SceneMaker(recipe=RECIPE, pack=pack, labelled=LabelledScenes([])), torch.device("cpu"), first_step=0
    ) as stream:
        batch = next(stream)

    first = last = 0.0
    for seed in (1, 2, 3):  # how far it comes depends on which prompts are asked
        torch.manual_seed(0)
        trainer = make_trainer(replace(RECIPE, teacher_weight=5.0), build_tiny_network(config=SMALL))
        trainer.teacher = Teacher(teacher)
        asked = replace(batch, dice=Dice(seed))
        told = [float(train_step(trainer, asked, 0.0)["distilled_turn0"]) for _ in range(12)]
        first, last = first + sum(told[:3]), last + sum(told[-3:])

    assert last < 0.8 * first


def test_a_teacher_answers_each_prompt_on_its_own_picture_as_it_would_alone(teacher) -> None:
    frames, extent = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1, torch.ones(2, 2)
    lesson = Teacher(teacher).look(frames, extent)
    prompts = prompts_of([1, -1], [2, 3])

    taught = lesson.answer(torch.tensor([1, 0]), prompts, torch.tensor([True, False]))

    alone = lesson.answer(torch.tensor([0]), prompts_of([2, 3]), torch.tensor([False]))
    assert taught.counts.tolist() == [[True, True, True], [True, False, False]]
    torch.testing.assert_close(taught.decoded.logits[1, 0], alone.decoded.logits[0, 0], rtol=1e-4, atol=1e-4)


def test_what_a_teacher_cannot_be_asked_weighs_nothing(teacher) -> None:
    lesson = Teacher(teacher).look(torch.zeros(1, 3, 96, 96), torch.ones(1, 2))

    taught = lesson.answer(torch.tensor([0]), prompts_of([-1, -1]), torch.tensor([False]))

    student = Decoded(logits=torch.randn(1, 4, 24, 24), predicted_iou=torch.rand(1, 4))
    assert not taught.counts.any()
    assert distillation_loss(student, taught).tolist() == [0.0]


def test_a_teacher_sees_the_picture_and_zeros_beyond_it(teacher) -> None:
    frames = torch.full((1, 3, 64, 64), 0.5)

    seen = teacher_frames(teacher, frames, torch.tensor([[0.5, 1.0]]))

    side = teacher.frame.side
    expected = (0.5 * 127.5 + 127.5 - teacher.frame.mean[0]) / teacher.frame.std[0]
    assert seen.shape == (1, 3, side, side)
    assert not seen[:, :, side // 2 :].any()
    torch.testing.assert_close(seen[0, 0, : side // 2], torch.full((side // 2, side), expected), rtol=1e-4, atol=1e-3)


def test_a_student_that_answers_as_its_teacher_has_nothing_to_learn() -> None:
    logits, belief = torch.randn(1, 3, 16, 16) * 8, torch.tensor([[0.9, 0.5, 0.2]])
    taught = Taught(decoded=Decoded(logits=logits, predicted_iou=belief), counts=torch.ones(1, 3, dtype=torch.bool))
    order = [2, 0, 1]  # candidates mean nothing by their place
    same = Decoded(
        logits=torch.cat([torch.zeros(1, 1, 16, 16), logits[:, order]], 1),
        predicted_iou=torch.cat([torch.zeros(1, 1), belief[:, order]], 1),
    )

    assert float(distillation_loss(same, taught)) < 0.01
    assert float(distillation_loss(replace(same, logits=-same.logits), taught)) > 1


def test_a_mask_is_no_distance_from_itself() -> None:
    logits = torch.randn(2, 1, 8, 8)

    torch.testing.assert_close(mask_distance(logits, logits.sigmoid()), torch.zeros(2, 1), rtol=0, atol=1e-5)


def test_nested_masks_become_parts_and_others_objects() -> None:
    mug, handle, book = np.zeros((3, 60, 80), np.bool_)
    mug[10:40, 10:40], handle[20:30, 30:40], book[30:55, 35:75] = True, True, True

    scene = scene_of(np.zeros((60, 80, 3), np.uint8), [handle, mug, book])

    assert len(scene.objects) == 2
    assert scene.parts is not None
    assert scene.parts[25, 35] == 1
    assert scene.parts[12, 12] == 0
    assert scene.masks[25, 35] == scene.masks[12, 12] != scene.masks[50, 70]


def test_pictures_without_labels_are_labelled_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    picture = cv2.imread(str(example_path()))
    for name, shift in (("a", 0), ("b", 40)):
        cv2.imwrite(str(tmp_path / "in" / f"{name}.png"), picture[:, shift:])
    settings = EverythingSettings(points_per_side=4, pred_iou_thresh=0.5, stability_score_thresh=0.5)

    out = label_pictures(load_model("tiny"), [tmp_path / "in"], tmp_path / "out", settings=settings)
    before = (out / "objects.json").read_bytes()
    label_pictures(load_model("tiny"), [tmp_path / "in"], tmp_path / "out", settings=settings)

    assert len(read_scene_folder(out)) == 2
    assert len(LabelledScenes([out])[0].objects) > 2
    assert (out / "objects.json").read_bytes() == before


def test_pictures_in_which_nothing_is_found_are_told(tmp_path: Path, teacher) -> None:
    strict = EverythingSettings(points_per_side=2, pred_iou_thresh=1.0, stability_score_thresh=1.0)
    with pytest.raises(ImageError):
        label_pictures(teacher, [tmp_path], tmp_path / "out", settings=strict)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((48, 64, 3), np.uint8))

    with pytest.raises(ModelError, match="found nothing in 1 pictures; take another --teacher"):
        label_pictures(teacher, [tmp_path], tmp_path / "out", settings=strict)
