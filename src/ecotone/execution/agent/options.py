"""What an agent is told: two lines of JSON on its standard input, which then stays open while its parent lives.

The first line comes with the start, so that the user's module is imported while the bus server starts; the second
follows when the server is there. Secrets never stand on a command line or in the environment. The controller writes
these lines (`orchestration.control.processes`); the two sides are held together by a test.
"""

from __future__ import annotations

import msgspec

from ecotone.core.application import Value

__all__ = ["Access", "Options"]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line.

    Attributes:
        name: of the agent, as in `telemetry.<name>`.
        nodes: the nodes that it carries; empty: every node that is wanted.
        run_folder: logs and outputs of the run go to folders in it.
        shared_root: the run's folder in fast shared memory.
        root, module: the application's folder and module; "" preloads nothing.
        parameters: values of the application's parameters, bound before the module is imported.
        start_limit_s, stop_grace_s: see `decide.Rules`.
    """

    name: str = "local"
    nodes: tuple[str, ...] = ()
    run_folder: str
    shared_root: str
    root: str = ""
    module: str = ""
    parameters: dict[str, Value] = {}
    start_limit_s: float = 30.0
    stop_grace_s: float = 5.0


class Access(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The second line: the bus."""

    bus_url: str
    bus_token: str = ""
