"""What the compiler says, with what to do about it. Called by the driver.

WebAssembly lacks some of what programs for a Unix machine may use. The compiler names the place; we add the way out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["advice_on", "catches", "readable", "risks"]

_NOISE = re.compile(
    r"^zig: warning: argument ('--target=\S+' is deprecated|unused during compilation: '-c').*\n?", re.MULTILINE
)
_CRASH = re.compile(
    r"^(zig: (error: clang frontend|note:)|clang version|Target:|Thread model:|InstalledDir:|\*{8}).*\n?", re.M
)
_UNDEFINED = re.compile(r"^wasm-ld: error: (.+?): undefined symbol: (.+)$", re.MULTILINE)
_IN_ARCHIVE = re.compile(r"^(?:.*/)?([^/()]+)\((?:.*/)?([^/()]+)\)$")
_MISSING = r"(?:undeclared function '|undefined symbol: |undeclared identifier ')"


def _named(*names: str) -> str:
    return _MISSING + "(?:" + "|".join(names) + r")\b"


_PROCESSES = "a cell is one process and can start no other: run the other program beside it, or make it a rank"
_ADVICE: tuple[tuple[str, str], ...] = (
    (_named("v?fork", "exec[lv]p?e?", "fexecve", "posix_spawnp?", "system", "popen", "pclose", "waitpid"), _PROCESSES),
    (r"sys/wait\.h", _PROCESSES),
    (
        r"[Ss]etjmp/longjmp support|" + _named("_?setjmp", "_?longjmp", "sigsetjmp", "siglongjmp"),
        "a cell cannot jump out of functions: return an error code instead of calling longjmp",
    ),
    (
        r"in asm\b|invalid instruction|<inline asm>|unknown use of instruction mnemonic|unexpected token in argument",
        "inline assembly is for one processor: take the portable C branch, usually by a macro such as -DNO_ASM",
    ),
    (
        r"only meant to be used on (?:x86|Arm|PowerPC)|arm_neon\.h|file not found.*(?:mmintrin|cpuid)\.h",
        "intrinsics of one processor are not there: use plain loops, of which the compiler makes SIMD",
    ),
    (
        _named("socket", "bind", "connect", "listen", "gethostby\\w+", "getaddrinfo", "inet_\\w+"),
        "a cell has no network: exchange data by MPI, or by files in a folder given with --dir",
    ),
    (
        _named("pthread_\\w+", "thrd_\\w+")
        + r"|no (?:member|type) named 'jthread' in namespace 'std'",
        "of threads this is missing: let a thread return from its function, and tell it to end by a variable",
    ),
    (
        _named("__kmpc_\\w+", "omp_\\w+"),
        "what was compiled with -fopenmp is to be linked with -fopenmp, too",
    ),
    (
        r"array is too large|section size does not fit|initial memory too large|maximum memory too large",
        "a rank can address 4 GiB in all: split the array over ranks, or make it smaller",
    ),
    (
        _named("__cxa_\\w+", "_Unwind_\\w+", "__gxx_\\w+"),
        "C++ exceptions are not caught in a cell: link with ecotone-c++",
    ),
    (_named("P?MPI_\\w+"), "this MPI function is not in the library for cells yet: use another one"),
    (
        _named("sigaction", "setitimer", "alarm", "kill", "sigprocmask"),
        "a cell gets no signals: leave the handler out, with #ifndef __wasm__",
    ),
    (
        _named("getpwuid", "getpwnam", "getuid", "getlogin", "gethostname"),
        "a cell does not know users or hosts: leave it out, with #ifndef __wasm__",
    ),
    (r"-fPIC|relocation R_WASM", "shared libraries are not for cells: link objects or .a archives"),
    (r"No space left|NoSpaceLeft", "the disk is full: free some space, or set XDG_CACHE_HOME to another folder"),
)  # fmt: skip
_CATCH = re.compile(r"\bcatch\s*\(")
_QUOTED = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
_RISKS = (
    (b"dlopen", "loads libraries with dlopen, which always fails in a cell: link the library's objects or its .a"),
)


def advice_on(message: str) -> list[str]:
    """What to do about a complaint of the compiler or linker; each advice once."""
    return list(dict.fromkeys(advice for sign, advice in _ADVICE if re.search(sign, message)))


def readable(message: str) -> str:
    """A complaint without what does not concern people, undefined symbols by name, and with advice."""
    text = _first_of_many(_CRASH.sub("", _NOISE.sub("", message)))
    wanted: dict[str, dict[str, None]] = {}
    for where, symbol in _UNDEFINED.findall(text):
        wanted.setdefault(symbol, {})[_short(where)] = None
    rest = _UNDEFINED.sub("", text).strip()
    lines = [rest] if rest else []
    lines += [f"error: {symbol} is defined nowhere; wanted by {', '.join(places)}" for symbol, places in wanted.items()]
    return "\n".join([*lines, *(f"   = {advice}" for advice in advice_on(text))])


def _first_of_many(text: str) -> str:
    """Headers for another processor give hundreds of lines, of which the first says all."""
    if "only meant to be used on" not in text:
        return text
    lines = text.splitlines(keepends=True)
    errors = [at for at, line in enumerate(lines) if " error: " in line]
    return "".join(lines[: errors[1]]) if len(errors) > 1 else text


def _short(place: str) -> str:
    """`/long/path/libx.a(/tmp/y.o)` as `libx.a(y.o)`."""
    if match := _IN_ARCHIVE.match(place):
        return f"{match.group(1)}({match.group(2)})"
    return place.rpartition("/")[2]


def catches(name: str, source: str) -> str:
    """A warning if C++ source handles exceptions, else empty.

    Args:
        name: of the file, for the warning.
        source: its text.
    """
    plain = _QUOTED.sub(lambda match: "\n" * match.group().count("\n"), source)
    found = _CATCH.search(plain)
    if found is None:
        return ""
    line = plain.count("\n", 0, found.start()) + 1
    return (
        f"{name}:{line}: warning: a cell cannot catch C++ exceptions: a throw ends the rank with the exception's type, "
        "and this handler never runs; return an error instead where it matters"
    )


def risks(objects: Iterable[tuple[str, bytes]]) -> list[str]:
    """Warnings about what links but cannot work.

    Args:
        objects: names and contents of the program's own objects.
    """
    return [f"warning: {name} {risk}" for name, data in objects for sign, risk in _RISKS if sign in data]
