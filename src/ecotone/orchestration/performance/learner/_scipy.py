"""What fitting takes from SciPy: an extra, which whoever only asks a model need not have. For this package alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ecotone.core.errors import MissingExtraError

try:
    from scipy.linalg import cho_solve, solve_triangular
    from scipy.optimize import least_squares, minimize, nnls
    from threadpoolctl import ThreadpoolController
except ImportError as error:
    raise MissingExtraError((error.name or "scipy").partition(".")[0], "performance") from None

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["cho_solve", "least_squares", "minimize", "nnls", "one_thread", "solve_triangular"]


def one_thread() -> AbstractContextManager[object]:
    """While it lasts, linear algebra runs on one thread: on matrices of a few hundred rows threads mostly wait for each
    other, and where the machine has other work to do, six to ten times as long."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
