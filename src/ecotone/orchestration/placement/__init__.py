"""Where everything should run: exact plans, their proof, their explanation; called by the session.

Names are imported when they are first used: a start whose plan is already made pays for nothing but the fingerprint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecotone._lazy import lazy_names

if TYPE_CHECKING:
    from ecotone.orchestration.placement.conflict import Conflict, Relaxation, find_conflict
    from ecotone.orchestration.placement.evaluate import Evaluation, Evaluator, LinkUse, NodeUse, Violation
    from ecotone.orchestration.placement.explanation import (
        Alternative,
        ComponentExplanation,
        CoresVerdict,
        Explanation,
        NodeVerdict,
        PathExplanation,
        Promise,
        explain,
    )
    from ecotone.orchestration.placement.fingerprint import fingerprint_of
    from ecotone.orchestration.placement.goal import CHEAPEST, Goal
    from ecotone.orchestration.placement.problem import Given, Option, Problem, Refusal, compile_problem
    from ecotone.orchestration.placement.questions import Frontier
    from ecotone.orchestration.placement.solve import Found, Progress, plan, search
    from ecotone.orchestration.placement.tradeoffs import LargestLoad, largest_load, pareto

__all__ = [
    "CHEAPEST",
    "Alternative",
    "ComponentExplanation",
    "Conflict",
    "CoresVerdict",
    "Evaluation",
    "Evaluator",
    "Explanation",
    "Found",
    "Frontier",
    "Given",
    "Goal",
    "LargestLoad",
    "LinkUse",
    "NodeUse",
    "NodeVerdict",
    "Option",
    "PathExplanation",
    "Problem",
    "Progress",
    "Promise",
    "Refusal",
    "Relaxation",
    "Violation",
    "compile_problem",
    "explain",
    "find_conflict",
    "fingerprint_of",
    "largest_load",
    "pareto",
    "plan",
    "search",
]

__getattr__ = lazy_names(
    __name__,
    {
        ".conflict": ("Conflict", "Relaxation", "find_conflict"),
        ".evaluate": ("Evaluation", "Evaluator", "LinkUse", "NodeUse", "Violation"),
        ".explanation": (
            "Alternative",
            "ComponentExplanation",
            "CoresVerdict",
            "Explanation",
            "NodeVerdict",
            "PathExplanation",
            "Promise",
            "explain",
        ),
        ".fingerprint": ("fingerprint_of",),
        ".goal": ("CHEAPEST", "Goal"),
        ".problem": ("Given", "Option", "Problem", "Refusal", "compile_problem"),
        ".questions": ("Frontier",),
        ".solve": ("Found", "Progress", "plan", "search"),
        ".tradeoffs": ("LargestLoad", "largest_load", "pareto"),
    },
)
