"""Runs a cell: `python -m ecotone.execution.cells MODULE [-n RANKS] [--dir NAME=FOLDER] [-- ARGUMENTS]`.

For agents, tests and benchmarks; people use `ecotone cell run`. Exits with the code of the rank that ended the job.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--compile"]:
        from ecotone.execution.cells._compiled import compile_module  # noqa: PLC0415 - the rest is not needed

        compile_module(Path(arguments[1]), Path(arguments[2]))
        return 0
    from ecotone.execution.cells import Folder, Job, run_job  # noqa: PLC0415

    own, _, program = _split(arguments)
    parser = argparse.ArgumentParser(prog="python -m ecotone.execution.cells")
    parser.add_argument("module", type=Path)
    parser.add_argument("-n", "--ranks", type=int, default=1)
    parser.add_argument("--dir", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--time-max-s", type=float)
    options = parser.parse_args(own)
    folders = dict(entry.split("=", 1) if "=" in entry else (entry, entry) for entry in options.dir)
    result = run_job(
        Job(
            module=options.module,
            ranks=options.ranks,
            arguments=tuple(program),
            folders={name: Folder(path=Path(folder)) for name, folder in folders.items()},
            time_max_s=options.time_max_s,
        )
    )
    if result.first:
        sys.stderr.write(f"ecotone: rank {result.first.rank}: {result.first.reason}\n")
    return result.exit_code


def _split(arguments: list[str]) -> tuple[list[str], str, list[str]]:
    if "--" not in arguments:
        return arguments, "", []
    at = arguments.index("--")
    return arguments[:at], "--", arguments[at + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
