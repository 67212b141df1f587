"""`ecotone run --inline`: one process, and still one JSON document on stdout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.conftest import Command

pytestmark = pytest.mark.e2e


def test_what_components_print_stays_out_of_the_document(
    ecotone: Callable[..., Command], prepared: Callable[[str], Path]
) -> None:
    command = ecotone("run", prepared("trouble"), "--inline", "--for", "1s", "--json")

    assert command.finish() == 0, command.stderr.decode()
    assert command.document["components"]["sink"]["count"] > 20
    assert b"got 1" in command.stderr
