"""`ecotone cell`: programs in WebAssembly, built, run, looked after. Loaded by `app` when a command of it is called."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import os
import sys
import time as clock
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ecotone.core.errors import InputError
from ecotone.frontends.cli.main import DONE, FAILED
from ecotone.frontends.cli.options import Duration, JsonOption
from ecotone.frontends.cli.output import Output, write_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from ecotone.session.cells import SeenJob

__all__ = ["build", "cell", "inspect", "kill", "logs", "ps", "run", "scale", "toolchain", "top"]

_FOLLOW_EVERY_S = 0.2

cell = App(
    name="cell",
    help="Build and run programs, MPI ones too, as sandboxed cells.",
    default_parameter=Parameter(show_default=False, negative=()),
)

CellArgument = Annotated[Path, Parameter(name="CELL", help="A cell file, or a WebAssembly module.")]
JobArgument = Annotated[str, Parameter(name="JOB", help="The job's name, or its beginning.")]


def _split(words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """What stands before `--` and behind it; cyclopts leaves the mark out, so the command line is asked."""
    given = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    count = len(given) if given and list(words[-len(given) :]) == given else 0
    return list(words[: len(words) - count]), list(words[len(words) - count :])


@cell.command
def build(
    *words: Annotated[
        str,
        Parameter(
            name="SOURCES", allow_leading_hyphen=True, help="C, C++ or object files or archives; flags behind --."
        ),
    ],
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], metavar="FILE", help="app.cell by default.")
    ] = None,
    ranks: Annotated[int | None, Parameter(help="How many ranks it is meant for; `run` takes them without -n.")] = None,
    json: JsonOption = False,
) -> int:
    """Build a cell from C or C++ sources, as they are.

    MPI is there without being asked for. A first build compiles the C library, which takes about a minute.

    Example: `ecotone cell build -o heat.cell heat.c -- -O3 -DSIZE=512`
    """
    from ecotone.design.cells import build_cell
    from ecotone.execution.cells.interface import RANKS_MOST
    from ecotone.frontends.terminal.cells import BuildLine

    sources, flags = _split(words)
    if not sources:
        raise InputError("there is nothing to build; write: ecotone cell build -o app.cell SOURCES [-- FLAGS]")
    if stray := [each for each in sources if each.startswith("-")]:
        raise InputError(f"{stray[0]} would be a flag for the compiler; write it behind --")
    if ranks is not None and not 1 <= ranks <= RANKS_MOST:
        raise InputError(f"--ranks {ranks}: a job has 1 to {RANKS_MOST} ranks")
    target = output or Path("app.cell")
    begun_s = clock.monotonic()
    with BuildLine(sys.stderr) as line:
        manifest, warnings = build_cell(
            [Path(each) for each in sources], target, flags, ranks=ranks, progress=line.update
        )
    took_s = clock.monotonic() - begun_s
    if warnings:
        sys.stderr.write(f"{warnings}\n")

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.cells import built_view

        return built_view(target, manifest, took_s)

    def document() -> dict[str, Any]:
        import msgspec

        size = target.stat().st_size
        found = msgspec.to_builtins(manifest)
        return {"file": str(target), "size_bytes": size, "took_s": took_s, "warnings": warnings, "manifest": found}

    Output(json=json).show(picture, document)
    return DONE


@cell.command
def run(
    path: CellArgument,
    /,
    *arguments: Annotated[str, Parameter(help="For the program, behind --.")],
    ranks: Annotated[int | None, Parameter(name=["--ranks", "-n"], help="How many processes; 1 by default.")] = None,
    dir: Annotated[  # noqa: A002 - the option's name
        tuple[str, ...],
        Parameter(
            metavar="NAME=FOLDER[:ro]",
            consume_multiple=False,
            help="Let the program use a folder under a name of its own; :ro for reading only; may be repeated.",
        ),
    ] = (),
    env: Annotated[
        tuple[str, ...],
        Parameter(metavar="NAME=VALUE", consume_multiple=False, help="Set a variable; without =, hand on your own."),
    ] = (),
    memory: Annotated[str | None, Parameter(metavar="SIZE", help="Most of each rank, such as 512MiB.")] = None,
    time: Annotated[
        str | None, Parameter(metavar="DURATION", help="Longest time of the job; then it is killed.")
    ] = None,
    output_limit: Annotated[str | None, Parameter(metavar="SIZE", help="Most that a rank may print.")] = None,
    files: Annotated[
        int | None, Parameter(metavar="N", help="Most files that a rank may have open; 256 by default.")
    ] = None,
    nodes: Annotated[
        str | None,
        Parameter(
            metavar="A,B[:N]",
            help="Emulate several nodes here: ranks of one share memory, those of two talk over TCP.",
        ),
    ] = None,
    threads: Annotated[
        str | None,
        Parameter(
            metavar="N[:MOST]",
            help="How many threads a rank begins with, and may ever have; by default what the program asks for.",
        ),
    ] = None,
    tier: Annotated[
        str,
        Parameter(
            metavar="auto|native|wasmtime",
            help="Code for this processor, compiled first; code that is ready at once; or what pays: auto.",
        ),
    ] = "auto",
    label: Annotated[bool, Parameter(help="Put the rank in front of each line.")] = False,
    detach: Annotated[
        bool, Parameter(name=["--detach", "-d"], help="Go on in the background; print the job's name.")
    ] = False,
    json: JsonOption = False,
) -> int:
    """Run a cell as the ranks of a job.

    It reaches what is given to it and nothing else: no network, no files but those of --dir. The first rank that ends
    badly ends the job; its exit status is that of the command.

    Example: `ecotone cell run heat.cell -n 4 --dir data=results --time 10min -- 512 1000`
    """
    from ecotone.frontends.cli.cell_running import run_and_tell, to_job

    stray, given = _split(arguments)
    if stray:
        raise InputError(f"{stray[0]}: arguments for the program go behind --")
    job = to_job(
        path,
        given,
        ranks=ranks,
        dir=dir,
        env=env,
        memory=memory,
        time=time,
        output_limit=output_limit,
        files=files,
        threads=threads,
        tier=tier,
    )
    return run_and_tell(job, label=label, detach=detach, json=json, nodes=nodes)


@cell.command
def ps(
    *,
    all_: Annotated[bool, Parameter(name=["--all", "-a"], help="Also those that have ended.")] = False,
    json: JsonOption = False,
) -> int:
    """List your jobs on this machine.

    Example: `ecotone cell ps --all`
    """
    from ecotone.session.cells import seen_jobs

    jobs = seen_jobs(ended=all_)

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.cells import jobs_view

        return jobs_view(jobs, width, ended=all_)

    Output(json=json).show(picture, lambda: {"jobs": [_job_document(each) for each in jobs]})
    return DONE


def _job_document(job: SeenJob) -> dict[str, Any]:
    import msgspec

    record, end = job.entry.record, job.end
    return {
        "job": record.job,
        "state": job.state,
        "cell": record.cell,
        "arguments": list(record.arguments),
        "ranks": record.ranks,
        "launcher": record.launcher,
        "age_s": job.age_s,
        "cpu_s": job.cpu_s,
        "memory_bytes": job.memory_bytes,
        "threads": msgspec.to_builtins(job.threads),
        "wall_s": end.wall_s if end else None,
        "exit_code": end.exit_code if end else None,
        "rank": end.rank if end else None,
        "reason": job.reason,
        "tier": end.tier if end else None,
        "events": list(end.events) if end else [],
        "stack": list(end.stack) if end else [],
    }


@cell.command
def top(
    *,
    every: Annotated[Duration, Parameter(metavar="DURATION", help="Between two looks; 1s by default.")] = 1.0,
    json: JsonOption = False,
) -> int:
    """Watch your running jobs, until Ctrl-C.

    With --json, or where nobody watches, it looks twice and prints once.

    Example: `ecotone cell top`
    """
    from ecotone.frontends.terminal.cells import top_view, watch

    output = Output(json=json)
    if output.interactive:
        watch(_looks(every))
        return DONE
    looks = _looks(min(every, 0.5))
    next(looks)
    jobs, shares = next(looks)
    output.show(
        lambda width: top_view(jobs, shares, width),
        lambda: {"jobs": [_job_document(each) | {"cpu_share": shares[each.entry.record.job]} for each in jobs]},
    )
    return DONE


def _looks(every_s: float) -> Iterator[tuple[list[SeenJob], dict[str, float]]]:
    """The running jobs, and how many cores each has used since the look before; then it waits."""
    from ecotone.session.cells import seen_jobs

    before: dict[str, tuple[float, float]] = {}
    while True:
        now, jobs = clock.monotonic(), seen_jobs(ended=False)
        shares: dict[str, float] = {}
        for job in jobs:
            then_s, cpu_s = before.get(job.entry.record.job, (now - max(job.age_s, 1e-3), 0.0))
            shares[job.entry.record.job] = max(0.0, job.cpu_s - cpu_s) / max(now - then_s, 1e-3)
        before = {job.entry.record.job: (now, job.cpu_s) for job in jobs}
        yield jobs, shares
        clock.sleep(every_s)


@cell.command
def logs(
    job: JobArgument,
    /,
    *,
    label: Annotated[bool, Parameter(help="Put the rank in front of each line.")] = False,
    rank: Annotated[int | None, Parameter(metavar="N", help="Only this rank.")] = None,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], help="Go on until the job ends.")] = False,
    json: JsonOption = False,
) -> int:
    """Show what a job has printed.

    Example: `ecotone cell logs heat-3fa2 --label`
    """
    from ecotone.execution.cells.output import labelled, read_log
    from ecotone.session.cells import job_named

    entry = job_named(job)

    def goes_on() -> bool:
        if not follow or not entry.is_running():
            return False
        clock.sleep(_FOLLOW_EVERY_S)
        return True

    if not entry.log.exists():
        raise InputError(f"{entry.record.job} has no log any more")
    lines = (line for line in read_log(entry.log, follow=goes_on) if rank is None or line[0] == rank)
    if json:
        shown = [{"rank": r, "stream": s, "text": text.decode(errors="replace")} for r, s, _, text in lines]
        write_document({"job": entry.record.job, "lines": shown})
        return DONE
    for number, _, is_whole, text in lines:
        line = labelled(number, entry.record.ranks, text) if label else text + (b"\n" if is_whole else b"")
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    return DONE


@cell.command
def kill(
    *jobs: Annotated[str, Parameter(name="JOBS", help="Names of jobs, or their beginnings.")],
    reason: Annotated[str, Parameter(metavar="TEXT", help="Kept for those who ask why it ended.")] = "",
    json: JsonOption = False,
) -> int:
    """End running jobs.

    Example: `ecotone cell kill heat-3fa2 --reason "wrong input"`
    """
    from ecotone.session.cells import end_job

    if not jobs:
        raise InputError("which job? write: ecotone cell kill JOB; see: ecotone cell ps")
    who = os.environ.get("USER") or f"user {os.getuid()}"
    ended = [end_job(each, f"killed by {who}" + (f": {reason}" if reason else "")) for each in jobs]
    if json:
        write_document({"jobs": [_job_document(each) for each in ended]})
    else:
        for each in ended:
            sys.stdout.write(f"{each.entry.record.job} ended\n")
    return DONE if all(each.state != "running" for each in ended) else FAILED


@cell.command
def scale(
    job: JobArgument,
    threads: Annotated[int, Parameter(name="THREADS", help="How many threads each rank may have.")],
    /,
    *,
    json: JsonOption = False,
) -> int:
    """Give each rank of a running job more or fewer threads, from its next parallel region on.

    A program never gets more than it was told at its start that there are: see --threads of `run`.

    Example: `ecotone cell scale heat-3fa2 8`
    """
    from ecotone.session.cells import scale_job

    seen, told = scale_job(job, threads)
    if json:
        write_document(_job_document(seen) | {"threads_asked": threads, "ranks_told": told})
        return DONE
    now = sorted({use.size for use in seen.threads})
    was = f" (now {' and '.join(map(str, now))})" if now else ""
    ranks = "" if told == 1 else f" in each of {told} ranks"
    sys.stdout.write(f"{seen.entry.record.job}: at most {threads} threads{ranks} from the next region on{was}\n")
    return DONE


@cell.command
def inspect(path: CellArgument, /, *, json: JsonOption = False) -> int:
    """Say what is in a cell file, and whether it is whole.

    Example: `ecotone cell inspect heat.cell`
    """
    from ecotone.session.cells import inspect_cell

    found = inspect_cell(path)

    def picture(width: int) -> RenderableType:
        from ecotone.frontends.terminal.cells import cell_view

        return cell_view(path, found, width)

    Output(json=json).show(picture, lambda: {"file": str(path)} | found.document())
    return DONE


@cell.command
def toolchain(*, json: JsonOption = False) -> int:
    """Print where the file is that makes CMake build cells.

    Example: `cmake -B build -DCMAKE_TOOLCHAIN_FILE=$(ecotone cell toolchain)`
    """
    from ecotone.session.cells import toolchain_file

    file = toolchain_file()
    if json:
        write_document({"file": str(file)})
    else:
        sys.stdout.write(f"{file}\n")
    return DONE
