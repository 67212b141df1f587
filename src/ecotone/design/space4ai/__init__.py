"""SPACE4AI's files: its system descriptions and its solutions, both read and written; called by `ecotone plan
--space4ai`, and by benchmarks for systems that were generated.

The two published code bases that read a description (space4ai-d in Python, space4ai-r-optimizer in C++) differ in what
they mean by it: `MODES` says how each is read. In the mode `published` the evaluator gives the costs and times that the
published solutions state.
"""

from __future__ import annotations

from ecotone.design.space4ai._description import read_space4ai
from ecotone.design.space4ai._modes import LOAD_MAX, MODES, Mode, local_name
from ecotone.design.space4ai._solution import read_space4ai_solution, space4ai_solution
from ecotone.design.space4ai._written import space4ai_description

__all__ = [
    "LOAD_MAX",
    "MODES",
    "Mode",
    "local_name",
    "read_space4ai",
    "read_space4ai_solution",
    "space4ai_description",
    "space4ai_solution",
]
