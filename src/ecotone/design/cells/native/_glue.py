"""C that belongs to one module: the way into it and out of it, and what it says of itself. Called by `_worker.py`.

Names of the module are written as numbers of bytes, never as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ecotone.design.cells.native._module import Module

__all__ = ["atomic_macros", "glue", "names_of_functions", "override"]

_C_TYPES = {"i": "u32", "I": "u64", "f": "f32", "F": "f64"}
_MEMBERS = {"i": "i32", "I": "i64", "f": "f32", "F": "f64"}
_SIZES = {"i32": (8, 16, 32), "i64": (8, 16, 32, 64)}
_CHANGES = {
    "add": "__atomic_fetch_add",
    "sub": "__atomic_fetch_sub",
    "and": "__atomic_fetch_and",
    "or": "__atomic_fetch_or",
    "xor": "__atomic_fetch_xor",
    "xchg": "__atomic_exchange_n",
}


# ---- Atomic instructions ----


def _atomic_functions() -> Iterator[tuple[str, str]]:
    """The name by which wasm2c calls an instruction, and the macro that defines ours, without the name."""
    for wide, sizes in _SIZES.items():
        c_wide = f"u{wide[1:]}"
        for bits in sizes:
            part, ending = ("", "") if f"i{bits}" == wide else (str(bits), "_u")
            yield f"{wide}_atomic_load{part}{ending}", f"ATOMIC_LOAD(%s, u{bits}, {c_wide})"
            yield f"{wide}_atomic_store{part}", f"ATOMIC_STORE(%s, u{bits}, {c_wide})"
            yield f"{wide}_atomic_rmw{part}_cmpxchg{ending}", f"ATOMIC_COMPARE(%s, u{bits}, {c_wide})"
            for name, function in _CHANGES.items():
                macro = f"ATOMIC_CHANGE(%s, u{bits}, {c_wide}, {function})"
                yield f"{wide}_atomic_rmw{part}_{name}{ending}", macro


def atomic_macros() -> str:
    """Our atomic functions, and the names by which wasm2c calls its own made to mean ours."""
    lines: list[str] = []
    for name, macro in _atomic_functions():
        lines += [macro % f"our_{name}", f"#define {name}_default32 our_{name}"]
    return "\n".join([*lines, ""])


# ---- What stands for waiting ----


def override(module: Module) -> str:
    """Declares the two functions that `_module.rewritten` has added as weak, so that those of the glue are linked."""
    if not module.waits:
        return ""
    first = len(module.functions)
    return (
        f"__attribute__((weak)) u32 w2c_cell_f{first}(w2c_cell *, u32, u32, u64, u32);\n"
        f"__attribute__((weak)) u32 w2c_cell_f{first + 1}(w2c_cell *, u32, u32, u32);\n"
    )


def _waiting(module: Module) -> str:
    if not module.waits:
        return ""
    first, memory = len(module.functions), f"w2c_cell_e{module.memory_export}(cell)"
    return f"""
u32 w2c_cell_f{first}(w2c_cell *cell, u32 address, u32 seen, u64 timeout_ns, u32 offset)
{{
    return wait_32({memory}, address, seen, timeout_ns, offset);
}}

u32 w2c_cell_f{first + 1}(w2c_cell *cell, u32 address, u32 count, u32 offset)
{{
    return notify({memory}, address, count, offset);
}}
"""


# ---- The way in and out ----


def _bytes(name: bytes) -> str:
    return "(const char[]){" + ",".join([*(str(byte) for byte in name), "0"]) + "}"


def _letters(text: str) -> str:
    return f'"{text}"'


def _import(index: int, parameters: str, results: str) -> str:
    result = _C_TYPES[results] if results else "void"
    declared = "".join(f", {_C_TYPES[letter]} a{at}" for at, letter in enumerate(parameters))
    set_up = " ".join(f"values[{at}].{_MEMBERS[letter]} = a{at};" for at, letter in enumerate(parameters))
    give = f" return values[0].{_MEMBERS[results]};" if results else ""
    return (
        f"{result} w2c_m_i{index}(struct w2c_m *of{declared})\n"
        f"{{ union value values[{max(1, len(parameters))}]; {set_up} "
        f"call_host((struct instance *) of, {index}, values);{give} }}\n"
    )


def _export(index: int, parameters: str, results: str) -> str:
    given = "".join(f", values[{at}].{_MEMBERS[letter]}" for at, letter in enumerate(parameters))
    call = f"w2c_cell_e{index}(cell{given})"
    call = f"values[0].{_MEMBERS[results]} = {call}" if results else call
    return f"static void call_{index}(void *cell, union value *values) {{ (void) values; {call}; }}\n"


def _table(declaration: str, rows: Sequence[str]) -> str:
    return f"{declaration} = {{\n" + "".join(f"    {row},\n" for row in rows) + "    {0},\n};\n"


def glue(module: Module) -> str:
    """The source, to be compiled beside what wasm2c has written as `cell.h`."""
    imports_anything = bool(module.imports) or module.memory_pages is not None
    least, most = module.memory_pages or (0, 0)
    parts = [
        '#include "cell.h"\n#include "runtime.h"\n\nstruct w2c_m;\n',
        *(_import(index, one.parameters, one.results) for index, one in enumerate(module.imports)),
        *(_export(one.index, one.parameters, one.results) for one in module.exports),
        *(
            f"static void *place_{one.index}(void *cell) {{ return w2c_cell_e{one.index}(cell); }}\n"
            for one in module.variables
        ),
        _table(
            "const struct imported cell_imports[]",
            [
                f"{{{_bytes(one.module)}, {_bytes(one.name)}, {_letters(one.parameters)}, {_letters(one.results)}}}"
                for one in module.imports
            ],
        ),
        _table(
            "const struct exported cell_exports[]",
            [
                f"{{{_bytes(one.name)}, {_letters(one.parameters)}, {_letters(one.results)}, call_{one.index}}}"
                for one in module.exports
            ],
        ),
        _table(
            "const struct variable cell_variables[]",
            [f"{{{_bytes(one.name)}, '{one.kind}', place_{one.index}}}" for one in module.variables],
        ),
        "const size_t cell_bytes = sizeof(w2c_cell);\n",
        f"const bool cell_imports_memory = {int(module.memory_pages is not None)};\n",
        f"const uint64_t cell_memory_pages[2] = {{{least}, {most}}};\n",
        "void cell_instantiate(struct instance *instance)\n{\n"
        "    w2c_cell *cell = (w2c_cell *) (instance + 1);\n"
        f"    wasm2c_cell_instantiate(cell{', (struct w2c_m *) instance' if imports_anything else ''});\n}}\n",
    ]
    if module.memory_pages is not None:
        parts.append(
            "wasm_rt_memory_t *w2c_m_memory(struct w2c_m *of) { return &((struct instance *) of)->program->shared; }\n"
        )
    return "".join([*parts, _waiting(module)])


def names_of_functions(module: Module) -> bytes:
    """For the stack of a trap, each with a zero behind it: how many functions there are, their names by index, and the
    names of exports by index, since wasm2c calls a function that is exported by the name of its export.
    """
    names = [module.names.get(index, b"") for index in range(len(module.functions))]
    exported = {one.index: module.names.get(one.function) or one.name for one in module.exports}
    most = max(exported, default=-1) + 1
    parts = [str(len(names)).encode(), *names, *(exported.get(index, b"") for index in range(most))]
    return b"".join(part.replace(b"\0", b"") + b"\0" for part in parts)
