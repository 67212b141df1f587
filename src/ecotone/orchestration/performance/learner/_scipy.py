"""What fitting takes from SciPy: an extra, which whoever only asks a model need not have. For this package alone."""

from __future__ import annotations

from ecotone.core.errors import MissingExtraError

try:
    from scipy.linalg import cho_solve, solve_triangular
    from scipy.optimize import least_squares, minimize, nnls
except ImportError:
    raise MissingExtraError("scipy", "performance") from None

__all__ = ["cho_solve", "least_squares", "minimize", "nnls", "solve_triangular"]
