"""Detectors of transformers, with random weights: what they find is nonsense, but it is theirs to the bit."""

import json
import shutil

import numpy as np
import pytest
import torch

from maskwright.core import Image
from maskwright.core.errors import CheckpointError, PromptError, SettingError, UnknownModel, WeightsMissing
from maskwright.models.detectors.loading import load_detector

transformers = pytest.importorskip("transformers", reason="the transformers extra is not installed")


@pytest.fixture(scope="module")
def image():
    return Image(np.random.default_rng(0).integers(0, 255, (48, 80, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def detector(detector_folder):
    return load_detector(detector_folder)


def test_boxes_lie_in_the_picture_the_surest_first_and_are_those_of_transformers(detector, detector_folder, image):
    found = detector.detect(image, "Red mug", min_score=0.0)

    assert found.boxes_xyxy.shape == (len(found.scores), 4)
    assert len(found.scores) > 0
    assert (np.diff(found.scores) <= 0).all()
    x1, y1, x2, y2 = found.boxes_xyxy.T
    assert ((x1 >= 0) & (y1 >= 0) & (x2 <= 80) & (y2 <= 48) & (x2 > x1) & (y2 > y1)).all()

    kind = json.loads((detector_folder / "config.json").read_text())["architectures"][0]
    network = getattr(transformers, kind).from_pretrained(detector_folder).eval()
    processor = transformers.AutoProcessor.from_pretrained(detector_folder)
    text = [["red mug"]] if kind.startswith("Owl") else "red mug."
    given = processor(text=text, images=image.pixels, return_tensors="pt")
    with torch.no_grad():
        answers = network(**given)
    more = {} if kind.startswith("Owl") else {"input_ids": given["input_ids"], "text_threshold": 0.0}
    theirs = processor.post_process_grounded_object_detection(answers, threshold=0.0, target_sizes=[(48, 80)], **more)[
        0
    ]
    assert set(found.scores.tolist()) <= set(theirs["scores"].tolist())
    assert float(found.scores[0]) <= float(theirs["scores"].max())


def test_other_words_have_other_scores_and_unlikely_boxes_are_left_out(detector, image):
    mug, bowl = (detector.detect(image, words, min_score=0.0) for words in ("red mug", "a bowl"))
    again = detector.detect(image, "red mug.", min_score=0.0)

    assert not np.array_equal(mug.scores, bowl.scores)
    assert np.array_equal(mug.scores, again.scores)
    middle = float(np.median(mug.scores))
    assert len(detector.detect(image, "red mug", min_score=middle).scores) < len(mug.scores)
    assert len(detector.detect(image, "red mug", min_score=1.0).scores) == 0


@pytest.mark.parametrize(
    ("phrase", "min_score", "error", "message"),
    [
        ("  ", 0.1, PromptError, "needs words"),
        ("mug", 1.5, SettingError, "min_score must be between 0 and 1, got 1.5"),
        ("a very very very very very very long phrase about a mug", 0.1, PromptError, "reads at most .* tokens, got"),
    ],
)
def test_questions_that_make_no_sense_are_refused(detector, image, phrase, min_score, error, message):
    with pytest.raises(error, match=message):
        detector.detect(image, phrase, min_score=min_score)


def test_a_detector_is_known_by_its_folder_and_its_weights(detector, detector_folder):
    assert detector.ref.name == detector_folder.name
    assert detector.ref.family in ("owlv2", "grounding-dino")
    assert len(detector.ref.checkpoint_sha256) == 64


def test_a_detector_that_is_not_here_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsMissing, match="hf download google/owlv2-base-patch16-ensemble"):
        load_detector("owlv2")
    with pytest.raises(UnknownModel, match="no detector is called 'yolo'.* owlv2, grounding-dino"):
        load_detector("yolo")


def damaged(folder, tmp_path, change):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    change(copy)
    return copy


def _other_config(copy):
    (copy / "config.json").write_text('{"model_type": "bert"}')


def _cut(copy):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def _more(copy):
    from safetensors.torch import load_file, save_file

    weights = copy / "model.safetensors"
    save_file(load_file(weights) | {"other.weight": torch.zeros(2)}, weights, metadata={"format": "pt"})


def _as_pickle(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_other_config, CheckpointError, "expected a detector .* got model_type 'bert'"),
        (lambda copy: (copy / "config.json").unlink(), CheckpointError, "expected a detector with a config.json"),
        (_cut, CheckpointError, "cannot be loaded from this checkpoint"),
        (_more, CheckpointError, "1 parameters are not those of .* \\(other.weight\\)"),
        (_as_pickle, WeightsMissing, "Pickles .* are not read"),
    ],
)
def test_a_folder_that_is_damaged_or_of_another_kind_is_one_line_of_error(
    detector_folder, tmp_path, change, error, message
):
    with pytest.raises(error, match=message) as caught:
        load_detector(damaged(detector_folder, tmp_path, change))

    assert "\n" not in str(caught.value)
