"""The report of a quantisation: a few lines for a terminal, and JSON and HTML beside the file."""

import json
from pathlib import Path

from maskwright.workflows.outputs import write_all
from maskwright.workflows.quantize import QuantizeReport
from maskwright.workflows.quantize_page import quantize_page


def report_path(out: Path) -> Path:
    """Where the report of a quantised model lies."""
    return out.with_suffix(".report.html")


def write_report(report: QuantizeReport, out: Path) -> Path:
    """Write the report beside the model; gives the page, whose figures lie in JSON beside it."""
    path = report_path(out)
    told = json.dumps(report.to_json(), indent=1) + "\n"
    write_all({path.with_suffix(".json"): told.encode(), path: quantize_page(report).encode()})
    return path


def as_text(report: QuantizeReport) -> str:
    """Tell what was measured, for people."""
    result, gate = report.chosen.result, report.gate
    rows = [
        ("model", f"{report.base} in {report.kind}, sha256 {report.base_sha256[:12]}"),
        (
            "frames",
            f"{report.num_calibration} for ranges, {result.num_pictures} measured, {result.num_answers} answers",
        ),
        ("mask IoU", _against(report)),
        ("mean drop", f"{result.mean_drop:+.4f}   allowed {gate.mean:g}"),
        ("5th percentile", f"{result.tail_drop:+.4f}   allowed {gate.tail:g}"),
        ("agreement", f"{result.agreement:.4f} mean, {result.agreement_tail:.4f} at the 5th percentile"),
        ("speed", f"{report.before_ms:.0f} -> {report.after_ms:.0f} ms of processor, {report.times_as_fast:.2f} x"),
        ("size", f"{report.before_bytes / 1e6:.1f} -> {report.after_bytes / 1e6:.1f} MB"),
    ]
    if report.errors:
        kept = ", ".join(report.chosen.kept) or "none"
        rows.append(("in 8 bits", f"{100 * report.chosen.share:.0f} % of the layers; in float: {kept}"))
        rows.append(("costly", ", ".join(f"{one.group} {one.error:.3f}" for one in report.errors[:5])))
    rows += [("warning", text) for text in report.warnings]
    if report.kind == "int8" and report.times_as_fast < 1.05:
        rows.append(("warning", "8 bits are not faster on this processor; weights-int8 is as small and more exact"))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {told}" for name, told in rows)


def _against(report: QuantizeReport) -> str:
    result = report.chosen.result
    if result.iou is None:
        return "no true masks here: compared with the answers in fp32, which is stricter"
    return f"{result.iou_before:.4f} -> {result.iou:.4f} with the true masks"


__all__ = ["as_text", "report_path", "write_report"]
