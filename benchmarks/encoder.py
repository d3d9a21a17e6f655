"""How fast is the image encoder, and how much memory does it take? Ours beside Meta's and transformers', same weights.

python benchmarks/encoder.py                                     # ViT-B beside transformers
python benchmarks/encoder.py --reference PATH/segment-anything   # and beside Meta's code
python benchmarks/encoder.py --backends onnx,openvino --no-transformers
python benchmarks/encoder.py --model vit_t --reference PATH/MobileSAM
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from harness import Contender, Run, compare, report
from peers import our_model, reference_model, transformers_model, write_weights

from maskwright.models import load_model
from maskwright.models.backends.export import to_onnx
from maskwright.models.backends.onnx_file import write_onnx


def _frame(device: str, dtype: str) -> torch.Tensor:
    frame = np.random.default_rng(0).standard_normal((1, 3, 1024, 1024), dtype=np.float32)
    return torch.from_numpy(frame).to(device, getattr(torch, dtype))


def ours(name: str, weights: str, device: str, dtype: str) -> Run:
    """maskwright."""
    model, frame = our_model(name, weights).to(device), _frame(device, dtype)
    model.image_encoder.to(getattr(torch, dtype))

    def run() -> np.ndarray:
        with torch.no_grad():
            return model.encode(frame).image_embedding.cpu().numpy()

    return run


def exported(file: str, backend: str) -> Run:
    """maskwright's network as another library runs it."""
    model, frame = load_model(file, backend=backend), _frame("cpu", "float32")
    return lambda: model.encode(frame).image_embedding.numpy()


def export(name: str, weights: Path) -> Path:
    """Export our network, unchecked: the report tells how far each contender is from PyTorch."""
    path = weights.with_suffix(".onnx")
    write_onnx(to_onnx(our_model(name, str(weights)))[0], path)
    return path


def reference(checkout: str, name: str, weights: str, device: str, dtype: str) -> Run:
    """Meta's or MobileSAM's own code."""
    encoder = reference_model(checkout, name, weights).image_encoder.to(device, getattr(torch, dtype))
    frame = _frame(device, dtype)

    def run() -> np.ndarray:
        with torch.no_grad():
            return encoder(frame).float().cpu().numpy()

    return run


def transformers(weights: str, attention: str, device: str, dtype: str) -> Run:
    """transformers' SamModel."""
    model, frame = transformers_model(weights, attention).to(device, getattr(torch, dtype)), _frame(device, dtype)

    def run() -> np.ndarray:
        with torch.no_grad():
            return model.get_image_embeddings(frame).float().cpu().numpy()

    return run


def main() -> None:
    """Compare encoders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="vit_b", choices=["vit_b", "vit_l", "vit_h", "vit_t"])
    parser.add_argument("--reference", help="a checkout of segment-anything (or MobileSAM for vit_t)")
    parser.add_argument("--no-transformers", action="store_true", help="leave transformers out")
    parser.add_argument("--backends", default="", help="others that run our network: onnx,openvino")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pt"
        write_weights(args.model, weights)
        shared = {"weights": str(weights), "device": args.device, "dtype": args.dtype}
        contenders = [Contender("maskwright", "encoder:ours", {"name": args.model, **shared})]
        if args.reference:
            arguments = {"checkout": args.reference, "name": args.model, **shared}
            contenders.append(Contender("reference", "encoder:reference", arguments))
        if args.model == "vit_b" and not args.no_transformers:
            arguments = {"attention": "sdpa", **shared}
            contenders.append(Contender("transformers sdpa", "encoder:transformers", arguments))
        if args.backends:
            file = str(export(args.model, weights))
            for backend in args.backends.split(","):
                arguments = {"file": file, "backend": backend}
                contenders.append(Contender(f"maskwright by {backend}", "encoder:exported", arguments))
        title = f"{args.model} image encoder, {args.dtype}, 1024 px, {args.device}"
        report("encoder", title, compare(contenders, rounds=args.rounds))


if __name__ == "__main__":
    main()
