"""A case as a small JPEG: the part of the picture that matters, the true outline, the answer's, and the prompt."""

import base64

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from maskwright.core import Image
from maskwright.evaluate.cases import Case
from maskwright.evaluate.clicks import middle_click
from maskwright.masks import box_xyxy, decode, union

RGB = tuple[int, int, int]
TRUTH_RGB: RGB = (0, 214, 255)
ANSWER_RGB: RGB = (255, 96, 0)
_LONG_SIDE = 400
_QUALITY = 82
_CONTEXT = 0.35  # shown around both masks, of their longer side


def draw_case(case: Case, image: Image) -> UInt8[np.ndarray, "h w 3"]:
    """Draw a case on its picture, cut out around both masks and at most 400 pixels long."""
    left, top, right, bottom = _window(case)
    part = image.pixels[top:bottom, left:right]
    scale = _LONG_SIDE / max(part.shape[:2])
    size_wh = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    canvas = cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    truth, answer = (decode(mask)[top:bottom, left:right] for mask in (case.truth, case.answer))
    for mask, colour in ((truth, TRUTH_RGB), (answer, ANSWER_RGB)):
        _outline(canvas, mask, colour)
    _prompt(canvas, case, (left, top), scale)
    return canvas


def as_data_uri(pixels: UInt8[np.ndarray, "h w 3"]) -> str:
    """Encode a picture so that a page can hold it."""
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode("ascii")


def _window(case: Case) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = box_xyxy(union([case.truth, case.answer]))
    height, width = case.truth.size_hw
    margin = max(24.0, _CONTEXT * max(x2 - x1, y2 - y1))
    return (
        max(0, int(x1 - margin)),
        max(0, int(y1 - margin)),
        min(width, int(x2 + margin) + 1),
        min(height, int(y2 + margin) + 1),
    )


def _outline(canvas: UInt8[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "H W"], colour: RGB) -> None:
    """Draw the outline of a mask that has another scale than the canvas, with a dark seam on both sides."""
    size_wh = canvas.shape[1], canvas.shape[0]
    enlarged = cv2.resize(mask.astype(np.float32), size_wh, interpolation=cv2.INTER_LINEAR) > 0.5
    found, _ = cv2.findContours(enlarged.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, found, -1, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.drawContours(canvas, found, -1, colour, 2, cv2.LINE_AA)


def _prompt(canvas: UInt8[np.ndarray, "h w 3"], case: Case, corner_xy: tuple[int, int], scale: float) -> None:
    if case.kind == "box":
        x1, y1, x2, y2 = (round((value - corner_xy[i % 2]) * scale) for i, value in enumerate(box_xyxy(case.truth)))
        cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), (255, 255, 255), 1, cv2.LINE_AA)
    elif case.kind == "click":
        truth = decode(case.truth)
        x, y = middle_click(np.zeros_like(truth), truth).xy
        center = round((x - corner_xy[0]) * scale), round((y - corner_xy[1]) * scale)
        for radius, ink in ((7, (0, 0, 0)), (6, (255, 255, 255)), (4, (46, 204, 64))):
            cv2.circle(canvas, center, radius, ink, -1, cv2.LINE_AA)


__all__ = ["ANSWER_RGB", "RGB", "TRUTH_RGB", "as_data_uri", "draw_case"]
