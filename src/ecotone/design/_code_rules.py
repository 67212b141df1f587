"""The rules about a component's code: can it be called as the annotation says, and do the types of channels agree?

Called by `_rules`. All from the syntax tree; what the tree does not tell (other decorators, bases from elsewhere) is
taken to be right.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ecotone.core.application import Variant
from ecotone.core.problems import Place, did_you_mean
from ecotone.design._annotation_rules import TRIGGERS
from ecotone.design._code import (
    Argument,
    Function,
    Signature,
    call_of,
    constructor_of,
    find_method,
    is_function,
    signature_of,
    yields,
)
from ecotone.design._hints import Hints
from ecotone.design._scope import Defined
from ecotone.design._written import VariantCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ecotone.design._keywords import Draft
    from ecotone.design._module import Source
    from ecotone.design._written import Mistakes

__all__ = ["check_code"]

_Node = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def check_code(source: Source, inputs: Mapping[str, Sequence[str]], mistakes: Mistakes) -> None:
    """`inputs` are the producers of each component, as far as they exist."""
    hints = Hints(source.scope, source.classes)
    by_name: dict[str, Draft] = {}
    twice: set[str] = set()
    for each in source.drafts:
        if by_name.setdefault(each.component.name, each) is not each:
            twice.add(each.component.name)
    for draft, node in zip(source.drafts, source.definitions, strict=True):
        rules = _CodeRules(source, draft, node, mistakes)
        rules.check_variants()
        rules.check_hooks()
        rules.check_agreement()
        rules.check_kind()
        if by_name[draft.component.name] is draft:
            producers = [by_name[each] for each in inputs[draft.component.name] if each not in twice]
            _check_types(draft, producers, hints, mistakes)


class _Way(msgspec.Struct, frozen=True):
    """One way to call the code: a variant with its settings, and where to complain about it."""

    variant: Variant
    place: Place | None
    settings: dict[str, Place]


class _CodeRules:
    def __init__(self, source: Source, draft: Draft, node: _Node, mistakes: Mistakes) -> None:
        self.source = source
        self.draft = draft
        self.node = node
        self.mistakes = mistakes
        trigger = draft.component.trigger
        self.items = 1 if trigger.kind in ("data", "request") or trigger.inputs else 0
        self.runs = int(
            draft.component.kind == "cell" or draft.component.cell is not None
        )  # the argument by which it runs its cell
        self.trigger_known = draft.fields.known(*TRIGGERS)

    def check_variants(self) -> None:
        for way in self._ways():
            name = way.variant.target
            if name is None:
                self._check_way(self.node, way)
                continue
            binding = self.source.scope.names.get(name)
            if binding is None:
                place = way.place or self.draft.place
                hint = did_you_mean(name, self.source.nodes)
                self.mistakes.add(place, "unknown-function", f"use: there is no function {name!r}", hint)
            elif isinstance(binding, Defined):
                self._check_way(binding.node, way)

    def _ways(self) -> list[_Way]:
        fields = self.draft.fields
        if fields.known("variants") and "variants" not in fields.values:
            return [_Way(self.draft.component.variants[0], None, {})]
        written = fields.written["variants"].value if "variants" in fields.written else ()
        calls = {each.place: each.value for each in (written if isinstance(written, tuple) else ())}
        ways: list[_Way] = []
        for variant, place in fields.elements("variants"):
            call = calls.get(place, written)
            assert isinstance(call, VariantCall), "a variant that was converted was written as a call"
            places = {str(key.value): key.place for key, _ in call.keywords.entries}
            settings = {key: places[key] for key in variant.settings}
            ways.append(_Way(variant, places.get("use", place), settings))
        return ways

    def _check_way(self, node: _Node, way: _Way) -> None:
        call, _ = call_of(node, self.source.classes)
        if isinstance(call, ast.AsyncFunctionDef):
            message = f"{node.name} is async: a component is called and runs to its end"
            self._complain(call, "async-function", message, "write def; hosts do the waiting")
        if self._has_other_decorators(node):
            return
        if isinstance(node, ast.ClassDef):
            self._check_class(node, call, way)
        elif call is not None:
            self._check_call(call, signature_of(call), way, takes_settings=True)

    def _has_other_decorators(self, node: _Node) -> bool:
        """A decorator may change the signature."""
        named = (each.func if isinstance(each, ast.Call) else each for each in node.decorator_list)
        return any(self.source.scope.api_of(each) != "component" for each in named)

    def _check_class(self, node: ast.ClassDef, call: Function | None, way: _Way) -> None:
        constructor, certain = constructor_of(node, self.source.classes)
        if certain:
            empty = Signature((), (), frozenset(), any_positional=False, any_keyword=False)
            signature = signature_of(constructor, method=True) if constructor is not None else empty
            self._check_settings(signature.positional, signature, way, node)
        found, sure = call_of(node, self.source.classes)
        if found is None and sure:
            message = f"{node.name} has no __call__, which handles an item"
            self._complain(node, "missing-call", message, "add def __call__(self, item)")
        elif call is not None and sure:
            self._check_call(call, signature_of(call, method=True), way, takes_settings=False)

    def _check_call(self, node: Function, signature: Signature, way: _Way, *, takes_settings: bool) -> None:
        if not self.trigger_known:
            return
        kind = self.draft.component.trigger.kind
        if kind == "source" and isinstance(node, ast.FunctionDef) and not yields(node):
            message = f"{node.name} is a source, but yields nothing"
            self._complain(node, "source-without-yield", message, "yield each item, or use every= and return one")
        if kind == "request" and yields(node):
            message = f"{node.name} answers requests, but yields"
            self._complain(node, "request-yields", message, "return the answer")
        if self.items and not signature.positional and not signature.any_positional:
            message = f"{node.name} has no argument for the item"
            self._complain(node, "no-item-argument", message, f"write def {node.name}(item)")
            return
        if self.runs and len(signature.positional) < self.items + 1 and not signature.any_positional:
            message = f"{node.name} has no argument by which to run its cell"
            wanted = "item, run" if self.items else "run"
            self._complain(
                node, "no-run-argument", message, f"write def {node.name}({wanted}), and call run(...) in it"
            )
            return
        rest = signature.positional[self.items + self.runs :]
        if takes_settings:
            self._check_settings(rest, signature, way, node)
            return
        for argument in (*rest, *signature.keyword_only):
            if argument.required:
                self._required(argument, "settings go to __init__")

    def _check_settings(self, positional: Sequence[Argument], signature: Signature, way: _Way, node: _Node) -> None:
        """Every setting must be an argument, and every argument without a default a setting."""
        arguments = (*positional, *signature.keyword_only)
        by_name = {each.name for each in arguments} - signature.positional_only
        for name, place in way.settings.items():
            if name not in by_name and not signature.any_keyword:
                message = f"variant {way.variant.name!r}: {self._called(node)} takes no {name!r}"
                self.mistakes.add(place, "unknown-setting", message, did_you_mean(name, by_name))
        mistyped = way.settings.keys() - by_name
        for argument in arguments:
            if not argument.required or argument.name in way.settings or mistyped:
                continue
            if way.place is None or argument.name in signature.positional_only:
                self._required(argument, "give it a default, or variants that set it")
            else:
                called = self._called(node)
                message = f"variant {way.variant.name!r} does not set {argument.name!r}, which {called} needs"
                self.mistakes.add(way.place, "missing-setting", message, f"add {argument.name}=...")

    def _called(self, node: _Node) -> str:
        return node.name if node.name != "__init__" else self.node.name

    def _required(self, argument: Argument, hint: str) -> None:
        if self.items == 0 and is_function(self.node):
            hint = "nothing is passed to a component without inputs; " + hint
        place = self.source.scope.places.of(argument.node)
        self.mistakes.add(place, "required-argument", f"nothing gives {argument.name!r} a value", hint)

    def _complain(self, node: _Node, code: str, message: str, hint: str) -> None:
        self.mistakes.add(self.source.scope.places.of(node), code, message, hint)

    def check_hooks(self) -> None:
        if self.draft.component.state is None or self._has_other_decorators(self.node):
            return
        wants = "snapshot_every" in self.draft.fields.values
        place = self.draft.place_of("snapshot_every" if wants else "stateful")
        if not isinstance(self.node, ast.ClassDef):
            if wants:
                message = "snapshot_every: a function has no snapshot() and restore()"
                self.mistakes.add(place, "missing-hook", message, "make it a class with both")
            return
        found = {hook: find_method(self.node, hook, self.source.classes) for hook in ("snapshot", "restore")}
        present = [hook for hook, (method, _) in found.items() if method is not None]
        missing = [hook for hook, (method, certain) in found.items() if method is None and certain]
        if missing and (wants or present):
            message = f"{self.node.name} has no {' and no '.join(missing)}, which a snapshot needs"
            self.mistakes.add(place, "missing-hook", message, "def snapshot(self) and def restore(self, state)")
        for hook, (method, _) in found.items():
            if method is not None and not method.decorator_list:
                self._check_hook(hook, method)

    def _check_hook(self, hook: str, method: Function) -> None:
        count = 1 if hook == "restore" else 0
        if isinstance(method, ast.AsyncFunctionDef) or not _takes(signature_of(method, method=True), count):
            wanted = "def restore(self, state)" if count else "def snapshot(self)"
            self._complain(method, "hook-signature", f"{hook} cannot be called as the host does", f"write {wanted}")

    def check_agreement(self) -> None:
        name = self.draft.component.agreement
        if name is None:
            return
        place = self.draft.place_of("agreement")
        binding = self.source.scope.names.get(name)
        if binding is None:
            hint = did_you_mean(name, self.source.nodes)
            self.mistakes.add(place, "unknown-function", f"agreement: there is no function {name!r}", hint)
        elif isinstance(binding, Defined) and not binding.node.decorator_list:
            node = binding.node
            if not isinstance(node, ast.FunctionDef) or not _takes(signature_of(node), 2):
                message = f"agreement: {name} is not a function of an output and a reference"
                self.mistakes.add(place, "wrong-signature", message, f"write def {name}(output, reference)")

    def check_kind(self) -> None:
        kind = self.draft.component.kind
        if kind == "python":
            return
        cell = self.draft.component.cell
        if cell is not None:
            self._check_cell(cell.file)
            return
        # Costs 10 ms, and nearly every component is python.
        from importlib.metadata import entry_points  # noqa: PLC0415

        known = {each.name for each in entry_points(group="ecotone.kinds")} | {"python"}
        if kind not in known:
            message = f"kind: nothing installed runs {kind!r}"
            self.mistakes.add(self.draft.place_of("kind"), "unknown-kind", message, did_you_mean(kind, known))

    def _check_cell(self, file: str) -> None:
        folder = Path(self.source.scope.places.file).parent
        if not (folder / file).is_file():
            message = f"cell: there is no file {file} in {folder}"
            hint = f"build it: ecotone cell build -o {folder / file} SOURCES..."
            self.mistakes.add(self.draft.place_of("cell"), "unknown-file", message, hint)


def _takes(signature: Signature, count: int) -> bool:
    """Whether the function can be called with that many positional arguments and nothing else."""
    required = [each for each in signature.positional if each.required]
    enough = signature.any_positional or len(signature.positional) >= count
    return enough and len(required) <= count and not any(each.required for each in signature.keyword_only)


def _check_types(draft: Draft, producers: Sequence[Draft], hints: Hints, mistakes: Mistakes) -> None:
    component = draft.component
    if not draft.fields.known("on", "every", "join", "batch"):
        return
    listed = component.batching is not None or component.trigger.kind == "every"
    for producer in producers:
        given = producer.component.output_type
        place = draft.fields.place_of("on", component.trigger.inputs.index(producer.component.name))
        name = producer.component.name
        if hints.emits_nothing(given):
            message = f"{name} returns None, so it never emits an item"
            mistakes.add(place, "type-mismatch", message, f"return something from {name}, or correct its hint")
        elif not hints.accepts(
            component.input_type, given, listed=listed, joined=component.trigger.join_key is not None
        ):
            how = " in a list" if listed else " in a dict" if component.trigger.join_key else ""
            message = f"{name} gives {given}{how}, but {component.name} takes {component.input_type}"
            mistakes.add(place, "type-mismatch", message, "make the two hints agree")
