"""Right descriptions with something changed at random: they are read or refused, and what was read can be judged."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.core.errors import InputError
from ecotone.design.space4ai import read_space4ai, read_space4ai_solution, space4ai_description, space4ai_solution
from ecotone.orchestration.placement.system.evaluate import judge
from ecotone.orchestration.placement.system.generate import generate
from ecotone.orchestration.placement.system.model import Placement, System

TEXT = (Path(__file__).parents[1] / "corpus" / "space4ai" / "right.json").read_text()
DOCUMENT = json.loads(TEXT)
MANY = settings(max_examples=300, deadline=None)
NAMES = ["c1", "c2", "s1", "h1", "h3", "Drone1", "VM1", "F1", "p1", "computationallayer2", "Lambda", "next", "é", ""]
JUNK = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(NAMES)
    | st.text(max_size=3)
    | st.just([])
    | st.just({})
    | st.lists(st.sampled_from([*NAMES, 1, None, []]), max_size=3)
    | st.dictionaries(st.sampled_from(NAMES), st.sampled_from([1, "c1", None, {}]), max_size=2)
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, below in inside for each in paths(below, (*path, key)))]


def changed(draw: st.DrawFn, document: Any) -> Any:
    """The document with one thing deleted, replaced, renamed or moved."""
    document = copy.deepcopy(document)
    path = draw(st.sampled_from(paths(document)))
    if not path:
        return draw(JUNK)
    *above, last = path
    inside = document
    for step in above:
        inside = inside[step]
    how = draw(st.sampled_from(["delete", "replace", "rename", "copy"]))
    if how == "delete":
        del inside[last]
    elif how == "replace":
        inside[last] = draw(JUNK)
    elif isinstance(inside, dict):
        name = draw(st.sampled_from(NAMES))
        inside[name] = inside.pop(last) if how == "rename" else copy.deepcopy(inside[last])
    else:
        inside.append(copy.deepcopy(inside[last]))
    return document


@st.composite
def documents(draw: st.DrawFn) -> str:
    document: Any = DOCUMENT
    for _ in range(draw(st.integers(1, 4))):
        if paths(document) != [()]:
            document = changed(draw, document)
    return json.dumps(document, ensure_ascii=draw(st.booleans()))


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """The text with bytes cut out or put in."""
    data = bytearray(TEXT.encode())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.integers(0, 5))] = draw(
            st.binary(max_size=4) | st.sampled_from([b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\\ud800", b"1e999"])
        )
    return bytes(data)


def read(data: bytes) -> System | None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "system.json")
        file.write_bytes(data)
        try:
            return read_space4ai(file)
        except InputError as error:
            assert error.problems
            assert str(error).isprintable()
            assert all(str(each).isprintable() for each in error.problems)
            assert all(each.place.line >= 1 and each.place.column >= 1 for each in error.problems)
            return None


def first_placement(system: System) -> Placement:
    deployments = {component.name: component.deployments[0] for component in system.components}
    return Placement(
        deployments={name: deployment.name for name, deployment in deployments.items()},
        resources={
            name: tuple(partition.options[0].resource for partition in deployment.partitions)
            for name, deployment in deployments.items()
        },
        copies={each.name: 1 for each in system.resources if each.kind != "serverless" and each.copies_max},
    )


@MANY
@given(documents())
def test_a_changed_description_is_read_or_refused(text: str) -> None:
    system = read(text.encode("utf-8", "surrogatepass"))
    if system is not None:
        judged = judge(system, first_placement(system))
        assert all(violation.what != "structure" for violation in judged.violations)


@MANY
@given(torn())
def test_torn_text_is_read_or_refused(data: bytes) -> None:
    read(data)


@MANY
@given(st.data())
def test_a_changed_solution_is_read_or_refused(data: st.DataObject) -> None:
    system = read(TEXT.encode())
    assert system is not None
    solution = space4ai_solution(system, judge(system, first_placement(system)), 1.0)
    document = data.draw(st.composite(lambda draw: changed(draw, solution))())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "solution.json")
        file.write_text(json.dumps(document))
        try:
            judge(system, read_space4ai_solution(file, system))
        except InputError as error:
            assert error.problems


@settings(max_examples=30, deadline=None)
@given(st.integers(5, 12), st.integers(0, 10_000), st.sampled_from(["strict", "light"]))
def test_generated_systems_are_read_as_they_were_written(components: int, seed: int, strictness: Any) -> None:
    system = generate(components, seed, strictness=strictness)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"{system.name}.json")
        file.write_text(json.dumps(space4ai_description(system)))
        assert read_space4ai(file) == system
