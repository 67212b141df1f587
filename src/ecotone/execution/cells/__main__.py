"""Runs a cell: `python -m ecotone.execution.cells CELL [-n RANKS] [--dir NAME=FOLDER] [-- ARGUMENTS]`.

For agents, tests and benchmarks; people use `ecotone cell run`. Exits with the code of the rank that ended the job.
"""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from pathlib import Path

from ecotone._quick import leave, loading
from ecotone.core.errors import EcotoneError

_WRONG_INPUT = 2
_USAGE = "python -m ecotone.execution.cells CELL [-n RANKS] [--dir NAME=FOLDER] [--time-max-s S] [-- ARGUMENTS]"


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--compile"]:
        from ecotone.execution.cells._compiled import compile_module  # noqa: PLC0415 - the rest is not needed

        return compile_module(Path(arguments[1]), Path(arguments[2]))
    _load()
    from ecotone.execution.cells import Folder, Job, run_job  # noqa: PLC0415

    own, program = _split(arguments)
    options = _options(own)
    given = (entry.partition("=") for entry in options.get("--dir", []))
    time_max_s = options.get("--time-max-s", [])
    try:
        result = run_job(
            Job(
                module=Path(options["module"][0]),
                ranks=int(options.get("-n", ["1"])[-1]),
                arguments=tuple(program),
                folders={name: Folder(path=Path(folder or name)) for name, _, folder in given},
                time_max_s=float(time_max_s[-1]) if time_max_s else None,
            )
        )
    except EcotoneError as error:
        sys.stderr.write(f"ecotone: {error}\n")
        return _WRONG_INPUT
    if result.first:
        sys.stderr.write(f"ecotone: rank {result.first.rank}: {result.first.reason}\n")
    return result.exit_code


def _load() -> None:
    """Imports what a job and its ranks need, in two thirds of the time that it would take on the way."""
    with loading(), contextlib.suppress(ImportError):  # without wasmtime: the job says so
        for name in ("_cell_file", "_local", "_rank"):
            import_module(f"ecotone.execution.cells.{name}")


def _options(arguments: list[str]) -> dict[str, list[str]]:
    """By hand: `argparse` would take a tenth of the time of the whole."""
    found: dict[str, list[str]] = {}
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        name = {"--ranks": "-n"}.get(name, name)
        if name in ("-n", "--dir", "--time-max-s"):
            value = value if equals else next(rest, "")
        elif argument.startswith("-") or "module" in found:
            sys.exit(f"no use for {argument}; {_USAGE}")
        else:
            name, value = "module", argument
        found.setdefault(name, []).append(value)
    if "module" not in found:
        sys.exit(_USAGE)
    return found


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


if __name__ == "__main__":
    status = main(sys.argv[1:])
    leave(status)
    sys.exit(status)
