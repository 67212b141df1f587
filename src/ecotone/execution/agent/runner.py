"""From the two lines on standard input to a running agent."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import signal
import sys
from pathlib import Path

import msgspec

from ecotone.execution.agent.agent import Agent
from ecotone.execution.agent.forklink import ForkLink
from ecotone.execution.agent.forkserver import Preload
from ecotone.execution.agent.options import Access, Options

__all__ = ["run"]


def run(first_line: bytes) -> None:
    """Fork the fork server, read the second line, and carry the nodes; returns when all hosts are gone."""
    options = msgspec.json.decode(first_line, type=Options)
    logs = Path(options.run_folder) / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    (Path(options.run_folder) / "outputs").mkdir(exist_ok=True)
    forks = ForkLink(Preload(options.root, options.module, options.parameters), str(logs / "forkserver.log"))
    # What both processes need is imported once, and stays shared memory.
    importlib.import_module("ecotone.execution.host.process")
    importlib.import_module("ecotone.infrastructure.bus._nats")
    forks.fork_now()
    _log_to(logs / "agent.log")
    gc.freeze()
    gc.enable()
    second_line = sys.stdin.buffer.readline()
    if not second_line:
        return  # the parent died, or gave up, before there was a bus; the fork server follows us
    asyncio.run(_carry(Agent(options, forks), msgspec.json.decode(second_line, type=Access)))


async def _carry(agent: Agent, access: Access) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, agent.stop)

    def on_input() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            agent.abandon()

    loop.add_reader(0, on_input)
    await agent.run(access)


def _log_to(path: Path) -> None:
    """Lines of JSON at the end of a file; also whatever Python itself has to say."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time_s": record.created, "level": record.levelname.lower(), "message": record.getMessage()}
        return msgspec.json.encode(line).decode()
