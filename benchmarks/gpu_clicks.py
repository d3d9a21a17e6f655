"""How fast is a click, and how fast is everything-mode, on a GPU with a cached embedding? Old ways beside new ones.

python benchmarks/gpu_clicks.py --reference PATH/segment-anything --out gpu_clicks.json
python benchmarks/gpu_clicks.py --device cpu --points-per-side 6      # what can be checked without a GPU

ViT-B has random weights, smoothed as in everything.py, with thresholds that keep some hundred masks; `tiny` has its own
and sees the example picture. Times are medians by the clock with the device waited for, after a warm-up. A row that
fails says why, and the others go on.
"""

import argparse
import copy
import json
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from everything import _embedding, _write_smooth_weights
from harness import machine
from peers import our_model, reference_model

SIZE_HW = (1024, 1024)


@dataclass
class Rows:
    """Collects rows; prints each as it comes, and all of them at the end."""

    seconds: float
    began: float = field(default_factory=time.perf_counter)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, measure: Callable[[], dict[str, Any]]) -> None:
        """Measure a row, or say why there is none."""
        if time.perf_counter() - self.began > self.seconds:
            row: dict[str, Any] = {"name": name, "error": "left out: no time"}
        else:
            try:
                row = {"name": name, **measure()}
            except Exception as error:
                traceback.print_exc(limit=4)
                row = {"name": name, "error": f"{type(error).__name__}: {error}"[:300]}
        row["at_s"] = round(time.perf_counter() - self.began, 1)
        self.rows.append(row)
        print(_line(row), flush=True)


def _line(row: dict[str, Any]) -> str:
    shown = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items() if key != "name"}
    return f"{row['name']:44}" + "  ".join(f"{key}={value}" for key, value in shown.items())


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _times(run: Callable[[], Any], rounds: int, warm: int = 1) -> list[float]:
    for _ in range(warm):
        run()
    found = []
    for _ in range(rounds if torch.cuda.is_available() else 1):
        _wait()
        start = time.perf_counter()
        run()
        _wait()
        found.append(1000 * (time.perf_counter() - start))
    return found


def _peak_mb(run: Callable[[], Any]) -> float:
    if not torch.cuda.is_available():
        run()
        return 0.0
    _wait()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    _wait()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


@contextmanager
def _graphs(on: bool) -> Iterator[None]:
    import os

    os.environ["MASKWRIGHT_CUDA_GRAPHS"] = "1" if on else "0"
    yield
    os.environ.pop("MASKWRIGHT_CUDA_GRAPHS")


class Bench:
    """The models, their embeddings and thresholds."""

    def __init__(self, device: str, points_per_side: int, weights: str) -> None:
        import maskwright as mw
        from maskwright.core import Image
        from maskwright.models import load_model
        from maskwright.models.frame import ModelFrame
        from maskwright.models.protocol import Features
        from maskwright.predict import EverythingSettings, embed, preset_for
        from maskwright.predict.embedding import ImageEmbedding, model_ref

        self.device, self.side = device, points_per_side
        self.vit_b: Any = our_model("vit_b", weights).to(device)
        self.picture = Image(np.random.default_rng(0).integers(0, 256, (*SIZE_HW, 3), dtype=np.uint8))
        self.embedding = ImageEmbedding(
            features=Features(image_embedding=_embedding().to(device)),
            frame=ModelFrame.of(SIZE_HW, self.vit_b.frame),
            image_digest=self.picture.digest,
            model=model_ref(self.vit_b),
        )
        self.tiny: Any = load_model("tiny", device=device)
        self.example = mw.read_image(mw.example_path())
        self.tiny_embedding = embed(self.tiny, self.example)
        mask_threshold, good, stable = self._calibrate()
        self.vit_b.mask_threshold = mask_threshold
        self.settings = EverythingSettings(
            points_per_side=points_per_side, pred_iou_thresh=good, stability_score_thresh=stable
        )
        self.tiny_settings = replaced(preset_for(self.tiny.card), points_per_side=points_per_side)

    def _calibrate(self) -> tuple[float, float, float]:
        """Thresholds from 64 clicks, as in everything.py: two fifths of the candidates pass, then half of those."""
        from maskwright.predict.candidates import clicks_at
        from maskwright.predict.masks_on_device import count_on_device

        along = (np.arange(8) + 0.5) / 8
        x, y = np.meshgrid(along * SIZE_HW[1], along * SIZE_HW[0])
        prompts = clicks_at(np.stack([x, y], -1).reshape(-1, 2), self.embedding.frame, self.vit_b.device)
        with torch.no_grad():
            decoded = self.vit_b.decode(self.embedding.features, prompts, multimask=True)
        mask_threshold = float(decoded.logits.flatten()[::97].quantile(0.98))
        good = float(decoded.predicted_iou.quantile(0.6))
        passing = decoded.logits[decoded.predicted_iou > good]
        table = count_on_device(passing, self.embedding.frame, mask_threshold, stability_offset=1.0).cpu().numpy()
        stable = float(np.median(table[:, 1] / np.maximum(table[:, 2], 1)))
        return mask_threshold, good, stable

    def crop(self, model: Any, settings: Any) -> Any:
        """The whole picture, as everything-mode sees it."""
        from maskwright.predict.candidates import Crop

        embedding = self.embedding if model is not self.tiny else self.tiny_embedding
        height, width = embedding.size_hw
        points = settings.point_grid(0) * np.array([width, height])
        return Crop(embedding=embedding, points_xy=points, box=(0, 0, width, height), size_hw=embedding.size_hw)

    def in_batches(self, model: Any, settings: Any) -> list[Any]:
        """Everything-mode as a CPU does it, on whatever the model is on."""
        from maskwright.predict.everything import _find_in_batches

        return _find_in_batches(model, self.crop(model, settings), settings, lambda _: None, multimask=True)

    def on_device(self, model: Any, settings: Any) -> list[Any]:
        """Everything-mode as a GPU does it."""
        from maskwright.predict.everything_on_device import find_on_device

        return find_on_device(model, self.crop(model, settings), settings, lambda _: None)


def replaced(value: Any, **changes: Any) -> Any:
    """`dataclasses.replace`, for values of any type."""
    import dataclasses

    return dataclasses.replace(value, **changes)


def clicks(bench: Bench, name: str, graphs: bool) -> dict[str, Any]:
    """One click on a cached embedding: predict, then to_records."""
    from maskwright.core import PointPrompt
    from maskwright.predict import predict, to_records

    model = bench.vit_b if name == "vit_b" else bench.tiny
    embedding = bench.embedding if name == "vit_b" else bench.tiny_embedding
    height, width = embedding.size_hw
    at = np.random.default_rng(1).uniform(0.1, 0.9, (80, 2)) * (width, height)
    points = iter([PointPrompt([(float(x), float(y))]) for x, y in at] * 10)
    parts: dict[str, list[float]] = {"predict": [], "records": [], "total": []}
    with _graphs(graphs):
        for i in range(70 if torch.cuda.is_available() else 11):
            prompt = next(points)
            _wait()
            start = time.perf_counter()
            batch = predict(model, embedding, [prompt])
            _wait()
            middle = time.perf_counter()
            to_records(batch)
            end = time.perf_counter()
            if i >= 10:
                parts["predict"].append(1000 * (middle - start))
                parts["records"].append(1000 * (end - middle))
        # The wait in between costs something; without it:
        parts["total"] = _times(lambda: to_records(predict(model, embedding, [next(points)])), 60, 5)
    row = {f"{part}_p50": statistics.median(times) for part, times in parts.items()}
    return row | {"total_p95": sorted(parts["total"])[int(0.95 * len(parts["total"]))]}


def decoding(bench: Bench, name: str, num_prompts: int) -> dict[str, Any]:
    """`decode` alone, launched one by one and as a graph; are the logits the same?"""
    from maskwright.predict.candidates import clicks_at

    model = bench.vit_b if name == "vit_b" else bench.tiny
    embedding = bench.embedding if name == "vit_b" else bench.tiny_embedding
    height, width = embedding.size_hw
    places = np.random.default_rng(2).uniform(0.1, 0.9, (num_prompts, 2)) * (width, height)
    prompts = clicks_at(places, embedding.frame, model.device)
    row: dict[str, Any] = {}
    outcomes = []
    with torch.no_grad():
        for label, on in (("eager_ms", False), ("graph_ms", True)):
            with _graphs(on):
                run = partial(model.decode, embedding.features, prompts, multimask=True)
                row[label] = statistics.median(_times(run, 30, 5))
                outcomes.append(run().logits)
    return row | {"max_difference": float((outcomes[0] - outcomes[1]).abs().max())}


def drawing(bench: Bench, num_masks: int) -> dict[str, Any]:
    """RLE of some masks: the CPU's kernel after a transfer, and the device."""
    from maskwright.predict import upscale
    from maskwright.predict.masks_on_device import draw_on_device

    logits, frame, threshold = _some_logits(bench, num_masks), bench.embedding.frame, bench.vit_b.mask_threshold

    def on_cpu() -> list[Any]:
        return upscale.masks_from_logits(logits.cpu(), frame, threshold, stability_offset=1.0)

    def on_device() -> list[Any]:
        return draw_on_device(logits, frame, threshold, stability_offset=1.0)

    row = {
        "cpu_ms": statistics.median(_times(on_cpu, 7)),
        "device_ms": statistics.median(_times(on_device, 7)),
    }
    pixels = [int(abs(a.area - b.area)) for a, b in zip(on_cpu(), on_device(), strict=True)]
    same = sum(a.rle == b.rle for a, b in zip(on_cpu(), on_device(), strict=True))
    return row | {"identical": same, "most_pixels_apart": max(pixels)}


def counting(bench: Bench) -> dict[str, Any]:
    """Are the counts on the device those of the CPU's kernel, for pictures of several shapes?"""
    from maskwright.models.frame import ModelFrame
    from maskwright.predict import masks_from_logits
    from maskwright.predict.masks_on_device import count_on_device

    logits, most = _some_logits(bench, 12), 0
    for size_hw in (SIZE_HW, (480, 640), (1500, 1000), (37, 900)):
        frame = ModelFrame.of(size_hw, bench.vit_b.frame)
        threshold = bench.vit_b.mask_threshold
        table = count_on_device(logits, frame, threshold, stability_offset=1.0).cpu().numpy()
        drawn = masks_from_logits(logits.cpu(), frame, threshold, stability_offset=1.0)
        expected = [(one.area, one.num_inner, one.num_outer, *one.box_xyxy) for one in drawn]
        most = max(most, int(np.abs(table - np.array(expected)).max()))
    return {"most_apart": most}


def _some_logits(bench: Bench, num_masks: int) -> torch.Tensor:
    from maskwright.predict.candidates import clicks_at

    places = np.random.default_rng(4).uniform(0.05, 0.95, (-(-num_masks // 3), 2)) * SIZE_HW[::-1]
    prompts = clicks_at(places, bench.embedding.frame, bench.vit_b.device)
    with torch.no_grad():
        return bench.vit_b.decode(bench.embedding.features, prompts, multimask=True).logits.flatten(0, 1)[:num_masks]


def stages(bench: Bench, model: Any, decoder: Any) -> dict[str, Any]:
    """What all points cost stage by stage: transformer, drawing of all candidates, counting them, RLE of a hundred."""
    from maskwright.predict.candidates import clicks_at
    from maskwright.predict.masks_on_device import count_on_device, draw_on_device

    crop = bench.crop(model, bench.settings)
    prompts = clicks_at(crop.points_xy, crop.embedding.frame, model.device)
    features, size = crop.embedding.features, 4 * bench.settings.points_per_batch
    logits = _some_logits(bench, min(384, 3 * len(crop.points_xy)))
    scale = 3 * len(crop.points_xy) / len(logits)

    def transform() -> None:
        for _ in model._decodings(features, prompts, size, decoder):
            pass

    def transform_and_draw() -> None:
        for _, _, one in model._decodings(features, prompts, size, decoder):
            decoder.draw_each(one, slice(1, None))

    with torch.no_grad():
        through, drawn = (statistics.median(_times(run, 3)) for run in (transform, transform_and_draw))
    frame, threshold = crop.embedding.frame, model.mask_threshold
    count = statistics.median(_times(lambda: count_on_device(logits, frame, threshold, stability_offset=1.0), 3))
    rle = statistics.median(_times(lambda: draw_on_device(logits[:100], frame, threshold), 3))
    return {"transformer": through, "draw_all": drawn - through, "count_all": count * scale, "rle_100": rle}


def busy(bench: Bench, model: Any) -> dict[str, Any]:
    """How long a GPU works in a whole everything-mode, and what on; the rest of the time it waits."""
    run = partial(bench.on_device, model, bench.settings)
    run()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        run()
        _wait()
    kernels = sorted(profile.key_averages(), key=lambda one: -one.self_device_time_total)
    for one in kernels[:14]:
        print(f"    {one.self_device_time_total / 1000:8.2f} ms  {one.count:5} x {one.key[:110]}")
    total = sum(one.self_device_time_total for one in kernels)
    return {"gpu_ms": total / 1000, "launches": sum(one.count for one in kernels)}


def everything(bench: Bench, model: Any, settings: Any, find: Callable[..., Any], first: list[Any]) -> dict[str, Any]:
    """A whole everything-mode; compared with the first that was run."""
    from maskwright.masks import iou_matrix

    found = find(model, settings)
    row: dict[str, Any] = {
        "ms": statistics.median(_times(lambda: find(model, settings), 3, 0)),
        "peak_mb": _peak_mb(lambda: find(model, settings)),
        "masks": len(found),
    }
    if not first:
        first.extend(found)
        return row
    same = sum(a.rle == b.rle for a, b in zip(found, first, strict=False))
    pairs = zip([one.point_xy for one in found], [one.point_xy for one in first], strict=False)
    best = iou_matrix([one.rle for one in found], [one.rle for one in first]).max(1) if found else np.zeros(1)
    return row | {
        "identical": same,
        "in_order": sum(a == b for a, b in pairs),
        "least_iou": float(best.min()),
        "mean_iou": float(best.mean()),
    }


def choose_overlap(bench: Bench) -> dict[str, Any]:
    """Let more of the masks stand beside each other until some hundred are kept, as of a photograph."""
    masks = 0
    for threshold in (0.7, 0.8, 0.9, 0.95, 0.98):
        bench.settings = replaced(bench.settings, box_nms_thresh=threshold)
        masks = len(bench.on_device(bench.vit_b, bench.settings))
        if masks >= 60:
            break
    return {"box_nms_thresh": bench.settings.box_nms_thresh, "masks": masks}


def half(model: Any) -> Any:
    """A copy as it is loaded on a GPU by default: the encoder in bf16, and so many clicks decoded in half precision."""
    made = copy.deepcopy(model)
    made.image_encoder.bfloat16()
    return made


def records(bench: Bench, model: Any) -> dict[str, Any]:
    """`everything` as users call it, records included, with the embedding and without."""
    from maskwright.predict import embed
    from maskwright.predict import everything as find_records
    from maskwright.predict.embedding import model_ref

    image, embedding = bench.picture, replaced(bench.embedding, model=model_ref(model))
    cached = partial(find_records, model, image, settings=bench.settings, embedding=embedding)
    return {
        "cached_ms": statistics.median(_times(cached, 3)),
        "masks": len(cached()),
        "embed_ms": statistics.median(_times(lambda: embed(model, image), 3)),
        "both_ms": statistics.median(_times(lambda: find_records(model, image, settings=bench.settings), 3)),
    }


def on_cpu(bench: Bench, name: str) -> dict[str, Any]:
    """Clicks here and on the CPU: are the masks the same?"""
    from maskwright.core import BoxPrompt, PointPrompt
    from maskwright.masks import iou_matrix
    from maskwright.predict import predict, to_records

    model = bench.vit_b if name == "vit_b" else bench.tiny
    embedding = bench.embedding if name == "vit_b" else bench.tiny_embedding
    height, width = embedding.size_hw
    at = np.random.default_rng(5).uniform(0.1, 0.8, (10, 2)) * (width, height)
    prompts = [PointPrompt([(float(x), float(y))]) for x, y in at]
    prompts += [BoxPrompt((float(x), float(y), float(x) + 90, float(y) + 90)) for x, y in at]
    other = copy.deepcopy(model).to("cpu")
    there = replaced(embedding, features=embedding.features.to("cpu"))
    masks = [
        [record.rle for record in to_records(predict(net, seen, prompts))]
        for net, seen in ((model, embedding), (other, there))
    ]
    ious = np.diag(iou_matrix(masks[0], masks[1]))
    ious = np.where([a == b for a, b in zip(*masks, strict=True)], 1.0, ious)  # two empty masks have an IoU of 0
    return {"least_iou": float(ious.min()), "mean_iou": float(ious.mean()), "masks": len(ious)}


def reference(bench: Bench, checkout: str, weights: str, first: list[Any]) -> dict[str, Any]:
    """Meta's SamAutomaticMaskGenerator on the same device, with the embedding put into its predictor."""
    from maskwright.masks import from_coco, iou_matrix

    network: Any = reference_model(checkout, "vit_b", weights).to(bench.device)
    from segment_anything import SamAutomaticMaskGenerator

    network.mask_threshold = bench.vit_b.mask_threshold
    settings = bench.settings
    generator = SamAutomaticMaskGenerator(
        network,
        output_mode="coco_rle",
        points_per_side=bench.side,
        points_per_batch=64,
        pred_iou_thresh=settings.pred_iou_thresh,
        stability_score_thresh=settings.stability_score_thresh,
        box_nms_thresh=settings.box_nms_thresh,
    )
    predictor = generator.predictor
    predictor.features = bench.embedding.features.image_embedding
    predictor.original_size = SIZE_HW
    predictor.input_size = predictor.transform.get_preprocess_shape(*SIZE_HW, 1024)
    predictor.is_image_set = True
    predictor.set_image = predictor.reset_image = lambda *_: None
    found = generator.generate(bench.picture.pixels)
    times = _times(lambda: generator.generate(bench.picture.pixels), 1, 0)
    click = _reference_click(network, predictor)
    theirs, ours = [from_coco(one["segmentation"]) for one in found], [one.rle for one in first]
    best = iou_matrix(theirs, ours).max(1) if theirs and ours else np.zeros(1)
    return {
        "ms": times[0],
        "click_ms": click,
        "masks": len(theirs),
        "ours": len(ours),
        "identical": len(set(theirs) & set(ours)),
        "least_iou": float(best.min()),
        "mean_iou": float(best.mean()),
    }


def _reference_click(network: Any, predictor: Any) -> float:
    """One click with Meta's predictor, its masks as numpy arrays and not as RLE."""
    point, label = np.array([[400.0, 500.0]]), np.array([1])
    return statistics.median(
        _times(lambda: predictor.predict(point_coords=point, point_labels=label, multimask_output=True), 20, 3)
    )


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", help="a checkout of segment-anything")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--points-per-side", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=75, help="rows that would begin later are left out")
    parser.add_argument("--out", type=Path, help="a file for the rows, as JSON")
    args = parser.parse_args()
    rows = Rows(args.seconds)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pt"
        _write_smooth_weights(weights)
        bench = Bench(args.device, args.points_per_side, str(weights))
        print(f"set up in {time.perf_counter() - rows.began:.1f} s; {bench.settings}", flush=True)
        measure(rows, bench, args.reference, str(weights))
    about = {**machine(), "points_per_side": args.points_per_side}
    print("\n" + "\n".join(_line(row) for row in rows.rows) + f"\n{about}")
    if args.out:
        args.out.write_text(json.dumps({"machine": about, "rows": rows.rows}, indent=1) + "\n")


def measure(rows: Rows, bench: Bench, checkout: str | None, weights: str) -> None:
    """Take the rows, the most wanted first."""
    first: list[Any] = []
    if bench.device != "cpu":
        rows.add("overlap", lambda: choose_overlap(bench))
    vit_b, settings = bench.vit_b, bench.settings
    for name in ("vit_b", "tiny"):
        rows.add(f"{name} click, no graphs", lambda name=name: clicks(bench, name, False))
        rows.add(f"{name} click, graphs", lambda name=name: clicks(bench, name, True))
        for num_prompts in (1, 4):
            rows.add(f"{name} decode {num_prompts}", lambda name=name, n=num_prompts: decoding(bench, name, n))
    for num_masks in (1, 4, 128):
        rows.add(f"RLE of {num_masks}", lambda n=num_masks: drawing(bench, n))
    low = half(vit_b)
    rows.add("counts", lambda: counting(bench))
    rows.add("everything, batches", lambda: everything(bench, vit_b, settings, bench.in_batches, first))
    rows.add("everything, on device", lambda: everything(bench, vit_b, settings, bench.on_device, first))
    rows.add("everything, on device, half", lambda: everything(bench, low, settings, bench.on_device, first))
    rows.add("everything, records", lambda: records(bench, vit_b))
    rows.add("everything, records, half", lambda: records(bench, low))
    if checkout:
        rows.add("Meta", lambda: reference(bench, checkout, weights, first))
    found: list[Any] = []
    tiny = bench.tiny, bench.tiny_settings
    for name, find in (("batches", bench.in_batches), ("on device", bench.on_device)):
        rows.add(f"tiny everything, {name}", lambda f=find: everything(bench, *tiny, f, found))
    rows.add("stages", lambda: stages(bench, vit_b, vit_b.mask_decoder))
    if bench.device != "cpu":
        rows.add("stages half", lambda: stages(bench, low, copy.deepcopy(vit_b.mask_decoder).half()))
        rows.add("busy", lambda: busy(bench, vit_b))
        rows.add("busy half", lambda: busy(bench, low))
    for size in (32, 128):
        other = replaced(settings, points_per_batch=size)
        rows.add(
            f"everything, on device, half, {size} a batch",
            lambda s=other: everything(bench, low, s, bench.on_device, first),
        )
    for name in ("vit_b", "tiny"):
        rows.add(f"{name} beside the CPU", lambda name=name: on_cpu(bench, name))


if __name__ == "__main__":
    main()
