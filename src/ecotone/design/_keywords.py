"""The one table of what each annotation takes, and the core values made of it.

Both ways to an application use it: the decorators (`annotations`) with the objects they are given, the static reader
(`read`) with what stands in the file. So the two cannot diverge. The rules that concern one annotation alone are in
`_annotation_rules`, those that need the whole application in `_rules`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import msgspec

from ecotone.core.application import (
    Batching,
    Cell,
    Component,
    LatencyPromise,
    Parameter,
    PathPromise,
    Requirements,
    State,
    Trigger,
    Variant,
)
from ecotone.core.ids import is_name
from ecotone.core.problems import Place
from ecotone.core.units import Dimension
from ecotone.design._annotation_rules import TRIGGERS, check_annotation
from ecotone.design._fields import (
    Field,
    Fields,
    accelerator,
    choice,
    flag,
    integer,
    mapping_of_text,
    name,
    number,
    quantity,
    read_fields,
    scalar,
    several,
    span,
    text,
)
from ecotone.design._written import BROKEN, Mistakes, Pairs, Reference, VariantCall, Written, plain
from ecotone.execution.cells.interface import RANKS_MOST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "COMPONENT",
    "LAYERS",
    "PARAMETER",
    "PATH",
    "VARIANT",
    "Draft",
    "Target",
    "build_component",
    "build_parameter",
    "build_path",
    "default_component_name",
    "parameter_value",
]

LAYERS = ("device", "edge", "cloud")
CORES_MOST = 1024
RESERVED = frozenset({"dead-letters"})  # streams of the platform's own


def _component_name(what: str, written: Written, mistakes: Mistakes) -> Any:
    value = name(what, written, mistakes)
    if value in RESERVED:
        mistakes.add(written.place, "bad-name", f"{what}: {value!r} is a name of the platform", "choose another name")
        return BROKEN
    return value


def _component(what: str, written: Written, mistakes: Mistakes) -> Any:
    """The name of a component, from the object that it is or from its name as text."""
    value = written.value
    if isinstance(value, Reference):
        if value.component is None:
            hint = f"decorate {value.target} with @component(...)"
            mistakes.add(written.place, "not-a-component", f"{what}: {value.target} is not a component", hint)
            return BROKEN
        return value.component
    if isinstance(value, str):
        return value
    message = f"{what}: expected a component or its name, got {plain(written)!r}"
    mistakes.add(written.place, "wrong-type", message)
    return BROKEN


def _function(what: str, written: Written, mistakes: Mistakes) -> Any:
    """The Python name of a function or class of the module, from the object or from its name as text."""
    if isinstance(written.value, Reference):
        return written.value.target
    if isinstance(written.value, str) and written.value.isidentifier():
        return written.value
    message = f"{what}: expected a function of this module or its name, got {plain(written)!r}"
    mistakes.add(written.place, "wrong-type", message)
    return BROKEN


def _variant(what: str, written: Written, mistakes: Mistakes) -> Any:
    if not isinstance(written.value, VariantCall):
        message = f"{what}: expected variant(...), got {plain(written)!r}"
        mistakes.add(written.place, "wrong-type", message, 'write variant("name", setting=value)')
        return BROKEN
    own = Pairs(tuple(each for each in written.value.keywords.entries if each[0].value in VARIANT))
    settings: dict[str, Any] = {}
    for key, each in written.value.keywords.entries:
        if key.value in VARIANT:
            continue
        value = scalar(f"variant setting {key.value}", each, mistakes) if each.value is not BROKEN else BROKEN
        if key.value in settings:
            mistakes.add(key.place, "duplicate-key", f"setting {key.value} is given twice", "remove one of the two")
        settings[str(key.value)] = value
    fields = read_fields(own, VARIANT, mistakes, place=written.place, of="a variant", path="variant ")
    if fields.broken or any(value is BROKEN for value in settings.values()):
        return BROKEN
    values = fields.values
    return Variant(name=values["name"], target=values.get("use"), settings=settings, accuracy=values.get("accuracy"))


_LAYERS = several(choice("layer", LAYERS))
_FRACTION = quantity(Dimension.FRACTION, zero=True, most=1.0)
_PERCENTILE = number(0.0, 100.0)
_DURATION = quantity(Dimension.DURATION)

COMPONENT: Mapping[str, Field] = {
    "name": Field(_component_name, "name"),
    "on": Field(several(_component), "trigger.inputs"),
    "join": Field(text, "trigger.join_key"),
    "every": Field(_DURATION, "trigger.period_s"),
    "request": Field(flag),
    "source": Field(flag),
    "timeout": Field(_DURATION),
    "batch": Field(integer(1, 100_000), "batching.items_max"),
    "batch_wait": Field(quantity(Dimension.DURATION, zero=True), "batching.wait_max_s"),
    "latency": Field(_DURATION, "latency.latency_max_s"),
    "percentile": Field(_PERCENTILE, "latency.percentile"),
    "throughput": Field(quantity(Dimension.RATE), "requirements.throughput_min_per_s"),
    "memory": Field(quantity(Dimension.SIZE), "requirements.memory_bytes"),
    "energy": Field(quantity(Dimension.ENERGY), "requirements.energy_max_j"),
    "accuracy": Field(_FRACTION, "requirements.accuracy_min"),
    "layers": Field(_LAYERS, "requirements.layers"),
    "regions": Field(several(text), "requirements.regions"),
    "labels": Field(mapping_of_text, "requirements.labels"),
    "accelerators": Field(several(accelerator), "requirements.accelerators"),
    "private": Field(_LAYERS, "requirements.private"),
    "releases": Field(flag, "requirements.releases"),
    "confidential": Field(flag, "requirements.confidential"),
    "replicas": Field(integer(1, 10_000), "requirements.replicas_max"),
    "variants": Field(several(_variant, unique=False), "variants"),
    "agreement": Field(_function, "agreement"),
    "stateful": Field(flag),
    "snapshot_every": Field(_DURATION, "state.snapshot_every_s"),
    "live": Field(flag, "live"),
    "capacity": Field(integer(1), "capacity"),
    "attempts": Field(integer(1, 1000), "attempts_max"),
    "kind": Field(name, "kind"),
    "cell": Field(text, "cell.file"),
    "ranks": Field(integer(1, RANKS_MOST), "cell.ranks"),
    "cores": Field(span(1, CORES_MOST), "cores"),
}
"""The keywords of `component`; `Field.goes` is the attribute of `core.application.Component` that each becomes."""

VARIANT: Mapping[str, Field] = {
    "name": Field(name, "name", required=True),
    "use": Field(_function, "target"),
    "accuracy": Field(_FRACTION, "accuracy"),
}
"""The keywords of `variant`; any other is a setting."""

PATH: Mapping[str, Field] = {
    "latency": Field(_DURATION, "latency.latency_max_s", required=True),
    "percentile": Field(_PERCENTILE, "latency.percentile"),
}
"""The keywords of `path`; its positional arguments are the components."""

PARAMETER: Mapping[str, Field] = {
    "name": Field(name, "name", required=True),
    "default": Field(scalar, "default", required=True),
    "help": Field(text, "help"),
}
"""The arguments of `parameter`."""


class Target(msgspec.Struct, frozen=True):
    """What is decorated, as both ways see it: Python name, hints as normalised text, hooks, docstring's first line."""

    name: str
    is_class: bool
    item_type: str = ""
    output_type: str = ""
    has_hooks: bool = False
    help: str = ""


class Draft(msgspec.Struct, frozen=True):
    """A component as far as it could be built; what was wrong is left at its default and named in `fields.broken`."""

    component: Component
    place: Place
    fields: Fields
    target: Target

    def place_of(self, keyword: str) -> Place:
        """Where the keyword's value stands, else where the annotation does."""
        return self.fields.place(keyword) if keyword in self.fields.written else self.place


def default_component_name(target: Target) -> str:
    """A function's name; a class's in snake case: SiteStatistics -> site_statistics."""
    if not target.is_class:
        return target.name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", target.name).lower()


def build_component(
    keywords: Pairs, target: Target, place: Place, mistakes: Mistakes, *, unread: bool = False
) -> Draft:
    """The component that an annotation describes; notes every mistake in it. `unread`: some of what was written is not
    among `keywords`, so that a trigger may be there though none is seen."""
    fields = read_fields(keywords, COMPONENT, mistakes, place=place, of="component")
    if unread:
        fields.broken.update(TRIGGERS)
    values = fields.values
    if "name" not in fields.values and not is_name(default_component_name(target)) and "name" not in fields.broken:
        message = f"{target.name!r} cannot name a component"
        mistakes.add(place, "bad-name", message, 'give it one: component(name="...")')
        fields.broken.add("name")
    check_annotation(fields, place, mistakes)
    into = _laid_out(values, COMPONENT)
    own: dict[str, Any] = ({"kind": "cell"} if "cell" in values else {}) | into[""]
    trigger = _trigger(values, into)
    takes_item = trigger.kind in ("data", "request") or (trigger.kind == "every" and bool(trigger.inputs))
    component = Component(
        name=values.get("name") or default_component_name(target),
        target=target.name,
        trigger=trigger,
        requirements=Requirements(**into["requirements"], **_promise(into["latency"])),
        batching=Batching(**into["batching"]) if "batch" in values else None,
        state=_state(values, target),
        cell=Cell(**into["cell"]) if "cell" in values else None,
        item_timeout_s=None if values.get("request") else values.get("timeout"),
        input_type=target.item_type if takes_item else "",
        output_type=target.output_type,
        help="" if target.help.startswith(f"{target.name}(") else target.help,  # dataclasses write their own
        **{key: value for key, value in own.items() if key != "name"},
    )
    return Draft(component, place, fields, target)


def _laid_out(values: dict[str, Any], table: Mapping[str, Field]) -> dict[str, dict[str, Any]]:
    """The values by the part of the core value that they go to, "" for the value itself."""
    into: dict[str, dict[str, Any]] = {
        part: {} for part in ("", "requirements", "trigger", "latency", "batching", "state", "cell")
    }
    for label, value in values.items():
        part, _, attribute = table[label].goes.rpartition(".")
        if attribute:
            into[part][attribute] = value
    return into


def _promise(latency: dict[str, Any]) -> dict[str, Any]:
    return {"latency": LatencyPromise(**latency)} if "latency_max_s" in latency else {}


def _trigger(values: dict[str, Any], into: dict[str, dict[str, Any]]) -> Trigger:
    if values.get("source"):
        return Trigger(kind="source")
    if values.get("request"):
        return Trigger(kind="request", timeout_s=values.get("timeout"))
    return Trigger(kind="every" if "every" in values else "data", **into["trigger"])


def _state(values: dict[str, Any], target: Target) -> State | None:
    if "snapshot_every" in values:
        return State(snapshot_every_s=values["snapshot_every"])
    if not values.get("stateful"):
        return None
    return State() if target.has_hooks else State(snapshot_every_s=None)


def build_path(components: Sequence[Written], keywords: Pairs, place: Place, mistakes: Mistakes) -> PathPromise | None:
    """The promise that a `path(...)` makes, or None when it has a mistake."""
    fields = read_fields(keywords, PATH, mistakes, place=place, of="path")
    if not components:
        mistakes.add(place, "empty-path", "the path names no component", "path(first, ..., last, latency=...)")
        return None
    names = [BROKEN if each.value is BROKEN else _component("path", each, mistakes) for each in components]
    if fields.broken or any(each is BROKEN for each in names):
        return None
    latency = _laid_out(fields.values, PATH)["latency"]
    return PathPromise(components=tuple(names), latency=LatencyPromise(**latency))


def build_parameter(arguments: Pairs, place: Place, mistakes: Mistakes) -> Parameter | None:
    """The parameter that a `parameter(...)` declares, or None when it has a mistake."""
    fields = read_fields(arguments, PARAMETER, mistakes, place=place, of="parameter", path="parameter ")
    if fields.broken:
        return None
    kind = type(fields.values["default"]).__name__
    return Parameter(type=kind, **fields.values)  # pyright: ignore[reportArgumentType]  # scalar() allows just these


_TRUTH = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}


def parameter_value(parameter: Parameter, given: object) -> Any:
    """What was given for a parameter, as its type.

    Raises:
        ValueError: it is not of that type; the message says what is expected.
    """
    if isinstance(given, str):
        return _from_text(parameter, given)
    if parameter.type == "float" and isinstance(given, (int, float)) and not isinstance(given, bool):
        return float(given)
    if type(given).__name__ != parameter.type:
        raise ValueError(f"expected {_KINDS[parameter.type]}, got {given!r}")
    return given


_KINDS = {"str": "a text", "int": "a whole number", "float": "a number", "bool": "true or false"}


def _from_text(parameter: Parameter, given: str) -> Any:
    value: Any = None
    try:
        match parameter.type:
            case "str":
                value = given
            case "bool":
                value = _TRUTH.get(given.strip().lower())
            case "int":
                value = int(given)
            case "float":
                value = float(given)
    except ValueError:
        value = None
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(f"expected {_KINDS[parameter.type]}, got {given!r}")
    return value
