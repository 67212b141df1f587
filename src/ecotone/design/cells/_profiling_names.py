"""The two names of every MPI function: PMPI_x, which the library defines, and MPI_x, which a profiler may define.

`mpi_functions.h` lists every function once. From it come a header that renames the library's definitions, and weak
functions with the usual names. Called by the driver when it builds the library.
"""

from __future__ import annotations

import re

__all__ = ["names_header", "weak_functions"]

_ENTRY = re.compile(r"^ECO_MPI\((\w+), (\w+),\s*\((.*?)\)\)$", re.MULTILINE | re.DOTALL)
_VARIADIC = {"Pcontrol"}


def _entries(header: str) -> list[tuple[str, str, list[str]]]:
    found = _ENTRY.findall(header)
    return [(result, name, _types(arguments)) for result, name, arguments in found]


def _types(arguments: str) -> list[str]:
    types = [" ".join(argument.split()) for argument in arguments.split(",")]
    return [] if types == ["void"] else types


def _declare(kind: str, name: str) -> str:
    base, bracket, rest = kind.partition("[")
    return f"{base} {name}{bracket}{rest}"


def names_header(header: str) -> str:
    """One `#define MPI_x PMPI_x` for each function."""
    return "".join(f"#define MPI_{name} PMPI_{name}\n" for _, name, _ in _entries(header))


def weak_functions(header: str) -> str:
    """A weak `MPI_x` that calls `PMPI_x`, for each function."""
    lines = ['#include "mpi.h"', ""]
    for result, name, types in _entries(header):
        weak = f"__attribute__((weak)) {result} MPI_{name}"
        if name in _VARIADIC:
            lines.append(f"{weak}(const int level, ...) {{ return PMPI_{name}(level); }}")
            continue
        parameters = ", ".join(_declare(kind, f"a{i}") for i, kind in enumerate(types)) or "void"
        values = ", ".join(f"a{i}" for i in range(len(types)))
        lines.append(f"{weak}({parameters}) {{ return PMPI_{name}({values}); }}")
    return "\n".join(lines) + "\n"
