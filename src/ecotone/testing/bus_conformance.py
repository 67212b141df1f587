"""What every bus must do, one test for each promise of `ecotone.infrastructure.bus.interface`.

A back-end's tests subclass `BusConformance` (or `DurableBusConformance` if it outlives its server) under pytest with
anyio's plugin, and give the fixtures `connect` and `crash`. Names are new for each test, so that one server may serve
them all. Nothing here imports pytest; for good messages, call
`pytest.register_assert_rewrite("ecotone.testing")` before importing it.
"""

from __future__ import annotations

from ecotone.testing._bus_appending import AppendingConformance
from ecotone.testing._bus_crashes import CrashConformance
from ecotone.testing._bus_keyvalue import KeyValueConformance
from ecotone.testing._bus_messaging import MessagingConformance
from ecotone.testing._bus_reading import ReadingConformance
from ecotone.testing._bus_storage import StorageConformance

__all__ = ["BusConformance", "DurableBusConformance"]


class BusConformance(
    MessagingConformance, KeyValueConformance, AppendingConformance, ReadingConformance, StorageConformance
):
    """Subclass it, mark the class with `pytest.mark.anyio`, and give the fixture `connect`: an async function that
    returns a new connection to the same bus each time; the fixture closes them."""


class DurableBusConformance(BusConformance, CrashConformance):
    """For a bus whose server can die. Give the fixture `crash`, too: an async function that kills the server and
    starts it again on what it had stored."""
