"""What people do to a command line by mistake: each is told what is wrong, and what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.support.reports import mobility_plan

from ecotone.core.plan import Assignment, encode_plan
from ecotone.design.read import read_application
from ecotone.frontends.cli import planning
from ecotone.frontends.cli.main import run_command

_VERSION = [sys.executable, "-m", "ecotone", "version"]
_APPLICATION = Path(__file__).parents[2] / "corpus" / "right" / "types.py"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run app --for -1s", "'-1s' is negative"),
        ("run app --for=-1s", "'-1s' is negative"),
        ("run app --for 0s", "write a duration above 0"),
        ("run app --for abc", "'abc' is not a duration"),
        ("run app --for", "--for has no value"),
        ("plan app --time-limit 0ms", "write a duration above 0"),
        ("profile app --budget -5s", "'-5s' is negative"),
        ("plan app --gap -0.1", "'-0.1' is negative"),
        ("plan app --gap 2", "is not a share"),
        ("plan app --gap x", "'x' is not a fraction"),
        ("plan app other more", "ecotone plan has no use for: other more"),
        ("plan", "ecotone plan needs APP"),
        ("check", "ecotone check needs APPS"),
    ],
)
def test_what_cannot_be_is_told(line, message, capsys):
    assert run_command(line.split()) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert "ecotone" in printed.err.splitlines()[-1]
    assert printed.out == ""
    assert run_command([*line.split(), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["message"]


def test_help_is_a_word_too(capsys):
    assert run_command(["help", "plan"]) == 0
    assert "Usage: ecotone plan" in capsys.readouterr().out
    assert run_command(["help"]) == 0
    assert "Usage: ecotone COMMAND" in capsys.readouterr().out


def test_an_empty_name_is_not_this_folder(capsys):
    assert run_command(["check", ""]) == 2
    assert "'' is not an application" in capsys.readouterr().out


def test_the_plan_of_another_application_is_one_sentence(tmp_path, capsys):
    plan = tmp_path / "plan.json"
    plan.write_bytes(encode_plan(mobility_plan()))
    assert run_command(["explain", str(_APPLICATION), "--plan", str(plan), "--json"]) == 2
    message = json.loads(capsys.readouterr().out)["error"]["message"]
    assert message == (
        "the plan does not fit: it is for the application 'mobility'; make one with: ecotone plan APP --json"
    )


def test_a_plan_with_cores_that_a_component_cannot_use_does_not_fit(tmp_path, capsys):
    application = read_application(_APPLICATION).require()
    rows = tuple(
        Assignment(component=each.name, variant=each.variants[0].name, node="server", cores=2)
        for each in application.components[:1]
    )
    made = msgspec.structs.replace(mobility_plan(), application=application.name, assignments=rows)
    plan = tmp_path / "plan.json"
    plan.write_bytes(encode_plan(made))
    assert run_command(["explain", str(_APPLICATION), "--plan", str(plan), "--json"]) == 2
    message = json.loads(capsys.readouterr().out)["error"]["message"]
    assert f"{application.components[0].name} cannot use 2 cores (it can use 1)" in message


def test_what_a_file_holds_does_not_steer_the_terminal(tmp_path, capsys):
    file = tmp_path / "app.py"
    file.write_text("x = 1; \x1b[2Jsays = '\x07'\n")
    assert run_command(["check", str(file)]) == 2
    printed = capsys.readouterr().out
    assert "says" in printed
    assert not {"\x1b", "\x07"} & set(printed)


def test_an_interrupted_command_still_prints_its_document(monkeypatch, capsys):
    def interrupted(file):
        raise KeyboardInterrupt

    monkeypatch.setattr(planning, "read_plan", interrupted)
    assert run_command(["explain", str(_APPLICATION), "--plan", "plan.json", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "interrupted"


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_full_disk_behind_stdout_is_said_and_is_no_bug(more):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*_VERSION, *more], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the output, or a file of the application cannot be written: No space left")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("closed", "shown"), [("<&-", True), (">&-", False), ("2>&-", True), ("<&- >&- 2>&-", False)])
def test_closed_streams_are_no_bug(closed, shown):
    done = subprocess.run(["sh", "-c", f'"$@" {closed}', "sh", *_VERSION], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, bool(done.stdout)) == (0, "", shown)


def test_following_ends_with_its_reader(tmp_path):
    folder = tmp_path / "app"
    assert run_command(["new", str(folder)]) == 0
    logs = folder / ".ecotone" / "runs" / "1" / "logs"
    logs.mkdir(parents=True)
    (logs / "alarm.cloud.0.log").write_text("hello\nagain\n")
    follow = [sys.executable, "-m", "ecotone", "logs", str(folder), "--follow"]
    with subprocess.Popen(follow, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"hello" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == 141
