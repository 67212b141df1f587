"""The one way in: check, profile, plan, explain and run an application. What a notebook imports, and every front end.

from ecotone.session import Session
report = Session("usecases/mobility").run(for_s=20)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecotone.session.session import Session

__all__ = ["Session"]


def __getattr__(name: str) -> object:
    if name == "Session":
        from ecotone.session.session import Session  # noqa: PLC0415 - `session.prestart` must not pay for it

        return Session
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
