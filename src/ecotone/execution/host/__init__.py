"""A host: the process that runs one instance. The agent's fork server calls `run_host` in a freshly forked child.

Nothing heavy is imported here: the fork server decides what is loaded before the fork.
"""

from __future__ import annotations

import msgspec

from ecotone.core.messages import WantedInstance

__all__ = ["REFUSED", "HostSpec", "run_host"]

REFUSED = 2
"""Exit status of a host that will not run, however often it is started: the deployment forbids it."""


class HostSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a host is told at its start; the rest it reads from the bus.

    Attributes:
        pages: one instance page for each component of the instance, in its order; made by the agent.
        shared_root: the run's fast folder; objects, links and cores live there.
        output_dir: where components may leave files for the report.
        log_path: where the process's output already goes; named in messages.
        run_dir: the run's folder for what must not be in fast memory (large snapshots); "": the shared root.
    """

    bus_url: str
    bus_token: str
    run: str
    node: str
    instance: WantedInstance
    pages: tuple[str, ...]
    shared_root: str
    output_dir: str
    log_path: str
    run_dir: str = ""


def run_host(spec: HostSpec) -> int:
    """Run one instance until SIGTERM, in a child that was forked while it had one thread. Never raises.

    Returns:
        Exit status: 0 drained and stopped, 1 failed (its page says why), REFUSED.
    """
    from ecotone.execution.host.process import run  # noqa: PLC0415 - the face stays light

    return run(spec)
