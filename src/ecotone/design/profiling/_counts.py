"""With how many cores a component is measured on this machine. Called by `profile` and `explore`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecotone.core.application import Component

__all__ = ["counts_to_measure"]

_COUNTS_MAX = 4


def counts_to_measure(component: Component, cores: int) -> tuple[int, ...]:
    """What the component may be planned with and this machine has, at most four of them, the least first.

    Where the machine has more than the least and fewer than the most, all that it has is one of them; where it has
    fewer than the least, it is the only one. () for a component that uses one core: that is measured as ever.

    Args:
        cores: of this machine, that this process may use.
    """
    most = component.cores[1]
    if most == 1:
        return ()
    room = max(1, cores // component.held(1))
    counts = sorted({count for count in component.core_counts if count <= room} | ({room} if room < most else set()))
    if len(counts) > _COUNTS_MAX:
        return counts[0], counts[1], counts[len(counts) // 2], counts[-1]
    return tuple(counts)
