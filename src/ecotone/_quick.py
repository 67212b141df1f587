"""What makes a process short that does one thing: less is loaded, and nothing is taken down.

Called by the commands that run a cell: that takes less time than Python's own end would.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["leave", "loading"]

_UNWANTED = "typing_extensions"


@contextlib.contextmanager
def loading() -> Generator[None]:
    """While modules are imported: nothing of them is garbage, and msgspec is told that there is no `typing_extensions`,
    whose import takes longer than its own; it then takes the same names from `typing`."""
    gc.disable()
    missing = _UNWANTED not in sys.modules
    if missing:
        sys.modules[_UNWANTED] = None  # type: ignore[assignment] - how Python is told that there is none
    try:
        yield
    finally:
        if missing:
            del sys.modules[_UNWANTED]
        gc.freeze()
        gc.enable()


def leave(code: int) -> None:
    """Ends this process, after what was registered for its end; returns if it has threads, for which Python waits."""
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        return
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage] - typeshed has it, and there is no other way
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
