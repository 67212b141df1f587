"""Makes a module movable: its stack can be unwound at the import `eco.safepoint`, and wound up again elsewhere.

Binaryen's asyncify does it: functions from which the safe point can be reached get code that saves their variables to
memory and later takes them back. Called by the driver after linking. Binaryen ends its process on input that it does
not like, so it gets one of its own: `python -m ecotone.design.cells._asyncify IN OUT`.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from ecotone.core.errors import MissingExtraError
from ecotone.design.cells._errors import BuildError
from ecotone.execution.cells.building import without_debugging

__all__ = ["make_movable"]

_SAFE_POINT = b"eco.safepoint"
# Functions of the C library that call what stands in a FILE, which are functions of the C library: no way leads from
# them to the safe point, though asyncify cannot see it. printf becomes a third faster.
_FILES_ONLY = (
    "__fseeko_unlocked",
    "__fwritex",
    "__overflow",
    "__stdio_exit",
    "__toread",
    "__towrite",
    "__uflow",
    "fclose",
    "fflush",
    "fread",
    "fseek",
    "ftell",
    "fwrite",
    "vfprintf",
)
_IMPORT = r'\(import "eco" "safepoint" \(func \$([^\s()]+)'
_STATE = "$__asyncify_state"
_OWN_FILES = "fopencookie"  # by which a program puts functions of its own into a FILE


def make_movable(module: Path, target: Path) -> None:
    """Writes the movable form of a linked module. `target` may be the module itself.

    A module without a safe point, which is one that does not use MPI, stays as it is but for debugging information.

    Args:
        module: as the linker has written it.
        target: written only if all went well.

    Raises:
        BuildError: Binaryen cannot read or transform it.
        MissingExtraError: the extra `cells-build` is not installed.
    """
    if importlib.util.find_spec("icpp_binaryen") is None:
        raise MissingExtraError("icpp-binaryen", "cells-build")
    made = target.with_name(f".{target.name}.movable")
    command = [sys.executable, "-m", __spec__.name if __spec__ else __name__, str(module), str(made)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            how = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
            raise BuildError(
                f"{module.name} cannot be made movable: binaryen ended with {how}"
                f"{': ' + said[-1] if said else ''}; build it without asyncify, or report the module as a bug"
            )
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)


class _Written(ctypes.Structure):
    _fields_ = [("binary", ctypes.c_void_p), ("size_bytes", ctypes.c_size_t), ("source_map", ctypes.c_void_p)]


def _library() -> ctypes.CDLL:
    found = importlib.util.find_spec("icpp_binaryen")
    assert found is not None
    assert found.origin is not None
    library = ctypes.CDLL(str(next(Path(found.origin).parent.rglob("libbinaryen.so"))))
    handle, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    for name, result, arguments in (
        ("ModuleRead", handle, [text, size]),
        ("ModuleRunPasses", None, [handle, handle, ctypes.c_uint32]),
        ("FunctionOptimize", None, [handle, handle]),
        ("FunctionGetName", text, [handle]),
        ("GetNumFunctions", ctypes.c_uint32, [handle]),
        ("GetFunctionByIndex", handle, [handle, ctypes.c_uint32]),
        ("ModuleValidate", ctypes.c_bool, [handle]),
        ("ModuleGetFeatures", ctypes.c_uint32, [handle]),
        ("ModuleSetFeatures", None, [handle, ctypes.c_uint32]),
        ("FeatureMutableGlobals", ctypes.c_uint32, []),
        ("ModuleAllocateAndWrite", _Written, [handle, text]),
        ("ModuleAllocateAndWriteText", handle, [handle]),
        ("SetPassArgument", None, [text, text]),
        ("SetDebugInfo", None, [ctypes.c_bool]),
        ("GetNumGlobals", ctypes.c_uint32, [handle]),
        ("GetGlobalByIndex", handle, [handle, ctypes.c_uint32]),
        ("GlobalGetName", text, [handle]),
        ("GlobalIsMutable", ctypes.c_bool, [handle]),
        ("GetNumExports", ctypes.c_uint32, [handle]),
        ("GetExportByIndex", handle, [handle, ctypes.c_uint32]),
        ("ExportGetKind", ctypes.c_uint32, [handle]),
        ("ExportGetValue", text, [handle]),
        ("ExternalGlobal", ctypes.c_uint32, []),
        ("AddGlobalExport", handle, [handle, text, text]),
    ):
        function = getattr(library, f"Binaryen{name}")
        function.restype, function.argtypes = result, arguments
    return library


def _export_variables(library: ctypes.CDLL, module: ctypes.c_void_p) -> None:
    """Exports every mutable global that is not: a snapshot carries what is exported."""
    exports = [library.BinaryenGetExportByIndex(module, i) for i in range(library.BinaryenGetNumExports(module))]
    features = library.BinaryenModuleGetFeatures(module) | library.BinaryenFeatureMutableGlobals()
    library.BinaryenModuleSetFeatures(module, features)
    kind = library.BinaryenExternalGlobal()
    known = {library.BinaryenExportGetValue(one) for one in exports if library.BinaryenExportGetKind(one) == kind}
    for index in range(library.BinaryenGetNumGlobals(module)):
        variable = library.BinaryenGetGlobalByIndex(module, index)
        name = library.BinaryenGlobalGetName(variable)
        if library.BinaryenGlobalIsMutable(variable) and name not in known:
            library.BinaryenAddGlobalExport(module, name, b"eco.global." + name)


def _direct_calls(text: str) -> dict[str, set[str]]:
    """Which functions each function calls by name, from the text of a module; those that are imported call nothing."""
    functions = re.split(r"\n \(func \$", text)[1:]
    return {function.split(maxsplit=1)[0]: set(re.findall(r"\(call \$([^\s()]+)", function)) for function in functions}


def harmless(text: str) -> list[str]:
    """Functions of the C library that can be left as they are, though they call through pointers.

    A program may have put functions of its own in their place: those that lead to the safe point are not harmless.
    """
    calls = _direct_calls(text)
    found = re.search(_IMPORT, text)
    if _OWN_FILES in calls or found is None:
        return []
    reaching, before = {found.group(1)}, 0
    while len(reaching) > before:
        before = len(reaching)
        reaching |= {name for name, called in calls.items() if called & reaching}
    return [name for name in _FILES_ONLY if name in calls and name not in reaching]


def _text(library: ctypes.CDLL, module: ctypes.c_void_p) -> str:
    written = library.BinaryenModuleAllocateAndWriteText(module)
    return ctypes.string_at(written).decode()


def _optimise_changed(library: ctypes.CDLL, module: ctypes.c_void_p) -> None:
    """Optimises the functions that can be unwound, each by itself.

    The others are as the compiler has made them. Binaryen's optimiser makes some of those slower: it inlines hot loops
    into functions that can be unwound (1.8 times), and reorders others.
    """
    functions = re.split(r"\n \(func \$", _text(library, module))[1:]
    changed = {function.split(maxsplit=1)[0].encode() for function in functions if _STATE in function}
    for index in range(library.BinaryenGetNumFunctions(module)):
        function = library.BinaryenGetFunctionByIndex(module, index)
        if library.BinaryenFunctionGetName(function) in changed:
            library.BinaryenFunctionOptimize(function, module)


def _transform(source: Path, target: Path) -> None:
    library = _library()
    code = without_debugging(source.read_bytes())  # DWARF, at which Binaryen stops
    module = ctypes.c_void_p(library.BinaryenModuleRead(code, len(code)))
    text = _text(library, module)
    if not re.search(_IMPORT, text):
        target.write_bytes(code)
        return
    _export_variables(library, module)
    library.BinaryenSetPassArgument(b"asyncify-imports", _SAFE_POINT)
    library.BinaryenSetPassArgument(b"asyncify-removelist", ",".join(harmless(text)).encode())
    library.BinaryenSetDebugInfo(True)
    library.BinaryenSetOptimizeLevel(3)
    library.BinaryenSetShrinkLevel(0)
    library.BinaryenModuleRunPasses(module, (ctypes.c_char_p * 1)(b"asyncify"), 1)
    _optimise_changed(library, module)
    if not library.BinaryenModuleValidate(module):
        sys.exit("the result is not valid")
    written = library.BinaryenModuleAllocateAndWrite(module, None)
    target.write_bytes(ctypes.string_at(written.binary, written.size_bytes))


if __name__ == "__main__":
    _transform(Path(sys.argv[1]), Path(sys.argv[2]))
