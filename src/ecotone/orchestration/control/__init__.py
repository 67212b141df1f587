"""Control: carries out a plan, watches it, and says what it did. Called by the session.

`Controller` is the shell; what it decides is in `reconcile` (what should run, streams, supervision) and `observe` (the
report), which are plain functions of values. `processes` starts the agent and keeps the bus server; `gateway` answers
requests over HTTP.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ecotone.orchestration.control.controller import Controller
    from ecotone.orchestration.control.gateway import Gateway
    from ecotone.orchestration.control.processes import AgentProcess, Child, ServerProcess

__all__ = ["AgentProcess", "Child", "Controller", "Gateway", "ServerProcess"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    if name == "Controller":
        from ecotone.orchestration.control import controller as module  # noqa: PLC0415
    elif name == "Gateway":
        from ecotone.orchestration.control import gateway as module  # noqa: PLC0415
    else:
        from ecotone.orchestration.control import processes as module  # noqa: PLC0415
    return getattr(module, name)
