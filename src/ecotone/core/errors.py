"""Every error that Ecotone raises on purpose, as one tree, split by what the caller can do about it.

    EcotoneError
    ├── InputError            the input is wrong: fix what `problems` names, each with its place
    ├── InfeasibleError       no plan keeps every promise: `conflict` and `relaxations` say why and what would help
    ├── UnavailableError      something needed is not there now: try later, or install it (`retry_after_s`)
    │   ├── StreamFullError   a bounded stream is full: wait for its readers
    │   └── MissingExtraError an optional package is not installed
    ├── ConflictError         someone else was first: read again and retry (compare-and-set)
    ├── NotFoundError         the named thing does not exist
    └── ComponentError        a component's own code raised, hung or died

The message says what happened, where, and what to do. Programmer errors are `assert`s of invariants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.core.problems import Problem

__all__ = [
    "ComponentError",
    "ConflictError",
    "EcotoneError",
    "InfeasibleError",
    "InputError",
    "MissingExtraError",
    "NotFoundError",
    "StreamFullError",
    "UnavailableError",
]


class EcotoneError(Exception):
    """Base of every error raised on purpose; `str(error)` is fit for a person to read."""


class InputError(EcotoneError):
    """The input is wrong. `problems` holds every mistake found, each with file, line and column where known."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class InfeasibleError(EcotoneError):
    """No plan keeps every promise.

    `conflict` is a minimal set of requirements that cannot hold together (leave out any one and the rest can);
    `relaxations` are sentences, the cheapest change first.
    """

    def __init__(self, message: str, conflict: Sequence[str] = (), relaxations: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.conflict = tuple(conflict)
        self.relaxations = tuple(relaxations)


class UnavailableError(EcotoneError):
    """Something needed is not there now. `retry_after_s` is a hint in seconds, None when waiting does not help."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StreamFullError(UnavailableError):
    """A bounded stream is full; nothing was stored. Wait for its readers and append again."""


class MissingExtraError(UnavailableError):
    """An optional package is missing; the message holds the line that installs it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; install it with: pip install 'ecotone[{extra}]'")
        self.extra = extra


class ConflictError(EcotoneError):
    """Someone else was first: the revision that was to be replaced is no longer the newest."""


class NotFoundError(EcotoneError):
    """The named thing does not exist."""


class ComponentError(EcotoneError):
    """A component's own code raised, hung or died; the message names the component and the cause."""
