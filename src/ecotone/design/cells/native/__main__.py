"""Compiles a module natively beside a job: `python -m ecotone.design.cells.native MODULE SECONDS`, by `session`.

It ends when its stdin does, unless a byte came before that: then whoever started it has no more to say. The reason of a
failure is the last line of stderr.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

from ecotone.core.errors import EcotoneError
from ecotone.design.cells.native._build import native_code

_IDLE_PRIORITY = 19


def _watch_owner() -> None:
    if not os.read(0, 1):
        signal.raise_signal(signal.SIGTERM)


def _stop(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)  # not at once: what was begun is cleared away


def _main(module: Path, time_max_s: float) -> None:
    os.nice(_IDLE_PRIORITY)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_watch_owner, daemon=True).start()
    try:
        native_code(module, time_max_s=time_max_s)
    except EcotoneError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), float(sys.argv[2]))
