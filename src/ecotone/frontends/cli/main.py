"""The life of one command: parse it, do it, and turn whatever happened into words and an exit status.

Called by `ecotone.__main__` and by tests. No exception leaves `run_command`, and no traceback reaches a person who
did not ask for one with ECOTONE_DEBUG=1.
"""
# ruff: noqa: PLC0415 - what a command does not need is not imported: it must start quickly

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecotone._signals import told_to_stop
from ecotone.core.errors import ConflictError, EcotoneError, InfeasibleError, InputError, NotFoundError
from ecotone.frontends.cli.output import Output, error_document, write_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import CycloptsError

__all__ = ["DONE", "FAILED", "INTERRUPTED", "WRONG_INPUT", "run_command", "tell_error"]

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
_PIPE_CLOSED = 141
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_KINDS: tuple[tuple[type[EcotoneError], str], ...] = (
    (InputError, "input"),
    (InfeasibleError, "infeasible"),
    (NotFoundError, "not-found"),
    (ConflictError, "conflict"),
)


def run_command(argv: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit status."""
    if argv[:1] == ["help"]:
        argv = [*argv[1:2], "--help"]
    output = Output(json="--json" in argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that lacks our signs
    try:
        status = _call(list(argv), output)
        sys.stdout.flush()
    except EcotoneError as error:
        return _tell(error, output)
    except KeyboardInterrupt:
        return _interrupted(output)
    except BrokenPipeError:
        _let_go_of_stdout()  # who read us has gone
        return _PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 - the outermost edge: a bug becomes one line and a file
        return _unexpected(error, argv, output)
    return status


def _unexpected(error: Exception, argv: Sequence[str], output: Output) -> int:
    if told_to_stop():
        return _interrupted(output)  # what broke was cut off
    if isinstance(error, OSError) and error.errno in _FULL:
        return _no_space(error, output)
    return _crash(error, argv, output)


def _interrupted(output: Output) -> int:
    if output.json:
        write_document(error_document("interrupted", "interrupted"))
    output.say("interrupted")
    return INTERRUPTED


def _no_space(error: OSError, output: Output) -> int:
    """A full disk is no bug. stdout may be what is full: then its document cannot be had."""
    where = error.filename or "the output, or a file of the application"
    message = f"{where} cannot be written: {error.strerror}; free some space and try again"
    output.say(f"error: {message}")
    try:
        if output.json:
            write_document(error_document("failed", message))
        sys.stdout.flush()
    except OSError:
        _let_go_of_stdout()
    return FAILED


def _let_go_of_stdout() -> None:
    """What is left in its buffer must not raise again when the interpreter exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _call(argv: list[str], output: Output) -> int:
    from cyclopts import CycloptsError

    from ecotone.frontends.cli.app import command_tree

    try:
        result = command_tree(listing=not argv or argv[0].startswith("-"))(
            argv, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        return _usage(error, argv, output)
    return result if isinstance(result, int) else DONE


def _usage(error: CycloptsError, argv: list[str], output: Output) -> int:
    """A command line that does not parse: what is wrong with it, and where its options are listed."""
    from ecotone.frontends.cli.app import COMMANDS

    known = {name for name, *_ in COMMANDS}
    command = f"ecotone {argv[0]}" if argv and argv[0] in known else "ecotone"
    message = _usage_message(error, command)
    if output.json:
        write_document(error_document("usage", message, hint=f"{command} --help"))
    else:
        from ecotone.frontends.terminal.problems import error_view

        output.complain(lambda width: error_view(message, hint=f"see: {command} --help"))
    return WRONG_INPUT


def _usage_message(error: CycloptsError, command: str) -> str:
    from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError

    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"{command} has no use for: {' '.join(error.unused_tokens)}"
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        name = error.keyword or error.argument.name
        return f"{name} has no value" if name.startswith("-") else f"{command} needs {name}"
    return str(error)


def tell_error(error: EcotoneError, argv: Sequence[str]) -> int:
    """Say an error that a command has raised on purpose; the exit status that its kind has."""
    return _tell(error, Output(json="--json" in argv))


def _tell(error: EcotoneError, output: Output) -> int:
    """An error raised on purpose: in full, and the status that its kind has."""
    if output.json:
        write_document(_failure_document(error))
    else:
        from ecotone.frontends.terminal.problems import failure_view

        output.complain(lambda width: failure_view(error, width))
    return WRONG_INPUT if isinstance(error, (InputError, NotFoundError)) else FAILED


def _failure_document(error: EcotoneError) -> dict[str, Any]:
    kind = next((name for of, name in _KINDS if isinstance(error, of)), "failed")
    more: dict[str, Any] = {}
    if isinstance(error, InputError) and error.problems:
        more["problems"] = [problem_document(each) for each in sorted(error.problems)]
    if isinstance(error, InfeasibleError):
        more = {"conflict": list(error.conflict), "relaxations": list(error.relaxations)}
    return error_document(kind, str(error), **more)


def problem_document(problem: Any) -> dict[str, Any]:
    """One `core.problems.Problem` as plain data."""
    place = problem.place
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
    }


def _crash(error: Exception, argv: Sequence[str], output: Output) -> int:
    """A bug of ours: one line, and the traceback in a file that can be attached to a report."""
    text = f"ecotone {' '.join(argv)}\n\n" + "".join(traceback.format_exception(error))
    if os.environ.get("ECOTONE_DEBUG"):
        output.say(text)
    where = _write_crash(text, argv)
    message = f"unexpected {type(error).__name__}: {error}"
    hint = f"this is a mistake in Ecotone; the traceback is in {where}" if where else "set ECOTONE_DEBUG=1 to see where"
    if output.json:
        write_document(error_document("unexpected", message, traceback=str(where or "")))
    output.say(f"error: {message}\n   = {hint}")
    return FAILED


def _write_crash(text: str, argv: Sequence[str]) -> Path | None:
    """Beside the application's other state where the command names one, else with the temporary files."""
    folders = [Path(each) / ".ecotone" for each in argv[1:2] if Path(each).is_dir()] + [Path(tempfile.gettempdir())]
    for folder in folders:
        try:
            folder.mkdir(exist_ok=True)
            where = folder / f"crash-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
            where.write_text(text, encoding="utf-8")
        except OSError:
            continue
        return where
    return None
