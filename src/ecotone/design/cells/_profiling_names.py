"""Names of the library: PMPI_x, which it defines, MPI_x, which a profiler may define, and those that nobody else sees.

`mpi_functions.h` lists every MPI function once. From it come a header that renames the library's definitions, and weak
functions with the usual names. What its files share among themselves, declared in its other headers, is renamed too:
a program may have its own `progress` or `initialized`. Called by the driver when it builds the library.
"""

from __future__ import annotations

import re

__all__ = ["names_header", "weak_functions"]

_ENTRY = re.compile(r"^ECO_MPI\((\w+), (\w+),\s*\((.*?)\)\)$", re.MULTILINE | re.DOTALL)
_VARIADIC = {"Pcontrol"}
_DECLARED = re.compile(
    r"^(?!static|typedef|extern)[A-Za-z_]\w*[\w\s*]*?[\s*](?P<function>\w+)\(", re.MULTILINE | re.ASCII
)
_VARIABLES = re.compile(r"^extern (?P<names>[^;(]+);", re.MULTILINE)


def _entries(header: str) -> list[tuple[str, str, list[str]]]:
    found = _ENTRY.findall(header)
    return [(result, name, _types(arguments)) for result, name, arguments in found]


def _types(arguments: str) -> list[str]:
    types = [" ".join(argument.split()) for argument in arguments.split(",")]
    return [] if types == ["void"] else types


def _declare(kind: str, name: str) -> str:
    base, bracket, rest = kind.partition("[")
    return f"{base} {name}{bracket}{rest}"


def names_header(header: str, internal: str) -> str:
    """One `#define MPI_x PMPI_x` for each function of `header`, and `#define x eco_x` for what `internal` declares."""
    ours = {match["function"] for match in _DECLARED.finditer(internal)}
    for match in _VARIABLES.finditer(internal):
        ours |= {re.findall(r"\w+", part.partition("[")[0])[-1] for part in match["names"].split(",")}
    names = {f"MPI_{name}": f"PMPI_{name}" for _, name, _ in _entries(header)}
    names |= {name: f"eco_{name}" for name in sorted(ours) if not name.startswith("eco_")}
    return "".join(f"#define {name} {other}\n" for name, other in names.items())


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
