"""The page that a host shares with its agent."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from ecotone.execution.page import PATHS_MAX, READY, TOKENS_MAX, InstancePage
from ecotone.infrastructure.telemetry.histogram import quantile_s

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "page"


def test_two_processes_see_the_same_page(path: Path) -> None:
    agent, host = InstancePage.create(path), InstancePage.open(path)
    host.pid, host.phase, host.heartbeat_s, host.item_started_s = 17, READY, 12.5, 12.75
    assert (agent.pid, agent.phase, agent.heartbeat_s, agent.item_started_s) == (17, READY, 12.5, 12.75)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    host.close()
    agent.close()


def test_totals_survive_a_restart_and_the_rest_does_not(path: Path) -> None:
    page = InstancePage.create(path)
    page.add_handled(2)
    page.add_emitted()
    page.add_dropped(3)
    page.add_dropped(-1)
    page.add_raised()
    page.add_dead()
    page.record_service(0.5, 0.25)
    page.set_token(0, "open")
    page.reason = "import failed"
    page.phase = READY
    page.restart()
    told = page.telemetry(instance="a.n.0", component="a", node="n", restarts=1, memory_bytes=5.0)
    assert (told.handled, told.emitted, told.dropped, told.raised, told.dead) == (2, 1, 2, 1, 1)
    assert (told.busy_s, told.cpu_s, told.memory_bytes, told.restarts) == (0.5, 0.25, 5.0, 1)
    assert (page.phase, page.reason, page.tokens()) == (0, "", ())
    page.close()


def test_tokens_of_any_allowed_length_come_back(path: Path) -> None:
    page = InstancePage.create(path)
    page.set_token(0, "x" * 255)
    page.set_token(TOKENS_MAX - 1, "y")
    page.set_token(3, "gone")
    page.clear_token(3)
    assert page.tokens() == ("x" * 255, "y")
    page.close()


def test_histograms_hold_the_durations(path: Path) -> None:
    page = InstancePage.create(path)
    for milliseconds in range(1, 101):
        page.record_response(milliseconds / 1e3)
        page.record_path(1, milliseconds / 1e2)
    page.record_path(PATHS_MAX, 1.0)
    told = page.telemetry(instance="a.n.0", component="a", node="n")
    assert quantile_s(told.response.counts, 0.95) == pytest.approx(0.095, rel=0.02)
    assert (told.response.max_s, told.response.sum_s) == (0.1, pytest.approx(5.05))
    assert list(told.paths) == [1]
    assert told.service.counts == {}
    page.close()


def test_a_reason_is_cut_to_fit(path: Path) -> None:
    page = InstancePage.create(path)
    page.reason = "é" * 5000
    assert page.reason.startswith("é" * 500)
    page.close()


def test_a_file_that_is_no_page_is_refused(path: Path) -> None:
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="not an instance page"):
        InstancePage.open(path)
    InstancePage.create(path).close()
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(ValueError, match="not an instance page"):
        InstancePage.open(path)
