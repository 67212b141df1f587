"""Versions of installed packages, read from the names of their folders. Called by whoever keeps what they made.

`importlib.metadata` does the same and takes 40 ms to import, which is most of the time in which a cell is to start.
"""

from __future__ import annotations

import os
import sys
from functools import cache

__all__ = ["installed_version"]

_MARK = ".dist-info"


@cache
def installed_version(package: str) -> str | None:
    """The version of an installed package, None if there is none.

    Args:
        package: its name as in its wheel, with underscores.
    """
    prefix = f"{package}-"
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 - pathlib takes longer
        except OSError:
            continue
        for name in names:
            if name.startswith(prefix) and name.endswith(_MARK):
                return name[len(prefix) : -len(_MARK)]
    return None
