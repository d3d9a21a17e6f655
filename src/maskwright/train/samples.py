"""A picture of what a model in training answers: held-out scenes with prompt, mask, and the true outline."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from maskwright.train.checkpoints import replace_whole
from maskwright.train.validation import Answers

_TILE, _COLUMNS = 288, 4
_ANSWER, _TRUTH, _PROMPT, _NOT = (255, 120, 0), (40, 220, 60), (255, 255, 255), (230, 40, 40)


def write_samples(answers: Sequence[Answers], path: Path, *, per_picture: int, most: int) -> None:
    """Write a sheet of tiles: the answer in orange, the truth's outline in green, click and box in white."""
    tiles = [_tile(one, row) for one in answers for row in range(0, len(one.iou), per_picture)][:most]
    while len(tiles) % _COLUMNS:
        tiles.append(np.zeros_like(tiles[0]))
    lines = [np.concatenate(tiles[i : i + _COLUMNS], 1) for i in range(0, len(tiles), _COLUMNS)]
    sheet = cv2.cvtColor(np.concatenate(lines), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 90])
    replace_whole(path, lambda partial: partial.write_bytes(encoded.tobytes()))


def _tile(answers: Answers, row: int) -> UInt8[np.ndarray, "t t 3"]:
    """Draw one prompt and its answer."""
    frame = answers.frames[answers.targets.image_index[row]]
    picture = (frame * 127.5 + 127.5).clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    side = picture.shape[0]
    tile = cv2.resize(picture, (_TILE, _TILE), interpolation=cv2.INTER_AREA)
    scale = _TILE / side
    mask, truth = (_enlarged(x) for x in (answers.masks[row], answers.targets.masks[row, 0] > 0.5))
    tile[mask] = (0.5 * tile[mask] + 0.5 * np.array(_ANSWER)).astype(np.uint8)
    outlines, _ = cv2.findContours(truth.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(tile, outlines, -1, _TRUTH, 1)
    points = ((answers.prompts.points[row] + 0.5) * scale).round().int().tolist()
    labels = answers.prompts.labels[row].tolist()
    corners = [point for point, label in zip(points, labels, strict=True) if label in (2, 3)]
    if len(corners) == 2:
        cv2.rectangle(tile, corners[0], corners[1], _PROMPT, 1)
    for point, label in zip(points, labels, strict=True):
        if label in (0, 1):
            cv2.circle(tile, point, 5, (0, 0, 0), -1)
            cv2.circle(tile, point, 4, _PROMPT if label else _NOT, -1)
    cv2.putText(tile, f"{float(answers.iou[row]):.2f}", (6, _TILE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _PROMPT, 1)
    return tile


def _enlarged(mask: Tensor) -> np.ndarray:
    pixels = mask.cpu().numpy().astype(np.uint8)
    return cv2.resize(pixels, (_TILE, _TILE), interpolation=cv2.INTER_NEAREST) > 0


__all__ = ["write_samples"]
