"""What transformers calls the video models, and how each family wants its pictures. Plain data, no torch."""

from dataclasses import dataclass

_Colour = tuple[float, float, float]

_IMAGENET_MEAN: _Colour = (123.675, 116.28, 103.53)
_IMAGENET_STD: _Colour = (58.395, 57.12, 57.375)
_HALF: _Colour = (127.5, 127.5, 127.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family. `mean` and `std`, in 0..255, hold where a checkpoint's own settings do not say."""

    name: str
    title: str
    network: str
    session: str
    licence: str
    mean: _Colour = _IMAGENET_MEAN
    std: _Colour = _IMAGENET_STD
    citation: str = ""


SAM2 = Family(
    name="sam2_video",
    title="SAM 2",
    network="Sam2VideoModel",
    session="Sam2VideoInferenceSession",
    licence="Apache-2.0, if it is Meta's; the folder does not say",
    citation="Ravi et al., SAM 2: Segment Anything in Images and Videos, ICLR 2025, arXiv:2408.00714",
)
EDGETAM = Family(
    name="edgetam_video",
    title="EdgeTAM",
    network="EdgeTamVideoModel",
    session="EdgeTamVideoInferenceSession",
    licence="Apache-2.0, if it is Meta's; the folder does not say",
    citation="Zhou et al., EdgeTAM: On-Device Track Anything Model, CVPR 2025, arXiv:2501.07256",
)
SAM3 = Family(
    name="sam3_tracker_video",
    title="the tracker of SAM 3",
    network="Sam3TrackerVideoModel",
    session="Sam3TrackerVideoInferenceSession",
    licence="SAM License (Meta's own, not open source; whoever uses the checkpoint must have agreed to it)",
    mean=_HALF,
    std=_HALF,
    citation="Carion et al., SAM 3: Segment Anything with Concepts, 2025, arXiv:2511.16719",
)

# By `model_type` of a checkpoint's config.json. SAM 3 as it is published holds its tracker beside a detector.
FAMILIES = {
    "sam2_video": SAM2,
    "edgetam_video": EDGETAM,
    "sam3_tracker_video": SAM3,
    "sam3_video": SAM3,
}

__all__ = ["EDGETAM", "FAMILIES", "SAM2", "SAM3", "Family"]
