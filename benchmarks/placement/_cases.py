"""The systems that are placed: the published instances and generated ones; used by all parts."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ecotone.design.space4ai import read_space4ai, read_space4ai_solution
from ecotone.orchestration.placement.system.evaluate import judge
from ecotone.orchestration.placement.system.generate import Strictness, generate
from ecotone.orchestration.placement.system.model import System
from ecotone.orchestration.placement.system.search import search

__all__ = ["STRICTNESSES", "Case", "generated", "note", "provided", "warm_up"]

STRICTNESSES: tuple[Strictness, ...] = ("strict", "light")
_FOLDER = Path(__file__).parents[3] / "shared" / "data" / "placement"
_RATE_PER_S = 1.8


class Case(NamedTuple):
    """`published_eur_per_h`: what the published solution costs, None without one that keeps every bound and rule."""

    kind: str
    name: str
    system: System
    published_eur_per_h: float | None = None


def provided() -> list[Case]:
    """The published instances, equal files once; none where they are not at hand."""
    found: dict[bytes, Case] = {}
    for file in sorted(_FOLDER.glob("*/*Components/Ins*/system_description.json")):
        name = "/".join(file.parts[-4:-1])
        digest = hashlib.sha256(file.read_bytes()).digest()
        if digest in found:
            note(f"{name} is a copy of {found[digest].name}")
            continue
        system = read_space4ai(file, load_per_s=_RATE_PER_S)
        judged = judge(system, read_space4ai_solution(file.with_name("best_sol_1.8.json"), system))
        published = judged.price_eur_per_h if judged.feasible else None
        found[digest] = Case("/".join(file.parts[-4:-2]), name, system, published)
    if not found:
        note(f"skipped: the published instances are not in {_FOLDER}")
    return list(found.values())


def generated(components: int, seeds: int) -> Iterator[Case]:
    """As many strict ones as light ones."""
    for strictness in STRICTNESSES:
        for seed in range(seeds):
            system = generate(components, seed, strictness=strictness, rate_per_s=_RATE_PER_S)
            yield Case(f"generated/{components} {strictness}", system.name, system)


def warm_up() -> None:
    """Imports are not the search's time."""
    search(generate(5, 0))


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
