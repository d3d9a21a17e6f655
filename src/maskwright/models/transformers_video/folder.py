"""`VideoFolder`: a checkpoint as transformers keeps it, looked at before transformers is asked to load it. No torch."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from maskwright.core.errors import CheckpointError, WeightsMissing
from maskwright.models.transformers_video.families import FAMILIES, Family

_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
# Where pictures' mean and deviation are kept, by the age of the checkpoint.
_SETTINGS = ("video_preprocessor_config.json", "preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFolder:
    """A folder with config.json and safetensors; `mean` and `std` are of pictures in 0..255."""

    path: Path
    family: Family
    weights: tuple[Path, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def open(cls, path: Path) -> "VideoFolder":
        """Look at a folder.

        Raises:
            CheckpointError: its config.json cannot be read, or is not of a video model.
            WeightsMissing: it holds no safetensors, or not all of them.
        """
        kind = _read(path / "config.json").get("model_type")
        if kind not in FAMILIES:
            raise CheckpointError(
                f"expected a video model ({', '.join(FAMILIES)}), got model_type {kind!r}. Checkpoints for single "
                f"pictures are used by their file, not their folder: {path}"
            )
        family = FAMILIES[kind]
        mean, std = _colours(path) or (family.mean, family.std)
        return cls(path=path, family=family, weights=_weights(path), mean=mean, std=std)

    def parameters(self) -> Iterator[str]:
        """List the names of the parameters.

        Raises:
            CheckpointError: a file of them is damaged.
        """
        for part in self.weights:
            try:
                with safe_open(part, framework="np") as file:
                    yield from file.keys()
            except (SafetensorError, OSError) as error:
                raise CheckpointError(
                    f"a file of the checkpoint is damaged ({error}). Fetch it again: {part}"
                ) from error

    def sha256(self) -> str:
        """Hash the weights: the file's own SHA-256, or that of the list of its parts' names and SHA-256."""
        digests = [(part.name, _sha256(part)) for part in self.weights]
        if len(digests) == 1:
            return digests[0][1]
        return hashlib.sha256("".join(f"{name}:{digest};" for name, digest in digests).encode()).hexdigest()


def _weights(path: Path) -> tuple[Path, ...]:
    if (path / _WHOLE).is_file():
        return (path / _WHOLE,)
    if (path / _INDEX).is_file():
        parts = tuple(path / name for name in sorted(set(_read(path / _INDEX).get("weight_map", {}).values())))
        absent = [part.name for part in parts if not part.is_file()]
        if parts and not absent:
            return parts
        raise WeightsMissing(f"the checkpoint lacks {', '.join(absent) or 'all of its parts'}. Fetch it whole: {path}")
    hint = " Pickles (.bin, .pt) are not read." if any(path.glob("*.bin")) or any(path.glob("*.pt")) else ""
    raise WeightsMissing(
        f"expected {_WHOLE} beside config.json, got none. Fetch it from where the folder is from.{hint}: {path}"
    )


def _colours(path: Path) -> tuple[tuple[float, float, float], tuple[float, float, float]] | None:
    for name in _SETTINGS:
        if not (path / name).is_file():
            continue
        settings = _read(path / name)
        for found in (settings.get("video_processor"), settings.get("image_processor"), settings):
            if isinstance(found, dict) and "image_mean" in found and "image_std" in found:
                return _three(found["image_mean"], path / name), _three(found["image_std"], path / name)
    return None


def _three(values: Any, path: Path) -> tuple[float, float, float]:
    try:
        red, green, blue = (255 * float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"mean and deviation must be three numbers, got {values!r}: {path}") from error
    return red, green, blue


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"expected a checkpoint with a {path.name}, got none: {path}") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"a file of the checkpoint cannot be read ({error}): {path}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"expected a JSON object, got a {type(content).__name__}: {path}")
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


__all__ = ["VideoFolder"]
