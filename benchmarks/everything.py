"""How fast is everything-mode after encoding, and how much memory does it take? Ours beside Meta's and transformers'.

python benchmarks/everything.py --reference PATH/segment-anything
python benchmarks/everything.py --reference PATH/segment-anything --points-per-side 8     # quick

A grid of clicks on a 1500 x 2250 picture, ViT-B's decoder, the same weights, embedding and filters. The weights are
random, smoothed so that masks have edges instead of noise; the thresholds are set from a few clicks so that about
40 % of the candidates pass the predicted IoU and half of those the stability filter, as with trained weights on a
photograph. How many masks agree is in the note.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from harness import Contender, Run, Timing, compare, report
from peers import our_model, reference_model, transformers_model, write_weights

SIZE_HW = (1500, 2250)
_LOGIT_SCALE = 12.0  # of a trained decoder, beside which a stability offset of 1 is small


def _embedding() -> torch.Tensor:
    """Make an embedding whose cells resemble their neighbours, as a picture's do."""
    coarse = np.random.default_rng(0).standard_normal((1, 256, 12, 12), dtype=np.float32)
    return F.interpolate(torch.from_numpy(coarse), (64, 64), mode="bicubic")


def _picture() -> np.ndarray:
    return np.zeros((*SIZE_HW, 3), np.uint8)


def _write_smooth_weights(path: Path) -> None:
    """Give all taps of an upsampling kernel one value, so that neighbouring pixels get similar logits."""
    write_weights("vit_b", path)
    weights = torch.load(path, weights_only=True)
    for layer in (0, 3):
        name = f"mask_decoder.output_upscaling.{layer}.weight"
        weights[name] = 2 * weights[name].mean((2, 3), keepdim=True).expand_as(weights[name]).clone()
    for i in range(4):
        for kind in ("weight", "bias"):
            weights[f"mask_decoder.output_hypernetworks_mlps.{i}.layers.2.{kind}"] *= _LOGIT_SCALE
    weights["mask_decoder.iou_prediction_head.layers.2.bias"] += (
        2  # a threshold of 0 or below would turn the filter off
    )
    torch.save(weights, path)


def _records(found: list[dict[str, Any]]) -> np.ndarray:
    return np.frombuffer(json.dumps(found).encode(), np.uint8)


def _ours(weights: str) -> tuple[Any, Any, Any]:
    from maskwright.core import Image
    from maskwright.models.frame import ModelFrame
    from maskwright.models.protocol import Features
    from maskwright.predict.embedding import ImageEmbedding, model_ref

    model, image = our_model("vit_b", weights), Image(_picture())
    embedding = ImageEmbedding(
        features=Features(image_embedding=_embedding()),
        frame=ModelFrame.of(SIZE_HW, model.frame),
        image_digest=image.digest,
        model=model_ref(model),
    )
    return model, image, embedding


def ours(weights: str, mask_threshold: float, settings: dict[str, Any]) -> Run:
    """maskwright."""
    from maskwright.masks import to_coco
    from maskwright.predict import EverythingSettings, find_candidates

    model, image, embedding = _ours(weights)
    model.mask_threshold = mask_threshold

    def run() -> np.ndarray:
        found = find_candidates(model, image, EverythingSettings(**settings), embedding=embedding)
        return _records([{"segmentation": to_coco(x.rle), "predicted_iou": x.predicted_iou} for x in found])

    return run


def reference(checkout: str, weights: str, mask_threshold: float, settings: dict[str, Any]) -> Run:
    """Meta's SamAutomaticMaskGenerator, with the embedding put into its predictor."""
    model: Any = reference_model(checkout, "vit_b", weights)
    from segment_anything import SamAutomaticMaskGenerator

    model.mask_threshold = mask_threshold
    generator = SamAutomaticMaskGenerator(model, output_mode="coco_rle", **settings)
    predictor, picture = generator.predictor, _picture()
    predictor.features = _embedding()
    predictor.original_size = SIZE_HW
    predictor.input_size = predictor.transform.get_preprocess_shape(*SIZE_HW, 1024)
    predictor.is_image_set = True
    predictor.set_image = predictor.reset_image = lambda *_: None

    def run() -> np.ndarray:
        keys = ("segmentation", "predicted_iou")
        return _records([{key: record[key] for key in keys} for record in generator.generate(picture)])

    return run


def transformers(weights: str, mask_threshold: float, settings: dict[str, Any]) -> Run:
    """transformers' mask-generation pipeline, with the embedding put into its model.

    Its last step, NMS, needs torchvision; ours stands in, and the masks stay RLE as they do with Meta's.
    """
    import transformers as package
    from PIL import Image

    from maskwright.masks import box_nms, from_coco, to_coco

    def suppress(masks: list[Any], scores: torch.Tensor, boxes: torch.Tensor, threshold: float) -> tuple[Any, ...]:
        kept = box_nms(boxes.float().numpy(), scores.numpy(), iou_threshold=threshold)
        return [masks[i] for i in kept], scores[kept], [], boxes[kept]

    # The Pillow processor, by the name that it has since version 5.
    processor: Any = (getattr(package, "SamImageProcessorPil", None) or package.SamImageProcessor)()
    processor.post_process_for_mask_generation = suppress
    model: Any = transformers_model(weights, "sdpa")
    model.get_image_embeddings = lambda *_, **__: _embedding()
    generate: Any = package.pipeline("mask-generation", model=model, image_processor=processor)
    arguments = {
        "points_per_crop": settings["points_per_side"],
        "points_per_batch": settings["points_per_batch"],
        "pred_iou_thresh": settings["pred_iou_thresh"],
        "stability_score_thresh": settings["stability_score_thresh"],
        "crops_nms_thresh": settings["box_nms_thresh"],
        "mask_threshold": mask_threshold,
    }
    picture = Image.fromarray(_picture())

    def run() -> np.ndarray:
        found = generate(picture, **arguments)
        return _records(
            [
                {"segmentation": to_coco(from_coco(mask)), "predicted_iou": float(score)}
                for mask, score in zip(found["masks"], found["scores"], strict=True)
            ]
        )

    return run


def _calibrate(weights: str) -> tuple[float, dict[str, float]]:
    """Choose thresholds from 64 clicks: see the module's first lines."""
    from maskwright.models.protocol import FramePrompts
    from maskwright.predict import masks_from_logits

    model, _, embedding = _ours(weights)
    along = (np.arange(8) + 0.5) / 8
    x, y = np.meshgrid(along * SIZE_HW[1], along * SIZE_HW[0])
    points = embedding.frame.points_to_model(np.stack([x, y], -1).reshape(-1, 1, 2)).astype(np.float32)
    prompts = FramePrompts(
        points=F.pad(torch.from_numpy(points), (0, 0, 0, 1)), labels=torch.tensor([[1, -1]]).expand(64, 2)
    )
    with torch.no_grad():
        decoded = model.decode(embedding.features, prompts, multimask=True)
    # Two pixels in a hundred: random masks at 0 would all span the picture, and NMS would leave one.
    mask_threshold = float(decoded.logits.flatten()[::97].quantile(0.98))
    predicted_iou_thresh = float(decoded.predicted_iou.quantile(0.6))
    passing = decoded.logits[decoded.predicted_iou > predicted_iou_thresh]
    drawn = masks_from_logits(passing, embedding.frame, mask_threshold, stability_offset=1.0, one_of_three=True)
    stability = float(np.nanmedian([mask.stability for mask in drawn]))
    return mask_threshold, {"pred_iou_thresh": predicted_iou_thresh, "stability_score_thresh": stability}


def _agreement(first: Timing, other: Timing) -> str:
    """Say how many masks are the same, and the lowest IoU of the rest with their nearest."""
    from maskwright.masks import from_coco, iou_matrix

    masks = [
        [from_coco(record["segmentation"]) for record in json.loads(timing.result.tobytes())]
        for timing in (first, other)
        if timing.result is not None
    ]
    ours, theirs = masks
    same = len(set(ours) & set(theirs))
    lowest = iou_matrix(theirs, ours).max(1).min() if ours and theirs else float("nan")
    return f"{other.name}: {len(theirs)} masks to our {len(ours)}, {same} identical, lowest IoU {lowest:.5f}"


def main() -> None:
    """Compare mask generators."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", help="a checkout of segment-anything")
    parser.add_argument("--no-transformers", action="store_true", help="leave transformers out")
    parser.add_argument("--points-per-side", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1, help="after the warm-up, which is a whole run too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pt"
        _write_smooth_weights(weights)
        mask_threshold, thresholds = _calibrate(str(weights))
        settings = {
            "points_per_side": args.points_per_side,
            "points_per_batch": 64,
            "box_nms_thresh": 0.7,
            **thresholds,
        }
        shared = {"weights": str(weights), "mask_threshold": mask_threshold, "settings": settings}
        contenders = [Contender("maskwright", "everything:ours", shared)]
        if args.reference:
            contenders.append(Contender("reference", "everything:reference", {"checkout": args.reference, **shared}))
        if not args.no_transformers:
            contenders.append(Contender("transformers", "everything:transformers", shared))
        timings = compare(contenders, rounds=args.rounds)
    note = ". ".join(_agreement(timings[0], timing) for timing in timings[1:])
    side = args.points_per_side
    title = f"everything after encoding, {side} x {side} clicks, {SIZE_HW[0]} x {SIZE_HW[1]} picture, ViT-B's decoder"
    report("everything", title, [replace(timing, result=None) for timing in timings], note=note)


if __name__ == "__main__":
    main()
