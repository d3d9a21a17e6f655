"""`ModelCard`: what is known about a model before its weights are loaded. Plain data, no torch.

The cards of the published models and of `tiny` stand here too; `test-sam` keeps its own.
Hashes are those that the files are known by publicly. Meta's file names carry the first six digits of their MD5.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Name, family, where the checkpoint comes from and under which terms.

    `sha256` is None where no hash is known to us: then the file's own hash is computed and recorded, `md5` is checked
    if there is one, and `verify` says what could not be checked. `filename` is the file's name in the weights folder;
    `packaged` weights lie inside the package, in the folder of their family. A card without a filename is of a model
    whose weights are computed. `words` are those that a text adapter was trained on.
    `looks_closer` is whether small objects are worth a second look by default
    (`predict.look_closer`); `has_corrector` is whether `tiny`'s decoder for corrections is in the file;
    `follows_objects` marks a video model, which tracks and takes no single pictures.
    `keep_predicted_iou` and `keep_stability` are the scores above which everything-mode
    keeps a mask, unless it is told otherwise: how high a model scores its good masks is a matter of its training.
    `computed_as` is of exported models: what runs it and in which numbers, such as "int8 onnx".
    `least_text_belief` is the predicted IoU below which an answer to words alone is refused, with an empty mask.
    """

    name: str
    family: str
    title: str
    licence: str
    input_side: int
    num_parameters: int
    source_url: str | None = None
    sha256: str | None = None
    md5: str | None = None
    num_bytes: int | None = None
    filename: str | None = None
    packaged: bool = False
    citation: str = ""
    notes: str = ""
    takes_text: bool = False
    words: tuple[str, ...] = ()
    looks_closer: bool = False
    has_corrector: bool = False
    follows_objects: bool = False
    keep_predicted_iou: float = 0.88
    keep_stability: float = 0.95
    least_text_belief: float = 0.0
    computed_as: str = ""
    aliases: tuple[str, ...] = ()


_SAM = "Kirillov et al., Segment Anything, ICCV 2023, arXiv:2304.02643"
_HQ_SAM = "Ke et al., Segment Anything in High Quality, NeurIPS 2023, arXiv:2306.01567"
_MOBILE_SAM = "Zhang et al., Faster Segment Anything: Towards Lightweight SAM for Mobile Applications, arXiv:2306.14289"
_META_FILES = "https://dl.fbaipublicfiles.com/segment_anything"
_HQ_FILES = "https://huggingface.co/lkeab/hq-sam/resolve/main"

TINY = ModelCard(
    name="tiny",
    family="tiny",
    title="The embedded model: EfficientNet-Lite features, SAM's prompt encoder and decoder",
    licence="Apache-2.0",
    input_side=640,
    num_parameters=11_956_030,
    packaged=True,
    filename="tiny.safetensors",
    citation="Kirillov et al., Segment Anything, 2023; Tan and Le, EfficientNet, 2019",
    notes=(
        "Trained by this project on generated scenes, from ImageNet features; every source is in NOTICE. On 80 COCO "
        "table-top objects: mIoU 0.81 by a box, 0.59 by a click, 5.5 clicks to 0.85. Weak at small and slender "
        "things, containers with contents, people and plain surfaces; its predicted IoU is off by 0.09 on average. "
        "Words were learned on generated robot scenes; below a belief of 0.6 they have no answer. See docs/tiny.md."
    ),
    takes_text=True,
    least_text_belief=0.6,
    looks_closer=True,
    has_corrector=True,
    keep_predicted_iou=0.45,
    keep_stability=0.5,
)
VIT_B = ModelCard(
    name="vit_b",
    family="sam",
    title="Segment Anything, ViT-B",
    licence="Apache-2.0",
    input_side=1024,
    num_parameters=93_735_472,
    source_url=f"{_META_FILES}/sam_vit_b_01ec64.pth",
    sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    num_bytes=375_042_383,
    filename="sam_vit_b_01ec64.pth",
    citation=_SAM,
    aliases=("sam_vit_b",),
)
VIT_L = ModelCard(
    name="vit_l",
    family="sam",
    title="Segment Anything, ViT-L",
    licence="Apache-2.0",
    input_side=1024,
    num_parameters=312_342_832,
    source_url=f"{_META_FILES}/sam_vit_l_0b3195.pth",
    sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    num_bytes=1_249_524_607,
    filename="sam_vit_l_0b3195.pth",
    citation=_SAM,
    aliases=("sam_vit_l",),
)
VIT_H = ModelCard(
    name="vit_h",
    family="sam",
    title="Segment Anything, ViT-H",
    licence="Apache-2.0",
    input_side=1024,
    num_parameters=641_090_608,
    source_url=f"{_META_FILES}/sam_vit_h_4b8939.pth",
    sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    num_bytes=2_564_550_879,
    filename="sam_vit_h_4b8939.pth",
    citation=_SAM,
    aliases=("sam_vit_h", "default"),
)
VIT_T = ModelCard(
    name="vit_t",
    family="mobile_sam",
    title="MobileSAM, TinyViT",
    licence="Apache-2.0",
    input_side=1024,
    num_parameters=10_130_092,
    source_url="https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
    sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
    num_bytes=40_728_226,
    filename="mobile_sam.pt",
    citation=_MOBILE_SAM,
    aliases=("mobile_sam", "sam_vit_t"),
)
HQ_VIT_B = ModelCard(
    name="hq_vit_b",
    family="hq_sam",
    title="HQ-SAM, ViT-B",
    licence="Apache-2.0",
    input_side=1024,
    num_parameters=94_806_576,
    source_url=f"{_HQ_FILES}/sam_hq_vit_b.pth",
    filename="sam_hq_vit_b.pth",
    citation=_HQ_SAM,
    aliases=("sam_hq_vit_b",),
)
HQ_VIT_L = ModelCard(
    name="hq_vit_l",
    family="hq_sam",
    title="HQ-SAM, ViT-L",
    licence="Apache-2.0",
    input_side=1024,
    num_parameters=313_676_080,
    source_url=f"{_HQ_FILES}/sam_hq_vit_l.pth",
    filename="sam_hq_vit_l.pth",
    citation=_HQ_SAM,
    aliases=("sam_hq_vit_l",),
)
HQ_VIT_H = ModelCard(
    name="hq_vit_h",
    family="hq_sam",
    title="HQ-SAM, ViT-H",
    licence="Apache-2.0",
    input_side=1024,
    num_parameters=642_686_000,
    source_url=f"{_HQ_FILES}/sam_hq_vit_h.pth",
    filename="sam_hq_vit_h.pth",
    citation=_HQ_SAM,
    aliases=("sam_hq_vit_h",),
)
HQ_VIT_TINY = ModelCard(
    name="hq_vit_tiny",
    family="hq_sam",
    title="Light HQ-SAM, TinyViT",
    licence="Apache-2.0",
    input_side=1024,
    num_parameters=10_578_604,
    source_url=f"{_HQ_FILES}/sam_hq_vit_tiny.pth",
    filename="sam_hq_vit_tiny.pth",
    citation=_HQ_SAM,
    aliases=("sam_hq_vit_tiny", "hq_vit_t"),
)
MEDSAM = ModelCard(
    name="medsam",
    family="sam",
    title="MedSAM, ViT-B",
    licence="Apache-2.0",
    input_side=1024,
    num_parameters=93_735_472,
    source_url="https://zenodo.org/records/10689643/files/medsam_vit_b.pth",
    md5="3bb6db55bd0c9ca30b61248bca72f8d6",
    filename="medsam_vit_b.pth",
    citation="Ma et al., Segment anything in medical images, Nature Communications 15:654, 2024",
    notes=(
        "Trained for boxes on grayscale scans scaled to 0..255, without ImageNet's mean and deviation. The reference "
        "stretches every scan to a square; here its proportions are kept, so masks can differ from the reference's."
    ),
    aliases=("medsam_vit_b",),
)

PUBLISHED = (VIT_B, VIT_L, VIT_H, VIT_T, HQ_VIT_B, HQ_VIT_L, HQ_VIT_H, HQ_VIT_TINY, MEDSAM)

__all__ = [
    "HQ_VIT_B",
    "HQ_VIT_H",
    "HQ_VIT_L",
    "HQ_VIT_TINY",
    "MEDSAM",
    "PUBLISHED",
    "TINY",
    "VIT_B",
    "VIT_H",
    "VIT_L",
    "VIT_T",
    "ModelCard",
]
