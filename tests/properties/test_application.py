"""Random applications and continua: what was written is what is read, and no garbage makes a reader raise.

The expected core values are made here, from the same draws as the text, not by the reader's own tables.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecotone.core.application import (
    Accelerator,
    Application,
    Batching,
    Component,
    LatencyPromise,
    PathPromise,
    Requirements,
    State,
    Trigger,
    Variant,
)
from ecotone.core.continuum import Continuum, Device, Link, NodeType, Power, Site, Trust
from ecotone.design import application_of, check, read_application, read_continuum

CORPUS = Path(__file__).parents[1] / "corpus"
LAYERS = ("device", "edge", "cloud")
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).map(lambda name: f"c_{name}")
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def milliseconds(draw: st.DrawFn) -> tuple[str, float]:
    number = draw(st.integers(1, 10_000))
    return f"{number} ms", float(f"{number * 1e-3:.15g}")


@st.composite
def written_components(draw: st.DrawFn) -> list[tuple[str, Component]]:
    names = draw(st.lists(NAMES, min_size=1, max_size=8, unique=True))
    made: list[tuple[str, Component]] = []
    for index, name in enumerate(names):
        made.append(draw(written_component(name, names[:index])))
    return made


@st.composite
def written_component(draw: st.DrawFn, name: str, before: list[str]) -> tuple[str, Component]:
    keywords: dict[str, str] = {}
    fields: dict[str, Any] = {}
    needs: dict[str, Any] = {}
    trigger, item = _draw_trigger(draw, before, keywords, fields)
    _draw_requirements(draw, keywords, needs, fields, trigger)
    settings_text = _draw_variants(draw, keywords, fields)
    if draw(st.booleans()):
        keywords["live"], fields["live"] = "True", True
    if draw(st.booleans()):
        fields["capacity"] = draw(st.integers(1, 1000))
        keywords["capacity"] = str(fields["capacity"])
    if draw(st.booleans()) and trigger.kind != "request":
        keywords["timeout"], fields["item_timeout_s"] = _quoted(*milliseconds(draw))
    order = draw(st.permutations(list(keywords)))
    arguments = ", ".join(f"{key}={keywords[key]}" for key in order)
    body = "    yield 1" if trigger.kind == "source" else "    return 1"
    parameters = ", ".join(each for each in (item, settings_text) if each)
    text = f"@component({arguments})\ndef {name}({parameters}):\n{body}\n"
    return text, Component(name=name, target=name, trigger=trigger, requirements=Requirements(**needs), **fields)


def _quoted(text: str, value: float) -> tuple[str, float]:
    return repr(text), value


def _draw_trigger(
    draw: st.DrawFn, before: list[str], keywords: dict[str, str], fields: dict[str, Any]
) -> tuple[Trigger, str]:
    kinds = ["every", "request", "source"] + (["on", "on", "on", "on_every"] if before else [])
    match draw(st.sampled_from(kinds)):
        case "every":
            keywords["every"], period_s = _quoted(*milliseconds(draw))
            return Trigger(kind="every", period_s=period_s), ""
        case "request":
            keywords["request"] = "True"
            keywords["timeout"], timeout_s = _quoted(*milliseconds(draw))
            return Trigger(kind="request", timeout_s=timeout_s), "item"
        case "source":
            keywords["source"] = "True"
            return Trigger(kind="source"), ""
        case "on_every":
            inputs = _draw_inputs(draw, before, keywords)
            keywords["every"], period_s = _quoted(*milliseconds(draw))
            return Trigger(kind="every", inputs=inputs, period_s=period_s), "items"
    inputs = _draw_inputs(draw, before, keywords)
    join = "key" if len(inputs) > 1 and draw(st.booleans()) else None
    if join is not None:
        keywords["join"] = repr(join)
    elif draw(st.booleans()):
        count = draw(st.integers(1, 64))
        keywords["batch"], keywords["batch_wait"] = str(count), "'20 ms'"
        fields["batching"] = Batching(items_max=count, wait_max_s=0.02)
    return Trigger(kind="data", inputs=inputs, join_key=join), "item"


def _draw_inputs(draw: st.DrawFn, before: list[str], keywords: dict[str, str]) -> tuple[str, ...]:
    inputs = draw(st.lists(st.sampled_from(before), min_size=1, max_size=3, unique=True))
    written = [draw(st.sampled_from([each, repr(each)])) for each in inputs]
    keywords["on"] = written[0] if len(written) == 1 and draw(st.booleans()) else f"[{', '.join(written)}]"
    return tuple(inputs)


def _draw_requirements(
    draw: st.DrawFn, keywords: dict[str, str], needs: dict[str, Any], fields: dict[str, Any], trigger: Trigger
) -> None:
    if draw(st.booleans()):
        text, latency_s = milliseconds(draw)
        percentile = draw(st.sampled_from([50, 95, 99.9]))
        keywords["latency"], keywords["percentile"] = repr(text), str(percentile)
        needs["latency"] = LatencyPromise(latency_max_s=latency_s, percentile=float(percentile))
    if trigger.kind == "source" or (trigger.kind != "every" and draw(st.booleans())):
        rate = draw(st.integers(1, 500))
        unit = draw(st.sampled_from(["items/s", "req/s", "Hz", "fps", "/s"]))
        keywords["throughput"], needs["throughput_min_per_s"] = repr(f"{rate} {unit}"), float(rate)
    if draw(st.booleans()):
        size = draw(st.integers(1, 64))
        keywords["memory"], needs["memory_bytes"] = repr(f"{size}MiB"), size * 2.0**20
    if draw(st.booleans()):
        layers = draw(st.lists(st.sampled_from(LAYERS), min_size=1, unique=True))
        keywords["layers"], needs["layers"] = repr(layers), tuple(layers)
    if draw(st.booleans()):
        labels = draw(st.dictionaries(NAMES, NAMES, max_size=2))
        keywords["labels"], needs["labels"] = repr(labels), labels
    if draw(st.booleans()):
        count = draw(st.integers(1, 4))
        keywords["accelerators"] = repr([f"gpu:{count} 2 GiB", "npu"])
        needs["accelerators"] = (Accelerator(kind="gpu", count=count, memory_bytes=2.0**31), Accelerator(kind="npu"))
    if draw(st.booleans()):
        keywords["confidential"], needs["confidential"] = "True", True
    if trigger.kind in ("data", "request"):
        if draw(st.booleans()):
            needs["replicas_max"] = draw(st.integers(1, 9))
            keywords["replicas"] = str(needs["replicas_max"])
        elif draw(st.booleans()):
            keywords["stateful"], fields["state"] = "True", State(snapshot_every_s=None)


def _draw_variants(draw: st.DrawFn, keywords: dict[str, str], fields: dict[str, Any]) -> str:
    if draw(st.booleans()):
        return ""
    sizes = draw(st.lists(st.one_of(st.integers(-99, 99), st.floats(-1e3, 1e3)), min_size=1, max_size=3, unique=True))
    accuracies = [draw(st.one_of(st.none(), st.sampled_from([0.5, 0.9, 1.0]))) for _ in sizes]
    written = [
        f"variant('v{index}', size={size!r}" + (f", accuracy={accuracy}" if accuracy is not None else "") + ")"
        for index, (size, accuracy) in enumerate(zip(sizes, accuracies, strict=True))
    ]
    keywords["variants"] = f"[{', '.join(written)}]"
    fields["variants"] = tuple(
        Variant(name=f"v{index}", settings={"size": size}, accuracy=accuracy)
        for index, (size, accuracy) in enumerate(zip(sizes, accuracies, strict=True))
    )
    return draw(st.sampled_from(["size", "*, size", "size=3"]))


@st.composite
def written_applications(draw: st.DrawFn) -> tuple[str, Application]:
    made = draw(written_components())
    components = tuple(component for _, component in made)
    paths: list[PathPromise] = []
    lines = ["from ecotone import component, path, variant", ""]
    lines += [text for text, _ in made]
    fed = [each for each in components if each.trigger.inputs]
    if fed and draw(st.booleans()):
        last = draw(st.sampled_from(fed))
        text, latency_s = milliseconds(draw)
        first = last.trigger.inputs[-1]
        lines.append(f"path({first}, {last.name!r}, latency={text!r})")
        promise = LatencyPromise(latency_max_s=latency_s, percentile=95.0)
        paths.append(PathPromise(components=(first, last.name), latency=promise))
    return "\n".join(lines), Application(name="random", components=components, paths=tuple(paths))


@MANY
@given(written_applications())
def test_a_valid_application_is_read_as_it_was_written(case: tuple[str, Application]) -> None:
    text, expected = case
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "random.py"
        file.write_text(text)
        result = read_application(file)
    assert result.problems == (), text
    assert result.require() == expected
    module = ModuleType("random_application")
    module.__file__ = str(file)
    exec(compile(text, str(file), "exec", dont_inherit=True), vars(module))
    assert application_of(module) == expected


@st.composite
def written_continua(draw: st.DrawFn) -> tuple[str, Continuum]:
    count = draw(st.integers(1, 4))
    lines, sites, links = ["name: random", "sites:"], [], []
    for number in range(count):
        layer = draw(st.sampled_from(LAYERS))
        attested = draw(st.booleans())
        types: list[NodeType] = []
        lines += [
            f"  s{number}:",
            f"    layer: {layer}",
            f"    trust: {{attested: {str(attested).lower()}}}",
            "    nodes:",
        ]
        for index in range(draw(st.integers(1, 2))):
            kind = NodeType(
                name=f"n{number}{index}",
                count=draw(st.integers(1, 3)),
                cores=draw(st.integers(1, 8)),
                speed=draw(st.sampled_from([0.25, 0.5, 1.0])),
                memory_bytes=draw(st.integers(1, 64)) * 2.0**30,
                price_eur_per_h=draw(st.integers(0, 9)) / 4,
                power=Power(idle_w=2.0, busy_w=float(draw(st.integers(2, 90)))),
                devices=(Device(kind="gpu", count=2, memory_bytes=2.0**32),) if draw(st.booleans()) else (),
            )
            types.append(kind)
            devices = ", devices: {gpu: {count: 2, memory: 4 GiB}}" if kind.devices else ""
            lines.append(
                f"      {kind.name}: {{count: {kind.count}, cores: {kind.cores}, speed: {kind.speed},"
                f" memory: {kind.memory_bytes / 2**30:g} GiB, price: {kind.price_eur_per_h} EUR/h,"
                f" power: {{idle: 2 W, busy: {kind.power.busy_w:g} W}}{devices}}}"
            )
        sites.append(Site(name=f"s{number}", layer=layer, trust=Trust(attested=attested), node_types=tuple(types)))
    if count > 1:
        lines.append("links:")
    for number in range(1, count):
        other, latency = draw(st.integers(0, number - 1)), draw(st.integers(0, 500))
        lines.append(f"  - {{between: [s{number}, s{other}], latency: {latency} ms, bandwidth: 8 Mbit/s}}")
        latency_s = float(f"{latency * 1e-3:.15g}")
        links.append(Link(between=(f"s{number}", f"s{other}"), latency_s=latency_s, bandwidth_bytes_per_s=1e6))
    return "\n".join(lines), Continuum(name="random", sites=tuple(sites), links=tuple(links))


@MANY
@given(written_continua())
def test_a_valid_continuum_is_read_as_it_was_written(case: tuple[str, Continuum]) -> None:
    text, expected = case
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "random.yaml"
        file.write_text(text)
        result = read_continuum(file)
    assert result.problems == (), text
    assert result.require() == expected


def _texts(*patterns: str) -> list[bytes]:
    return [path.read_bytes() for pattern in patterns for path in sorted(CORPUS.glob(pattern))]


APPS = _texts("right/*.py", "right/*/app.py", "wrong/*.py")
CONTINUA = _texts("right/*.yaml", "wrong/*.yaml")
TOKENS = [
    *(each.encode() for each in "()[]{},=:@|~'\"\n\t"),
    *b"** * on= -1 1e999 &a *a <<: camera variant component path( async yield class ... nan None True lambda:0".split(),
    b"  ",
    b"- ",
    b"\xff",
    b"\0",
]


@st.composite
def mutated(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """A file of the corpus after a few cuts, swaps and insertions."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([0, 0, 1, 2, 5, 20, 100]))
        data[start : start + length] = draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=4)))
    return bytes(data)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.one_of(mutated(APPS), mutated(APPS), st.binary(max_size=300)))
def test_no_application_makes_the_reader_raise(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "random.py"
        file.write_bytes(data)
        result = check(file)
    assert (result.application is None) or not result.read.problems
    assert all(each.message and each.code for each in result.problems)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.one_of(mutated(CONTINUA), mutated(CONTINUA), st.binary(max_size=300)))
def test_no_continuum_makes_the_reader_raise(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "random.yaml"
        file.write_bytes(data)
        result = read_continuum(file)
    assert (result.continuum is None) == bool(result.problems)
