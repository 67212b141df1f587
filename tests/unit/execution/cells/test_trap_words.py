"""What is said of a trap, from what wasmtime says."""

from __future__ import annotations

from ecotone.execution.cells._ending import trap_reason

STACK = (
    "error while executing at wasm backtrace:\n    0:   0x14bb - app.wasm!{}\n                    at /src/app.c:7:3\n"
)
MESSAGE = STACK + "    1:    0x3fc - app.wasm!main\n\nCaused by:\n    0: memory fault at 0x1\n    1: wasm trap: {}\n"


def test_functions_and_lines_follow_the_reason() -> None:
    assert trap_reason(MESSAGE.format("deep", "out of bounds memory access")).splitlines() == [
        "trap: out of bounds memory access (memory fault at 0x1)",
        "  in deep (/src/app.c:7)",
        "  in main",
    ]


def test_one_cause_has_no_number() -> None:
    told = trap_reason(
        STACK.format("f") + "\nCaused by:\n    wasm trap: indirect call type mismatch\n", " while it left"
    )
    assert told.startswith("trap while it left: indirect call type mismatch; a function was called through a pointer")


def test_full_stack_and_thrown_exception_are_called_so() -> None:
    bounds = MESSAGE.format("deep", "out of bounds memory access")
    assert "the stack is used up" in trap_reason(bounds, stack_is_full=True)
    assert "the stack is used up" not in trap_reason(bounds)
    thrown = trap_reason(MESSAGE.format("__cxa_throw", "wasm `unreachable` instruction executed"))
    assert thrown.startswith("trap: a C++ exception was thrown")


def test_long_stacks_are_cut_in_the_middle() -> None:
    frames = "".join(f"    {at}:   0x1 - app.wasm!f{at}\n" for at in range(100))
    lines = trap_reason(f"error\n{frames}\nCaused by:\n    wasm trap: call stack exhausted\n").splitlines()
    assert len(lines) == 25
    assert lines[1] == "  in f0"
    assert lines[-1] == "  in f99"
    assert "  ... 77 more" in lines
