"""The static reader: from an application's file to its `core.application.Application`, without importing it.

Called by `check`, by profiling, and by the session for every command that takes an APP. The file is parsed into a
syntax tree; user code never runs, so a broken or hostile application can be looked at safely.
"""

from __future__ import annotations

import ast
import tokenize
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.application import Application, Value
from ecotone.core.errors import InputError
from ecotone.core.problems import Place, Problem
from ecotone.design._locate import Located, application_name, locate
from ecotone.design._module import Source, read_module
from ecotone.design._rules import Judged, check_application
from ecotone.design._scope import Places
from ecotone.design._written import Mistakes

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ReadResult", "read_application"]


class ReadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What reading an application gave.

    Attributes:
        application: None when there is any problem.
        problems: every mistake found, sorted by place.
        file: the application's file as it was named; None when none was found.
        root, module: with the folder `root` on `sys.path`, `module` is the name to import it by.
        parameters: the value of each parameter, as given or by default.
        source: what was read of the file, for checks that look further; None when it could not be parsed.
        private_inputs: the layers in which components that take private data may be.
    """

    application: Application | None
    problems: tuple[Problem, ...]
    file: Path | None = None
    root: Path | None = None
    module: str = ""
    parameters: dict[str, Value] = {}
    source: Source | None = None
    private_inputs: dict[str, frozenset[str]] = {}

    @property
    def folder(self) -> Path | None:
        """The folder that holds the file and `.ecotone/`."""
        return self.file.parent if self.file is not None else None

    def require(self) -> Application:
        """The application.

        Raises:
            InputError: it has mistakes; `problems` are all of them.
        """
        if self.application is None:
            count = len(self.problems)
            raise InputError(f"{count} mistake{'s' if count > 1 else ''} in the application", self.problems)
        return self.application


def read_application(app: str | Path, parameters: Mapping[str, str] | None = None) -> ReadResult:
    """Read an application: a folder with `app.py`, a file, or a module's name.

    Args:
        app: what a person names.
        parameters: values for the parameters that the application declares, as text.

    Returns:
        The application, or every mistake in it; this function raises nothing for a wrong application.
    """
    try:
        located = locate(app)
    except InputError as error:
        return ReadResult(application=None, problems=error.problems)
    mistakes = Mistakes()
    parsed = _parse(located.file, mistakes)
    if parsed is None:
        return _result(located, None, None, mistakes)
    tree, places = parsed
    try:
        source = read_module(tree, places, application_name(located.file), parameters or {}, mistakes)
        judged = check_application(source, mistakes)
    except RecursionError:
        mistakes.add(Place(places.file, 1, 1), "syntax-error", "an expression is nested too deeply to be read")
        return _result(located, None, None, mistakes)
    return _result(located, source, judged, mistakes)


def _result(located: Located, source: Source | None, judged: Judged | None, mistakes: Mistakes) -> ReadResult:
    problems = mistakes.problems
    return ReadResult(
        application=judged.application if judged is not None and not problems else None,
        problems=problems,
        file=located.file,
        root=located.root,
        module=located.module,
        parameters=source.values if source is not None else {},
        source=source,
        private_inputs=judged.private_inputs if judged is not None else {},
    )


def _parse(file: Path, mistakes: Mistakes) -> tuple[ast.Module, Places] | None:
    try:
        with tokenize.open(file) as stream:
            text = stream.read()
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        mistakes.add(Place(str(file)), "not-readable", message, "check its permissions")
        return None
    except (UnicodeDecodeError, SyntaxError, LookupError) as error:
        line = _line_of_bad_byte(file)
        mistakes.add(Place(str(file), line, 1), "not-utf-8", f"the file is not text: {error}", "save it as UTF-8")
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in a string is no mistake of ours to judge
            tree = ast.parse(text)
    except SyntaxError as error:
        place = Place(str(file), max(1, error.lineno or 1), max(1, error.offset or 1))
        mistakes.add(place, "syntax-error", f"Python cannot read this: {error.msg}")
        return None
    except (ValueError, RecursionError, MemoryError) as error:
        mistakes.add(Place(str(file), 1, 1), "syntax-error", f"Python cannot read this: {error or 'nested too deeply'}")
        return None
    return tree, Places(str(file), text)


def _line_of_bad_byte(file: Path) -> int:
    data = file.read_bytes()
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 1
