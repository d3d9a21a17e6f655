"""What both ways of writing a LeRobot data set share: mask columns, id maps, and the key in `info.json`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from maskwright.datasets.cell_spool import SpooledCell
from maskwright.datasets.labelled_frame import LabelledFrame
from maskwright.datasets.lerobot_meta import MASKS_PREFIX
from maskwright.datasets.mask_cells import id_map, png_of
from maskwright.datasets.new_folder import write_file

KEY = "maskwright"
ID_MAP_PATH = "masks/{camera}/episode_{episode_index:06d}/frame_{frame_index:06d}.png"
ROWS_AT_A_TIME = 64


@dataclass(slots=True)
class MaskColumns:
    """The masks of each camera: their labels and number, gathered as frames come."""

    folder: Path
    _labels: dict[str, dict[str, None]] = field(default_factory=dict)
    _num_frames: dict[str, int] = field(default_factory=dict)
    _has_ids: bool = False

    @property
    def cameras(self) -> list[str]:
        """The cameras that have masks, in order of appearance."""
        return list(self._labels)

    @property
    def keys(self) -> list[str]:
        """Their columns."""
        return [MASKS_PREFIX + camera for camera in self._labels]

    def note(self, camera: str, frame: LabelledFrame) -> None:
        """Take note of a frame of a camera."""
        labels = self._labels.setdefault(camera, {})
        labels.update({one.record.label: None for one in frame.masks if one.record.label})
        self._num_frames[camera] = self._num_frames.get(camera, 0) + 1

    def ids_of(self, frame: LabelledFrame) -> bytes:
        """Draw the id map of a frame as a 16-bit PNG."""
        self._has_ids = True
        return png_of(id_map(frame))

    def arrays(self, cells: Sequence[SpooledCell], start: int, num_rows: int) -> dict[str, pa.Array]:
        """Make the mask columns of `num_rows` rows from `start`; a row that nobody looked at has an empty text."""
        texts = {camera: [""] * num_rows for camera in self.cameras}
        for cell in cells:
            texts[cell.camera][cell.place - start] = cell.text
        return {MASKS_PREFIX + camera: pa.array(column, pa.string()) for camera, column in texts.items()}

    def write_ids(self, cells: Sequence[SpooledCell], episode_index: int) -> None:
        """Write the id maps of rows."""
        for cell in cells:
            if cell.ids is not None:
                words = {"camera": cell.camera, "episode_index": episode_index, "frame_index": cell.place}
                write_file(self.folder / ID_MAP_PATH.format(**words), cell.ids)

    def info(self) -> dict[str, Any]:
        """Say in `info.json` which columns hold masks, of what, and where the id maps lie."""
        about = {
            camera: {
                "masks_key": MASKS_PREFIX + camera,
                "num_frames": self._num_frames[camera],
                "labels": sorted(labels),
            }
            for camera, labels in self._labels.items()
        }
        return {"version": 1, "cameras": about} | ({"id_map_path": ID_MAP_PATH} if self._has_ids else {})


__all__ = ["ID_MAP_PATH", "KEY", "ROWS_AT_A_TIME", "MaskColumns"]
