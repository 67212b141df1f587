"""What moves in front of a fixed camera: a background that is learnt, what differs from it, and tracks of that.

Called by the components `anonymise` and `analytics`. Everything works on a small grey picture; all state is plain data,
so that a snapshot holds the whole of it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from _vision import cv2

__all__ = ["Background", "Box", "Tracker", "boxes_of", "heads_of"]

WIDTH = 256
"""Width of the small picture, in pixels."""
LEARNING, LEARNING_FIRST = 0.6, 4.0
"""How far the background follows a frame, in grey levels: a clipped step is a running median, which people who walk
past hardly touch, and a car that parks becomes background in some seconds. In the first frames of a view it is faster.
"""
FIRST_FRAMES = 40
DIFFERENCE_MIN = 22.0
"""A pixel that differs by less, of 255, is noise."""
AREA_MAX = 0.4
"""When a larger share of the picture moves, the camera itself did: the view is learnt anew."""

Box = tuple[float, float, float, float]
"""Left, top, width and height, each as a share of the picture's width or height (0 to 1)."""


class Background:
    """A running median of the grey picture, and what stands out from it."""

    def __init__(self) -> None:
        self._usual: np.ndarray | None = None
        self.frames = 0
        """Frames learnt since the view last changed."""

    def moving(self, frame: np.ndarray) -> np.ndarray:
        """Learn from a frame; the small mask of what moves in it (1) or not (0), all 0 in the first frame of a view."""
        height, width = frame.shape[:2]
        size = (WIDTH, max(1, round(WIDTH * height / width)))
        small = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        grey = cv2.GaussianBlur(small, (3, 3), 0).astype(np.float32)
        if self._usual is None or self._usual.shape != grey.shape:
            return self._start(grey)
        difference = grey - self._usual
        mask = (np.abs(difference) > DIFFERENCE_MIN).astype(np.uint8)
        if float(mask.mean()) > AREA_MAX:
            return self._start(grey)
        self.frames += 1
        step = LEARNING if self.frames > FIRST_FRAMES else LEARNING_FIRST
        self._usual += np.clip(difference, -step, step)
        return mask

    def _start(self, grey: np.ndarray) -> np.ndarray:
        self._usual, self.frames = grey.copy(), 0
        return np.zeros(grey.shape, np.uint8)

    def snapshot(self) -> dict[str, Any]:
        usual = self._usual
        pixels, shape = (b"", [0, 0]) if usual is None else (usual.astype(np.uint8).tobytes(), list(usual.shape))
        return {"frames": self.frames, "shape": shape, "usual": pixels}

    def restore(self, state: dict[str, Any]) -> None:
        self.frames = state["frames"]
        pixels = np.frombuffer(state["usual"], np.uint8).reshape(state["shape"])
        self._usual = pixels.astype(np.float32) if pixels.size else None


def boxes_of(mask: np.ndarray, area_min: float = 0.0012) -> list[Box]:
    """The moving things in a mask that cover at least `area_min` of it (0 to 1)."""
    height, width = mask.shape
    # People and cars break into pieces where they look like the street behind them: close upright gaps.
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(cv2.medianBlur(joined, 3))
    return [
        (left / width, top / height, wide / width, high / height)
        for left, top, wide, high, area in stats[1:].tolist()
        if area >= area_min * mask.size
    ]


def heads_of(mask: np.ndarray, area_min: float = 0.0004) -> np.ndarray:
    """The part of a mask where the heads of moving people can be: the upper third of each thing, column by column, so
    that of two people who overlap both are covered. Things taller than half the picture are left out.

    Args:
        mask: what moves (1) or not (0).
        area_min: smaller things are left out (0 to 1).
    """
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    heads = np.zeros_like(mask)
    for label in range(1, count):
        left, top, wide, high, area = stats[label].tolist()
        if area < area_min * mask.size or high > mask.shape[0] / 2:
            continue
        thing = labels[top : top + high, left : left + wide] == label
        first = np.argmax(thing, axis=0)
        rows = np.arange(high)[:, None]
        heads[top : top + high, left : left + wide] |= (rows >= first) & (rows <= first + max(3, high // 3))
    return cv2.dilate(heads, np.ones((5, 3), np.uint8))


class _Track(msgspec.Struct):
    """One thing that was seen moving: its last box, the number of frames it was seen in, and missed in since."""

    number: int
    box: Box
    seen: int = 1
    missed: int = 0
    counted: bool = False


class Tracker:
    """Follows boxes from frame to frame by nearness, and counts the things that stay long enough to be real."""

    def __init__(self, seen_min: int = 8, missed_max: int = 12, distance_max: float = 0.06) -> None:
        """
        Args:
            seen_min: frames that a thing must be seen in before it counts.
            missed_max: frames that it may be missing in before it is forgotten.
            distance_max: farthest that its centre moves between two frames, as a share of the picture.
        """
        self._seen_min, self._missed_max, self._distance_max = seen_min, missed_max, distance_max
        self._tracks: list[_Track] = []
        self._last_number = 0
        self.total = 0
        """Things counted so far."""

    def follow(self, boxes: list[Box]) -> list[tuple[int, Box]]:
        """Number and box of each thing that counts and is in this frame."""
        pairs = sorted(
            (_distance(track.box, box), index, place)
            for index, track in enumerate(self._tracks)
            for place, box in enumerate(boxes)
        )
        tracks, places = set(range(len(self._tracks))), set(range(len(boxes)))
        for distance, index, place in pairs:
            if distance <= self._distance_max and index in tracks and place in places:
                tracks.remove(index)
                places.remove(place)
                self._see(self._tracks[index], boxes[place])
        for index in tracks:
            self._tracks[index].missed += 1
        self._tracks = [track for track in self._tracks if track.missed <= self._missed_max]
        for place in sorted(places):
            self._last_number += 1
            self._tracks.append(_Track(self._last_number, boxes[place]))
        return [(track.number, track.box) for track in self._tracks if track.counted and not track.missed]

    def _see(self, track: _Track, box: Box) -> None:
        track.box, track.missed = box, 0
        track.seen += 1
        if track.seen >= self._seen_min and not track.counted:
            track.counted = True
            self.total += 1

    def snapshot(self) -> dict[str, Any]:
        return {"tracks": msgspec.to_builtins(self._tracks), "last": self._last_number, "total": self.total}

    def restore(self, state: dict[str, Any]) -> None:
        self._tracks = msgspec.convert(state["tracks"], list[_Track])
        self._last_number, self.total = state["last"], state["total"]


def _distance(one: Box, other: Box) -> float:
    across = (one[0] + one[2] / 2) - (other[0] + other[2] / 2)
    down = (one[1] + one[3] / 2) - (other[1] + other[3] / 2)
    return float((across**2 + down**2) ** 0.5)
