"""Components of one kind of work each, or of two: what `across_devices.py` predicts from one device to another."""

from __future__ import annotations

import hashlib
import json
import zlib

import numpy as np
import onnxruntime
from onnx import TensorProto as T
from onnx import helper as h

from ecotone import component


@component(source=True, throughput="4 items/s")
def frames():
    rng = np.random.default_rng(1)
    while True:
        yield rng.random((160, 160), dtype=np.float32)


@component(on=frames)
def counting(frame: np.ndarray) -> int:
    total = 0
    for number in range(60_000):
        total += number * number % 7
    return total


@component(on=frames)
def words(frame: np.ndarray) -> int:
    data = {str(i): [i * 2, str(i)] for i in range(3000)}
    return len(json.dumps(sorted(data.items())))


@component(on=frames)
def product(frame: np.ndarray) -> float:
    found = frame
    for _ in range(20):
        found = found @ frame
        found = found / (1.0 + abs(float(found[0, 0])))
    return float(found[0, 0])


@component(on=frames)
def copying(frame: np.ndarray) -> float:
    big = np.ones(6_000_000)
    return float((big + 1.0)[3])


@component(on=frames)
def digest(frame: np.ndarray) -> str:
    return hashlib.sha256(frame.tobytes() * 20).hexdigest()


@component(on=frames)
def packing(frame: np.ndarray) -> int:
    return len(zlib.compress(frame.tobytes(), 6))


_w = np.ones((32, 16, 3, 3), np.float32) * 0.01
_g = h.make_graph(
    [h.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]), h.make_node("Relu", ["a"], ["y"])],
    "g",
    [h.make_tensor_value_info("x", T.FLOAT, [1, 16, 80, 80])],
    [h.make_tensor_value_info("y", T.FLOAT, [1, 32, 80, 80])],
    [h.make_tensor("w", T.FLOAT, _w.shape, _w.ravel())],
)
_m = h.make_model(_g, opset_imports=[h.make_opsetid("", 13)], ir_version=8)
_o = onnxruntime.SessionOptions()
_o.intra_op_num_threads = 1
_s = onnxruntime.InferenceSession(_m.SerializeToString(), _o)
_x = np.ones((1, 16, 80, 80), np.float32)


@component(on=frames)
def network(frame: np.ndarray) -> float:
    for _ in range(5):
        out = _s.run(None, {"x": _x})[0]
    return float(out[0, 0, 0, 0])


@component(on=frames)
def filtering(frame: np.ndarray) -> float:
    total = 0.0
    for row in frame:
        total += float(np.sqrt(row * row + 1.0).mean())
    return total
