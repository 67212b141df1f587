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
        Explanation,
        NodeVerdict,
        PathExplanation,
        Promise,
        explain,
    )
    from ecotone.orchestration.placement.fingerprint import fingerprint_of
    from ecotone.orchestration.placement.problem import Option, Problem, Refusal, compile_problem
    from ecotone.orchestration.placement.solve import Found, Progress, plan, search

__all__ = [
    "Alternative",
    "ComponentExplanation",
    "Conflict",
    "Evaluation",
    "Evaluator",
    "Explanation",
    "Found",
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
            "Explanation",
            "NodeVerdict",
            "PathExplanation",
            "Promise",
            "explain",
        ),
        ".fingerprint": ("fingerprint_of",),
        ".problem": ("Option", "Problem", "Refusal", "compile_problem"),
        ".solve": ("Found", "Progress", "plan", "search"),
    },
)
