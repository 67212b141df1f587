"""Gives a network's inputs fixed sizes, also where its file has others; called by `_describe`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ecotone.core.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["load", "sized"]


def load(source: str | bytes) -> Any:
    """A network from a file or from its bytes, as onnx has it.

    Raises:
        InputError: no such file, or not a network.
        MissingExtraError: onnx is not installed.
    """
    try:
        import onnx  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("onnx", "onnx") from None
    try:
        return onnx.load_model_from_string(source) if isinstance(source, bytes) else onnx.load_model(source)
    except OSError as error:
        raise InputError(f"{source!r}: cannot be read: {error.strerror or error}") from None
    except Exception as error:
        if not type(error).__module__.startswith("google.protobuf"):
            raise
        shown = "these bytes" if isinstance(source, bytes) else source
        raise InputError(f"{shown}: not a network in ONNX format") from None


def sized(model: Any, batch: int | None, size: Sequence[int] | None) -> tuple[Any, dict[str, tuple[int, ...]]]:
    """Change `model` to inputs of one batch and size; returns it, and the shapes of its inputs.

    Args:
        model: changed in place.
        batch: the first dimension of every input; None: as in the file, 1 where the file leaves it open.
        size: height and width of images, or the length of sequences; None: as in the file.

    Raises:
        InputError: the file leaves sizes open that are not given, or the network cannot take these.
    """
    constants = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in constants]
    before = {each.name: _declared(each) for each in inputs}
    after = {each.name: _wanted(each.name, before[each.name], batch, size) for each in inputs}
    if size is not None and not any(_takes(shape, size) for shape in before.values()):
        shown = ", ".join(f"{name} {_text(shape)}" for name, shape in before.items())
        raise InputError(f"no input takes the size {'x'.join(map(str, size))}: {shown}")
    fixed = all(dimension is not None for shape in before.values() for dimension in shape)
    if not fixed or all(tuple(before[name]) == after[name] for name in after):
        _give(model, inputs, after)
        return model, after
    # Size and batch one after the other: what grew in a Reshape is then known to have grown by the one or the other.
    only_size = {name: (before[name][0] or 1, *shape[1:]) if shape else shape for name, shape in after.items()}
    for shapes, grown in ((only_size, _spread(before, after, size)), (after, None)):
        old = _inferred(model) if any(node.op_type == "Reshape" for node in model.graph.node) else {}
        _give(model, inputs, shapes)
        if old:
            _reshape(model, old, grown)
    return model, after


def _give(model: Any, inputs: Sequence[Any], shapes: dict[str, tuple[int, ...]]) -> None:
    for each in inputs:
        for dimension, value in zip(each.type.tensor_type.shape.dim, shapes[each.name], strict=True):
            dimension.dim_value = value
    del model.graph.value_info[:]
    for each in model.graph.output:
        each.type.tensor_type.ClearField("shape")


def _spread(
    before: dict[str, list[int | None]], after: dict[str, tuple[int, ...]], size: Sequence[int] | None
) -> tuple[float, float]:
    """By how much height and width grow."""
    for name, shape in after.items():
        if size is not None and len(size) == 2 and len(shape) == 4:
            ratios = [value / (was or value) for was, value in zip(before[name], shape, strict=True)]
            return (ratios[1], ratios[2]) if ratios[3] == 1.0 and ratios[1] != 1.0 else (ratios[2], ratios[3])
    return (1.0, 1.0)


def _declared(value: Any) -> list[int | None]:
    shape = value.type.tensor_type.shape
    return [each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else None for each in shape.dim]


def _takes(shape: Sequence[int | None], size: Sequence[int]) -> bool:
    return len(shape) == 4 if len(size) == 2 else len(shape) in {2, 3}


def _wanted(name: str, shape: Sequence[int | None], batch: int | None, size: Sequence[int] | None) -> tuple[int, ...]:
    found = list(shape)
    if found:
        found[0] = batch or found[0] or 1
    if size is not None and _takes(shape, size):
        if len(size) == 1:
            found[1] = size[0]
        else:
            # Channels stand last where the file says so; images have at most four.
            first = 1 if shape[3] is not None and shape[3] <= 4 and (shape[1] is None or shape[1] > 4) else 2
            found[first : first + 2] = size
    fixed = tuple(each for each in found if each is not None)
    if len(fixed) < len(found):
        raise InputError(f"the network leaves the shape of its input {name} open: {_text(found)}; give its size")
    return fixed


def _text(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("?" if each is None else str(each) for each in shape) + "]"


def _inferred(model: Any) -> dict[str, tuple[int, ...]]:
    import onnx  # noqa: PLC0415 - an extra

    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    shapes: dict[str, tuple[int, ...]] = {}
    for each in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output):
        declared = _declared(each)
        fixed = tuple(value for value in declared if value is not None)
        if len(fixed) == len(declared):
            shapes[each.name] = fixed
    return shapes


def _reshape(model: Any, old: dict[str, tuple[int, ...]], grown: tuple[float, float] | None) -> None:
    """Exporters write sizes into Reshape nodes: change them, one after the other, to what the new inputs need.

    `grown` says by how much height and width did; None: the batch did.
    """
    import onnx  # noqa: PLC0415 - an extra

    targets = _constants(model)
    for number, node in enumerate(model.graph.node):
        if node.op_type != "Reshape" or node.input[1] not in targets or node.input[0] not in old:
            continue
        made, was = old.get(node.output[0]), old[node.input[0]]
        now = _inferred(model).get(node.input[0])
        if made is None or now is None or now == was:
            continue
        target = reshaped(was, made, now, grown)
        if target is None:
            raise InputError(
                f"the network cannot take this size: {node.name or node.output[0]} reshapes {_text(was)} to "
                f"{_text(made)}, and it is not clear to what it shall reshape {_text(now)}; export it with open sizes"
            )
        name = f"{node.input[1]}_{'batch' if grown is None else 'size'}_{number}"
        model.graph.initializer.append(onnx.helper.make_tensor(name, onnx.TensorProto.INT64, [len(target)], target))
        targets.add(name)
        node.input[1] = name


def _constants(model: Any) -> set[str]:
    return {each.name for each in model.graph.initializer} | {
        node.output[0] for node in model.graph.node if node.op_type == "Constant"
    }


def reshaped(
    was: Sequence[int], made: Sequence[int], now: Sequence[int], grown: tuple[float, float] | None
) -> list[int] | None:
    """To what `now` is reshaped, when `was` became `made`; None: that is not clear.

    Dimensions are matched in groups of equal products, from the last one on; each group takes its own growth.
    """
    target: list[int] = []
    left_was, left_made = len(was), len(made)
    while left_was or left_made:
        end_was, end_made = left_was, left_made
        product_was = product_made = 1
        while True:
            if left_was and (product_was < product_made or end_was == left_was):
                left_was -= 1
                product_was *= was[left_was]
            elif left_made:
                left_made -= 1
                product_made *= made[left_made]
            else:
                break
            if product_was == product_made and end_was > left_was and end_made > left_made:
                break
        # Ones on the left may be a batch of one.
        while left_was and was[left_was - 1] == 1:
            left_was -= 1
        while left_made and made[left_made - 1] == 1:
            left_made -= 1
        group = _grown(made[left_made:end_made], product_was, math.prod(now[left_was:end_was]), grown)
        if group is None:
            return None
        target = [*group, *target]
    return target if math.prod(target) == math.prod(now) else None


def _grown(made: Sequence[int], was: int, now: int, grown: tuple[float, float] | None) -> list[int] | None:
    """One group of dimensions, whose product `was` this and is `now` that."""
    group = list(made)
    if now == was or not group:
        return group
    if grown is None:
        if (group[0] * now) % was:
            return None
        return [group[0] * now // was, *group[1:]]
    sized = [place for place, value in enumerate(group) if value != 1]
    if len(sized) <= 1:
        group[sized[0] if sized else -1] = now
        return group
    for height in _around(group[-2] * grown[0]):
        for width in _around(group[-1] * grown[1]):
            if math.prod(group[:-2]) * height * width == now:
                return [*group[:-2], height, width]
    return None


def _around(value: float) -> tuple[int, ...]:
    near = round(value)
    return (near, math.ceil(value), math.floor(value))
