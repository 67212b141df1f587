"""Everything that can be said against an application and its continuum without running it.

Called by `ecotone check`, and by the session before anything else is done with an APP. One pass over both files; the
problems are sorted by place. User code is never imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ecotone.core.application import Application
from ecotone.core.continuum import Continuum
from ecotone.core.errors import InputError
from ecotone.core.problems import Problem
from ecotone.design._offers import check_offers
from ecotone.design._written import Mistakes
from ecotone.design.continuum import ContinuumResult, read_continuum
from ecotone.design.read import ReadResult, read_application

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["CheckResult", "check"]


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found.

    Attributes:
        problems: every mistake in the application, in the continuum, and between the two, sorted by place.
        application, continuum: what was read; None where it has problems of its own.
        read, continuum_read: the results of the two readers, with files, root and parameters.
    """

    problems: tuple[Problem, ...]
    application: Application | None
    continuum: Continuum | None
    read: ReadResult
    continuum_read: ContinuumResult

    def require(self) -> tuple[Application, Continuum]:
        """Both.

        Raises:
            InputError: there is any problem; `problems` are all of them.
        """
        if self.problems or self.application is None or self.continuum is None:
            count = len(self.problems)
            raise InputError(f"{count} mistake{'s' if count > 1 else ''}", self.problems)
        return self.application, self.continuum


def check(
    app: str | Path, continuum: str | Path | None = None, parameters: Mapping[str, str] | None = None
) -> CheckResult:
    """Check an application against a continuum.

    Args:
        app: a folder with `app.py`, a file, or a module's name.
        continuum: a YAML file; None is the default continuum.
        parameters: values for the application's parameters, as text.

    Returns:
        All problems; this function raises nothing for wrong input.
    """
    read = read_application(app, parameters)
    described = read_continuum(continuum)
    mistakes = Mistakes()
    if described.continuum is not None and read.source is not None:
        check_offers(read.source.drafts, read.private_inputs, described.continuum, mistakes)
    return CheckResult(
        problems=tuple(sorted((*read.problems, *described.problems, *mistakes.problems))),
        application=read.application,
        continuum=described.continuum,
        read=read,
        continuum_read=described,
    )
