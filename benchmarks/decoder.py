"""How fast is a click on a cached embedding, and how fast are 64 prompts at once? Ours beside Meta's and transformers'.

python benchmarks/decoder.py --reference PATH/segment-anything
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from harness import Contender, Run, compare, report
from peers import our_model, reference_model, transformers_model, write_weights


def _embedding() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((1, 256, 64, 64), dtype=np.float32))


def _clicks(num_prompts: int) -> tuple[torch.Tensor, torch.Tensor]:
    points = np.random.default_rng(1).uniform(0, 1024, (num_prompts, 1, 2)).astype(np.float32)
    return torch.from_numpy(points), torch.ones(num_prompts, 1, dtype=torch.long)


def ours(weights: str, num_prompts: int) -> Run:
    """maskwright, with the padding point that stands for no box."""
    from maskwright.models.protocol import Features, FramePrompts

    model, features = our_model("vit_b", weights), Features(image_embedding=_embedding())
    points, labels = _clicks(num_prompts)
    points = torch.cat([points, torch.zeros(num_prompts, 1, 2)], dim=1)
    labels = torch.cat([labels, torch.full((num_prompts, 1), -1)], dim=1)

    def run() -> np.ndarray:
        with torch.no_grad():
            return model.decode(features, FramePrompts(points=points, labels=labels), multimask=True).logits.numpy()

    return run


def reference(checkout: str, weights: str, num_prompts: int) -> Run:
    """Meta's own prompt encoder and mask decoder."""
    model, embedding = reference_model(checkout, "vit_b", weights), _embedding()
    points, labels = _clicks(num_prompts)

    def run() -> np.ndarray:
        with torch.no_grad():
            sparse, dense = model.prompt_encoder(points=(points, labels), boxes=None, masks=None)
            positions = model.prompt_encoder.get_dense_pe()
            logits, _ = model.mask_decoder(embedding, positions, sparse, dense, multimask_output=True)
            return logits.numpy()

    return run


def transformers(weights: str, num_prompts: int) -> Run:
    """transformers' SamModel, prompts as its point batch."""
    model, embedding = transformers_model(weights, "sdpa"), _embedding()
    points, labels = _clicks(num_prompts)

    def run() -> np.ndarray:
        with torch.no_grad():
            out = model(
                image_embeddings=embedding, input_points=points[None], input_labels=labels[None], multimask_output=True
            )
            return out.pred_masks[0].numpy()

    return run


def main() -> None:
    """Compare decoders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", help="a checkout of segment-anything")
    parser.add_argument("--no-transformers", action="store_true", help="leave transformers out")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pt"
        write_weights("vit_b", weights)
        for num_prompts in (1, 64):
            shared = {"weights": str(weights), "num_prompts": num_prompts}
            contenders = [Contender("maskwright", "decoder:ours", shared)]
            if args.reference:
                contenders.append(Contender("reference", "decoder:reference", {"checkout": args.reference, **shared}))
            if not args.no_transformers:
                contenders.append(Contender("transformers sdpa", "decoder:transformers", shared))
            rounds = args.rounds if num_prompts == 1 else max(3, args.rounds // 3)
            title = f"SAM mask decoder, clicks in one call: {num_prompts}, three masks each"
            report("decoder", title, compare(contenders, rounds=rounds))


if __name__ == "__main__":
    main()
