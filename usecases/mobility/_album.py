"""A picture and a short clip of the street, annotated, for people to look at. Called by the component `album`."""

from __future__ import annotations

import time
from pathlib import Path

from _motion import Box
from _pictures import caption, outline, unpack
from _vision import cv2

__all__ = ["Album"]

PICTURE, CLIP = "street.jpg", "street.mp4"
PICTURES_PER_S = 5.0
CLIP_PICTURES = 30
"""A clip is six seconds long; the newest one is kept."""
PICTURE_EVERY = 10


class Album:
    """Replaces `street.jpg` every two seconds and `street.mp4` every six, each in one step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._writer: cv2.VideoWriter | None = None
        self._pictures = 0

    def add(self, jpeg: bytes, time_s: float, things: list[tuple[int, Box]], total: int, faces: int) -> None:
        """Annotate one picture and add it.

        Args:
            jpeg: an anonymised picture.
            time_s: when it was taken, in seconds since the epoch.
            things: numbered boxes of what moves, as shares of the picture.
            total: things counted so far.
            faces: faces hidden in this picture.
        """
        picture = unpack(jpeg)
        for number, box in things:
            outline(picture, number, box)
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time_s))
        caption(picture, f"{clock} UTC   {len(things)} moving   {total} counted   {faces} faces hidden")
        self._pictures += 1
        if self._pictures % PICTURE_EVERY == 1:
            self._replace(PICTURE, lambda path: cv2.imwrite(str(path), picture))
        self._film(picture)

    def _film(self, picture: cv2.typing.MatLike) -> None:
        place = (self._pictures - 1) % CLIP_PICTURES
        part = self._folder / ("." + CLIP)
        if place == 0 or self._writer is None:
            size = (picture.shape[1], picture.shape[0])
            self._writer = cv2.VideoWriter(str(part), cv2.VideoWriter.fourcc(*"mp4v"), PICTURES_PER_S, size)
        self._writer.write(picture)
        if place == CLIP_PICTURES - 1:
            self._writer.release()
            self._writer = None
            part.replace(self._folder / CLIP)

    def _replace(self, name: str, write: object) -> None:
        part = self._folder / ("." + name)
        assert callable(write)
        if write(part):
            part.replace(self._folder / name)
