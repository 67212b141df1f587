"""The powers of ten that reading and writing numbers needs, exactly, as a C table; made when the library is built.

10^q is about T * 2^(p - 127) with T of 128 bits whose highest is set: T is cut off, never rounded up, and p is the
place of the highest bit of 10^q, which the C code computes as (q * 217706) >> 16.
"""

from __future__ import annotations

__all__ = ["POWER_LEAST", "POWER_MOST", "power_of_ten", "powers_header"]

POWER_LEAST = -360
POWER_MOST = 350


def power_of_ten(exponent: int) -> tuple[int, int]:
    """T and p of `exponent`."""
    if exponent >= 0:
        value = 10**exponent
        place = value.bit_length() - 1
        return (value << 127 >> place, place)
    divisor = 10**-exponent
    place = -divisor.bit_length()  # 10^q is in (2^place, 2^(place + 1)): it is no power of two
    return ((1 << (127 - place)) // divisor, place)


def powers_header() -> str:
    """The table as C source: the higher and the lower half of each T."""
    lines = [f"enum {{ POWER_LEAST = {POWER_LEAST}, POWER_MOST = {POWER_MOST} }};"]
    lines.append("static const uint64_t powers[POWER_MOST - POWER_LEAST + 1][2] = {")
    for exponent in range(POWER_LEAST, POWER_MOST + 1):
        value, place = power_of_ten(exponent)
        assert value.bit_length() == 128
        assert place == (exponent * 217706) >> 16
        lines.append(f"    {{{value >> 64:#x}u, {value & (2**64 - 1):#x}u}},")
    lines.append("};")
    return "\n".join(lines) + "\n"
