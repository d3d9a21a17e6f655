"""Write RESULTS.md from results/*.json: every figure with its date, commit, machine and command.

python benchmarks/report.py

What is no timing lies in results/*.md, sections as they are.
"""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
HEAD = """# Results

This page is made by `python benchmarks/report.py` from the rows that the benchmarks write.
Contenders run in turn, each in its own process, with the same weights and inputs; times are medians.
Ratio is the contender's time by maskwright's (above 1: maskwright is faster).
Memory is what the measured work added to the process at its peak; memory ratio is maskwright's by the contender's.
The machines are shared and noisy: trust ratios, not milliseconds.
"""


def main() -> None:
    """Render all result files."""
    parts = [HEAD]
    for path in sorted((HERE / "results").glob("*.json")):
        rows: list[dict[str, Any]] = json.loads(path.read_text())
        for title, group in groupby(rows, key=lambda row: row["title"]):
            parts.append(_section(title, list(group)))
    parts += [path.read_text() for path in sorted((HERE / "results").glob("*.md"))]
    (HERE / "RESULTS.md").write_text("\n".join(parts))


def _section(title: str, rows: list[dict[str, Any]]) -> str:
    first = rows[0]
    lines = [
        f"## {title}\n",
        *([f"{first['note']}\n"] if first["note"] else []),
        "| contender | ms | ratio | added MB | memory ratio | max abs error |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        error = "" if row["max_abs_error"] is None else f"{row['max_abs_error']:.1e}"
        memory = (f"{row['added_mb']}", f"{row['memory_ratio']:.2f}") if row["added_mb"] else ("", "")
        lines.append(
            f"| {row['name']} | {row['ms']:,.1f} | {row['times_as_fast']:.2f} | {memory[0]} | {memory[1]} | {error} |"
        )
    load = first.get("load", "unknown")
    where = f"{first['device']}, {first['cpu']}, {first['threads']} threads, load {load}, torch {first['torch']}"
    lines.append(f"\n`{first['command']}`, {first['date']}, commit {first['commit']}, {where}.\n")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
