"""What a run reports: log.csv, TensorBoard where it is installed, and curves as a picture where matplotlib is.

Rows after the step that a run goes on from are dropped, so that a run that was killed leaves one line of time.
"""

import csv
import io
import logging
import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from maskwright.train.checkpoints import replace_whole

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

logger = logging.getLogger(__name__)

Row = dict[str, float]
# Panels of the picture: title, and what belongs there by the beginning of its name.
_PANELS = (
    ("loss", ("loss", "distilled")),
    ("IoU", ("iou_", "held_out_box", "held_out_click", "held_out_corrected")),
    ("error of predicted IoU", ("belief_error", "held_out_belief")),
    ("pictures a second", ("pictures_a_second",)),
)


class Journal:
    """The log of one run in a folder."""

    def __init__(self, out: Path, *, step: int) -> None:
        self.out = out
        self.rows: list[Row] = [row for row in read_log(out / "log.csv") if row["step"] <= step]
        self._window: dict[str, list[Tensor]] = defaultdict(list)
        self._board = _tensorboard(out, step)

    def add(self, measured: Mapping[str, Tensor]) -> None:
        """Keep the measurements of a step until the next row."""
        for name, value in measured.items():
            self._window[name].append(value)

    def write(self, step: int, seconds: float, **more: float) -> Row:
        """Write a row: means of the measurements since the last row, and `more`.

        A measurement may be NaN at steps that did not ask for it; a loss may not.
        """
        windows = {name: torch.stack(values).float() for name, values in self._window.items()}
        self._window.clear()
        means = {name: float(x.mean() if name == "loss" else x.nanmean()) for name, x in windows.items()}
        told = {name: mean for name, mean in means.items() if name == "loss" or not math.isnan(mean)}
        row: Row = {"step": step, "seconds": round(seconds, 1), **told, **more}
        self.rows.append(row)
        self._flush()
        if self._board is not None:
            for name, value in row.items():
                if name != "step":
                    self._board.add_scalar(name, value, step)
            self._board.flush()
        return row

    def draw(self) -> None:
        """Draw the curves."""
        draw_curves(self.rows, self.out / "curves.png")

    def close(self) -> None:
        """Close what is open."""
        if self._board is not None:
            self._board.close()

    def _flush(self) -> None:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: f"{value:.5g}" for name, value in row.items()} for row in self.rows)
        replace_whole(self.out / "log.csv", lambda partial: partial.write_text(text.getvalue()))


def read_log(path: Path) -> list[Row]:
    """Read the rows of a log; none if there is no log."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def draw_curves(rows: list[Row], path: Path) -> None:
    """Draw every curve of a log over its steps."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        logger.info("no curves.png: it takes matplotlib; pip install 'maskwright[train]'")
        return
    figure = Figure(figsize=(12, 7), layout="constrained")
    for place, (title, prefixes) in enumerate(_PANELS):
        axes = figure.add_subplot(2, 2, place + 1)
        for name in dict.fromkeys(name for row in rows for name in row if name.startswith(prefixes)):
            points = [(row["step"], row[name]) for row in rows if name in row]
            is_held_out = name.startswith("held_out")
            axes.plot(
                *zip(*points, strict=True), "o--" if is_held_out else "-", label=name, linewidth=1.2, markersize=4
            )
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    replace_whole(path, lambda partial: partial.write_bytes(picture.getvalue()))


def _tensorboard(out: Path, step: int) -> "SummaryWriter | None":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logger.info("no TensorBoard: pip install 'maskwright[train]'")
        return None
    return SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)


__all__ = ["Journal", "Row", "draw_curves", "read_log"]
