"""User code is loaded as it was planned, and called as it was written."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ecotone.core.errors import ComponentError, InputError, NotFoundError
from ecotone.design.read import read_application
from ecotone.execution.host.kinds import Handler, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ecotone.core.application import Application

SOURCE = """
from collections.abc import Iterator
from typing import TYPE_CHECKING
import msgspec
from ecotone import component, parameter, variant

if TYPE_CHECKING:
    from somewhere import Unknown

factor = parameter("factor", 2)

class Frame(msgspec.Struct):
    number: int

class Face(msgspec.Struct):
    number: int

@component(source=True, throughput="1 items/s")
def frames() -> Iterator[Frame]:
    yield Frame(1)

@component(on=frames)
def faces(frame: Frame) -> Face | None:
    return Face(frame.number * factor.value) if frame.number else None

def in_steps(frame: Frame, step: int):
    yield frame.number
    yield frame.number + step

@component(on=frames, variants=[variant("one", step=1), variant("many", use=in_steps, step=3)])
def steps(frame: Frame, step: int):
    return frame.number + step

@component(on=[frames, faces])
def either(value: Frame | Face) -> None:
    return None

@component(on=[frames, faces], join="number")
def both(values: "dict[str, Frame | Face]") -> None: ...

@component(on=frames, batch=4)
def batch(values: list[Frame]) -> None: ...

@component(on=frames)
def strange(value: "Unknown") -> "Unknown":
    return value

@component(on=frames, stateful=True, variants=[variant("small", start=5), variant("large", start=50)])
class Counter:
    def __init__(self, start: int) -> None:
        self.count = start
    def __call__(self, frame: Frame) -> int:
        self.count += frame.number
        return self.count
    def snapshot(self) -> int:
        return self.count
    def restore(self, state: int) -> None:
        self.count = state
"""


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    (tmp_path / "app.py").write_text(SOURCE)
    sys.modules.pop("app", None)
    yield read_application(tmp_path).require()
    sys.modules.pop("app", None)
    sys.path[:] = [each for each in sys.path if each != str(tmp_path)]


@pytest.fixture
def loaded(application: Application, tmp_path: Path) -> Callable[..., Handler]:
    def load_it(name: str, variant: str = "default", **parameters: Any) -> Handler:
        return load(str(tmp_path), "app", application.component(name), variant, parameters)

    return load_it


def frame(number: int) -> Any:
    return sys.modules["app"].Frame(number)


def test_none_emits_nothing_a_value_once_and_a_generator_each(loaded: Callable[..., Handler]) -> None:
    faces = loaded("faces")
    assert list(faces.handle(frame(0))) == []
    assert [each.number for each in faces.handle(frame(3))] == [6]  # pyright: ignore[reportAttributeAccessIssue]
    assert list(loaded("steps", "many").handle(frame(1))) == [1, 4]
    assert list(loaded("steps", "one").handle(frame(1))) == [2]


def test_parameters_are_bound_for_the_process(loaded: Callable[..., Handler]) -> None:
    assert [each.number for each in loaded("faces", factor=5).handle(frame(3))] == [15]  # pyright: ignore
    assert [each.number for each in loaded("faces").handle(frame(3))] == [6]  # pyright: ignore


def test_a_class_is_constructed_with_its_variants_settings_and_keeps_state(loaded: Callable[..., Handler]) -> None:
    counter = loaded("counter", "large")
    assert list(counter.handle(frame(2))) == [52]
    assert counter.keeps_state
    assert counter.snapshot() == 52
    counter.restore(7)
    assert list(counter.handle(frame(1))) == [8]
    assert not loaded("faces").keeps_state


def test_items_are_decoded_by_what_the_consumer_asks_for_else_by_what_the_producer_says(
    loaded: Callable[..., Handler], application: Application
) -> None:
    frames, faces = application.component("frames"), application.component("faces")
    app = loaded("faces") and sys.modules["app"]
    assert loaded("faces").hint_for(frames) is app.Frame
    assert loaded("batch").hint_for(frames) is app.Frame
    assert loaded("both").hint_for(faces) == app.Face | None
    assert loaded("either").hint_for(frames) is app.Frame  # the producer's: Iterator[Frame]
    assert loaded("either").hint_for(faces) == app.Face | None
    assert loaded("strange").hint_for(frames) is app.Frame
    assert loaded("strange").hint_for(application.component("strange")) is None
    assert loaded("frames").hint_for(None) is None


def test_a_source_must_yield(loaded: Callable[..., Handler]) -> None:
    assert len(list(loaded("frames").handle())) == 1
    handler = loaded("frames")
    handler._call = lambda: [1, 2]  # pyright: ignore[reportAttributeAccessIssue] - check refuses such a source
    with pytest.raises(ComponentError, match="frames is a source and must yield"):
        handler.handle()


def test_code_that_is_not_what_was_planned_is_refused(application: Application, tmp_path: Path) -> None:
    faces = application.component("faces")
    changed = msgspec.structs.replace(faces, attempts_max=9)
    with pytest.raises(InputError, match="the code has changed; plan again"):
        load(str(tmp_path), "app", changed, "default", {})
    with pytest.raises(NotFoundError, match="no function or class nothing"):
        load(str(tmp_path), "app", msgspec.structs.replace(faces, target="nothing"), "default", {})
    with pytest.raises(InputError, match="lacks the decorator"):
        load(str(tmp_path), "app", msgspec.structs.replace(faces, target="in_steps"), "default", {})
    with pytest.raises(NotFoundError, match="there is no module absent in"):
        load(str(tmp_path), "absent", faces, "default", {})
    with pytest.raises(NotFoundError, match="nothing installed runs components of kind 'oven'"):
        load(str(tmp_path), "app", msgspec.structs.replace(faces, kind="oven"), "default", {})
