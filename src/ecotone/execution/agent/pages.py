"""The pages of all instances that the agent carries or has carried: vitals, open deliveries, telemetry."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from ecotone.execution.agent import kernel
from ecotone.execution.agent.decide import Vitals
from ecotone.execution.page import FAILED, READY, InstancePage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ecotone.core.messages import InstanceTelemetry, WantedInstance

__all__ = ["Pages"]

_SUFFIX = ".page"
_SEPARATOR = "~"
_LOOK_CLOSER_AFTER_S = 1.0


class Pages:
    """Every page in a folder, by instance and component. Pages stay when hosts go: totals survive.

    Args:
        folder: made if absent; what is in it is taken over.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._pages: dict[str, dict[str, InstancePage]] = {}
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            instance, _, component = path.name.removesuffix(_SUFFIX).partition(_SEPARATOR)
            try:
                self._pages.setdefault(instance, {})[component] = InstancePage.open(path)
            except ValueError:
                path.unlink()  # cut short by a crash while it was made: nothing was counted in it

    def instances(self) -> tuple[str, ...]:
        """The ids of all instances that have pages."""
        return tuple(self._pages)

    def end_leftovers(self) -> tuple[int, ...]:
        """Kill hosts of an earlier agent that are still there: its fork server did, unless it was stopped itself.
        Called before anything starts; returns their process ids."""
        found: list[int] = []
        pids = {page.pid for pages in self._pages.values() for page in pages.values()} - {0, os.getpid()}
        for pid in sorted(pids):
            if kernel.has_mapped(pid, str(self._folder)):
                os.kill(pid, signal.SIGKILL)
                found.append(pid)
        return tuple(found)

    def prepare(self, instance: WantedInstance) -> tuple[str, ...]:
        """Pages for a host that is about to start, one for each component, in their order; totals are kept.

        Raises:
            OSError: there is no room for a page.
        """
        pages = self._pages.setdefault(instance.id, {})
        paths: list[str] = []
        for component in instance.components:
            path = self._folder / f"{instance.id}{_SEPARATOR}{component}{_SUFFIX}"
            if component not in pages:
                pages[component] = InstancePage.create(path)
            pages[component].restart()
            paths.append(str(path))
        return tuple(paths)

    def set_cores(self, instance: str, cores: Mapping[str, int]) -> None:
        """For the components of an instance whose number is not the planned one."""
        for component, page in self._pages.get(instance, {}).items():
            page.cores = cores.get(component, 0)

    def take_tokens(self, instance: str) -> tuple[str, ...]:
        """The deliveries that a dead host had open; the page forgets them."""
        tokens: list[str] = []
        for page in self._pages.get(instance, {}).values():
            tokens += page.tokens()
            page.clear_tokens()
        return tuple(tokens)

    def vitals(self, instance: WantedInstance, pid: int, now_s: float) -> Vitals:
        """A living host as it shows itself."""
        pages = self._pages[instance.id]
        first = pages[instance.components[0]]
        heartbeat_s = first.heartbeat_s
        opened = tuple((name, pages[name].item_started_s) for name in instance.components)
        return Vitals(
            ready=first.phase == READY,  # one that fails at its start drains, too
            heartbeat_s=heartbeat_s,
            items=tuple(each for each in opened if each[1] > 0),
            frozen=now_s - heartbeat_s > _LOOK_CLOSER_AFTER_S and kernel.is_frozen(pid),
            memory_bytes=kernel.own_memory_bytes(pid),
        )

    def last_words(self, instance: WantedInstance) -> str:
        """Why a dead host said that it failed; "" if it said nothing."""
        page = self._pages[instance.id][instance.components[0]]
        return page.reason if page.phase == FAILED else ""

    def has_handled(self, instance: str, component: str) -> bool:
        """Whether the component has ever handled an item."""
        page = self._pages.get(instance, {}).get(component)
        return page is not None and bool(page.histogram(0).counts)

    def telemetry(self, restarts: dict[str, int], memory_bytes: dict[str, float]) -> tuple[InstanceTelemetry, ...]:
        """The totals of every instance and component. An instance's memory is counted with its first component."""
        return tuple(
            page.telemetry(
                instance=instance,
                component=component,
                node=instance.split(".")[1],
                restarts=restarts.get(instance, 0) if number == 0 else 0,
                memory_bytes=memory_bytes.get(instance, 0.0) if number == 0 else 0.0,
            )
            for instance, pages in self._pages.items()
            for number, (component, page) in enumerate(pages.items())
        )

    def close(self) -> None:
        """Unmap all; the files stay."""
        for pages in self._pages.values():
            for page in pages.values():
                page.close()
        self._pages.clear()
