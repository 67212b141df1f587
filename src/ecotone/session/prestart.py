"""What takes longest to come up is started first: the bus server and the agent, before the command line is imported.

Called by `ecotone.__main__` for `ecotone run`. It knows no more than the arguments: if it guesses wrong, the session
stops what was started and starts its own.
"""
# ruff: noqa: PTH113, PTH118, PTH119, PTH120

from __future__ import annotations

import os
import signal

from ecotone.session.folders import RunFolders, open_run, state_folder_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ecotone.core.application import Value
    from ecotone.infrastructure.bus._server import Server
    from ecotone.orchestration.control.processes import AgentProcess

__all__ = ["Started", "prestart", "take"]

_WITH_VALUE = frozenset({"--continuum", "--set", "--for", "--plan", "--time-limit", "--budget", "--gap"})
_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Started:
    """A run that has its folders, its bus server and its agent; the agent has not been told where the bus is."""

    def __init__(self, application: str, folders: RunFolders, server: Server | None, agent: AgentProcess) -> None:
        self.application = application
        self.folders = folders
        self.server = server
        self.agent = agent

    def abandon(self) -> None:
        """It is not wanted after all: leave nothing behind."""
        self.agent.kill()
        if self.server is not None:
            self.server.stop()
        self.folders.remove()


_started: list[Started] = []


def prestart(argv: list[str]) -> None:
    """Start what `ecotone run ...` will need, if the application has run before. Returns at once; raises nothing that
    the session would not find out itself, but for KeyboardInterrupt."""
    named = _application(argv[1:])
    if named is None or "--resume" in argv:
        return
    folder, module = named
    state = state_folder_of(folder, module)
    if not os.path.isfile(f"{state}/samples.json"):
        return  # it will be profiled first, on a quiet machine
    from ecotone.core.errors import UnavailableError  # noqa: PLC0415

    # A Ctrl-C (or SIGTERM, SIGHUP) in here would leave behind what nobody knows of: it waits until everything is noted.
    interrupts: list[int] = []
    asking = [each for each in _ASKING if signal.getsignal(each) not in {signal.SIG_IGN, signal.SIG_DFL}]
    before = {each: signal.signal(each, lambda number, _frame: interrupts.append(number)) for each in asking}
    folders: RunFolders | None = None
    try:
        folders = open_run(state)
        # Parameters change what the module declares, so it can be imported before they are known only without any.
        preload = not any(each.partition("=")[0] == "--set" for each in argv)
        _started.append(start(folder, module if preload else "", folders))
    except (OSError, UnavailableError):  # the session meets the same trouble, and can say so
        if folders is not None:
            folders.remove()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    if interrupts:
        raise KeyboardInterrupt


def start(
    application: str,
    module: str,
    folders: RunFolders,
    *,
    parameters: Mapping[str, Value] | None = None,
    own_bus: bool = True,
) -> Started:
    """Start the bus server and the agent of a run.

    Args:
        application: the folder that the module is imported from.
        module: what the agent's fork server preloads; "" for nothing.
        parameters: values of the application's parameters; None: their defaults.
        own_bus: start the bundled server; False when an operator's is used.

    Raises:
        UnavailableError: the bus server cannot be started.
        OSError: the agent cannot be started; nothing runs then.
    """
    from ecotone.infrastructure.bus._server import spawn_server  # noqa: PLC0415
    from ecotone.orchestration.control.processes import AgentProcess  # noqa: PLC0415

    server = spawn_server(folders.bus) if own_bus else None
    agent = AgentProcess(
        run_folder=folders.folder,
        shared_root=folders.shared,
        nodes=(),  # all that are wanted: this agent carries every emulated node
        root=application if module else "",
        module=module,
        parameters=parameters,
    )
    try:
        agent.spawn()
    except OSError:
        if server is not None:
            server.stop()
        raise
    return Started(application, folders, server, agent)


def take(application: str) -> Started | None:
    """What was started for this application, once; anything else that was started is abandoned."""
    found: Started | None = None
    while _started:
        each = _started.pop()
        if each.application == application and found is None:
            found = each
        else:
            each.abandon()
    return found


def _application(arguments: list[str]) -> tuple[str, str] | None:
    """Folder and module of the APP among the arguments of `run`; None when that takes more than a look."""
    skip = False
    for each in arguments:
        if skip:
            skip = False
        elif each in _WITH_VALUE:
            skip = True
        elif not each.startswith("-"):
            path = os.path.realpath(each)
            if os.path.isfile(os.path.join(path, "app.py")):
                return path, "app"
            if path.endswith(".py") and os.path.isfile(path):
                return os.path.dirname(path), os.path.basename(path).removesuffix(".py")
            return None
    return None
