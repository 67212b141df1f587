"""Where everything should run: exact plans, their proof, their explanation; called by the session.

Names are imported when they are first used: a start whose plan is already made pays for nothing but the fingerprint.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_HOMES = {
    "explain": "explanation",
    "Alternative": "explanation",
    "ComponentExplanation": "explanation",
    "Conflict": "conflict",
    "Evaluation": "evaluate",
    "Evaluator": "evaluate",
    "Explanation": "explanation",
    "Found": "solve",
    "LinkUse": "evaluate",
    "NodeUse": "evaluate",
    "NodeVerdict": "explanation",
    "Option": "problem",
    "PathExplanation": "explanation",
    "Problem": "problem",
    "Progress": "solve",
    "Promise": "explanation",
    "Refusal": "problem",
    "Relaxation": "conflict",
    "Violation": "evaluate",
    "compile_problem": "problem",
    "find_conflict": "conflict",
    "fingerprint_of": "fingerprint",
    "plan": "solve",
    "search": "solve",
}

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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
