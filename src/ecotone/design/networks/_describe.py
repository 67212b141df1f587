"""Reads a network as the runtime will run it: optimised for this machine, with the shape of every tensor.

The runtime fuses operators and lays tensors out anew, so the operators of the file are not those that take time. The
runtime itself is asked, without running anything: it writes what it would run, and tells the shapes of all that.
"""

from __future__ import annotations

import math
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ecotone.core.errors import InputError, MissingExtraError
from ecotone.design.networks._sizes import load, sized
from ecotone.orchestration.performance.operators import Network, Operator

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Prepared", "describe", "prepare", "runtime"]

_BLOCKED = "com.microsoft.nchwc"
_ELEMENT_BYTES = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "float16": 2,
    "bfloat16": 2,
    "int16": 2,
    "uint16": 2,
    "int64": 8,
    "uint64": 8,
    "double": 8,
}
_FAMILIES = {
    "convolution": ("Conv", "FusedConv", "ConvInteger", "QLinearConv", "NhwcFusedConv"),
    "transposed convolution": ("ConvTranspose",),
    "product": ("MatMul", "FusedMatMul", "Gemm", "FusedGemm", "MatMulInteger", "QLinearMatMul", "QGemm"),
    "recurrent": ("LSTM", "GRU", "RNN"),
    "pooling": ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "GlobalLpPool"),
    "resizing": ("Resize", "Upsample"),
    "normalisation": (
        "Softmax",
        "LogSoftmax",
        "LayerNormalization",
        "SimplifiedLayerNormalization",
        "SkipLayerNormalization",
        "BatchNormalization",
        "InstanceNormalization",
        "GroupNormalization",
        "LRN",
        "ReduceMean",
        "ReduceSum",
        "ReduceMax",
        "ArgMax",
        "TopK",
    ),
    "movement": (
        "Concat",
        "Split",
        "Slice",
        "Gather",
        "GatherND",
        "GatherElements",
        "Transpose",
        "Pad",
        "Tile",
        "Expand",
        "Cast",
        "ReorderInput",
        "ReorderOutput",
        "DepthToSpace",
        "SpaceToDepth",
        "ScatterND",
        "Where",
    ),
    "renaming": ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Shape", "Dropout"),
}
_FAMILY_OF = {kind: family for family, kinds in _FAMILIES.items() for kind in kinds}
_FLOPS_PER_ELEMENT = {"normalisation": 5.0, "resizing": 7.0, "movement": 0.0, "renaming": 0.0}


class Prepared(NamedTuple):
    """A network that is ready to be measured: its operators, and `model` with the same operators under their names."""

    network: Network
    model: bytes


class _Tensor(NamedTuple):
    shape: tuple[int, ...]
    size_bytes: float


def describe(
    source: Path | bytes, *, batch: int | None = None, size: Sequence[int] | None = None, name: str | None = None
) -> Network:
    """The operators of a network, for inputs of one size; nothing is run.

    Args:
        source: an ONNX file, or its bytes.
        batch: the first dimension of every input; None: as in the file, 1 where the file leaves it open.
        size: height and width of images, or the length of sequences; None: as in the file.
        name: what to call it; None: as the file is called.

    Raises:
        InputError: not a network, or it cannot take such inputs.
        MissingExtraError: onnx or onnxruntime are not installed.
    """
    return prepare(source, batch=batch, size=size, name=name).network


def prepare(
    source: Path | bytes, *, batch: int | None = None, size: Sequence[int] | None = None, name: str | None = None
) -> Prepared:
    """`describe`, with the model that `measure` takes."""
    runtime()
    model, inputs = sized(load(source if isinstance(source, bytes) else str(source)), batch, size)
    optimised = _optimised(model)
    for number, node in enumerate(optimised.graph.node):
        # Unique, since the profile knows operators by their names; readable, since people see them.
        node.name = f"{number} {node.op_type} {next((each for each in node.output if each), '')}"
    tensors = _tensors(optimised)
    constants = {each.name for each in optimised.graph.initializer}
    operators = tuple(_operator(node, tensors, constants) for node in optimised.graph.node)
    called = name or (source.stem if isinstance(source, Path) else model.graph.name)
    network = Network(
        name=called,
        batch=next((shape[0] for shape in inputs.values() if shape), 1),
        input_shapes=inputs,
        outputs=tuple(each.name for each in optimised.graph.output),
        operators=operators,
    )
    return Prepared(network, optimised.SerializeToString())


def runtime() -> Any:
    """onnxruntime. Raises MissingExtraError."""
    if find_spec("onnx") is None:
        raise MissingExtraError("onnx", "onnx")
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("onnxruntime", "onnx") from None
    return onnxruntime


def _optimised(model: Any) -> Any:
    """The network after the runtime's optimisation, as it would be run on this machine."""
    onnxruntime = runtime()
    with tempfile.TemporaryDirectory(prefix="ecotone-network-") as folder:
        file = Path(folder) / "optimised.onnx"
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(file)
        _open(model, options)
        return load(str(file))


def _open(model: Any, options: Any) -> Any:
    onnxruntime = runtime()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    except ValueError as error:
        raise InputError(f"the network is too large to be read: {error}") from None
    except Exception as error:
        # The runtime's errors have no common base but this one; each is about the network.
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        said = str(error).rpartition(" : FAIL : ")[2]
        raise InputError(f"the network cannot be run with such inputs: {said}") from None


def _tensors(optimised: Any) -> dict[str, _Tensor]:
    """Shapes of all tensors: the runtime tells those of outputs, so every tensor is made an output of a copy."""
    onnxruntime = runtime()
    import onnx  # noqa: PLC0415 - an extra

    copy = onnx.ModelProto()
    copy.CopyFrom(optimised)
    known = {each.name for each in copy.graph.output}
    for node in copy.graph.node:
        for name in node.output:
            if name and name not in known:
                copy.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = _open(copy, options)
    tensors = {each.name: _tensor(each.type, each.shape) for each in (*session.get_inputs(), *session.get_outputs())}
    for each in optimised.graph.initializer:
        width = (
            4 if each.data_type == onnx.TensorProto.FLOAT else _width(onnx.TensorProto.DataType.Name(each.data_type))
        )
        tensors[each.name] = _Tensor(tuple(each.dims), float(math.prod(each.dims) * width))
    return tensors


def _width(type_name: str) -> int:
    return _ELEMENT_BYTES.get(type_name.lower(), 4)


def _tensor(type_: str, shape: Sequence[int | str | None]) -> _Tensor:
    """A dimension that only a run can tell counts as 1."""
    dimensions = tuple(each if isinstance(each, int) else 1 for each in shape)
    width = _width(type_.removeprefix("tensor(").removesuffix(")"))
    return _Tensor(dimensions, float(math.prod(dimensions) * width))


_NOTHING = _Tensor((), 0.0)


def _operator(node: Any, tensors: dict[str, _Tensor], constants: set[str]) -> Operator:
    blocked = node.domain == _BLOCKED
    family = _FAMILY_OF.get(node.op_type, "element-wise")
    inputs = [name for name in node.input if name]
    read = [tensors.get(name, _NOTHING) for name in inputs]
    made = [tensors.get(name, _NOTHING) for name in node.output if name]
    output = made[0] if made else _NOTHING
    weights = sum(tensors[name].size_bytes for name in inputs if name in constants)
    activations = sum(tensors.get(name, _NOTHING).size_bytes for name in inputs if name not in constants)
    attributes = {each.name: each for each in node.attribute}
    facts: dict[str, Any] = {"batch": output.shape[0] if output.shape else 1}
    elements = float(math.prod(output.shape))
    flops = _FLOPS_PER_ELEMENT.get(family, 1.0) * elements
    if family in {"convolution", "transposed convolution"} and len(read) > 1:
        family, flops, of_kernel = _convolution(family, read, output, attributes)
        facts |= of_kernel
    elif family == "pooling":
        kernel = math.prod(attributes["kernel_shape"].ints) if "kernel_shape" in attributes else 0
        kernel = kernel or math.prod(read[0].shape[2:])
        flops = elements * kernel
        facts |= {"kernel": kernel, "pixels": math.prod(output.shape[2:])}
    elif family == "product" and len(read) > 1:
        depth = read[0].shape[-1] if read[0].shape else 1
        if "transA" in attributes and attributes["transA"].i:
            depth = read[0].shape[0]
        flops = 2.0 * elements * depth
        facts |= {
            "channels_in": depth,
            "channels_out": output.shape[-1] if output.shape else 1,
            "pixels": max(1, math.prod(output.shape[1:-1])),
        }
        if inputs[1] not in constants:
            family = "product of activations"
            activations, weights = read[0].size_bytes, weights + read[1].size_bytes
    elif family == "recurrent" and len(read) > 2:
        steps, across = read[0].shape[0], read[0].shape[1]
        flops = 2.0 * steps * across * (math.prod(read[1].shape) + math.prod(read[2].shape))
    return Operator(
        name=node.name,
        kind=f"nchwc.{node.op_type}" if blocked else node.op_type,
        family=f"blocked {family}" if blocked else family,
        flops=flops,
        input_bytes=activations,
        weight_bytes=weights,
        output_bytes=sum(each.size_bytes for each in made),
        inputs=tuple(name for name in inputs if name not in constants),
        outputs=tuple(name for name in node.output if name),
        **facts,
    )


def _convolution(
    family: str, read: Sequence[_Tensor], output: _Tensor, attributes: dict[str, Any]
) -> tuple[str, float, dict[str, int]]:
    weights = read[1].shape
    window = math.prod(weights[2:])
    groups = attributes["group"].i if "group" in attributes else 1
    if family == "convolution":
        flops = 2.0 * math.prod(output.shape) * weights[1] * window
        out, into = weights[0], weights[1] * groups
    else:
        flops = 2.0 * math.prod(read[0].shape) * weights[1] * window
        out, into = weights[1] * groups, weights[0]
    if family == "convolution" and groups > 1 and weights[1] == 1:
        family = "depthwise convolution"
    facts = {
        "channels_in": into,
        "channels_out": out,
        "kernel": window,
        "stride": math.prod(attributes["strides"].ints) if "strides" in attributes else 1,
        "groups": groups,
        "pixels": math.prod(output.shape[2:]),
    }
    return family, flops, facts
