"""Runs a cell, from options as they were written: `ecotone cell run`, `ecotone-run` and `ecotone-mpirun`.

`ecotone cell run` is on this path without the library that parses other command lines, whose import would take half of
the time in which a cell is to start: `quick_run` understands what is written as usual, and leaves all else, help and
mistakes among it, to the command of the same name in `cells`.
"""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from ecotone.core.errors import EcotoneError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ecotone.execution.cells.interface import Folder, Job
    from ecotone.execution.cells.registry import JobEnd

__all__ = ["mpirun", "quick_run", "run_and_tell", "run_file", "spread_ranks", "to_job"]

_WRONG_INPUT, _INTERRUPTED, _PIPE_CLOSED = 2, 130, 141
_WITH_VALUE = {
    "-n": "ranks", "--ranks": "ranks", "--dir": "dir", "--env": "env", "--memory": "memory", "--time": "time",
    "--output-limit": "output_limit", "--files": "files", "--nodes": "nodes",
    "--threads": "threads", "--tier": "tier",
}  # fmt: skip
_ALONE = {"--label": "label", "--detach": "detach", "-d": "detach", "--json": "json"}
_MPIRUN_IGNORED = {"--oversubscribe", "--allow-run-as-root", "-q", "--quiet", "--use-hwthread-cpus"}
_OPTIONS_VARIABLE = "ECOTONE_CELL_OPTIONS"


def to_job(
    cell: Path,
    arguments: Sequence[str],
    *,
    ranks: int | None = None,
    dir: Sequence[str] = (),  # noqa: A002 - the option's name
    env: Sequence[str] = (),
    memory: str | None = None,
    time: str | None = None,
    output_limit: str | None = None,
    files: int | None = None,
    threads: str | None = None,
    tier: str = "auto",
    given: Mapping[str, Folder] | None = None,
) -> Job:
    """A job from options as they are written on a command line.

    Args:
        given: folders beside those of `--dir`, which come first where both have one name.

    Raises:
        InputError: one of them does not say what it should.
    """
    from ecotone.execution.cells.interface import Job, Tier

    most = 1 << 32
    memory_bytes = most if memory is None else int(_quantity("--memory", memory, "SIZE"))
    if not 1 << 16 <= memory_bytes <= most:
        raise InputError(f"--memory {memory}: a rank can have 64 KiB to 4 GiB")
    limits: dict[str, Any] = {} if files is None else {"files_max": files}
    if tier not in get_args(Tier):
        raise InputError(f"--tier {tier}: write auto, native or wasmtime")
    return Job(
        module=cell,
        ranks=_ranks(cell) if ranks is None else ranks,
        arguments=tuple(arguments),
        environment=dict(_variable(each) for each in env),
        folders=dict(given or {}) | dict(_folder(each) for each in dir),
        memory_max_bytes=memory_bytes,
        time_max_s=None if time is None else _quantity("--time", time, "DURATION"),
        **_threads(threads),
        tier=cast("Tier", tier),
        output_max_bytes=None if output_limit is None else int(_quantity("--output-limit", output_limit, "SIZE")),
        **limits,
    )


def _threads(text: str | None) -> dict[str, Any]:
    from ecotone.execution.cells.interface import THREADS_MOST

    if text is None:
        return {}
    first, colon, most = text.partition(":")
    counts = [int(each) if each.isdecimal() else 0 for each in ([first, most] if colon else [first])]
    if not 1 <= counts[0] <= counts[-1] <= THREADS_MOST:
        raise InputError(
            f"--threads {text}: write how many each rank begins with, or that and how many it may ever have, such as "
            f"--threads 2:8; 1 to {THREADS_MOST}"
        )
    return {"threads": counts[0], "threads_most": counts[1] if colon else None}


def _ranks(cell: Path) -> int:
    """As many as the cell file says that it is meant for."""
    from ecotone.execution.cells.building import SHEBANG, read_cell

    try:
        with cell.open("rb") as file:
            is_cell = file.read(len(SHEBANG)) == SHEBANG
    except OSError:
        return 1
    return (read_cell(cell).manifest.needs.ranks or 1) if is_cell else 1


def _quantity(option: str, text: str, dimension: str) -> float:
    from ecotone.core.units import Dimension, QuantityError, parse_quantity

    try:
        value = parse_quantity(text, Dimension[dimension])
    except QuantityError as error:
        raise InputError(f"{option}: {error}") from None
    if value <= 0:
        raise InputError(f"{option} {text}: it must be above 0")
    return value


def _folder(text: str) -> tuple[str, Folder]:
    from ecotone.execution.cells import Folder

    name, equals, path = text.rpartition("=") if "=" in text else (text, "", text)
    writable = True
    if path.endswith((":ro", ":rw")):
        path, writable = path[:-3], path.endswith(":rw")
    if not equals:
        name = path
    if not name or not Path(path).is_dir():
        raise InputError(f"--dir {text}: there is no folder {path or '(nothing)'}; write --dir NAME=FOLDER[:ro]")
    return name, Folder(path=Path(path), writable=writable)


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name:
        raise InputError(f"--env {text}: write --env NAME=VALUE, or --env NAME to hand on your own")
    if not equals and name not in os.environ:
        raise InputError(f"--env {text}: you have no variable {name} to hand on; write --env {name}=VALUE")
    return name, value if equals else os.environ[name]


def spread_ranks(text: str, ranks: int) -> dict[str, tuple[int, ...]]:
    """The ranks of each node: in their order, evenly, or as many as each is said to have."""
    names, counts = [], []
    for each in text.split(","):
        name, colon, count = each.strip().partition(":")
        if not name or name in names or (colon and not count.isdecimal()):
            raise InputError(f"--nodes {text}: write names, each once, with ranks or without: --nodes edge:2,cloud:6")
        names.append(name)
        counts.append(int(count) if colon else -1)
    free = ranks - sum(count for count in counts if count > 0)
    open_ones = [index for index, count in enumerate(counts) if count < 0]
    if free < 0 or (free and not open_ones):
        raise InputError(f"--nodes {text}: that makes {ranks - free} ranks, and the job has {ranks}")
    for place, index in enumerate(open_ones):
        counts[index] = free * (place + 1) // len(open_ones) - free * place // len(open_ones)
    starts = [sum(counts[:index]) for index in range(len(counts))]
    return {name: tuple(range(start, start + count)) for name, start, count in zip(names, starts, counts, strict=True)}


def run_and_tell(job: Job, *, label: bool, detach: bool, json: bool, nodes: str | None = None) -> int:
    """Runs a job, and says on stderr why it ended if it ended badly; its exit status.

    Raises:
        EcotoneError: it cannot be run.
    """
    from ecotone.session.cells import run_cell, run_detached

    spread = None if nodes is None else spread_ranks(nodes, job.ranks)
    if detach:
        name = run_detached(job, spread)
        if json:
            from ecotone.frontends.cli.output import write_document

            write_document({"job": name, "state": "running"})
        else:
            sys.stdout.write(f"{name}\n")
        return 0
    if not json:
        _, end = run_cell(job, label=label, nodes=spread)
        _complain(end)
        return end.exit_code
    import msgspec

    from ecotone.frontends.cli.output import write_document

    name, end = run_cell(msgspec.structs.replace(job, stdout=2), label=label, nodes=spread)  # stdout is the document's
    write_document({"job": name, "ranks": job.ranks} | msgspec.to_builtins(end))
    return end.exit_code


def _complain(end: JobEnd) -> None:
    if not end.exit_code or (end.exit_code == _PIPE_CLOSED and end.rank is None):
        return  # whoever does not read any more knows it
    who = "" if end.rank is None else f"rank {end.rank}: "
    lines = [f"ecotone: {who}{end.reason}", *(f"  {line}" for line in end.stack)]
    sys.stderr.write("\n".join(lines) + "\n")


def _options(words: Sequence[str]) -> dict[str, Any] | None:
    """What was written, by the names that `to_job` and `run_and_tell` give; None for anything unusual."""
    found: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in _ALONE and not equals:
            found[_ALONE[name]] = True
        elif name in _WITH_VALUE:
            text = value if equals else next(rest, None)
            if text is None or not _keep(found, _WITH_VALUE[name], text):
                return None
        elif word.startswith("-") or "cell" in found:
            return None
        else:
            found["cell"] = Path(word)
    return found


def _keep(found: dict[str, Any], name: str, text: str) -> bool:
    if name in ("dir", "env"):
        found.setdefault(name, []).append(text)
    elif name in ("ranks", "files"):
        if not text.isdecimal():
            return False
        found[name] = int(text)
    else:
        found[name] = text
    return True


def quick_run(words: Sequence[str]) -> int | None:
    """`ecotone cell run` with these words behind it; None if they are for the command that knows help and mistakes."""
    at = words.index("--") if "--" in words else len(words)
    found = _options(words[:at])
    if found is None or "cell" not in found or found.get("json"):
        return None
    return _run_found(found, words[at + 1 :])


def _run_found(found: dict[str, Any], arguments: Sequence[str]) -> int:
    label, detach = bool(found.pop("label", False)), bool(found.pop("detach", False))
    json = bool(found.pop("json", False))
    nodes: str | None = found.pop("nodes", None)
    cell: Path = found.pop("cell")
    return run_and_tell(to_job(cell, arguments, **found), label=label, detach=detach, json=json, nodes=nodes)


def run_file() -> None:
    """The command `ecotone-run CELL ARGUMENTS`, by which a shell runs a cell file: one rank, in the current folder.

    All that follows the file's name is the program's. Options of `ecotone cell run` are taken from the variable
    ECOTONE_CELL_OPTIONS. Like any program that a person runs, it may use the current folder and sees the environment.
    """
    words = sys.argv[1:]
    sys.exit(_told(lambda: _run_here(words[:1], words[1:], os.environ)))


def mpirun() -> None:
    """The command `ecotone-mpirun -n RANKS CELL ARGUMENTS`, for Makefiles that run what they have built."""
    sys.exit(_told(lambda: _run_here(*_mpirun_words(iter(sys.argv[1:])), os.environ)))


def _mpirun_words(words: Iterator[str]) -> tuple[list[str], list[str]]:
    own: list[str] = []
    for word in words:
        if word in ("-n", "-np", "--n", "--np", "-c"):
            own += ["-n", next(words, "")]
        elif word in _MPIRUN_IGNORED:
            continue
        elif word in ("--bind-to", "--map-by", "-genv"):
            next(words, "")
        elif word.startswith("-"):
            raise InputError(f"ecotone-mpirun does not know {word}; see: ecotone cell run --help")
        else:
            return [*own, word], list(words)
    raise InputError("ecotone-mpirun needs a program: ecotone-mpirun -n RANKS CELL ARGUMENTS")


def _run_here(own: Sequence[str], arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    from ecotone.execution.cells import Folder

    more = shlex.split(environment.get(_OPTIONS_VARIABLE, ""))
    found = _options([*more, *own])
    if found is None or "cell" not in found:
        written = " ".join(more)
        raise InputError(f"{_OPTIONS_VARIABLE} {written!r} should hold options of: ecotone cell run")
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise InputError("the current folder is not there any more; go to another one") from None
    if not any(each.rpartition("=")[0] in (".", str(here)) for each in found.get("dir", [])):
        found["given"] = {name: Folder(path=here) for name in (".", str(here))}
    names = {each.partition("=")[0] for each in found.get("env", [])}
    found["env"] = [
        *(f"{name}={value}" for name, value in environment.items() if name not in names),
        *found.get("env", []),
    ]
    return _run_found(found, arguments)


def _told(run: Any) -> int:
    from ecotone._signals import end_like_interrupted
    from ecotone._streams import open_standard_streams

    open_standard_streams()
    end_like_interrupted()
    try:
        return run()
    except EcotoneError as error:
        sys.stderr.write(f"ecotone: {error}\n")
        return _WRONG_INPUT
    except KeyboardInterrupt:
        return _INTERRUPTED
