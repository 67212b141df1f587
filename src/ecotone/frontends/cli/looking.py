"""`ecotone report`, `ecotone logs` and `ecotone version`: what earlier runs left in the state folder."""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ecotone._version import __version__
from ecotone.core.errors import NotFoundError
from ecotone.frontends.cli.options import AppArgument, JsonOption, RunOption
from ecotone.frontends.cli.output import write_document

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["last_run", "logs", "report", "version"]

_FOLLOW_EVERY_S = 0.3


def version(*, json: JsonOption = False) -> int:
    """Print the version."""
    if json:
        write_document({"version": __version__, "python": sys.version.split()[0]})
    else:
        sys.stdout.write(f"ecotone {__version__} (Python {sys.version.split()[0]})\n")
    return 0


def report(
    app: AppArgument,
    /,
    *,
    run: RunOption = None,
    render: bool = False,
    json: JsonOption = False,
) -> int:
    """Say where the report of a run is, or write it again.

    The report is a page, report.html, with report.json beside it; open it in a browser.

    Example: `ecotone report hello`

    Args:
        render: Write the page again from the run's record, for example after installing ecotone[report].
    """
    folder = last_run(app, run, having="record.json")
    page = folder / "report.html"
    if render:
        from ecotone.frontends.report import read_record, write_report

        page = write_report(read_record(folder), folder)
    if json:
        write_document({"run": folder.name, "html": str(page), "document": str(folder / "report.json")})
    else:
        sys.stdout.write(f"{page}\n")
    return 0


def logs(
    app: AppArgument,
    component: Annotated[str | None, Parameter(help="Only this component.")] = None,
    /,
    *,
    run: RunOption = None,
    follow: bool = False,
    json: JsonOption = False,
) -> int:
    """Show what components printed and raised.

    Example: `ecotone logs hello alarm --follow`

    Args:
        follow: Go on with what is written, until Ctrl-C.
    """
    folder = last_run(app, run)
    files = _log_files(folder, component)
    if json:
        lines = [{"instance": file.stem, "text": line} for file in files for line in _lines(file)]
        write_document({"run": folder.name, "lines": lines})
        return 0
    width = max((len(file.stem) for file in files), default=0)
    seen = dict.fromkeys(files, 0)
    while True:
        for file in seen:
            seen[file] += _print_new(file, seen[file], width)
        sys.stdout.flush()
        if not follow:
            return 0
        _wait_while_read()
        seen |= {file: 0 for file in _log_files(folder, component) if file not in seen}


def _wait_while_read() -> None:
    """A moment; ends at once with BrokenPipeError when who read stdout has gone, even if there is nothing to write."""
    gone = select.poll()
    gone.register(sys.stdout.fileno(), 0)
    if any(events & select.POLLERR for _, events in gone.poll(_FOLLOW_EVERY_S * 1e3)):
        raise BrokenPipeError


def _print_new(file: Path, offset: int, width: int) -> int:
    """Print whole lines after `offset` bytes and return how many bytes they were."""
    with file.open("rb") as stream:
        stream.seek(offset)
        data = stream.read()
    for line in data.decode(errors="replace").splitlines():
        sys.stdout.write(f"{file.stem:<{width}} │ {line}\n")
    return len(data)


def _lines(file: Path) -> Iterator[str]:
    yield from file.read_text(encoding="utf-8", errors="replace").splitlines()


def _log_files(folder: Path, component: str | None) -> list[Path]:
    """One file for each instance, named by its id: COMPONENT.NODE.REPLICA.log. The platform's own logs lie beside
    them (agent.log, forkserver.log) and are shown when they are named."""
    files = sorted((folder / "logs").glob("*.log"))
    if component is None:
        return [file for file in files if file.stem.count(".") >= 2]
    chosen = [file for file in files if component in file.stem.split(".")[0].split("+")]
    if not chosen:
        known = ", ".join(sorted({file.stem.split(".")[0] for file in files})) or "nothing was logged"
        raise NotFoundError(f"no log of {component!r} in {folder}; there is: {known}")
    return chosen


def last_run(app: str, run: str | None, *, having: str = "") -> Path:
    """The folder of a run of `app`; where none is named, the newest one that holds the file `having`.

    Raises:
        NotFoundError: no such run; the message names those that are there.
    """
    from ecotone.session import Session

    runs = Session(app).state_folder / "runs"
    folders = sorted(each for each in runs.glob("*") if each.is_dir())
    if not folders:
        raise NotFoundError(f"{app} has not been run yet; run it with: ecotone run {app}")
    if run is not None and runs / run not in folders:
        names = ", ".join(each.name for each in folders[-5:])
        raise NotFoundError(f"{app} has no run {run!r}; the last ones are: {names}")
    found = [each for each in (folders if run is None else [runs / run]) if (each / having).exists()]
    if not found:
        raise NotFoundError(f"no run of {app} has a report: it is written when a run ends by itself or by Ctrl-C")
    return found[-1]
