"""Commands: exit status, one JSON document, messages without tracebacks, help."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import msgspec
import pytest
from tests.support.reports import broken_run, mobility_plan, mobility_run
from tests.support.sessions import PlayedSession

import ecotone.session
from ecotone.__main__ import wants_prestart
from ecotone.core.errors import ComponentError, InfeasibleError, InputError, NotFoundError, UnavailableError
from ecotone.core.plan import encode_plan
from ecotone.core.problems import Place, Problem
from ecotone.frontends.cli.app import COMMANDS, command_tree
from ecotone.frontends.cli.main import run_command
from ecotone.frontends.cli.running import status_of
from ecotone.frontends.cli.stopping import stopping
from ecotone.frontends.cli.watching import Watcher, status_line
from ecotone.frontends.report import write_report

PROBLEM = Problem(place=Place("app.py", 3, 5), code="wrong-unit", message="it has no unit", hint="30 ms")


@pytest.fixture
def session(monkeypatch, tmp_path):
    """A session that is played; its class attributes can be set by the test."""
    played = type("Played", (PlayedSession,), {"state": tmp_path / ".ecotone", "runs": []})
    monkeypatch.setattr(ecotone.session, "Session", played, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    return played


@pytest.fixture
def past_run(session):
    """A finished run in the state folder."""
    run = mobility_run()
    folder = session.state / "runs" / run.run
    write_report(msgspec.structs.replace(run, outputs=()), folder)
    (folder / "logs").mkdir()
    (folder / "logs" / "detect.roadside.0.log").write_text("hello\nmodel loaded\n")
    (folder / "logs" / "agent.log").write_text("agent started\n")
    (folder / "logs" / "camera.camera.0.log").write_text("clip opened\n")
    return folder


def document(capsys):
    """What was printed, which must be exactly one JSON document with a schema version."""
    printed = capsys.readouterr()
    value = json.loads(printed.out)
    assert value["schema_version"] == 1
    return value


@pytest.mark.parametrize("name", [name for name, *_ in COMMANDS])
def test_every_command_has_help_whose_first_line_is_in_the_list(name, capsys):
    assert run_command([name, "--help"]) == 0
    own = capsys.readouterr().out
    about = next(about for each, _, _, about in COMMANDS if each == name)
    assert about in own
    assert run_command(["--help"]) == 0
    assert name in capsys.readouterr().out


def test_help_fits_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in ([], ["--help"], *([name, "--help"] for name, *_ in COMMANDS)):
        assert run_command(arguments) == 0
        assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80


def test_the_list_of_commands_loads_none_of_them():
    tree = command_tree(listing=True)
    assert {name for name, *_ in COMMANDS} < set(tree)


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "app"],
        ["profile", "app"],
        ["plan", "app"],
        ["explain", "app"],
        ["run", "app", "--for", "1 s"],
        ["run", "app", "--dry-run"],
        ["report", "app"],
        ["report", "app", "--render"],
        ["logs", "app"],
        ["logs", "app", "detect"],
        ["version"],
    ],
)
def test_every_command_prints_one_document_or_a_picture(arguments, session, past_run, capsys):
    assert run_command([*arguments, "--json"]) == 0
    document(capsys)
    assert run_command(arguments) == 0
    printed = capsys.readouterr().out
    assert printed
    assert "Traceback" not in printed


def test_plan_prints_what_run_reads(session, tmp_path, capsys):
    assert run_command(["plan", "app", "--json"]) == 0
    text = capsys.readouterr().out
    assert text.encode() == encode_plan(mobility_plan())
    (tmp_path / "plan.json").write_text(text)
    assert run_command(["run", "app", "--plan", str(tmp_path / "plan.json"), "--json"]) == 0
    assert session.runs[-1]["plan"].assignments == mobility_plan().assignments


def test_run_document_has_what_the_issue_asks_for(session, capsys):
    assert run_command(["run", "app", "--for", "20s", "--json"]) == 0
    value = document(capsys)
    assert {"component", "variant", "node", "replicas"} <= set(value["plan"]["assignments"][0])
    assert {"cost_eur_per_h", "optimal", "gap"} <= set(value["plan"])
    wanted = {"count", "dropped", "restarts", "p50_ms", "p95_ms", "predicted_p95_ms"}
    assert wanted <= set(value["components"]["detect"])
    path = {"components", "promised_ms", "percentile", "predicted_ms", "measured_ms", "kept"}
    assert path <= set(value["paths"][0])
    assert value["lost"] == 0
    assert session.runs[-1]["for_s"] == 20


def test_run_passes_its_options_on(session, capsys):
    assert run_command(["run", "app", "--inline", "--resume", "--bus-url", "nats://here:4222", "--no-live"]) == 0
    asked = session.runs[-1]
    assert (asked["inline"], asked["resume"], asked["bus_url"]) == (True, True, "nats://here:4222")


def test_run_writes_its_report(session, capsys):
    assert run_command(["run", "app"]) == 0
    folder = session.state / "runs" / mobility_run().run
    assert (folder / "report.html").exists()
    assert "all 3 promises kept" in capsys.readouterr().out


def test_a_full_disk_costs_the_page_and_not_the_summary(session, capsys, monkeypatch):
    session.state.parent.mkdir(exist_ok=True)
    session.state.write_text("a file where a folder should be")
    assert run_command(["run", "app"]) == 0
    printed = capsys.readouterr()
    assert "the report could not be written" in printed.err
    assert "all 3 promises kept" in printed.out


def test_parameters_and_continuum_reach_the_session(session, monkeypatch):
    seen = []
    original = session.__init__

    def remember(self, app, **options):
        seen.append(options)
        original(self, app, **options)

    monkeypatch.setattr(session, "__init__", remember)
    assert run_command(["check", "app", "--set", "a=1", "--set", "b=x=y", "--continuum", "c.yaml"]) == 0
    assert seen == [{"continuum": Path("c.yaml"), "parameters": {"a": "1", "b": "x=y"}}]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (InputError("wrong"), 2, "input"),
        (InputError("wrong", [PROBLEM]), 2, "input"),
        (NotFoundError("not there"), 2, "not-found"),
        (InfeasibleError("no plan", ["a"], ["b"]), 1, "infeasible"),
        (UnavailableError("no bus"), 1, "failed"),
        (ComponentError("detect raised"), 1, "failed"),
    ],
)
def test_errors_have_a_status_a_message_and_a_document(error, status, kind, session, capsys):
    session.error = error
    assert run_command(["plan", "app"]) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert (str(error) in printed.err) or "app.py:3:5: it has no unit" in printed.err
    assert run_command(["plan", "app", "--json"]) == status
    value = document(capsys)
    assert value["error"]["kind"] == kind
    if kind == "infeasible":
        assert (value["error"]["conflict"], value["error"]["relaxations"]) == (["a"], ["b"])


def test_problems_are_in_the_document(session, capsys):
    session.problems = (PROBLEM,)
    assert run_command(["check", "app", "--json"]) == 2
    value = document(capsys)
    assert value["ok"] is False
    assert value["problems"] == [
        {"file": "app.py", "line": 3, "column": 5, "code": "wrong-unit", "message": "it has no unit", "hint": "30 ms"}
    ]
    assert run_command(["check", "app"]) == 2
    assert "app.py:3:5: it has no unit [wrong-unit]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu", "app"], 'Did you mean "run"?'),
        (["run"], "APP"),
        (["run", "app", "--fro", "3s"], "--fro"),
        (["run", "app", "--for", "30"], "has no unit"),
        (["run", "app", "--for", "3 GiB"], "is a size, not a duration"),
        (["plan", "app", "--set", "clip"], "NAME=VALUE"),
        (["run", "app", "--plan", "nowhere.json"], "No such file"),
    ],
)
def test_wrong_command_lines_are_status_2_with_a_way_out(arguments, message, session, capsys):
    assert run_command(arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert run_command([*arguments, "--json"]) == 2
    assert document(capsys)["error"]["message"]


def test_a_bug_is_one_line_and_a_file(session, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("ECOTONE_DEBUG", raising=False)
    session.error = ZeroDivisionError("division by zero")
    assert run_command(["plan", str(tmp_path)]) == 1
    printed = capsys.readouterr().err
    assert "unexpected ZeroDivisionError: division by zero" in printed
    assert "Traceback" not in printed
    crash = next((tmp_path / ".ecotone").glob("crash-*.txt"))
    assert "Traceback" in crash.read_text()
    assert str(crash) in printed
    assert run_command(["plan", str(tmp_path), "--json"]) == 1
    assert document(capsys)["error"]["kind"] == "unexpected"


def test_debug_shows_the_traceback(session, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ECOTONE_DEBUG", "1")
    session.error = ZeroDivisionError("division by zero")
    assert run_command(["plan", str(tmp_path)]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interrupted_before_there_is_a_result(session, capsys):
    session.error = KeyboardInterrupt()
    assert run_command(["plan", "app"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_status_of_a_run():
    run = mobility_run()
    assert status_of(run, strict=True) == 0
    lost = msgspec.structs.replace(run, lost=1)
    assert status_of(lost, strict=False) == 1
    kept_nothing = msgspec.structs.replace(broken_run(), lost=0)
    assert status_of(kept_nothing, strict=False) == 0
    assert status_of(kept_nothing, strict=True) == 1
    failed = msgspec.structs.replace(run.components[0], phases={"failed": 1})
    assert status_of(msgspec.structs.replace(run, components=(failed,)), strict=False) == 1


def test_logs_name_the_instance_and_follow_the_component(session, past_run, capsys):
    assert run_command(["logs", "app"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "camera.camera.0   │ clip opened",
        "detect.roadside.0 │ hello",
        "detect.roadside.0 │ model loaded",
    ]
    assert run_command(["logs", "app", "camera", "--json"]) == 0
    assert document(capsys)["lines"] == [{"instance": "camera.camera.0", "text": "clip opened"}]
    assert run_command(["logs", "app", "agent"]) == 0
    assert capsys.readouterr().out == "agent │ agent started\n"
    assert run_command(["logs", "app", "detct"]) == 2
    assert "there is: agent, camera, detect" in capsys.readouterr().err
    assert run_command(["logs", "app", "--run", "x"]) == 2
    assert "has no run 'x'" in capsys.readouterr().err


def test_report_says_where_it_is(session, past_run, capsys):
    assert run_command(["report", "app"]) == 0
    assert capsys.readouterr().out.strip() == str(past_run / "report.html")


def test_report_and_logs_before_any_run(session, capsys):
    assert run_command(["report", "app"]) == 2
    assert "has not been run yet; run it with: ecotone run app" in capsys.readouterr().err


def test_report_passes_over_a_run_that_did_not_end(session, past_run, capsys):
    (session.state / "runs" / "zz-unfinished").mkdir()
    assert run_command(["report", "app"]) == 0
    assert capsys.readouterr().out.strip() == str(past_run / "report.html")


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("run app", True),
        ("run app --for 3s --json", True),
        ("run", False),
        ("run app --inline", False),
        ("run app --dry-run", False),
        ("run app --bus-url=nats://x", False),
        ("run app --help", False),
        ("plan app", False),
        ("", False),
    ],
)
def test_only_an_ordinary_run_is_started_ahead(arguments, wanted, monkeypatch):
    monkeypatch.delenv("ECOTONE_BUS_URL", raising=False)
    assert wants_prestart(arguments.split()) is wanted
    monkeypatch.setenv("ECOTONE_BUS_URL", "nats://here:4222")
    assert wants_prestart(arguments.split()) is False


def test_the_bus_may_come_from_the_environment_and_is_looked_at_before_planning(session, monkeypatch):
    asked = []
    monkeypatch.setattr(session, "check_bus", lambda _self, url: asked.append(url))
    monkeypatch.setattr(session, "plan", lambda _self, **_: asked.append("plan") or mobility_plan())
    monkeypatch.setenv("ECOTONE_BUS_URL", "nats://here:4222")
    assert run_command(["run", "app", "--no-live"]) == 0
    assert asked == ["nats://here:4222", "plan"]
    assert session.runs[-1]["bus_url"] == "nats://here:4222"
    monkeypatch.setenv("ECOTONE_BUS_URL", "")
    assert run_command(["run", "app", "--no-live"]) == 0
    assert session.runs[-1]["bus_url"] is None


def test_first_signal_stops_and_the_handlers_come_back():
    told = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    with stopping(told.set) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert told.wait(5)
        assert stop.is_set()
    assert signal.getsignal(signal.SIGINT) is before


def test_watcher_writes_lines_where_nobody_looks_at_a_terminal(capsys):
    with Watcher(live=False, for_s=60) as watcher:
        watcher.show(mobility_run(duration_s=1))
        watcher.show(mobility_run(duration_s=6))
        watcher.show(mobility_run(duration_s=7))
        watcher.stopping()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [status_line(mobility_run(duration_s=6)), "stopping; a second Ctrl-C kills"]
    assert lines[0] == "0:06  camera 24.9/s  analytics p95 76.6 ms of 100 ms  4 dropped  1 restart"


def test_live_watcher_draws_and_leaves(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with Watcher(live=True, for_s=None) as watcher:
        watcher.show(mobility_run(finished=False))


def test_live_watcher_that_never_sees_a_report_ends():
    with Watcher(live=True, for_s=None):
        pass
