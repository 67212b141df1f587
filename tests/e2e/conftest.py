"""Real runs of the command line, and a way to find every process that one of them started."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

APPS = Path(__file__).parent / "apps"


class Command:
    """One `ecotone` command and all the processes that came from it, found by a mark in their environment."""

    def __init__(self, arguments: list[str], *, environment: dict[str, str]) -> None:
        self.mark = f"ECOTONE_TEST_MARK={uuid.uuid4().hex}"
        name, _, value = self.mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ecotone", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=os.environ | environment | {name: value},
        )
        self.stdout = b""
        self.stderr = b""

    def finish(self, timeout_s: float = 60.0) -> int:
        """Wait for its end; the exit status."""
        self.stdout, self.stderr = self.process.communicate(timeout=timeout_s)
        return self.process.returncode

    @property
    def document(self) -> dict[str, Any]:
        """What it printed for programs."""
        return json.loads(self.stdout)

    def pids(self, *words: str) -> list[int]:
        """The processes that came from this command and whose command line or name holds all of `words`."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if self.mark.encode() not in (entry / "environ").read_bytes():
                    continue
                if (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                    continue
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode() + (entry / "comm").read_text()
            except OSError:
                continue
            if all(word in line for word in words):
                found.append(int(entry.name))
        return found

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def wait_until(condition: Callable[[], Any], what: str, limit_s: float = 20.0) -> Any:
    """Poll until the condition gives something true."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.02)  # a real process is being waited for
    raise AssertionError(f"not within {limit_s} s: {what}")


@pytest.fixture
def ecotone() -> Iterator[Callable[..., Command]]:
    """Start `ecotone ARGUMENTS...`; what is still there at the end of the test is killed, and was a mistake."""
    commands: list[Command] = []

    def start(*arguments: str | Path, **environment: str) -> Command:
        commands.append(Command([str(each) for each in arguments], environment=environment))
        return commands[-1]

    yield start
    left: list[int] = []
    for command in commands:
        if command.process.poll() is None:
            command.process.kill()
        command.process.communicate()
        try:
            wait_until(lambda command=command: not command.pids(), "all processes of a finished command are gone", 10)
        except AssertionError:
            left += command.pids()
            for pid in left:
                command.kill(pid)
    assert not left, f"orphans: {left}"


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A copy of one of the applications here that has been profiled already; a fresh copy for each caller."""
    ready: dict[str, Path] = {}

    def prepare(name: str) -> Path:
        if name not in ready:
            ready[name] = tmp_path_factory.mktemp("apps") / name
            shutil.copytree(APPS / name, ready[name], ignore=shutil.ignore_patterns(".ecotone", "__pycache__"))
            command = [sys.executable, "-m", "ecotone", "plan", str(ready[name]), "--json"]
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        target = tmp_path_factory.mktemp("copy") / name
        shutil.copytree(ready[name], target)
        return target

    return prepare
