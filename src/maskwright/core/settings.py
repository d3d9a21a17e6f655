"""User settings: one declared tuple from which environment variables, command line options and documentation are made.

Each is a `Setting` with a name, an environment variable, a default and a sentence of help. Reading happens at the edge
(`WEIGHTS.get()`), where an impossible value becomes a `SettingError` that names the variable. Nothing is kept between
reads, and no file is read.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from maskwright.core.errors import SettingError

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[V]):
    """One thing a user can set for a machine: `parse` reads the text of its variable, `fallback` makes the default."""

    name: str
    help: str
    expects: str
    parse: Callable[[str], V]
    fallback: Callable[[], V]
    default_text: str

    @property
    def env(self) -> str:
        """Name of the environment variable."""
        return f"MASKWRIGHT_{self.name.upper()}"

    def get(self, environ: Mapping[str, str] = os.environ) -> V:
        """Read the value; an unset or empty variable gives the default.

        Raises:
            SettingError: the variable holds something that is not what it expects.
        """
        text = environ.get(self.env, "").strip()
        if not text:
            return self.fallback()
        try:
            return self.parse(text)
        except ValueError as error:
            raise SettingError(f"{self.env} must be {self.expects}, got {text!r}. Unset it for the default.") from error


def _data_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("maskwright", appauthor=False) / "weights"


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("maskwright", appauthor=False)


def _folder(text: str) -> Path:
    return Path(text).expanduser()


def _choice(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in names:
            raise ValueError(text)
        return text.lower()

    return parse


def _positive(text: str) -> int:
    """Read a whole number above zero; 2e9 and 2_000_000_000 are numbers too."""
    number = float(text.replace("_", ""))
    if not number.is_integer() or number <= 0:
        raise ValueError(text)
    return int(number)


def _claim(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


PRECISIONS = ("auto", "fp32", "bf16", "fp16")
BACKENDS = ("default", "auto", "torch", "compile", "onnx", "onnx-tensorrt", "openvino", "tensorrt")

MODEL = Setting(
    name="model",
    help="Model that commands use unless --model names another: a registered name or a checkpoint file.",
    expects="a model name or the path of a checkpoint",
    parse=str,
    fallback=lambda: "tiny",
    default_text="tiny",
)
DEVICE = Setting(
    name="device",
    help="Torch device to run on; auto takes the first GPU if there is one.",
    expects="auto, cpu, cuda, cuda:N or mps",
    parse=str,
    fallback=lambda: "auto",
    default_text="auto",
)
PRECISION = Setting(
    name="precision",
    help="Number format of the encoder; auto is fp32 on a CPU, on a GPU fp16 for tiny, else bf16 if it has that.",
    expects=f"one of {', '.join(PRECISIONS)}",
    parse=_choice(*PRECISIONS),
    fallback=lambda: "auto",
    default_text="auto",
)
BACKEND = Setting(
    name="backend",
    help="What runs the networks: torch, compile, onnx, onnx-tensorrt, openvino, tensorrt; auto measures, once.",
    expects=f"one of {', '.join(BACKENDS)}",
    parse=_choice(*BACKENDS),
    fallback=lambda: "default",
    default_text="default: torch, or what an exported file was written for",
)
LOW_MEMORY = Setting(
    name="low_memory",
    help="Leave weights in their file, mapped, and read them as layers run: for a large model in little memory.",
    expects="1 or 0",
    parse=_claim,
    fallback=lambda: False,
    default_text="0",
)
WEIGHTS = Setting(
    name="weights",
    help="Folder where checkpoints lie: pulled ones are written there, and files put there by hand are found.",
    expects="a folder",
    parse=_folder,
    fallback=_data_folder,
    default_text="the user's data folder, maskwright/weights",
)
CACHE = Setting(
    name="cache",
    help="Folder of the embedding cache; deletable at any time.",
    expects="a folder",
    parse=_folder,
    fallback=_cache_folder,
    default_text="the user's cache folder, maskwright",
)
CACHE_BYTES = Setting(
    name="cache_bytes",
    help="How many bytes of embeddings the disk cache may hold before the least recently used go.",
    expects="a positive whole number of bytes",
    parse=_positive,
    fallback=lambda: 2_000_000_000,
    default_text="2e9",
)
MAX_PIXELS = Setting(
    name="max_pixels",
    help="Pictures with more pixels than this are refused before they are decoded.",
    expects="a positive whole number of pixels",
    parse=_positive,
    fallback=lambda: 256_000_000,
    default_text="256e6",
)
DEBUG = Setting(
    name="debug",
    help="Show the whole traceback of an error, as --debug does.",
    expects="1 or 0",
    parse=_claim,
    fallback=lambda: False,
    default_text="0",
)
CUDA_GRAPHS = Setting(
    name="cuda_graphs",
    help="Whether clicks on a GPU are decoded by CUDA graphs; the masks are the same without.",
    expects="1 or 0",
    parse=_claim,
    fallback=lambda: True,
    default_text="1",
)
TRACING = Setting(
    name="tracing",
    help="Whether a server sends spans of its requests by OpenTelemetry.",
    expects="1, 0 or auto",
    parse=_choice("1", "0", "auto"),
    fallback=lambda: "auto",
    default_text="auto: where OTEL_EXPORTER_OTLP_ENDPOINT is set",
)

SETTINGS: tuple[Setting, ...] = (
    MODEL,
    DEVICE,
    PRECISION,
    BACKEND,
    LOW_MEMORY,
    WEIGHTS,
    CACHE,
    CACHE_BYTES,
    MAX_PIXELS,
    DEBUG,
    CUDA_GRAPHS,
    TRACING,
)

__all__ = [
    "BACKEND",
    "BACKENDS",
    "CACHE",
    "CACHE_BYTES",
    "CUDA_GRAPHS",
    "DEBUG",
    "DEVICE",
    "LOW_MEMORY",
    "MAX_PIXELS",
    "MODEL",
    "PRECISION",
    "PRECISIONS",
    "SETTINGS",
    "TRACING",
    "WEIGHTS",
    "Setting",
]
