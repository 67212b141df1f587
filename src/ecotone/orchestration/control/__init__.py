"""Control: carries out a plan, watches it, and says what it did. Called by the session.

`Controller` is the shell; what it decides is in `reconcile` (what should run, streams, supervision) and `observe` (the
report), which are plain functions of values. `processes` starts the agent and keeps the bus server; `gateway` answers
requests over HTTP.
"""

from __future__ import annotations

from ecotone._lazy import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ecotone.orchestration.control.controller import Controller
    from ecotone.orchestration.control.gateway import Gateway
    from ecotone.orchestration.control.processes import AgentProcess, Child, ServerProcess

__all__ = ["AgentProcess", "Child", "Controller", "Gateway", "ServerProcess"]

__getattr__ = lazy_names(
    __name__,
    {
        ".controller": ("Controller",),
        ".gateway": ("Gateway",),
        ".processes": ("AgentProcess", "Child", "ServerProcess"),
    },
)
