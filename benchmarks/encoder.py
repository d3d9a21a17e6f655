"""How fast is the image encoder, and how much memory does it take? Ours beside Meta's and transformers', same weights.

python benchmarks/encoder.py                                     # ViT-B beside transformers
python benchmarks/encoder.py --reference PATH/segment-anything   # and beside Meta's code
python benchmarks/encoder.py --model vit_t --reference PATH/MobileSAM
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from harness import Contender, Run, compare, report
from peers import our_model, reference_model, transformers_model, write_weights


def _frame() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 1024, 1024), dtype=np.float32))


def ours(name: str, weights: str) -> Run:
    """maskwright."""
    model, frame = our_model(name, weights), _frame()

    def run() -> np.ndarray:
        with torch.no_grad():
            return model.encode(frame).image_embedding.numpy()

    return run


def reference(checkout: str, name: str, weights: str) -> Run:
    """Meta's or MobileSAM's own code."""
    encoder, frame = reference_model(checkout, name, weights).image_encoder, _frame()

    def run() -> np.ndarray:
        with torch.no_grad():
            return encoder(frame).numpy()

    return run


def transformers(weights: str, attention: str) -> Run:
    """transformers' SamModel."""
    model, frame = transformers_model(weights, attention), _frame()

    def run() -> np.ndarray:
        with torch.no_grad():
            return model.get_image_embeddings(frame).numpy()

    return run


def main() -> None:
    """Compare encoders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="vit_b", choices=["vit_b", "vit_l", "vit_h", "vit_t"])
    parser.add_argument("--reference", help="a checkout of segment-anything (or MobileSAM for vit_t)")
    parser.add_argument("--no-transformers", action="store_true", help="leave transformers out")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pt"
        write_weights(args.model, weights)
        shared = {"weights": str(weights)}
        contenders = [Contender("maskwright", "encoder:ours", {"name": args.model, **shared})]
        if args.reference:
            arguments = {"checkout": args.reference, "name": args.model, **shared}
            contenders.append(Contender("reference", "encoder:reference", arguments))
        if args.model == "vit_b" and not args.no_transformers:
            arguments = {"attention": "sdpa", **shared}
            contenders.append(Contender("transformers sdpa", "encoder:transformers", arguments))
        report("encoder", f"{args.model} image encoder, fp32, 1024 px", compare(contenders, rounds=args.rounds))


if __name__ == "__main__":
    main()
