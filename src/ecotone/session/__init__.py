"""The one way in: check, profile, plan, explain and run an application. What a notebook imports, and every front end.

from ecotone.session import Session
report = Session("usecases/mobility").run(for_s=20)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names

if TYPE_CHECKING:
    from ecotone.session.session import Session

__all__ = ["Session"]

# Not at once: `session.prestart` must not pay for it.
__getattr__ = lazy_names(__name__, {".session": ("Session",)})
