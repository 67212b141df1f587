"""Explorations of tiny applications with real workers: what is varied, what is kept, and what it leads to."""

from __future__ import annotations

import itertools
import json
import textwrap
from pathlib import Path

import pytest

from ecotone.core.errors import ComponentError, InputError
from ecotone.design.profiling import Explored, Limits, explore
from ecotone.design.profiling._grid import axes_of, configurations
from ecotone.design.profiling._runs import Run, RunsFile
from ecotone.design.read import read_application
from ecotone.orchestration.performance.learner import predict, read_model, read_table
from ecotone.session import Session

CODE = """
import os, time
from ecotone import component, parameter

size = parameter("size", 100)
name = parameter("name", "x")

@component(every="10 ms")
def source() -> bytes:
    return bytes(size.value)

@component(on=source, batch=4)
def work(batch: list[bytes]) -> int:
    if len(batch) * len(batch[0]) > 6000:
        raise ValueError("too much")
    end = time.perf_counter() + 1e-3 + 1e-6 * len(batch) * len(batch[0])
    while time.perf_counter() < end:
        pass
    return len(os.sched_getaffinity(0)) * 1000 + len(batch)
"""
QUICK = Limits(budget_s=0.1, spare_s=0.3, calls_min=5)


def written(folder: Path, code: str = CODE) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "app.py").write_text(textwrap.dedent(code))
    return folder


def explored(folder: Path, *vary: str, only: str | None = "work", budget_s: float = 30.0) -> tuple[Explored, ...]:
    read = read_application(folder)
    assert read.root is not None
    return explore(
        read.require(),
        read.root,
        read.module,
        read.parameters,
        with_parameters=lambda values: read_application(folder, {k: str(v) for k, v in values.items()}).require(),
        vary=vary,
        folder=folder / "kept",
        accuracy=0.1,
        budget_s=budget_s,
        only=only,
        limits=QUICK,
    )


def test_it_measures_keeps_and_learns(tmp_path: Path) -> None:
    folder = written(tmp_path / "app")
    (found,) = explored(folder, "batch=1,2,4", "size=100,400,1000")
    assert found.reached == "accuracy", found.notes
    assert found.configurations == 9 and not found.failures
    assert found.expected_error is not None and found.expected_error <= 0.1
    table = read_table(Path(found.runs_file), ignore=["key"])
    assert len(table) == len(found.runs)
    model = read_model(Path(found.models["wall_s"]))
    answers = predict(model, table.only([each.name for each in model.features]))
    truth = [1e-3 + 1e-6 * run.values["batch"] * run.values["size"] for run in found.runs]
    wrong = sorted(abs(answer / true - 1) for answer, true in zip(answers.prediction, truth, strict=True))
    assert wrong[len(wrong) // 2] < 0.25  # this machine may be busy
    assert set(found.models) == {"wall_s", "cpu_s", "memory_bytes", "output_bytes"}


def test_it_goes_on_where_it_was_and_starts_anew_with_other_code(tmp_path: Path) -> None:
    folder = written(tmp_path / "app")
    (short,) = explored(folder, "size=100,200,400,800", "batch=1,2,4", budget_s=2.0)
    assert short.reached == "budget" and len(short.runs) >= 1
    file = Path(short.runs_file)
    kept = file.read_text()
    file.write_text(kept + "100,1,0.00")  # cut off in the middle of a line
    (more,) = explored(folder, "size=100,200,400,800", "batch=1,2,4", budget_s=0.1)
    assert [run.values for run in more.runs[: len(short.runs)]] == [run.values for run in short.runs]
    assert more.runs[len(short.runs) :][0].values == short.runs[0].values  # is it the same machine?
    assert file.read_text().startswith(kept)
    written(folder, CODE.replace("1e-3", "2e-3"))
    (anew,) = explored(folder, "size=100,200,400,800", "batch=1,2,4", budget_s=0.1)
    assert len(anew.runs) == 1
    assert file.with_suffix(".old.csv").read_text().startswith(kept)


def test_a_configuration_that_fails_is_left_out_and_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "app")
    (found,) = explored(folder, "batch=1,8", "size=200,1000", budget_s=6.0)
    assert any("too much" in each and "batch 8" in each for each in found.failures)
    assert all(run.values["batch"] * run.values["size"] <= 6000 for run in found.runs)


def test_a_component_that_always_fails_is_an_error(tmp_path: Path) -> None:
    folder = written(tmp_path / "app", CODE.replace("> 6000", "> 0"))
    with pytest.raises(ComponentError, match="too much"):
        explored(folder, "batch=1,2", "size=200,400")


def test_lists_are_full_and_cores_are_taken(tmp_path: Path) -> None:
    code = CODE.replace("1e-6 * len(batch) * len(batch[0])", "0.002 * (len(batch) == 100) + 0.004 * cores()")
    code += "\ndef cores():\n    return len(os.sched_getaffinity(0)) - 1 + (os.environ['OMP_NUM_THREADS'] != '1')\n"
    folder = written(tmp_path / "app", code)
    (found,) = explored(folder, "batch=100", "size=10", budget_s=3.0)
    assert found.runs[0].wall_s == pytest.approx(3e-3, rel=0.3)


APPLICATION = """
from ecotone import component, parameter, variant
size = parameter("size", 100)
scale = parameter("scale", 1.5)
name = parameter("name", "x")

@component(every="10 ms")
def source() -> bytes:
    return b""

@component(on=source, batch=4)
def batched(batch: list[bytes]) -> None:
    pass
"""


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ("batch", "write --vary NAME=VALUE"),
        ("batch=", "write --vary NAME=VALUE"),
        ("bach=1,2", "did you mean batch"),
        ("size=1,x", "'x' is not a number above 0"),
        ("size=0,1", "'0' is not a number above 0"),
        ("size=nan", "not a number above 0"),
        ("size=1.5", "not a whole number"),
        ("name=1,2", "only numbers can be varied"),
        ("cores=1,3", "more than the 2 of this machine"),
    ],
)
def test_what_is_varied_is_checked(tmp_path: Path, vary: str, message: str) -> None:
    application = read_application(written(tmp_path / "app", APPLICATION)).require()
    with pytest.raises(InputError, match=message):
        axes_of(application, [vary], 2)


def test_the_grid_holds_what_applies(tmp_path: Path) -> None:
    read = read_application(written(tmp_path / "app", APPLICATION))
    application = read.require()
    axes = axes_of(application, ["batch=4,2,2", "cores=1,2", "scale=0.5,1"], 2)
    with pytest.raises(InputError, match="twice"):
        axes_of(application, ["cores=1", "cores=2"], 2)
    batched = configurations(application, application.component("batched"), axes, read.parameters)
    assert [tuple(each.values.values()) for each in batched] == list(itertools.product([2, 4], [1, 2], [0.5, 1]))
    assert batched[0].parameters == {"size": 100, "scale": 0.5, "name": "x"}
    source = configurations(application, application.component("source"), axes, read.parameters)
    assert all(each.batch is None for each in source) and len(source) == 4


def test_runs_of_another_key_or_other_axes_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    run = Run(
        values={"cores": 2.0}, wall_s=0.25, cpu_s=0.5, memory_bytes=1e6, output_bytes=512.0, calls=9, others=0.125
    )
    file = RunsFile(path, ["cores"], "one")
    assert file.read() == []
    file.append(run)
    file.append(run)
    assert RunsFile(path, ["cores"], "one").read() == [run, run]
    assert RunsFile(path, ["cores"], "two").read() == []
    assert RunsFile(path, ["batch"], "one").read() == []


def test_the_command_prints_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ecotone.frontends.cli.main import run_command

    folder = written(tmp_path / "app")
    command = ["profile", str(folder), "--vary", "size=100,800", "--component", "work", "--budget", "1s"]
    assert run_command([*command, "--json"]) == 0
    (document,) = json.loads(capsys.readouterr().out)["variants"]
    assert document["component"] == "work" and document["runs"][0]["wall_s"] > 0
    assert (Session(folder).state_folder / "performance" / "work.default.csv").is_file()
    assert run_command(command) == 0
    assert "run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--component", "work"], "belong to --vary"),
        (["--vary", "size=1,2", "--component", "wrk"], "no component 'wrk'"),
        (["--vary", "size=1,2", "--force"], "no meaning"),
        (["--vary", "size=1,2", "--accuracy", "0"], "no model is without error"),
    ],
)
def test_options_that_say_nothing_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    from ecotone.frontends.cli.main import run_command

    folder = written(tmp_path / "app")
    assert run_command(["profile", str(folder), *more]) == 2
    assert message in capsys.readouterr().err
