"""Names for files that are not yet what they shall be. Called by whoever writes files that appear whole or never."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["scratch_beside"]

_RANDOM_BYTES = 8


def scratch_beside(path: Path, ending: str = "") -> Path:
    """A name in the same folder that no other process has: the number of a process is not enough where several
    machines or containers have one home.

    Args:
        path: what the file will be.
        ending: of the name.
    """
    return path.with_name(f".{path.name}.{os.urandom(_RANDOM_BYTES).hex()}{ending}")
