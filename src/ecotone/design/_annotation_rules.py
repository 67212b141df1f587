"""The rules that concern one `component` annotation alone: keywords that contradict each other or have no effect.

Called by `_keywords` for both ways to an application, so decorators raise these too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ecotone.execution.cells.interface import THREADS_MOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ecotone.core.application import Variant
    from ecotone.core.problems import Place
    from ecotone.design._fields import Fields
    from ecotone.design._written import Mistakes

__all__ = ["TRIGGERS", "check_annotation"]

TRIGGERS = ("on", "every", "request", "source")
"""The keywords that say what makes a component run."""


def check_annotation(fields: Fields, place: Place, mistakes: Mistakes) -> None:
    """Judge the keywords of one `component` against each other; what is broken already is left alone."""
    _check_trigger(fields, place, mistakes)
    _check_partners(fields, mistakes)
    _check_cell(fields, mistakes)
    _check_copies(fields, mistakes)
    _check_promises(fields, mistakes)
    _check_variants(fields, mistakes)


def _check_trigger(fields: Fields, place: Place, mistakes: Mistakes) -> None:
    values = fields.values
    if not fields.known(*TRIGGERS):
        return
    timed_or_fed = next((each for each in ("on", "every") if each in values), None)
    starts = [each for each in (timed_or_fed, "request", "source") if each and values.get(each)]
    if not starts:
        message = "nothing makes this component run"
        mistakes.add(place, "missing-trigger", message, "give it on=, every=, request=True or source=True")
        fields.broken.update(TRIGGERS)
    elif len(starts) > 1:
        message = f"{' and '.join(starts)} cannot go together: a component has one trigger"
        mistakes.add(fields.place(starts[1]), "several-triggers", message, "split it into two components")
        fields.broken.update(TRIGGERS)
    elif starts == ["source"] and "throughput" not in values and fields.known("throughput"):
        message = "a source does not say how much it emits, and no plan can be made without"
        mistakes.add(place, "missing-throughput", message, 'add throughput="25 items/s" or what it is')


def _check_partners(fields: Fields, mistakes: Mistakes) -> None:
    """Keywords that say nothing, or something contradictory, because of another one."""
    values = fields.values

    def without_effect(label: str, why: str, hint: str) -> None:
        mistakes.add(fields.place(label), "no-effect", f"{label} has no effect {why}", hint)
        fields.broken.add(label)

    def contradicts(label: str, why: str, hint: str) -> None:
        mistakes.add(fields.place(label), "contradiction", f"{label}: {why}", hint)
        fields.broken.add(label)

    if "percentile" in values and "latency" not in values and fields.known("latency"):
        without_effect("percentile", "without latency", "add latency=, or remove percentile")
    if "batch_wait" in values and "batch" not in values and fields.known("batch"):
        without_effect("batch_wait", "without batch", "add batch=, or remove batch_wait")
    if not fields.known(*TRIGGERS):
        return
    inputs = values.get("on", ())
    fed_by_item = bool(inputs) and "every" not in values
    if "join" in values and "every" in values:
        contradicts("join", "a periodic component gets a list of what arrived", "remove join or every")
    elif "join" in values and len(inputs) < 2:
        without_effect("join", "with fewer than two inputs", "name two or more components in on=")
    if "batch" in values and "join" in values:
        contradicts("batch", "a join takes one item of each input", "remove batch or join")
    elif "batch" in values and not fed_by_item:
        without_effect("batch", "on a component that does not take item by item", "it goes with on= alone")
    if values.get("stateful") is False and "snapshot_every" in values:
        contradicts("snapshot_every", "the component says that it is not stateful", "remove stateful=False")


def _check_cell(fields: Fields, mistakes: Mistakes) -> None:
    values = fields.values
    if not fields.known("cell", "kind"):
        return
    if "ranks" in values and "cell" not in values:
        message = "ranks has no effect without cell"
        mistakes.add(fields.place("ranks"), "no-effect", message, "add cell=, the program that runs on them")
    if "cell" in values and values.get("cores", (1, 1))[1] > THREADS_MOST:
        message = f"cores: a rank of a cell has at most {THREADS_MOST} threads"
        mistakes.add(fields.place("cores"), "out-of-range", message, "give it more ranks")
    if "cell" in values and values.get("kind", "cell") != "cell":
        message = "kind: a component with a cell is of kind cell"
        mistakes.add(fields.place("kind"), "contradiction", message, "remove kind")
    if values.get("kind") == "cell" and "cell" not in values:
        message = "kind: it names no program"
        mistakes.add(fields.place("kind"), "contradiction", message, 'say which: cell="program.cell"')


def _check_copies(fields: Fields, mistakes: Mistakes) -> None:
    values = fields.values
    if values.get("replicas", 1) == 1:
        return
    one = next((each for each in ("stateful", "snapshot_every", "source") if values.get(each)), None)
    if one is None and "every" in values and fields.known("on"):
        one = "every"
    if one is not None:
        message = f"replicas: a component with {one} has one replica"
        mistakes.add(fields.place("replicas"), "contradiction", message, f"remove replicas or {one}")


def _check_promises(fields: Fields, mistakes: Mistakes) -> None:
    values = fields.values
    period_s, rate = values.get("every"), values.get("throughput")
    if period_s and rate and "on" not in values and fields.known("on") and rate * period_s > 1 + 1e-9:
        message = f"throughput: a component that runs every {period_s:g} s makes at most {1 / period_s:g} items/s"
        mistakes.add(fields.place("throughput"), "contradiction", message, "shorten every, or lower throughput")
    layers, private = values.get("layers"), values.get("private")
    if layers and private and not set(layers) & set(private):
        message = f"layers: it runs in {_listed(layers)}, but its output may only be in {_listed(private)}"
        mistakes.add(fields.place("layers"), "contradiction", message, "let layers and private share a layer")
        fields.broken.update(("layers", "private"))


def _check_variants(fields: Fields, mistakes: Mistakes) -> None:
    variants: Sequence[tuple[Variant, Place]] = list(fields.elements("variants"))
    names: set[str] = set()
    ways: dict[tuple[Any, ...], str] = {}
    for variant, place in variants:
        way = (variant.target, tuple(sorted((key, str(type(value)), value) for key, value in variant.settings.items())))
        if variant.name in names:
            message = f"there are two variants {variant.name!r}"
            mistakes.add(place, "duplicate-variant", message, "give each its own name")
        elif way in ways:
            message = f"variants {ways[way]!r} and {variant.name!r} are the same code with the same settings"
            mistakes.add(place, "duplicate-variant", message, "remove one, or give it other settings or use=")
        names.add(variant.name)
        ways.setdefault(way, variant.name)
    least = fields.values.get("accuracy")
    best = max((math.inf if each.accuracy is None else each.accuracy for each, _ in variants), default=math.inf)
    if fields.known("variants") and least is not None and best < least:
        message = f"accuracy: no variant reaches {least:g}; the best declares {best:g}"
        mistakes.add(fields.place("accuracy"), "contradiction", message, "lower accuracy, or add a better variant")


def _listed(layers: Sequence[str]) -> str:
    return " or ".join(layers)
