"""Ecotone: design, run and keep improving AI applications that span devices, edge servers and clouds."""

from __future__ import annotations

from ecotone._version import __version__

__all__ = ["__version__"]
