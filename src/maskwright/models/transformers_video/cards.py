"""Cards of the video models that are known by name. Plain data, no torch.

The files are those of Meta's repositories for transformers. No hash of them is known to us: the file's own is computed
and recorded. EdgeTAM and SAM 3 are used by the path of their folder.
"""

from maskwright.models.cards import ModelCard
from maskwright.models.transformers_video.families import SAM2


def _sam2(version: str, size: str, num_parameters: int) -> ModelCard:
    name = f"sam{version}_hiera_{size}"
    return ModelCard(
        name=name,
        family=SAM2.name,
        title=f"SAM {version}, Hiera {size.replace('_', ' ')}: follows objects through video",
        licence="Apache-2.0",
        input_side=1024,
        num_parameters=num_parameters,
        source_url=f"https://huggingface.co/facebook/{name.replace('_', '-')}/resolve/main/model.safetensors",
        filename=f"{name}.safetensors",
        citation=SAM2.citation,
        notes="For maskwright track; takes no single pictures. Needs: pip install 'maskwright[transformers]'",
        follows_objects=True,
    )


VIDEO_CARDS = (
    _sam2("2.1", "tiny", 38_962_498),
    _sam2("2.1", "small", 46_060_354),
    _sam2("2.1", "base_plus", 80_850_178),
    _sam2("2.1", "large", 224_446_642),
    _sam2("2", "tiny", 38_945_986),
    _sam2("2", "small", 46_043_842),
    _sam2("2", "base_plus", 80_833_666),
    _sam2("2", "large", 224_430_130),
)

__all__ = ["VIDEO_CARDS"]
