"""The command `ecotone` (and `python -m ecotone`).

`ecotone run` first starts what takes longest to come up (bus server, agent), in processes beside this one, and only
then imports the command line; that is why nothing is imported at the top.
"""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import os
import sys

__all__ = ["main"]

_INTERRUPTED = 130
_BUS_VARIABLE = "ECOTONE_BUS_URL"
_NOT_QUICK = frozenset({"--json", "--help", "-h"})
_NO_PRESTART = frozenset({"--inline", "--dry-run", "--bus-url", "--help", "-h"})


def wants_prestart(argv: list[str]) -> bool:
    """Whether `argv` (without the program's name) will run an application on this machine's own bus and agent."""
    if len(argv) < 2 or argv[0] != "run" or os.environ.get(_BUS_VARIABLE):
        return False
    return not any(each.partition("=")[0] in _NO_PRESTART for each in argv)


def main() -> None:
    """Run the command line and exit with its status."""
    from ecotone._signals import end_like_interrupted
    from ecotone._streams import open_standard_streams

    argv = sys.argv[1:]
    open_standard_streams()
    end_like_interrupted()
    try:
        sys.exit(_run_cell(argv[2:]) if argv[:2] == ["cell", "run"] else _run_any(argv))
    except KeyboardInterrupt:  # before the command line could take care of it
        sys.stderr.write("interrupted\n")
        sys.exit(_INTERRUPTED)


def _run_any(argv: list[str]) -> int:
    return _prestarted(argv) if wants_prestart(argv) else _run(argv)


def _run_cell(words: list[str]) -> int:
    """`ecotone cell run` is quick when it is written as usual; all else, mistakes among it, goes the way of others."""
    from ecotone._quick import leave, loading
    from ecotone.core.errors import EcotoneError

    with loading():
        from ecotone.frontends.cli.cell_running import quick_run

        if not _NOT_QUICK.intersection(words):
            _load_cells()
    try:
        status = quick_run(words)
    except EcotoneError as error:
        from ecotone.frontends.cli.main import tell_error

        return tell_error(error, ["cell", "run", *words])
    if status is None:
        return _run(["cell", "run", *words])
    leave(status)
    return status


def _load_cells() -> None:
    from contextlib import suppress
    from importlib import import_module

    with suppress(ImportError):  # without wasmtime: who runs the job says so
        for name in ("session.cells", "execution.cells._cell_file", "execution.cells._local", "execution.cells._rank"):
            import_module(f"ecotone.{name}")


def _run(argv: list[str]) -> int:
    from ecotone.frontends.cli.main import run_command

    return run_command(argv)


def _prestarted(argv: list[str]) -> int:
    from ecotone.session.prestart import prestart, take

    try:
        prestart(argv)
        return _run(argv)
    finally:
        take("")  # what was started and is not wanted, because the options were wrong for instance, is stopped


if __name__ == "__main__":
    main()
