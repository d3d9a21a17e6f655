"""TensorRT plans: built from the ONNX parts, for the GPU that they are built on, with the counts that it is meant for.

A plan holds kernels that were chosen by timing on one GPU model, so it is built where it runs: on the Orin of the robot
or on the card of the server. Profiles say how many images, prompts and points a call may have, and for how many it is
fastest.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from maskwright.core.errors import ModelError, SettingError
from maskwright.models.backends.manifest import Manifest, Part

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildProfile:
    """Counts of images, prompts, points and mask inputs: least, usual and most; memory that building may use."""

    name: str
    images: tuple[int, int, int]
    prompts: tuple[int, int, int]
    points: tuple[int, int, int]
    workspace_bytes: int

    def shapes(self, part: Part) -> dict[str, tuple[tuple[int, ...], ...]]:
        """The least, usual and most shape of each input that varies."""
        steps = [self._sizes(step, part) for step in range(3)]
        return {
            port.name: tuple(port.sized(sizes) for sizes in steps)
            for port in part.inputs
            if any(isinstance(size, str) for size in port.shape)
        }

    def _sizes(self, step: int, part: Part) -> dict[str, int]:
        # The features' rows go up to the frame's, which is the last axis of the picture they come in.
        side = next((port.shape[-1] for port in part.inputs if "num_rows" in port.shape), 1)
        rows = (1, int(side), int(side))[step]
        # Clicks come without masks most often; corrections bring one each.
        masks = (1, 1, self.prompts[2])[step]
        named = ("num_images", self.images), ("num_prompts", self.prompts), ("num_points", self.points)
        return {name: counts[step] for name, counts in named} | {"num_rows": rows, "num_mask_inputs": masks}


# A robot looks at one frame at a time and asks for few objects; a server batches, and everything-mode asks for many.
ORIN = BuildProfile(name="orin", images=(1, 1, 2), prompts=(1, 1, 32), points=(0, 2, 10), workspace_bytes=2 << 30)
DATACENTRE = BuildProfile(
    name="datacentre", images=(1, 4, 32), prompts=(1, 16, 128), points=(0, 2, 20), workspace_bytes=8 << 30
)


def profile_for(gpu: str) -> BuildProfile:
    """Choose the profile by the GPU's name."""
    return ORIN if "orin" in gpu.lower() else DATACENTRE


def need_tensorrt() -> Any:
    """Import TensorRT where there is a GPU for it.

    Raises:
        ModelError: it, or the GPU, is missing; the message says which.
    """
    try:
        import tensorrt
    except ImportError as error:
        raise ModelError(
            "TensorRT plans need the package tensorrt, which is not installed, and an NVIDIA GPU. On a machine with "
            "one: pip install tensorrt (on a Jetson it comes with JetPack). Elsewhere use onnx"
        ) from error
    if not torch.cuda.is_available():
        raise ModelError(
            "TensorRT plans need an NVIDIA GPU and a PyTorch with CUDA; torch sees none here. Elsewhere use onnx"
        )
    return tensorrt


def this_machine(trt: Any) -> dict[str, str]:
    """What a plan that is built here runs on."""
    major, minor = torch.cuda.get_device_capability()
    return {"gpu": torch.cuda.get_device_name(), "capability": f"{major}.{minor}", "tensorrt": trt.__version__}


def build_folder(folder: Path, manifest: Manifest, say: Told) -> Manifest:
    """Turn the ONNX files of a folder into plans for this machine's GPU.

    Raises:
        ModelError: TensorRT cannot build one.
    """
    trt = need_tensorrt()
    here = this_machine(trt)
    profile = profile_for(here["gpu"])
    for name, part in manifest.parts.items():
        say(f"building the plan of the {name} for {here['gpu']} ({profile.name}); this takes minutes")
        file = folder / f"{name}.onnx"
        (folder / f"{name}.plan").write_bytes(_build(trt, file, part, profile))
        file.unlink()
        file.with_name(f"{file.name}.data").unlink(missing_ok=True)
    return replace(manifest, built_for=here | {"profile": profile.name})


def _build(trt: Any, file: Path, part: Part, profile: BuildProfile) -> bytes:
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
    if not parser.parse_from_file(str(file)):
        reasons = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise ModelError(f"TensorRT {trt.__version__} cannot read the {file.stem}: {reasons}. Try another --opset")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, profile.workspace_bytes)
    if hasattr(trt.BuilderFlag, "TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)  # ten bits of mantissa are not the numbers that were trained
    counts = builder.create_optimization_profile()
    for name, shapes in profile.shapes(part).items():
        counts.set_shape(name, *shapes)
    config.add_optimization_profile(counts)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ModelError(f"TensorRT {trt.__version__} built no plan of the {file.stem}. Free GPU memory, and try again")
    return bytes(plan)


def check_built_for(manifest: Manifest, here: dict[str, str], path: Path) -> None:
    """Check that plans were built for what is here.

    Raises:
        SettingError: for another GPU or another TensorRT.
    """
    built = manifest.built_for
    different = [name for name in ("capability", "gpu", "tensorrt") if built.get(name) != here[name]]
    if different:
        raise SettingError(
            f"the plan was built for {built.get('gpu')} with TensorRT {built.get('tensorrt')}; here is {here['gpu']} "
            f"with TensorRT {here['tensorrt']}. Build it here: "
            f"maskwright models export {manifest.card.name} --to tensorrt: {path}"
        )


__all__ = [
    "DATACENTRE",
    "ORIN",
    "BuildProfile",
    "build_folder",
    "check_built_for",
    "need_tensorrt",
    "profile_for",
    "this_machine",
]
