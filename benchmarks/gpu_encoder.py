"""What does the image encoder reach on a GPU? Attention alone, cut in many ways, then whole encoders beside others.

python benchmarks/gpu_encoder.py                                        # ours, and transformers where it is installed
python benchmarks/gpu_encoder.py --reference PATH/segment-anything --out gpu.json

Weights are random and drawn on the GPU, the same for all. Every figure has what it is worth beside it: the relative
error against fp64 (attention) or fp32 (embeddings), and the IoU of masks with those of fp32. Times are medians by the
GPU's events after a warm-up. A row that fails says why; what does not fit into --limit seconds says that.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor, nn

import maskwright
from maskwright.core import Image
from maskwright.models import build_model
from maskwright.models.frame import ModelFrame
from maskwright.models.protocol import Features, FramePrompts
from maskwright.models.sam import image_encoder
from maskwright.models.sam.image_encoder import GridAttention
from maskwright.nn import fused_attention
from maskwright.predict import embed_batch

STARTED = time.perf_counter()
SHAPES = {"vit_b": (768, 12), "vit_h": (1280, 16)}
BLOCKS = {
    "grid": [(128, 64, 4, 3), (64, 64, 4, 3), (64, 64, 4, 4), (64, 64, 4, 2)],
    "windows": [
        (64, 64, 4, 2), (64, 64, 4, 1), (64, 32, 4, 2), (64, 32, 4, 1), (64, 32, 4, 3), (128, 64, 4, 2),
        (128, 32, 4, 2), (64, 128, 4, 1), (64, 256, 8, 1),
    ],
}  # fmt: skip
WHOLE = {
    "vit_b": ("fp32", "bf16", "profile", "pipeline", "mask", "transformers", "reference"),
    "vit_h": ("bf16", "profile", "pipeline"),
}  # what is asked of a size first
ODD = ((37, 50, 14), (32, 32, 0), (40, 64, 0), (9, 100, 0), (14, 14, 14), (33, 28, 7), (12, 10, 0))
Rows = list[dict[str, Any]]


class Bench:
    """What is measured, in order, until the time is over."""

    def __init__(self, limit: float, only: str) -> None:
        self.limit, self.only = limit, only
        self.rows: Rows = []
        self.peak: dict[str, float] = {}

    def row(self, part: str, name: str, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do one row; what goes wrong is its result."""
        at = time.perf_counter() - STARTED
        if self.only and self.only not in part:
            return {}
        found: dict[str, Any] = {"part": part, "name": name, "at_s": round(at, 1)}
        if at > self.limit:
            found["problem"] = "no time left"
        else:
            try:
                found |= run()
            except Exception as error:
                found["problem"] = f"{type(error).__name__}: {error}"[:300]
                torch.cuda.empty_cache()
        self.rows.append(found)
        print(f"[{time.perf_counter() - STARTED:5.1f}] {as_line(found)}", flush=True)
        return found


def as_line(row: dict[str, Any]) -> str:
    """A row of the table."""
    told = {key: value for key, value in row.items() if key not in ("part", "name", "at_s")}
    if "problem" in told:
        return f"{row['part']:22} {row['name']:34} {str(told['problem'])[:150]}"
    return f"{row['part']:22} {row['name']:34} " + "  ".join(f"{key} {_short(value)}" for key, value in told.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def milliseconds(run: Callable[[], object], rounds: int = 10, at_once: int = 1) -> float:
    """The median by events; the first three runs do not count. Short runs go `at_once`, so that the GPU is not kept
    waiting by what launches them.
    """
    for _ in range(3):
        run()
    times = []
    for _ in range(rounds):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(at_once):
            run()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / at_once)
    return statistics.median(times)


def ceilings(dtype: torch.dtype) -> dict[str, Any]:
    """What a large product and a large copy reach: the best of twenty."""
    a = torch.randn(8192, 8192, device="cuda", dtype=dtype)
    best = min(milliseconds(lambda: torch.matmul(a, a), 1) for _ in range(10))
    big = torch.randn(2**29, device="cuda", dtype=torch.float32)
    to = torch.empty_like(big)
    return {"tflops": 2 * 8192**3 / best / 1e9, "gb_per_s": 2 * big.nbytes / milliseconds(lambda: to.copy_(big)) / 1e6}


def layer_of(model: str, window: int, dtype: torch.dtype, grid: int = 64) -> GridAttention:
    """Attention as in a model, random."""
    width, heads = SHAPES[model]
    torch.manual_seed(1)
    with torch.device("cuda"):
        layer = GridAttention(width, heads, grid, window)
        for table in (layer.rel_pos_h, layer.rel_pos_w):
            nn.init.normal_(table, std=0.2)
        nn.init.normal_(layer.qkv.bias)
    return layer.to(dtype)


@contextlib.contextmanager
def unfused() -> Iterator[None]:
    """Let the encoder attend with the bias as a mask."""
    kept = image_encoder.can_fuse
    image_encoder.can_fuse = lambda *given: False
    try:
        yield
    finally:
        image_encoder.can_fuse = kept


def compile_first(asked: tuple[str, str, tuple[int, ...], str]) -> str:
    """Run a kernel once, in a process of its own: what it is compiled to is kept on disk."""
    model, kind, blocks, dtype = asked
    try:
        if kind == "odd":
            odd_size(*blocks, getattr(torch, dtype))
            return ""
        layer = layer_of(model, 14 if kind == "windows" else 0, getattr(torch, dtype))
        qkv = torch.randn(1, 64, 64, 3 * SHAPES[model][0], device="cuda", dtype=getattr(torch, dtype))
        with torch.no_grad():
            attend_by(layer, qkv, blocks)
            torch.cuda.synchronize()
    except Exception as error:
        return f"{asked}: {type(error).__name__}: {error}"[:200]
    return ""


def attend_by(layer: GridAttention, qkv: Tensor, blocks: tuple[int, ...]) -> Tensor:
    """Attend with the kernel, cut as told, whatever the dtype."""
    from maskwright.nn.grid_kernel import Blocks, attend

    side = layer.window or qkv.shape[1]
    wide = layer.window or qkv.shape[2]
    near = fused_attention.products_with_positions(qkv, layer.rel_pos_h, layer.rel_pos_w, layer.num_heads)
    return attend(qkv, layer.qkv.bias, near, layer.num_heads, side, wide, Blocks(*blocks))


def heads_of(layer: GridAttention, qkv: Tensor) -> tuple[Tensor, ...]:
    """Queries, keys, values (B heads L c) and the biases of rows and columns, of a layer without windows."""
    B, h, w, _ = qkv.shape
    q, k, v = qkv.view(B, h * w, 3, layer.num_heads, -1).permute(2, 0, 3, 1, 4)
    grid_q = q.unflatten(2, (h, w))
    spread = image_encoder.relative_positions
    rows = torch.einsum("bnhwc,hkc->bnhwk", grid_q, spread(layer.rel_pos_h, h)).flatten(2, 3)
    columns = torch.einsum("bnhwc,wkc->bnhwk", grid_q, spread(layer.rel_pos_w, w)).flatten(2, 3)
    return q, k, v, rows, columns


def attend_longer(layer: GridAttention, qkv: Tensor) -> Tensor:
    """Attend with keys longer by ones, values longer by zeros, through PyTorch's flash attention."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    (B, h, w, _), (q, k, v, rows, columns) = qkv.shape, heads_of(layer, qkv)
    place = torch.arange(h * w, device="cuda")
    ones = [place[:, None] // w == torch.arange(h, device="cuda"), place[:, None] % w == torch.arange(w, device="cuda")]
    keys = torch.cat([k, torch.cat(ones, 1).to(k.dtype).expand(*k.shape[:2], -1, -1)], -1)
    queries = torch.cat([q * q.shape[-1] ** -0.5, rows, columns], -1)
    values = torch.nn.functional.pad(v, (0, h + w))
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        out = torch.nn.functional.scaled_dot_product_attention(queries, keys, values, scale=1.0)
    return out[..., : v.shape[-1]].transpose(1, 2).reshape(B, h, w, -1)


_FLEX: dict[str, Any] = {}


def attend_flexibly(layer: GridAttention, qkv: Tensor) -> Tensor:
    """Attend by FlexAttention, the biases looked up by the score's function."""
    from torch.nn.attention.flex_attention import flex_attention

    if not _FLEX:
        _FLEX["run"] = torch.compile(flex_attention)
    (B, h, w, _), (q, k, v, rows, columns) = qkv.shape, heads_of(layer, qkv)

    def biased(score: Tensor, b: Tensor, n: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return score + rows[b, n, query, key // 64] + columns[b, n, query, key % 64]

    return _FLEX["run"](q, k, v, score_mod=biased).transpose(1, 2).reshape(B, h, w, -1)


def attention(
    bench: Bench, model: str, kind: str, batch: int, dtype: torch.dtype, each: list[tuple[int, ...]], beside: str = ""
) -> None:
    """One attention, cut in many ways; the fastest blocks are kept for what comes after."""
    part = f"{model} {kind} b{batch} {str(dtype)[6:]}{beside}"
    if bench.only and bench.only not in part:
        return
    with torch.no_grad():
        layer = layer_of(model, 14 if kind == "windows" else 0, dtype)
        qkv = torch.randn(batch, 64, 64, 3 * SHAPES[model][0], device="cuda").to(dtype)
        with unfused():
            truth = layer.double().attend(qkv[:1].double())
        layer = layer.to(dtype)
        keys, images = (64 * 64, 1) if kind == "grid" else (14 * 14, 25)
        flops = batch * images * keys * keys * 4 * SHAPES[model][0]

        def measured(run: Callable[[], Tensor]) -> dict[str, Any]:
            poison = torch.full_like(qkv, torch.nan)
            del poison  # what is allocated next lies there
            error = float((run()[:1].double() - truth).norm() / truth.norm())
            torch.cuda.synchronize()
            before = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
            took = milliseconds(run, 5, at_once=10)
            added = (torch.cuda.max_memory_allocated() - before) / 2**20
            return {"ms": took, "tflops": flops / took / 1e9, "error": error, "added_mb": round(added)}

        best = (float("inf"), each[0])
        for blocks in each:
            found = bench.row(
                part, f"kernel {blocks}", lambda blocks=blocks: measured(lambda: attend_by(layer, qkv, blocks))
            )
            if found.get("error", 1.0) < 0.05:
                best = min(best, (found["ms"], blocks))
        if best[0] < float("inf") and dtype.itemsize == 2 and not beside:
            fused_attention._BLOCKS[kind, 2] = best[1]
        bench.row(part, "near alone", lambda: measured_near(layer, qkv))
        if "others" in part:
            with unfused():
                bench.row(part, "mask", lambda: measured(lambda: layer.attend(qkv)))
        if "others" in part and kind == "grid":
            bench.row(part, "longer keys, flash", lambda: measured(lambda: attend_longer(layer, qkv)))
            bench.row(part, "FlexAttention", lambda: measured(lambda: attend_flexibly(layer, qkv)))


def measured_near(layer: GridAttention, qkv: Tensor) -> dict[str, Any]:
    """The products with relative positions by themselves, which the kernel's figures contain."""
    run = fused_attention.products_with_positions
    return {"ms": milliseconds(lambda: run(qkv, layer.rel_pos_h, layer.rel_pos_w, layer.num_heads), 5, at_once=10)}


def odd_size(h: int, w: int, window: int, dtype: torch.dtype) -> float:
    """The error on a grid of another size, against fp64."""
    layer = layer_of("vit_h", window, dtype)
    qkv = torch.randn(2, h, w, 3840, device="cuda").to(dtype)
    for name, side in (("rel_pos_h", window or h), ("rel_pos_w", window or w)):
        setattr(layer, name, nn.Parameter(0.2 * torch.randn(2 * side - 1, 80, device="cuda").to(dtype)))
    with torch.no_grad():
        out = layer.attend(qkv).double()
        with unfused():
            truth = layer.double().attend(qkv.double())
    return float((out - truth).norm() / truth.norm())


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Draw weights by name on the GPU, at a scale that keeps activations in range."""
    drawn = {}
    for name, tensor in model.state_dict().items():
        generator = torch.Generator("cuda").manual_seed(zlib.crc32(name.encode()))
        draw = torch.randn(tensor.shape, device="cuda", generator=generator)
        if tensor.ndim == 1:
            draw = 1 + 0.1 * draw.clamp(-3, 3) if name.endswith("weight") else 0.05 * draw
        elif "pos" not in name and "embed" not in name.split(".")[-2]:
            draw /= tensor[0].numel() ** 0.5
        else:
            draw *= 0.2
        drawn[name] = draw.to(tensor.dtype)
    return drawn


def ours(name: str) -> Any:
    """Our network, with the shared weights."""
    with torch.device("cuda"):
        model = build_model(name)
    model.load_state_dict(weights_of(model))
    return model.eval()


def reference(checkout: str, name: str, weights: dict[str, Tensor]) -> nn.Module:
    """Meta's network, with the same weights."""
    from peers import stand_in_for_torchvision

    stand_in_for_torchvision()
    sys.path.insert(0, checkout)
    with torch.device("cuda"):
        model = __import__("segment_anything").sam_model_registry[name](checkpoint=None)
    model.load_state_dict(weights)
    return model.eval().image_encoder


def from_transformers(weights: dict[str, Tensor]) -> nn.Module:
    """transformers' ViT-B, with the same weights."""
    from transformers import SamConfig, SamModel

    from maskwright.models.checkpoint import to_our_names

    with torch.device("cuda"):
        model = SamModel(SamConfig(attn_implementation="sdpa"))
    for name, tensor in to_our_names(model.state_dict()).items():
        tensor.copy_(weights[name])
    return model.eval()


class Encoders:
    """One size of model: pictures, weights, and what fp32 makes of them."""

    def __init__(self, name: str) -> None:
        self.name, self.model = name, ours(name)
        picture = np.asarray(PillowImage.open(Path(maskwright.__file__).parent / "assets/tabletop.jpg").convert("RGB"))
        pixels = ModelFrame.of(picture.shape[:2], self.model.frame).pixels_to_model(picture, "cuda")
        self.pixels = torch.cat([pixels.roll(37 * i, -1) for i in range(16)])
        self.weights = {key: value.clone() for key, value in self.model.state_dict().items()}
        with torch.no_grad(), unfused():
            self.truth = self.model.encode(self.pixels[:1]).image_embedding
            self.masks = self.masks_of(self.truth)

    def masks_of(self, embedding: Tensor) -> Tensor:
        """Masks of nine clicks."""
        at = torch.tensor([[x, y] for x in (200.0, 500.0, 800.0) for y in (150.0, 350.0, 550.0)], device="cuda")
        prompts = FramePrompts(
            points=torch.stack([at, torch.zeros_like(at)], 1), labels=torch.tensor([[1, -1]] * 9, device="cuda")
        )
        return self.model.decode(Features(image_embedding=embedding.float()), prompts, multimask=True).logits > 0

    def measure(
        self, bench: Bench, title: str, encoder: nn.Module, run: Callable[[Tensor], Tensor], batches: tuple[int, ...]
    ) -> None:
        """Rows of one contender."""
        for batch in batches:
            bench.row(f"{self.name} encode", f"{title} b{batch}", lambda b=batch: self._measure(bench, encoder, run, b))
            torch.cuda.empty_cache()

    @torch.no_grad()
    def _measure(self, bench: Bench, encoder: nn.Module, run: Callable[[Tensor], Tensor], batch: int) -> dict[str, Any]:
        others = torch.cuda.memory_allocated() - sum(x.nbytes for x in encoder.parameters())
        dtype = next(encoder.parameters()).dtype
        pixels = self.pixels[:batch].to(dtype)
        begun = time.perf_counter()
        got = run(pixels)[:1].float()
        torch.cuda.synchronize()
        first = time.perf_counter() - begun
        torch.cuda.reset_peak_memory_stats()
        took = milliseconds(lambda: run(pixels), 10 if batch < 8 else 5) / batch
        peak_mb = (torch.cuda.max_memory_allocated() - others) / 2**20
        masks = self.masks_of(got)
        union = (masks | self.masks).sum((-2, -1)).clamp(min=1)
        return {
            "ms_per_image": took,
            "of_peak": flops_of(self.name) / took * 1e3 / bench.peak["bf16" if dtype.itemsize == 2 else "fp32"],
            "peak_mb": round(peak_mb),
            "first_s": round(first, 1),
            "error": float((got - self.truth).norm() / self.truth.norm()),
            "miou": float(((masks & self.masks).sum((-2, -1)) / union).mean()),
        }


def flops_of(name: str) -> float:
    """Operations of an encoding, as published: every window whole, biases included."""
    width, _ = SHAPES[name]
    depth = {"vit_b": 12, "vit_h": 32}[name]
    layers = depth * 2 * 4096 * 12 * width**2
    grids = 4 * (4 * 4096**2 + 2 * 4096 * 128) * width
    windows = (depth - 4) * 25 * (4 * 196**2 + 2 * 196 * 28) * width
    return layers + grids + windows + 2 * 4096 * (768 * width + 256 * width + 9 * 256**2)


def compiled_by_block(encoder: nn.Module) -> nn.Module:
    """Compile each block by itself: two graphs, one for windows and one for the grid, serve all."""
    for block in encoder.blocks:
        block.compile()
    return encoder


def whole(bench: Bench, name: str, checkout: str, asked: tuple[str, ...]) -> None:
    """Whole encoders of one size."""
    part = f"{name} encode"
    if bench.only and bench.only not in part:
        return
    torch.compiler.reset()
    each = Encoders(name)
    encoder = each.model.image_encoder

    def ours_on(pixels: Tensor) -> Tensor:
        return encoder(pixels)[0]

    if "fp32" in asked:
        each.measure(bench, "ours fp32", encoder, ours_on, (1,))
        bench.row(part, "fp32 beside the CPU", lambda: beside_cpu(each))
    encoder.to(torch.bfloat16)
    if "bf16" in asked:
        each.measure(bench, "ours bf16", encoder, ours_on, (1, 8, 16))
        bench.row(part, "ours bf16, CUDA graph b1", lambda: replayed(encoder, each.pixels[:1].bfloat16()))
    if "profile" in asked:
        bench.row(part, "profile b8", lambda: profiled(lambda: encoder(each.pixels[:8].bfloat16())))
    if "pipeline" in asked:
        bench.row(part, "embed_batch of 32, b8", lambda: pipeline(each))
    if "mask" in asked:
        with unfused():
            each.measure(bench, "ours bf16, bias as mask", encoder, ours_on, (1, 8))
    if "gelu" in asked:
        with gelu_in_product(encoder):
            each.measure(bench, "ours bf16, tanh GELU in product", encoder, ours_on, (8,))
    if "transformers" in asked and (peer := built(lambda: from_transformers(each.weights))):

        def theirs(pixels: Tensor) -> Tensor:
            found = peer.get_image_embeddings(pixels)
            return found if isinstance(found, Tensor) else found[0]

        each.measure(bench, "transformers bf16", peer.vision_encoder, theirs, (1, 8))
    if checkout and "reference" in asked and (other := built(lambda: reference(checkout, name, each.weights))):
        each.measure(bench, "reference bf16", other, other, (1, 8))
        each.measure(bench, "reference bf16, blocks compiled", other, compiled_by_block(other), (1,))
    if "compile" in asked:
        encoder.compile()
        each.measure(bench, "ours bf16, compiled", encoder, lambda x: encoder(x)[0], (1,))


def built(build: Callable[[], nn.Module]) -> nn.Module | None:
    """A peer in bf16, or nothing where it cannot be built."""
    try:
        return build().to(torch.bfloat16)
    except Exception as error:
        print(f"not built: {type(error).__name__}: {error}"[:300])
        return None


@contextlib.contextmanager
def gelu_in_product(encoder: nn.Module) -> Iterator[None]:
    """Let the first layer of the feed-forward apply GELU as it writes; cuBLAS knows only the tanh form."""

    def forward(mlp: Any, x: Tensor) -> Tensor:
        flat = x.flatten(0, -2)
        hidden = torch.ops.aten._addmm_activation(mlp.lin1.bias, flat, mlp.lin1.weight.T, use_gelu=True)
        return mlp.lin2(hidden).view(x.shape)

    kept = type(encoder.blocks[0].mlp).forward
    type(encoder.blocks[0].mlp).forward = forward
    try:
        yield
    finally:
        type(encoder.blocks[0].mlp).forward = kept


@torch.no_grad()
def profiled(run: Callable[[], object]) -> dict[str, Any]:
    """Where the GPU's time goes: kernels by their milliseconds."""
    from torch.profiler import ProfilerActivity, profile

    run()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        run()
        torch.cuda.synchronize()
    times = [(one.device_time_total / 1000, one.count, one.key) for one in found.key_averages()]
    times.sort(reverse=True)
    return {
        "total_ms": sum(took for took, _, _ in times),
        "kernels": "".join(f"\n      {took:8.2f} ms {count:4} x {key[:110]}" for took, count, key in times[:16]),
    }


@torch.no_grad()
def replayed(encoder: nn.Module, pixels: Tensor) -> dict[str, Any]:
    """Milliseconds of a captured graph: what the GPU takes where nothing launches."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        encoder(pixels)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        encoder(pixels)
    return {"ms_per_image": milliseconds(graph.replay)}


@torch.no_grad()
def beside_cpu(each: "Encoders") -> dict[str, Any]:
    """How far the GPU in fp32 is from the CPU, with cuDNN's TF32 and without."""
    encoder = each.model.image_encoder
    gpu = [encoder(each.pixels[:1])[0].cpu()]
    torch.backends.cudnn.allow_tf32 = not torch.backends.cudnn.allow_tf32
    gpu.append(encoder(each.pixels[:1])[0].cpu())
    torch.backends.cudnn.allow_tf32 = not torch.backends.cudnn.allow_tf32
    cpu = encoder.cpu()(each.pixels[:1].cpu())[0]
    encoder.cuda()
    masks = [each.masks_of(x.cuda()) for x in (*gpu, cpu)]
    iou = [float(((m & masks[2]).sum((-2, -1)) / (m | masks[2]).sum((-2, -1)).clamp(min=1)).mean()) for m in masks]
    error = [float((x - cpu).norm() / cpu.norm()) for x in gpu]
    return {"error": error[0], "error_other_tf32": error[1], "miou": iou[0], "miou_other_tf32": iou[1]}


def pipeline(each: Encoders) -> dict[str, Any]:
    """Pictures to embeddings, uploads and preprocessing included, by the clock."""
    rng = np.random.default_rng(0)
    images = [Image(rng.integers(0, 255, (1080, 1920, 3), dtype=np.uint8)) for _ in range(8)] * 4
    for _ in embed_batch(each.model, images[:8]):
        pass
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in embed_batch(each.model, images):
        pass
    torch.cuda.synchronize()
    return {"ms_per_image": 1000 * (time.perf_counter() - begun) / len(images)}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", default="", help="a checkout of segment-anything")
    parser.add_argument("--out", help="JSON to write")
    parser.add_argument("--limit", type=float, default=100.0, help="seconds after which no row begins")
    parser.add_argument(
        "--only", default="", help="only parts whose name contains this, such as 'encode' or 'vit_h grid'"
    )
    args = parser.parse_args()
    bench = Bench(args.limit, args.only)
    asked = [(m, k, b, "bfloat16") for m in SHAPES for k, each in BLOCKS.items() for b in each]
    asked += [("vit_h", "odd", one, dtype) for one in ODD for dtype in ("bfloat16", "float16")]
    asked += [("vit_b", "grid", (32, 64, 4, 2), "float32"), ("vit_b", "windows", (32, 32, 4, 2), "float32")]
    if not args.only or "encode" not in args.only:
        # Before this process touches the GPU: those that are forked bring a context of their own.
        with ProcessPoolExecutor(min(16, os.cpu_count() or 1), get_context("fork")) as pool:
            for told in pool.map(compile_first, asked):
                if told:
                    print(told, flush=True)
    print(f"[{time.perf_counter() - STARTED:5.1f}] {len(asked)} kernels compiled", flush=True)
    if not torch.cuda.is_available():
        sys.exit("this benchmark needs an NVIDIA GPU")
    for name, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        found = ceilings(dtype)
        bench.peak[name] = found["tflops"] * 1e12
        bench.rows.append({"part": "ceilings", "name": name, **found})
        print(as_line(bench.rows[-1]))
    measure_all(bench, args.reference)
    told = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "rows": bench.rows}
    if args.out:
        Path(args.out).write_text(json.dumps(told, indent=1) + "\n")
    print(f"\n{told['device']}, torch {told['torch']}")
    for row in bench.rows:
        row.pop("kernels", None)
        print(as_line(row))


def measure_all(bench: Bench, checkout: str) -> None:
    """Everything, the most wanted first."""
    bf16 = torch.bfloat16
    for dtype in (bf16, torch.float16):
        bench.row("odd sizes", str(dtype)[6:], lambda dtype=dtype: {"errors": [odd_size(*one, dtype) for one in ODD]})
    bench.row("upload and resize", "1080p", resized_on_gpu)
    for model in ("vit_b", "vit_h"):
        for kind in ("windows", "grid"):
            attention(bench, model, kind, 8, bf16, BLOCKS[kind])
        print(f"blocks of {model}: {fused_attention._BLOCKS}")
        whole(bench, model, checkout, WHOLE[model])
        torch.cuda.empty_cache()
    attention(bench, "vit_b", "grid", 1, torch.float32, [(32, 64, 4, 2)], ", others")
    attention(bench, "vit_b", "windows", 1, torch.float32, [(32, 32, 4, 2)], ", others")
    for kind in ("windows", "grid"):
        attention(bench, "vit_h", kind, 8, bf16, BLOCKS[kind][:1], ", others")
    whole(bench, "vit_b", checkout, ("compile",))
    whole(bench, "vit_h", checkout, ("gelu", "reference"))


def resized_on_gpu() -> dict[str, Any]:
    """Milliseconds of bringing a picture to the GPU's frame, and whether its pixels are those of the CPU."""
    spec = build_model("test-sam").frame
    rng = np.random.default_rng(0)
    equal = True
    for size_hw in ((1080, 1920), (480, 640), (720, 1280), (900, 600), (37, 1000)):
        frame = ModelFrame.of(size_hw, spec)
        for _ in range(2):  # the first is Pillow's and teaches the order
            pixels = rng.integers(0, 256, (*size_hw, 3), dtype=np.uint8)
            equal &= torch.equal(frame.pixels_to_model(pixels, "cuda").cpu(), frame.pixels_to_model(pixels, "cpu"))
    frame = ModelFrame.of((1080, 1920), spec)
    pixels = rng.integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(10):
        frame.pixels_to_model(pixels, "cuda")
    torch.cuda.synchronize()
    return {"ms": 100 * (time.perf_counter() - begun), "equal_to_cpu": equal}


if __name__ == "__main__":
    main()
