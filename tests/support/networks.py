"""Tiny networks in ONNX format with random weights. Needs the extra `onnx`."""

from __future__ import annotations

import numpy
from onnx import TensorProto, helper, numpy_helper


def weights(name, *shape):
    values = numpy.random.default_rng(len(name)).normal(0.0, 0.1, shape).astype(numpy.float32)
    return numpy_helper.from_array(values, name)


def whole(name, *values):
    return numpy_helper.from_array(numpy.array(values, dtype=numpy.int64), name)


def model(nodes, constants, shape, output="y"):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def conv(x, y, constant, **attributes):
    return helper.make_node("Conv", [x, constant], [y], name=y, **attributes)


def stack(shape):
    """Convolution, rectifier, depthwise convolution, pooling over all, product."""
    nodes = [
        conv("x", "a", "full", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        conv("b", "c", "deep", kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=16),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("Gemm", ["e", "last"], ["y"]),
    ]
    return model(nodes, [weights("full", 16, 3, 3, 3), weights("deep", 16, 1, 3, 3), weights("last", 16, 10)], shape)


def shuffling(shape):
    """As ShuffleNet exports it: sizes in Reshape nodes."""
    batch, _, height, width = shape
    nodes = [
        conv("x", "a", "full", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Reshape", ["a", "split"], ["b"], name="split"),
        helper.make_node("Transpose", ["b"], ["c"], perm=[1, 0, 2]),
        helper.make_node("Reshape", ["c", "halves"], ["d"], name="halves"),
        helper.make_node("Gather", ["d", "first"], ["y"], axis=0),
    ]
    h, w = height // 2, width // 2
    constants = [
        weights("full", 16, 3, 3, 3),
        whole("split", batch * 8, 2, h * w),
        whole("halves", 2, -1, 8, h, w),
        numpy_helper.from_array(numpy.array(0, dtype=numpy.int64), "first"),
    ]
    return model(nodes, constants, list(shape))
