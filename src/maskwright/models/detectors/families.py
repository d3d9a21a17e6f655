"""What transformers calls the detectors, and which checkpoints are the usual ones. Plain data, no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorFamily:
    """One family. `needs` are libraries beside transformers; `usual` is a name of Hugging Face's."""

    name: str
    title: str
    network: str
    usual: str
    licence: str
    citation: str
    needs: tuple[str, ...] = ()


OWLV2 = DetectorFamily(
    name="owlv2",
    title="OWLv2",
    network="Owlv2ForObjectDetection",
    usual="google/owlv2-base-patch16-ensemble",
    licence="Apache-2.0, if it is Google's; the folder does not say",
    citation="Minderer et al., Scaling Open-Vocabulary Object Detection, NeurIPS 2023, arXiv:2306.09683",
    needs=("scipy",),
)
GROUNDING_DINO = DetectorFamily(
    name="grounding-dino",
    title="Grounding DINO",
    network="GroundingDinoForObjectDetection",
    usual="IDEA-Research/grounding-dino-tiny",
    licence="Apache-2.0, if it is IDEA Research's; the folder does not say",
    citation="Liu et al., Grounding DINO, ECCV 2024, arXiv:2303.05499",
)

# By `model_type` of a checkpoint's config.json.
FAMILIES: dict[str, DetectorFamily] = {"owlv2": OWLV2, "grounding-dino": GROUNDING_DINO}

__all__ = ["FAMILIES", "GROUNDING_DINO", "OWLV2", "DetectorFamily"]
