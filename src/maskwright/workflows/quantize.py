"""`quantize_model`: a model's image encoder in 8-bit integers, written only if its masks are as good as before.

The decoder stays in float: it takes a few percent of the time, and positions need its digits. How much is left in float
is found by measurement: all layers in 8 bits first, then fewer, until the masks pass the gate.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from maskwright.core.errors import CheckpointError, ModelError, SettingError
from maskwright.evaluate.dataset import LabelledPicture
from maskwright.models import load_model
from maskwright.models.backends.export import to_onnx
from maskwright.models.backends.exported import ExportedSam, exported_model
from maskwright.models.backends.onnx_file import OnnxExport, write_onnx
from maskwright.models.backends.onnx_runtime import OnnxRuntime
from maskwright.models.frame import FrameSpec, ModelFrame
from maskwright.models.quantize.qdq import quantize
from maskwright.models.quantize.ranges import Observed, observe, open_session, share_outside
from maskwright.models.quantize.scaling import scale_channels
from maskwright.models.quantize.sensitivity import GroupError, Level, group_errors, levels, relative_error
from maskwright.models.quantize.weights_only import shrink_weights
from maskwright.workflows.frame_statistics import apart, frame_statistics, unusual
from maskwright.workflows.mask_gate import (
    Answers,
    ChangedAnswer,
    Gate,
    GateResult,
    Question,
    answer,
    ask,
    measure,
    worst_answers,
)
from maskwright.workflows.quantize_frames import find_frames, read_all

if TYPE_CHECKING:
    import onnx

KINDS = ("int8", "weights-int8", "weights-fp16")
NUM_FRAMES = 64
_DRAWN = 12  # of the answers that changed most
_PROBED = 2  # frames that groups of layers are tried on
_ROUNDS = 5
_MOST_OUTSIDE = 0.01  # of the values of a tensor, beyond all that calibration saw
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A choice that was measured: the groups of layers left in float, the share of layers in 8 bits, and its masks."""

    kept: tuple[str, ...]
    share: float
    result: GateResult


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeReport:
    """What was done and measured. Times are processor milliseconds of the image encoder on one thread."""

    base: str
    base_sha256: str
    kind: str
    data: str
    num_calibration: int
    gate: Gate
    tried: tuple[Tried, ...]
    errors: tuple[GroupError, ...] = ()
    scaled: bool = False
    before_ms: float = 0.0
    after_ms: float = 0.0
    before_bytes: int = 0
    after_bytes: int = 0
    warnings: tuple[str, ...] = ()
    path: Path | None = field(default=None)
    worst: tuple[ChangedAnswer, ...] = field(default=(), repr=False)

    @property
    def chosen(self) -> Tried:
        """The choice that passed."""
        return self.tried[-1]

    @property
    def times_as_fast(self) -> float:
        """Of the image encoder, beside the same in fp32."""
        return self.before_ms / max(self.after_ms, 1e-9)

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON's values, without the masks."""
        worst = [{"picture": one.picture.name, "kind": one.kind, "agreement": one.agreement} for one in self.worst]
        told = asdict(replace(self, worst=())) | {
            "worst": worst,
            "path": str(self.path),
            "times_as_fast": round(self.times_as_fast, 3),
        }
        return told


def quantize_model(
    name: str,
    data: str,
    out: Path,
    *,
    kind: str = "int8",
    gate: Gate | None = None,
    num_frames: int = NUM_FRAMES,
    statuses: Sequence[str] | None = None,
    say: Say = lambda text: None,
) -> QuantizeReport:
    """Quantise a model on frames of `data` and write it if its masks pass the gate.

    `statuses` says which masks of a store are taken for true; accepted ones unless named.

    Raises:
        SettingError: the kind is unknown, the file is not called X.onnx, or statuses are named and there is no store.
        InputError, ImageError: the frames are missing, unreadable or too few.
        CheckpointError: the model is an exported one already.
        ModelError: a package is missing, or the masks do not pass the gate; the message says by how much.
    """
    gate = gate or Gate()
    if kind not in KINDS:
        raise SettingError(f"--kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if out.suffix != ".onnx":
        raise SettingError(f"a quantised model is an ONNX file; name it X.onnx: {out}")
    frames = find_frames(data, num_frames, statuses)
    model = load_model(name, precision="fp32")
    if isinstance(model, ExportedSam):
        done = f"in {model.manifest.treatment['kind']} already" if model.manifest.treatment else "exported already"
        raise CheckpointError(
            f"expected a model of PyTorch, got one that is {done}. Quantise {model.card.name}: {name}"
        )
    calibration, held_out = read_all(frames.calibration, say), read_all(frames.gate, say)
    warnings = _compare_frames(calibration, held_out)
    say(f"asking {name} about {len(held_out)} frames")
    questions = ask(model, held_out)
    export, _ = to_onnx(model, say=say)
    job = _Job(export, questions, gate, say)
    inputs = [_pixels(one, model.frame) for one in calibration]
    if kind == "int8":
        chosen, found = _in_integers(job, inputs, [_pixels(one, model.frame) for one in held_out[:4]], warnings)
    else:
        chosen, found = job.encoder_with(shrink_weights(job.encoder, kind.removeprefix("weights-"))), {}
        job.try_out(chosen, (), 1.0)
    report = QuantizeReport(
        base=name,
        base_sha256=model.checkpoint_sha256,
        kind=kind,
        data=Path(data).name,
        num_calibration=len(calibration),
        gate=gate,
        tried=tuple(job.tried),
        warnings=tuple(warnings),
        before_bytes=_num_bytes(export),
        after_bytes=_num_bytes(chosen),
        worst=tuple(worst_answers(questions, job.answers, _DRAWN)),
        **found,
    )
    if not report.chosen.result.passes(gate):
        raise ModelError(_refusal(report))
    say("timing")
    before_ms, after_ms = _time([job.encoder, chosen.graphs["encoder"]], inputs[0])
    report = replace(report, before_ms=before_ms, after_ms=after_ms, path=out)
    write_onnx(_described(chosen, report), out)
    return report


class _Job:
    """An export whose encoder is being changed, and the questions that its masks have to answer."""

    def __init__(self, export: OnnxExport, questions: Sequence[Question], gate: Gate, say: Say) -> None:
        self.export, self.questions, self.gate, self.say = export, questions, gate, say
        self.encoder = export.graphs["encoder"]
        self.tried: list[Tried] = []
        self.answers: Answers = []  # of the last that was tried

    def encoder_with(self, encoder: "onnx.ModelProto") -> OnnxExport:
        """Put a changed encoder into the place of the one that there was."""
        return replace(self.export, graphs={**self.export.graphs, "encoder": encoder})

    def try_out(self, export: OnnxExport, kept: tuple[str, ...], share: float) -> bool:
        """Measure the masks, and say whether they pass."""
        self.answers = answer(exported_model(OnnxRuntime.of_export(export), export.manifest), self.questions)
        result = measure(self.questions, self.answers)
        self.tried.append(Tried(kept=kept, share=share, result=result))
        verdict = "passes" if result.passes(self.gate) else "too much"
        self.say(
            f"{100 * share:.0f} % of the layers in 8 bits: IoU falls by {result.mean_drop:.4f} on average, by "
            f"{result.tail_drop:.4f} at the 5th percentile; agreement {result.agreement:.3f} and "
            f"{result.agreement_tail:.3f}: {verdict}"
        )
        return result.passes(self.gate)


def _in_integers(
    job: _Job,
    inputs: Sequence[Float[np.ndarray, "1 3 S S"]],
    others: Sequence[Float[np.ndarray, "1 3 S S"]],
    warnings: list[str],
) -> tuple[OnnxExport, dict[str, Any]]:
    """Find ranges, then the most layers in 8 bits whose masks pass; give the last choice that was tried."""
    job.say(f"finding ranges on {len(inputs)} frames")
    encoder, observed = job.encoder, observe(job.encoder, inputs)
    outside = share_outside(observed, observe(job.encoder, others))
    if outside > _MOST_OUTSIDE:
        warnings.append(
            f"{100 * outside:.0f} % of the values of a layer are beyond all that the calibration half reached: the "
            "halves of the data are of different kinds"
        )
    encoder, observed, is_scaled = _better_scaled(encoder, observed, inputs)
    job.say("trying each group of layers by itself")
    errors = list(group_errors(encoder, observed, inputs[:_PROBED]))
    num_layers = sum(len(one.layers) for one in errors)
    export = job.export
    for level in levels(errors):
        export = job.encoder_with(quantize(encoder, observed, level.chosen))
        if job.try_out(export, _names(level), len(level.chosen) / num_layers):
            break
    worst = sorted(errors, key=lambda one: -one.error)
    return export, {"errors": tuple(worst), "scaled": is_scaled}


def _better_scaled(
    encoder: "onnx.ModelProto", observed: dict[str, Observed], inputs: Sequence[Float[np.ndarray, "1 3 S S"]]
) -> "tuple[onnx.ModelProto, dict[str, Observed], bool]":
    """Scale channels if that makes all layers in 8 bits more exact together."""
    scaled = scale_channels(encoder, observed)
    seen = observe(scaled, inputs)
    plain_error, scaled_error = (
        _whole_error(encoder, graph, ranges, inputs) for graph, ranges in ((encoder, observed), (scaled, seen))
    )
    return (scaled, seen, True) if scaled_error < plain_error else (encoder, observed, False)


def _whole_error(
    encoder: "onnx.ModelProto",
    graph: "onnx.ModelProto",
    observed: dict[str, Observed],
    inputs: Sequence[Float[np.ndarray, "1 3 S S"]],
) -> float:
    from maskwright.models.quantize.layers import find_layers

    sessions = [
        open_session(quantize(graph, observed, {one.name for one in find_layers(graph)})),
        open_session(encoder),
    ]
    image = encoder.graph.input[0].name
    errors = [relative_error(*(one.run(None, {image: frame}) for one in sessions)) for frame in inputs[:_PROBED]]
    return float(np.mean(errors))


def _names(level: Level) -> tuple[str, ...]:
    return tuple(one.group for one in level.kept)


def _pixels(picture: LabelledPicture, spec: FrameSpec) -> Float[np.ndarray, "1 3 S S"]:
    return ModelFrame.of(picture.image.size_hw, spec).pixels_to_model(picture.image.pixels, "cpu").numpy()


def _compare_frames(calibration: Sequence[LabelledPicture], held_out: Sequence[LabelledPicture]) -> list[str]:
    """Warn of frames unlike photographs, and of halves unlike each other."""
    some, others = ([frame_statistics(one.image.pixels) for one in each] for each in (calibration, held_out))
    warnings = []
    if strange := unusual([*some, *others]):
        warnings.append(f"the frames look unlike what the model was made on ({'; '.join(strange)})")
    if differ := apart(some, others):
        warnings.append(f"the halves for ranges and for measuring look unlike each other ({'; '.join(differ)})")
    return warnings


def _time(graphs: "Sequence[onnx.ModelProto]", frame: Float[np.ndarray, "1 3 S S"]) -> list[float]:
    """Processor milliseconds of each, in turns, so that whatever else the machine does hits all alike."""
    sessions = [(open_session(one), one.graph.input[0].name) for one in graphs]
    spent: list[list[float]] = [[] for _ in sessions]
    for _ in range(_ROUNDS + 1):
        for (session, image), times in zip(sessions, spent, strict=True):
            started = time.process_time()
            session.run(None, {image: frame})
            times.append(1000 * (time.process_time() - started))
    return [float(np.median(times[1:])) for times in spent]


def _described(export: OnnxExport, report: QuantizeReport) -> OnnxExport:
    """Say in the manifest what was done; `computed_as` tells embeddings of this file from those of any other."""
    digest = hashlib.sha256(export.graphs["encoder"].SerializeToString(deterministic=True)).hexdigest()[:8]
    manifest, result = export.manifest, report.chosen.result
    card = replace(manifest.card, title=f"{report.base}, {report.kind}", computed_as=f"{report.kind}-{digest} onnx")
    treatment = {
        "kind": report.kind,
        "kept_in_float": list(report.chosen.kept),
        "num_calibration_frames": report.num_calibration,
        "gate": asdict(report.gate),
        "mean_drop": result.mean_drop,
        "tail_drop": result.tail_drop,
        "agreement": result.agreement,
        "times_as_fast": round(report.times_as_fast, 3),
    }
    return replace(export, manifest=replace(manifest, card=card, treatment=treatment))


def _num_bytes(export: OnnxExport) -> int:
    return sum(graph.ByteSize() for graph in export.graphs.values())


def _refusal(report: QuantizeReport) -> str:
    result, gate = report.chosen.result, report.gate
    costly = ", ".join(f"{one.group} ({one.error:.3f})" for one in report.errors[:3])
    told = f" The layers that cost most, by the relative error of the features: {costly}." if costly else ""
    blind = ""
    if result.iou is None:
        blind = " Without true masks every change counts as a loss: name labelled pictures, or a store (--status)."
    share = f"even with {100 * report.chosen.share:.0f} % of the layers in 8 bits" if costly else report.kind
    return (
        f"nothing was written: {share} the masks fall by {result.mean_drop:.3f} IoU on average ({gate.mean:g} is "
        f"allowed) and by {result.tail_drop:.3f} at the 5th percentile ({gate.tail:g} is allowed), and agree by "
        f"{result.agreement:.3f} and {result.agreement_tail:.3f} with those before (1 less five times as much is "
        f"needed).{told}{blind} Give more frames of what the model is for, allow more with --max-drop and "
        "--max-drop-tail, or take --kind weights-int8"
    )


__all__ = ["KINDS", "NUM_FRAMES", "QuantizeReport", "Tried", "quantize_model"]
