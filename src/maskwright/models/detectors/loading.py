"""From a folder, or a name of Hugging Face's whose files are here, to a detector. Nothing is downloaded here."""

import json
import os
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch

from maskwright.core import ModelRef
from maskwright.core.errors import CheckpointError, ModelError, UnknownModel
from maskwright.models.detectors.detector import TransformersDetector
from maskwright.models.detectors.families import FAMILIES, DetectorFamily
from maskwright.models.loading import find_device
from maskwright.models.transformers_folder import check_library, find_folder, quietly, weights_sha256

_SHOWN, _MOST_LETTERS = 3, 200
_USUAL = {family.name: family.usual for family in FAMILIES.values()}


def load_detector(source: str | os.PathLike[str], *, device: str | torch.device = "cpu") -> TransformersDetector:
    """Load OWLv2 or Grounding DINO: "owlv2", "grounding-dino", a name of Hugging Face's, or a folder.

    Raises:
        UnknownModel: there is no such folder, and it is no name of a checkpoint.
        WeightsMissing: the checkpoint is not on this machine; the message says how to get it.
        CheckpointError: the folder is damaged, or of another architecture.
        ModelError: transformers, or what it needs for this family, is not installed.
        SettingError: there is no such device here.
    """
    place = find_device(device)
    wanted = _USUAL.get(str(source), str(source))
    if "/" not in wanted and not Path(wanted).expanduser().is_dir():
        known = ", ".join(FAMILIES)
        raise UnknownModel(f"no detector is called {wanted!r}, and there is no such folder. Detectors: {known}")
    folder = find_folder(wanted, what="the detector")
    family = _family(folder)
    name = folder.name if Path(wanted).expanduser().is_dir() else wanted
    ref = ModelRef(name=name, family=family.name, checkpoint_sha256=weights_sha256(folder))
    network, processor = _load(family, folder)
    return TransformersDetector(family=family, network=network.to(place), processor=processor, ref=ref)


def _family(folder: Path) -> DetectorFamily:
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"expected a detector with a config.json that can be read ({error}): {folder}") from error
    if kind not in FAMILIES:
        raise CheckpointError(f"expected a detector ({', '.join(FAMILIES)}), got model_type {kind!r}: {folder}")
    return FAMILIES[kind]


def _load(family: DetectorFamily, folder: Path) -> tuple[Any, Any]:
    transformers = check_library(family.title, *family.needs)
    try:
        with quietly(transformers):
            network, told = getattr(transformers, family.network).from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
            processor = transformers.AutoProcessor.from_pretrained(folder, local_files_only=True)
    except ImportError as error:
        raise ModelError(f"{family.title} also needs {error}. Install it: {folder}") from error
    except Exception as error:  # a broken file can fail anywhere in transformers and in what it is built on
        why = shorten(str(error) or type(error).__name__, _MOST_LETTERS, placeholder=" ...")
        raise CheckpointError(f"{family.title} cannot be loaded from this checkpoint ({why}): {folder}") from error
    wrong = sorted({*told["missing_keys"], *told["unexpected_keys"], *(name for name, *_ in told["mismatched_keys"])})
    if wrong:
        some = ", ".join(wrong[:_SHOWN]) + (", ..." if len(wrong) > _SHOWN else "")
        raise CheckpointError(f"{len(wrong)} parameters are not those of {family.title} ({some}): {folder}")
    return network.eval().requires_grad_(False), processor


__all__ = ["load_detector"]
