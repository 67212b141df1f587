"""Hiding people in a picture, packing it for a thin link, and drawing on it.

Called by the components `quality`, `anonymise`, `analytics` and `album`.
"""

from __future__ import annotations

import numpy as np
from _motion import Box
from _vision import cv2

__all__ = ["caption", "hide_face", "hide_where", "outline", "pack", "sharpness", "unpack"]

BLOCKS = 4
"""A hidden face is this many flat squares wide: enough to see that someone is there, not who."""
SQUARE = 11
"""Side of a flat square where no face was found, in pixels: as large as the faces that the network does not see."""
COLOUR = (80, 220, 255)


def sharpness(frame: np.ndarray) -> float:
    """Variance of the Laplacian of the half-size grey picture: under 20 hardly an edge is left; 0 for a blank one."""
    small = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), cv2.CV_32F).var())


def hide_face(picture: np.ndarray, left: float, top: float, wide: float, high: float) -> None:
    """Make flat squares of a face and a margin of a quarter around it; in pixels, in place."""
    margin_x, margin_y = wide / 4, high / 4
    _pixelate(picture, left - margin_x, top - margin_y, wide + 2 * margin_x, high + 2 * margin_y)


def hide_where(picture: np.ndarray, mask: np.ndarray) -> None:
    """Make flat squares of what a mask of any size covers (not 0); in place."""
    if not mask.any():
        return
    height, width = picture.shape[:2]
    squares = (max(1, width // SQUARE), max(1, height // SQUARE))
    small = cv2.resize(picture, squares, interpolation=cv2.INTER_AREA)
    flat = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    wide = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
    cv2.copyTo(flat, wide, picture)


def _pixelate(picture: np.ndarray, left: float, top: float, wide: float, high: float) -> None:
    height, width = picture.shape[:2]
    x0, x1 = max(0, int(left)), min(width, int(left + wide) + 1)
    y0, y1 = max(0, int(top)), min(height, int(top + high) + 1)
    if x1 <= x0 or y1 <= y0:
        return
    side = max(6, min(x1 - x0, y1 - y0) // BLOCKS)
    squares = (max(1, round((x1 - x0) / side)), max(1, round((y1 - y0) / side)))
    region = picture[y0:y1, x0:x1]
    flat = cv2.resize(region, squares, interpolation=cv2.INTER_AREA)
    picture[y0:y1, x0:x1] = cv2.resize(flat, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)


def pack(picture: np.ndarray, quality: int = 80) -> bytes:
    """The picture as JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def unpack(jpeg: bytes, *, half: bool = False) -> np.ndarray:
    """A JPEG as blue-green-red pixels; `half` decodes it at half its size, in a third of the time."""
    flags = cv2.IMREAD_REDUCED_COLOR_2 if half else cv2.IMREAD_COLOR
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), flags)


def outline(picture: np.ndarray, number: int, box: Box) -> None:
    """Draw corners around a moving thing, and its number; in place."""
    height, width = picture.shape[:2]
    x0, y0 = int(box[0] * width), int(box[1] * height)
    x1, y1 = int((box[0] + box[2]) * width), int((box[1] + box[3]) * height)
    arm = max(5, min(x1 - x0, y1 - y0) // 4)
    for x, y, right, down in ((x0, y0, 1, 1), (x1, y0, -1, 1), (x0, y1, 1, -1), (x1, y1, -1, -1)):
        cv2.line(picture, (x, y), (x + right * arm, y), COLOUR, 2, cv2.LINE_AA)
        cv2.line(picture, (x, y), (x, y + down * arm), COLOUR, 2, cv2.LINE_AA)
    place = (x0, y0 - 5 if y0 > 15 else y1 + 14)
    cv2.putText(picture, f"#{number}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, f"#{number}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, COLOUR, 1, cv2.LINE_AA)


def caption(picture: np.ndarray, text: str) -> None:
    """Write a line on a dark band at the lower edge; in place."""
    height, width = picture.shape[:2]
    scale = min(0.5, width / 1200)
    band = picture[height - 26 :]
    band[:] = band // 4
    place = (8, height - 9)
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
