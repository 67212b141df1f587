"""The agent's files: bounded logs, pages of instances, limits from a deployment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.support.applications import after, camera
from tests.support.deployments import continuum, plan_of

from ecotone.core.application import Application, Requirements
from ecotone.core.messages import Deployment, WantedInstance, WantedNode
from ecotone.execution.agent import kernel
from ecotone.execution.agent.logs import bound_logs
from ecotone.execution.agent.options import Access, Options
from ecotone.execution.agent.pages import Pages
from ecotone.execution.agent.rules import rules_of
from ecotone.execution.page import FAILED, READY, InstancePage
from ecotone.orchestration.control import AgentProcess

FUSED = WantedInstance(id="detect.edge-1.0", components=("detect", "blur"), variants=("large", "default"))


def test_a_log_that_is_too_long_is_cut_and_its_end_kept(tmp_path: Path) -> None:
    log, small = tmp_path / "a.log", tmp_path / "b.log"
    log.write_text("".join(f"line {number}\n" for number in range(1000)))
    small.write_text("short\n")
    with log.open("ab", buffering=0) as writer:  # as a host has it open
        assert bound_logs(tmp_path, bytes_max=1000) == ("a.log",)
        writer.write(b"after\n")

    assert log.read_text() == "after\n"
    kept = (tmp_path / "a.log.1").read_text().splitlines()
    assert kept[-1] == "line 999"
    assert kept[0].startswith("line "), "it begins with a whole line"
    assert (tmp_path / "a.log.1").stat().st_size <= 1000
    assert small.read_text() == "short\n"


def test_a_log_is_cut_even_if_there_is_no_room_for_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x\n" * 1000)
    (tmp_path / "a.log.1").mkdir()

    assert bound_logs(tmp_path, bytes_max=100) == ("a.log",)
    assert (tmp_path / "a.log").stat().st_size == 0


def test_totals_survive_a_restart_and_open_items_are_taken_once(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    paths = pages.prepare(FUSED)
    host = InstancePage.open(Path(paths[0]))
    host.add_handled(5)
    host.set_token(0, "token-a")
    host.set_token(7, "token-b")

    assert [Path(path).name for path in paths] == ["detect.edge-1.0~detect.page", "detect.edge-1.0~blur.page"]
    assert pages.take_tokens(FUSED.id) == ("token-a", "token-b")
    assert pages.take_tokens(FUSED.id) == ()
    pages.prepare(FUSED)
    assert [each.handled for each in pages.telemetry({FUSED.id: 2}, {FUSED.id: 1e6})] == [5, 0]
    host.close()
    pages.close()


def test_an_agent_takes_over_the_pages_of_the_one_before(tmp_path: Path) -> None:
    before = Pages(tmp_path)
    InstancePage.open(Path(before.prepare(FUSED)[0])).set_token(0, "token-a")
    (tmp_path / "broken.edge-1.0~broken.page").write_bytes(b"cut short")
    pages = Pages(tmp_path)

    assert pages.instances() == (FUSED.id,)
    assert pages.take_tokens(FUSED.id) == ("token-a",)
    assert {each.component: each.node for each in pages.telemetry({}, {})} == {"blur": "edge-1", "detect": "edge-1"}
    assert not (tmp_path / "broken.edge-1.0~broken.page").exists()


def test_vitals_and_last_words(tmp_path: Path) -> None:
    pages = Pages(tmp_path)
    host, other = (InstancePage.open(Path(path)) for path in pages.prepare(FUSED))
    assert not pages.vitals(FUSED, os.getpid(), 1.0).ready
    host.phase, host.heartbeat_s, other.item_started_s = READY, 12.0, 11.0
    vitals = pages.vitals(FUSED, os.getpid(), 12.1)

    assert vitals.ready
    assert vitals.heartbeat_s == 12.0
    assert vitals.items == (("blur", 11.0),)
    assert not vitals.frozen
    assert 1e6 < vitals.memory_bytes < 1e10
    assert pages.last_words(FUSED) == ""
    host.phase, host.reason = FAILED, "no model"
    assert pages.last_words(FUSED) == "no model"


def test_hosts_of_a_dead_agent_are_ended_but_nobody_else(tmp_path: Path) -> None:
    program = "import sys, time; from pathlib import Path; from ecotone.execution.page import InstancePage\n"
    program += "page = InstancePage.open(Path(sys.argv[1])); print('up', flush=True); time.sleep(60)"
    before = Pages(tmp_path)
    (path, _) = before.prepare(FUSED)
    stranger = WantedInstance(id="other.edge-1.0", components=("other",), variants=("default",))
    InstancePage.open(Path(before.prepare(stranger)[0])).pid = os.getppid()
    with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        InstancePage.open(Path(path)).pid = process.pid
        ended = Pages(tmp_path).end_leftovers()
        process.kill()
    assert ended == (process.pid,)


def test_frozen_is_what_the_kernel_says() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert not kernel.is_frozen(process.pid)
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        assert kernel.is_frozen(process.pid)
        process.kill()
    assert not kernel.is_frozen(process.pid)


def test_rules_come_from_the_deployment() -> None:
    thrifty = after("detect", "camera", requirements=Requirements(memory_bytes=1e8))
    application = Application(name="test", components=(camera(), thrifty, after("blur", "detect")))
    deployment = Deployment(
        run="r", application=application, continuum=continuum(memory_bytes=1e9), plan=plan_of(application),
        root="/", module="app", item_timeouts_s={"detect": 0.2, "blur": 1.0},
    )  # fmt: skip
    wanted = WantedNode(
        node="edge-1",
        instances=(FUSED, WantedInstance(id="camera.edge-1.0", components=("camera",), variants=("default",))),
    )
    rules = rules_of(deployment, wanted, Options(run_folder="/a", shared_root="/b", stop_grace_s=7.0))

    assert rules.item_timeouts_s == {"detect": 0.2, "blur": 1.0}
    assert rules.memory_bytes == {FUSED.id: pytest.approx(5e8), "camera.edge-1.0": pytest.approx(5e8)}
    assert rules.stop_grace_s == 7.0


def test_the_controllers_lines_are_what_the_agent_reads(tmp_path: Path) -> None:
    agent = AgentProcess(run_folder=tmp_path, shared_root=tmp_path, nodes=("a",), root="/app", module="app")
    options = msgspec.convert(agent.options, Options)
    agent_with_all = {field.name for field in msgspec.structs.fields(Options)}

    assert set(agent.options) == agent_with_all
    assert options.nodes == ("a",)
    assert msgspec.convert({"bus_url": "nats://x", "bus_token": "t"}, Access).bus_token == "t"
