"""Our functions of the C library, in a cell: strings against loops, numbers against Python's own reading."""

from __future__ import annotations

import importlib.util
import math
import random
import re
import struct
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest

if importlib.util.find_spec("wasmtime") is None or importlib.util.find_spec("ziglang") is None:
    pytest.skip("cells need the extras `cells` and `cells-build`", allow_module_level=True)

from ecotone.design.cells import _build, build_module
from ecotone.design.cells._powers import POWER_LEAST, POWER_MOST, power_of_ten
from ecotone.execution.cells import Folder, Job, run_job

PROGRAMS = Path(__file__).parent / "programs"


def run(source: Path, folder: Path, flags: Sequence[str] = (), folders: dict[str, Folder] | None = None) -> str:
    """What a program prints."""
    module = folder / f"{source.stem}.wasm"
    build_module([source], module, flags, movable=False)
    with tempfile.TemporaryFile() as output:
        result = run_job(Job(module=module, stdout=output.fileno(), time_max_s=60, folders=folders or {}))
        output.seek(0)
        text = output.read().decode()
    assert result.exit_code == 0, text
    return text


def test_string_functions_agree_with_loops(tmp_path: Path) -> None:
    assert run(PROGRAMS / "strings.c", tmp_path, ["-fno-builtin", "-Wall", "-Wextra"]) == "ok\n"


def hard_numbers() -> list[str]:
    """Texts that tell a correct reader from one that is nearly so."""
    texts = [
        "0", "-0", "+1", ".5", "5.", "1e5", "1E+5", "-1.5e-3", "  \t42", "1e", "1e+", "1.e2x", ".", "", "-", "e5",
        "+.e1", "inf", "-Infinity", "INFx", "nan", "-nan(12_ab)", "nan(", "infinit", "0x", "0x1p3", "0x.8",
        "0x1.8p-1z", "0xg", "0x1.fffffffffffff7p0", "0x1.fffffffffffff8p0", "0x1p-1074", "0x1p-1075", "0x1.8p-1075",
        "0x1p1024", "0x1.00000001p-150", "0x1.fffffffffffffp1023", "0x1.fffffffffffff8p1023",
        "0x123456789abcdef012345p-7", "0x0p9999999999", "0x1p-99999999999", "1e400", "-1e400", "1e-400",
        "1e99999999999999999999", "1e-99999999999999999999", "0e99999999999", "4.9406564584124654e-324",
        "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072011e-308", "2.2250738585072014e-308",
        "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "9007199254740993",
        "9007199254740993.0000000000000000000000000001", "9007199254740992.9999999999999999999999",
        "1" + "0" * 400 + "e-400", "0." + "0" * 400 + "1e401", "123456789" * 12 + "e-100", "9" * 900, "0." + "9" * 900,
        "7.3177701707893310e15", "6.631236846766476e-316", "3.2378839133029012895883524125015321748630094e-319",
        "1.00000005960464477539", "16777217", "16777219", "3.4028235677973366e38", "3.4028234663852886e38", "1.4e-45",
        "7e-46", "7.0064923216240854e-46", "7.006492321624085e-46", "1.1754943508222875e-38", "0.3", "8388608.5",
        "8388609.5",
    ]  # fmt: skip
    for bits in (
        1,
        2,
        0x000FFFFFFFFFFFFF,
        0x0010000000000000,
        0x3FF0000000000000,
        0x7FEFFFFFFFFFFFFF,
        0x4340000000000000,
    ):
        middle = exact_middle(bits)  # and what lies a little above and below
        texts += [middle, middle + "0" * 900 + "1", middle[:-1] + "4999999", shifted(middle)]
    generator = random.Random(6)
    for _ in range(1000):
        value = struct.unpack("<d", generator.randbytes(8))[0]
        if math.isfinite(value):
            texts += [repr(value), f"{value:.17e}", f"{value:.30e}", f"{value:.5g}"]
        digits = "".join(generator.choices("0123456789", k=generator.randint(1, 40)))
        at = generator.randint(0, len(digits))
        texts.append(f"{digits[:at]}.{digits[at:]}e{generator.randint(-345, 310)}")
        texts.append(exact_middle(generator.getrandbits(62)))
        texts.append(f"{generator.getrandbits(24) + generator.choice([0, 0.5, 1])}e{generator.randint(-50, 38)}")
    return texts


def exact_middle(bits: int) -> str:
    """All decimal digits of the number between the double with these bits and the next."""
    biased, fraction = bits >> 52, bits & (2**52 - 1)
    significand = 2 * (fraction + (2**52 if biased else 0)) + 1
    exponent = max(biased, 1) - 1076
    if exponent >= 0:
        return f"{significand << exponent}.0"
    digits = str(significand * 5**-exponent).rjust(1 - exponent, "0")
    return f"{digits[:exponent]}.{digits[exponent:]}"


def shifted(text: str) -> str:
    """The same number with its point in front and an exponent."""
    whole, _, fraction = text.partition(".")
    return f"0.{whole}{fraction}e{len(whole)}"


def longest_number(text: str) -> tuple[float, int]:
    """What strtod must give for a text: the value, and how many characters belong to it."""
    decimal = r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?"
    hexadecimal = r"0x([0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(p[+-]?\d+)?"
    name = r"inf(inity)?|nan(\(\w*\))?"
    found = re.match(rf"[ \t\n]*([+-]?)({hexadecimal}|{decimal}|{name})", text, re.IGNORECASE | re.ASCII)
    if not found:
        return 0.0, 0
    number = found.group(2).lower()
    if number.startswith("0x"):
        try:
            value = float.fromhex(number)
        except OverflowError:
            value = math.inf
    else:
        value = float(number.partition("(")[0])
    return (-value if found.group(1) == "-" else value), found.end()


def as_float(text: str) -> float:
    """The nearest single-precision number to a decimal text, without rounding twice."""
    value, length = longest_number(text)
    if not math.isfinite(value) or abs(value) < 1e-60:  # beyond the doubles, or far below the smallest float
        return value * 0.0 if math.isfinite(value) else value
    body = text[:length].strip().lower()
    exact = hexadecimal_fraction(body) if "0x" in body else Fraction(body) if length else Fraction(0)
    sign = math.copysign(1.0, value)
    exact = abs(exact)
    if exact == 0:
        return sign * 0.0
    exponent = max(-126, math.frexp(float(min(max(exact, Fraction(1, 2**200)), Fraction(2**200))))[1] - 1) - 23
    units = round(exact / Fraction(2) ** exponent)  # ties to even
    if units == 0:
        return sign * 0.0
    return sign * (math.inf if units * Fraction(2) ** exponent >= 2**128 else math.ldexp(units, exponent))


def hexadecimal_fraction(body: str) -> Fraction:
    digits, _, power = body.lstrip("+-")[2:].partition("p")
    whole, _, fraction = digits.partition(".")
    power_of_two = max(-2000, min(2000, int(power or 0) - 4 * len(fraction)))
    return Fraction(int(whole + fraction, 16)) * Fraction(2) ** power_of_two


def test_numbers_are_read_as_python_reads_them(tmp_path: Path) -> None:
    texts = [text for text in hard_numbers() if "\n" not in text]
    data = tmp_path / "data"
    data.mkdir()
    (data / "numbers").write_text("".join(f"{text}\n" for text in texts))
    lines = run(PROGRAMS / "numbers.c", tmp_path, folders={"/data": Folder(path=data)}).splitlines()
    assert len(lines) == len(texts)
    wrong = []
    for text, line in zip(texts, lines, strict=True):
        double, single, length, single_length = line.split()
        value, expected_length = longest_number(text)
        got = struct.unpack("<d", int(double, 16).to_bytes(8, "little"))[0]
        short = struct.unpack("<f", int(single, 16).to_bytes(4, "little"))[0]
        same = (math.isnan(got) and math.isnan(value)) or struct.pack("<d", got) == struct.pack("<d", value)
        if not same or int(length) != expected_length or length != single_length:
            wrong.append((text, got, value, length, expected_length))
        wanted = as_float(text)
        if not (math.isnan(short) and math.isnan(wanted)) and struct.pack("<d", short) != struct.pack("<d", wanted):
            wrong.append((text, short, wanted, "as float", ""))
    assert wrong == []


def test_whole_numbers_errors_and_limits(tmp_path: Path) -> None:
    assert run(PROGRAMS / "integers.c", tmp_path) == "ok\n"


def test_memory(tmp_path: Path) -> None:
    assert run(PROGRAMS / "memory.c", tmp_path, ["-fno-builtin", "-Wall", "-Wextra"]) == "ok\n"


def test_powers_of_ten() -> None:
    for exponent in (POWER_LEAST, -343, -1, 0, 1, 27, 55, 56, 308, POWER_MOST):
        value, place = power_of_ten(exponent)
        assert value >> 127 == 1
        numerator, denominator = 10 ** max(exponent, 0), 10 ** max(-exponent, 0)
        low, high = value << max(place - 127, 0), (value + 1) << max(place - 127, 0)
        scaled = numerator << max(127 - place, 0)
        assert low * denominator <= scaled < high * denominator


@pytest.mark.parametrize("name", ["program.c", "program.cpp"])
def test_none_of_our_files_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    links: list[Sequence[str]] = []

    def count(command: Sequence[str], **more: bytes) -> tuple[bytes, str]:
        if str(tmp_path / ".build-") in command[-1] and "-c" not in command:
            links.append(command)
        return run_compiler(command, **more)

    run_compiler = _build.run_compiler
    monkeypatch.setattr(_build, "run_compiler", count)
    source = tmp_path / name
    source.write_text(
        "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
        "int main(int count, char **arguments) { long double sum = strtold(*arguments, 0) + strtod(*arguments, 0);\n"
        'free(strdup(strstr(*arguments, "p"))); printf("%Lf %ld\\n", sum, strtol(*arguments, 0, count)); return 0; }\n'
    )
    build_module([source], tmp_path / "program.wasm", movable=False)
    assert len(links) == 1
    assert sum("/libc/" in word for word in links[0]) == len(list((_build.LIBRARY / "libc").glob("*.c")))


def test_what_a_program_defines_itself_is_kept(tmp_path: Path) -> None:
    source = tmp_path / "own.c"
    source.write_text(
        "#include <stdio.h>\n#include <string.h>\n"
        "size_t strlcpy(char *to, const char *from, size_t size) { (void) to, (void) from; return size + 1000; }\n"
        "char *strstr(const char *text, const char *wanted) { (void) wanted; return (char *) text; }\n"
        'int main(void) { char to[4]; printf("%zu %s\\n", strlcpy(to, "x", 4), strstr("abc", "c")); return 0; }\n'
    )
    assert run(source, tmp_path, ["-fno-builtin"]) == "1004 abc\n"
