"""Understands the command line of a C compiler, as Makefiles, configure and CMake write it. Called by the driver.

Plain functions of words: nothing is read but files of options (`@file`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from ecotone.core.errors import InputError

__all__ = ["CommandLine", "Mode", "understand"]

Mode = Literal["link", "compile", "assembly", "preprocess", "syntax", "tell"]

# Options that have their value in the next word, unless it is joined to them.
_WITH_VALUE = frozenset({
    "-D", "-U", "-I", "-include", "-imacros", "-isystem", "-iquote", "-idirafter", "-isysroot", "-MF", "-MT", "-MQ",
    "-Xclang", "-mllvm", "-arch", "--param",
})  # fmt: skip
_LINK_WITH_VALUE = frozenset({"-Xlinker", "-u", "-z", "-e", "-T", "-framework", "-rpath", "-soname"})
# For another processor, another kind of file, or what the linker does anyway: left out without a word.
_LEFT_OUT = (
    "-march=", "-mtune=", "-mcpu=", "-mavx", "-msse", "-mfma", "-mbmi", "-mpopcnt", "-mf16c", "-maes", "-mneon",
    "-mfpu", "-mfloat-abi", "-m64", "-mno-", "-rdynamic", "-static", "-pie", "-no-pie", "-fPIC", "-fpic", "-fPIE",
    "-fpie", "-fno-pie", "-fno-PIE", "-pipe", "-flto", "-fuse-ld=", "-fstack-protector", "-fcf-protection",
    "-fstack-clash-protection", "-D_FORTIFY_SOURCE", "-U_FORTIFY_SOURCE", "-fno-plt", "-fexceptions", "-fno-exceptions",
    "-frtti", "-ftree-", "-funroll-all-loops", "-fopt-info", "-Wl,-rpath", "-Wl,--as-needed",
    "-Wl,--no-as-needed", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack", "-Wl,-z,defs", "-Wl,--start-group",
    "-Wl,--end-group", "-Wl,--gc-sections", "-Wl,-O", "-Wl,--enable-new-dtags", "-Wl,--export-dynamic", "-Wl,-E",
    "-Wl,--no-undefined", "-Wl,--build-id", "-Wl,--hash-style", "-Wl,-s", "-Wl,--strip", "-Wl,-Bsymbolic",
    "-Wl,-Bstatic", "-Wl,-Bdynamic", "-Wl,--warn", "-Wl,--sort-common", "-Wl,--dependency-file", "-Wl,-Map",
)  # fmt: skip
_LINKER_TAKES = ("-Wl,--export=", "-Wl,-z,stack-size=", "-Wl,--max-memory=", "-Wl,--initial-memory=")
_TELLS = (
    "--version",
    "-dumpversion",
    "-dumpmachine",
    "-dumpfullversion",
    "-print-",
    "--print-",
    "-V",
    "-qversion",
    "--help",
)
_SHOWS = ("-show", "--show")
_OPENMP = frozenset({"-fopenmp=libomp", "-fopenmp=libgomp", "-fopenmp=libiomp5", "-qopenmp", "-fiopenmp", "-openmp"})
_REFUSED = (
    ("-shared", "shared libraries are not for cells: make an archive with ecotone-ar, or link the objects"),
    ("-fopenmp-targets", "a cell has no accelerators: leave -fopenmp-targets out, and target regions run on its cores"),
    ("-m32", "a cell has pointers of 32 bits anyway: leave -m32 out"),
    ("-pg", "cells cannot be profiled this way: leave -pg out"),
    ("-fsanitize=", "sanitizers are not there in cells: leave the option out"),
    ("--coverage", "coverage is not measured in cells: leave --coverage out"),
    ("-fprofile-", "profiles are not written by cells: leave the option out"),
)  # fmt: skip


class CommandLine:
    """What was asked for.

    Attributes:
        mode: what is to be made.
        inputs: sources, objects and archives with the language that was named for them (empty: by their names), and
            libraries as `-lNAME`, in their order.
        output: after `-o`, None if not said.
        folders: where libraries are looked for.
        flags: for the compiler.
        linking: for the linker.
        tells: what is only asked about.
        warnings: about what was left out.
    """

    def __init__(self) -> None:
        self.mode: Mode = "link"
        self.inputs: list[tuple[str, str]] = []
        self.output: str | None = None
        self.folders: list[str] = []
        self.flags: list[str] = []
        self.linking: list[str] = []
        self.tells: list[str] = []
        self.warnings: list[str] = []


def understand(arguments: Sequence[str]) -> CommandLine:
    """Sorts the words of a command line.

    Raises:
        InputError: something is asked for that cells cannot have, or a value is missing.
    """
    line = CommandLine()
    language = ""
    words = iter(list(_expanded(arguments, 0)))
    for word in words:
        if word == "-x" or (word.startswith("-x") and not word.startswith("-xc++-h")):
            language = word[2:] or _value(word, words)
            language = "" if language == "none" else language
        elif word == "-" or not word.startswith("-"):
            line.inputs.append((word, language))
        else:
            _option(line, word, words)
    return line


def _expanded(arguments: Sequence[str], depth: int) -> Iterator[str]:
    for argument in arguments:
        if not argument.startswith("@") or argument == "@":
            yield argument
            continue
        if depth > 8:
            raise InputError(f"{argument}: files of options name each other")
        try:
            text = Path(argument[1:]).read_text()
        except OSError as error:
            raise InputError(f"{argument[1:]}: {error.strerror}; it should hold options") from None
        yield from _expanded(shlex.split(text), depth + 1)


def _value(option: str, words: Iterator[str]) -> str:
    value = next(words, None)
    if value is None:
        raise InputError(f"{option} has no value")
    return value


def _option(line: CommandLine, word: str, words: Iterator[str]) -> None:
    refused = next((why for sign, why in _REFUSED if word.startswith(sign) and word != "-shared-libgcc"), None)
    if refused is not None:
        raise InputError(f"{word}: {refused}")
    modes: dict[str, Mode] = {"-c": "compile", "-S": "assembly", "-E": "preprocess", "-fsyntax-only": "syntax"}
    if word in modes:
        line.mode = modes[word]
    elif word in ("-M", "-MM"):
        line.mode = "preprocess"
        line.flags.append(word)
    elif word.startswith("-o") and word != "-objc":
        line.output = word[2:] or _value(word, words)
    elif word.startswith(_TELLS) or word.startswith(_SHOWS) or word in ("-v", "-compile_info", "-link_info"):
        line.tells.append(word)
    elif word.startswith("-l"):
        line.inputs.append((f"-l{word[2:] or _value(word, words)}", ""))
    elif word.startswith("-L"):
        line.folders.append(word[2:] or _value(word, words))
    else:
        _flag(line, word, words)


def _flag(line: CommandLine, word: str, words: Iterator[str]) -> None:
    if word in _LINK_WITH_VALUE:
        _value(word, words)
    elif word.startswith(_LINKER_TAKES):
        line.linking.append(word)
    elif word in _WITH_VALUE:
        line.flags += [word, _value(word, words)]
    elif word == "-s" or word.startswith(_LEFT_OUT):
        return
    elif word.startswith("-Wl,"):
        line.warnings.append(f"warning: {word} is left out: the linker for cells does not know it")
    else:
        line.flags.append("-fopenmp" if word in _OPENMP else word)
