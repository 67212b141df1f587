"""The MPI library of cells, by programs that check themselves, on one to eight ranks and any number of cores."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ecotone.execution.cells import JobResult

Run = Callable[..., tuple[JobResult, str]]


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("program", ["point", "collectives", "communicators"])
def test_program_finds_nothing_wrong(run: Run, program: str, ranks: int) -> None:
    result, output = run(program, ranks)
    assert output == "ok\n"
    assert result.exit_code == 0


def test_datatypes(run: Run) -> None:
    _, output = run("types", 1)
    assert output == "ok\n"


def test_program_may_use_names_that_the_library_uses_inside(run: Run) -> None:
    _, output = run("ownnames", 3)
    assert output == "ok\n"


def test_sixty_four_ranks(run: Run) -> None:
    _, output = run("communicators", 64)
    assert output == "ok\n"
