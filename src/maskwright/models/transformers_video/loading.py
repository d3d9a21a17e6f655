"""From a name or a folder to a video model that is ready to follow objects.

A name is of one of `VIDEO_CARDS`, whose file is pulled as every checkpoint is. A folder is a checkpoint as transformers
keeps it: config.json and safetensors. Nothing is downloaded here, pickles are not read, and every parameter must be
there in its shape.
"""

import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from maskwright.core.errors import CheckpointError, UnknownModel
from maskwright.models.cards import ModelCard
from maskwright.models.checkpoint import file_sha256
from maskwright.models.frame import FrameSpec
from maskwright.models.loading import find_device, find_dtype
from maskwright.models.transformers_video.building import build_network, check_installed
from maskwright.models.transformers_video.cards import VIDEO_CARDS
from maskwright.models.transformers_video.families import SAM2, Family
from maskwright.models.transformers_video.folder import VideoFolder
from maskwright.models.transformers_video.model import TransformersVideoModel
from maskwright.models.transformers_video.presets import sam2_config
from maskwright.models.weights import find_weights

_Path = str | os.PathLike[str]


def names_video_model(name_or_path: _Path) -> bool:
    """Whether `load_video_model` is to load it: a video model's name, or a folder that holds a config.json."""
    return _find_card(name_or_path) is not None or (Path(name_or_path).expanduser() / "config.json").is_file()


def load_video_model(
    name_or_path: _Path, *, device: str | torch.device = "cpu", precision: str = "auto"
) -> TransformersVideoModel:
    """Load a video model: SAM 2 or 2.1 by name; these, EdgeTAM, or the tracker of SAM 3 from a folder.

    Raises:
        UnknownModel: there is neither such a name nor such a folder.
        WeightsMissing: the checkpoint is not on this machine; the message says how to get it.
        CheckpointError: the checkpoint is damaged or of another architecture.
        ModelError: transformers, or what it needs for this family, is not installed.
        SettingError: there is no such device or precision here.
    """
    place = find_device(device)
    dtype = find_dtype(precision, place)
    card = _find_card(name_or_path)
    path = Path(name_or_path).expanduser()
    model = _from_folder(path) if card is None else _from_file(card)
    return model.to(place, dtype)


def check_fits(path: Path, name: str) -> None:
    """Check that a file is a checkpoint of a video model that is known by name.

    Raises:
        CheckpointError: it is not.
        ModelError: transformers is not installed.
    """
    card = _find_card(name)
    assert card is not None
    _network(card, path)


def _find_card(name: _Path) -> ModelCard | None:
    return next((card for card in VIDEO_CARDS if card.name == name), None)


def _from_file(card: ModelCard) -> TransformersVideoModel:
    check_installed(SAM2)
    path = find_weights(card)
    return assemble(SAM2, _network(card, path), card, checkpoint_sha256=file_sha256(path))


def _network(card: ModelCard, path: Path) -> Any:
    check_installed(SAM2)
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"the checkpoint of {card.name} is damaged ({error}). Fetch it again: {path}") from error
    return build_network(SAM2, path, state, config=sam2_config(card), state_dict=state)


def _from_folder(path: Path) -> TransformersVideoModel:
    if not path.is_dir():
        names = ", ".join(card.name for card in VIDEO_CARDS)
        raise UnknownModel(f"no video model is called so, and there is no such folder. By name: {names}: {path}")
    folder = VideoFolder.open(path)
    network = build_network(folder.family, path, folder.parameters(), pretrained_model_name_or_path=path)
    name = path.resolve().name
    card = ModelCard(
        name=name,
        family=folder.family.name,
        title=f"{name}, a checkpoint of {folder.family.title}",
        licence=folder.family.licence,
        input_side=_side(network),
        num_parameters=sum(parameter.numel() for parameter in network.parameters()),
        citation=folder.family.citation,
        follows_objects=True,
    )
    return assemble(folder.family, network, card, checkpoint_sha256=folder.sha256(), mean=folder.mean, std=folder.std)


def assemble(
    family: Family,
    network: Any,
    card: ModelCard,
    *,
    checkpoint_sha256: str,
    mean: tuple[float, float, float] | None = None,
    std: tuple[float, float, float] | None = None,
) -> TransformersVideoModel:
    """Put a network that has its weights behind `VideoModel`."""
    frame = FrameSpec(
        side=_side(network),
        logits_side=network.prompt_encoder.mask_input_size[0],
        mean=mean or family.mean,
        std=std or family.std,
    )
    return TransformersVideoModel(
        network=network.eval(),
        new_session=getattr(check_installed(family), family.session),
        card=card,
        frame=frame,
        checkpoint_sha256=checkpoint_sha256,
    )


def _side(network: Any) -> int:
    side = network.config.image_size
    return side if isinstance(side, int) else side[0]


__all__ = ["assemble", "check_fits", "load_video_model", "names_video_model"]
