"""The agent: the process on a machine that starts, watches and stops hosts, for all emulated nodes of the machine.

Started by the controller with `python -m ecotone.execution.agent`; meets the controller only in `core.messages`.
`decide` is the pure part, which the simulator runs too; `agent` the shell around it; `forkserver` the process that
hosts are forked from.
"""

from __future__ import annotations

__all__: list[str] = []
