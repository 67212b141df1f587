"""The decorators: what they attach, what they refuse at once, and that calls cost nothing."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import ecotone
from ecotone import component, output_dir, parameter, path, variant
from ecotone.core import parameters as bound
from ecotone.core.application import Batching, LatencyPromise, State, Trigger, Variant
from ecotone.core.errors import InputError
from ecotone.design import application_of
from ecotone.design._keywords import COMPONENT


def run_as_module(text: str, name: str = "street") -> ModuleType:
    module = ModuleType(name)
    module.__file__ = f"/nowhere/{name}.py"
    exec(compile(text, module.__file__, "exec", dont_inherit=True), vars(module))
    return module


def test_the_decorated_function_is_the_function() -> None:
    def twice(number: int) -> int:
        return 2 * number

    decorated = component(on="numbers", latency="30 ms")(twice)
    assert decorated is twice
    assert twice(4) == 8
    attached = twice.__ecotone__  # type: ignore[attr-defined]
    assert attached.name == attached.target == "twice"
    assert attached.trigger == Trigger(kind="data", inputs=("numbers",))
    assert attached.requirements.latency == LatencyPromise(latency_max_s=0.03, percentile=95.0)
    assert (attached.input_type, attached.output_type) == ("int", "int")


def test_the_decorated_class_is_the_class() -> None:
    @component(
        on=["a", "b"],
        batch=8,
        batch_wait="20 ms",
        variants=[variant("large", size=2, accuracy="95 %"), variant("small", use="Other", size=1)],
        snapshot_every="2 s",
    )
    class HTTPReader2:
        """Reads.

        And reads.
        """

        def __init__(self, size: int) -> None:
            self.size = size

        def __call__(self, items: list[int]) -> str | None:
            return str(items)

    attached = HTTPReader2.__ecotone__  # type: ignore[attr-defined]
    assert HTTPReader2(3)([1]) == "[1]"
    assert attached.name == "http_reader2"
    assert attached.help == "Reads."
    assert attached.batching == Batching(items_max=8, wait_max_s=0.02)
    assert attached.state == State(snapshot_every_s=2.0)
    assert attached.variants == (
        Variant(name="large", settings={"size": 2}, accuracy=0.95),
        Variant(name="small", target="Other", settings={"size": 1}),
    )
    assert (attached.input_type, attached.output_type) == ("list[int]", "str | None")


def test_the_signature_of_component_is_the_table() -> None:
    signature = inspect.signature(component)
    named = [name for name, each in signature.parameters.items() if each.kind is inspect.Parameter.KEYWORD_ONLY]
    assert sorted(named) == sorted(COMPONENT)
    assert all(signature.parameters[name].default is None for name in named)


def test_every_keyword_is_in_the_reference() -> None:
    reference = Path(__file__).parents[3] / "docs" / "reference" / "annotations.md"
    text = reference.read_text()
    assert [name for name in COMPONENT if f"| `{name}`" not in text] == []


def test_all_mistakes_of_one_annotation_are_raised_at_once() -> None:
    with pytest.raises(InputError) as raised:

        @component(latency="30 kg", layers=["fog"], colour="red", percentile=3)
        def paint() -> None: ...

    assert sorted(each.code for each in raised.value.problems) == [
        "missing-trigger",
        "unknown-key",
        "unknown-layer",
        "wrong-unit",
    ]
    assert all(each.place.file == __file__ and each.place.line > 80 for each in raised.value.problems)
    assert "did you mean" in str(raised.value) or "one of" in str(raised.value)


def test_the_place_is_the_line_of_the_decorator() -> None:
    text = "from ecotone import component\n\n\n@component(\n    every='1 kg',\n)\ndef tick(): ...\n"
    with pytest.raises(InputError) as raised:
        run_as_module(text)
    assert str(raised.value.problems[0].place) in ("/nowhere/street.py:4:0", "/nowhere/street.py:4")
    assert raised.value.problems[0].place.line == 4


def test_without_call_it_says_how_to_write_it() -> None:
    with pytest.raises(InputError, match="@component"):

        @component
        def tick() -> None: ...


@pytest.mark.parametrize("thing", [len, 3, None])
def test_only_functions_and_classes_can_be_components(thing: object) -> None:
    with pytest.raises(InputError):
        component(every="1 s")(thing)


def test_wrong_paths_and_parameters_are_refused() -> None:
    def helper() -> None: ...

    with pytest.raises(InputError, match="not a component"):
        path(helper, latency="1 s")
    with pytest.raises(InputError, match="no component"):
        path(latency="1 s")
    with pytest.raises(InputError, match="not a duration"):
        path("a", latency="soon")
    with pytest.raises(InputError, match="bad-name"):
        parameter("two words", 1)
    with pytest.raises(InputError, match="wrong-type"):
        parameter("numbers", [1, 2])  # type: ignore[type-var]


def test_parameters_are_bound_in_the_process_and_used_by_annotations() -> None:
    text = """
from ecotone import component, parameter, path
period = parameter("period", "1 s")
copies = parameter("copies", 2)
@component(every=period)
def tick():
    return period.value
@component(on=tick, replicas=copies)
def work(item):
    return item
path(tick, work, latency=period)
"""
    module = run_as_module(text)
    try:
        assert module.tick() == "1 s"
        assert application_of(module).name == "street"
        application = application_of(module, "other", {"period": "250 ms", "copies": "3"})
        assert application.name == "other"
        assert application.component("tick").trigger.period_s == 0.25
        assert application.component("work").requirements.replicas_max == 3
        assert application.paths[0].latency.latency_max_s == 0.25
        assert module.tick() == "250 ms"
        bound.bind({"period": "40 ms"})
        assert run_as_module(text).tick.__ecotone__.trigger.period_s == 0.04
        with pytest.raises(InputError, match="unknown-parameter"):
            application_of(module, parameters={"perod": "1 s"})
        with pytest.raises(InputError, match="wrong-type"):
            application_of(module, parameters={"copies": "two"})
        with pytest.raises(InputError, match="wrong-unit"):
            application_of(module, parameters={"period": "1 kg"})
    finally:
        bound.bind({})


def test_running_a_module_again_declares_it_again() -> None:
    text = "from ecotone import component, path\n@component(every='1 s')\ndef tick(): ...\npath(tick, latency='1 s')\n"
    module = run_as_module(text)
    once = application_of(module)
    exec(compile(text, module.__file__ or "", "exec", dont_inherit=True), vars(module))
    assert application_of(module) == once
    assert len(once.components) == len(once.paths) == 1


def test_output_dir_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOTONE_OUTPUT_DIR", str(tmp_path / "deep" / "outputs"))
    assert output_dir() == tmp_path / "deep" / "outputs"
    assert output_dir().is_dir()
    monkeypatch.delenv("ECOTONE_OUTPUT_DIR")
    monkeypatch.chdir(tmp_path)
    assert output_dir() == Path(".ecotone/outputs")


def test_the_package_has_just_these_names() -> None:
    names = ["CellDone", "CellRun", "__version__", "component", "output_dir", "parameter", "path", "variant"]
    assert sorted(ecotone.__all__) == names
    with pytest.raises(AttributeError):
        ecotone.nothing  # noqa: B018


def _modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_else() -> None:
    new = _modules_after("import ecotone") - _modules_after("pass")
    assert {each for each in new if each.startswith("ecotone")} == {"ecotone", "ecotone._lazy", "ecotone._version"}
    assert not new & {"msgspec", "yaml", "numpy", "inspect", "ast"}


def test_an_author_s_module_brings_no_design_tools() -> None:
    loaded = _modules_after("from ecotone import component, output_dir, parameter, path, variant")
    assert not loaded & {"yaml", "numpy", "ecotone.design._check", "ecotone.design.read", "ecotone.design.continuum"}
