"""A module that applies every instruction with a result to many operands, and writes the results. Used by
`test_native.py`: two tiers must give the same bytes, but for which not-a-number it is.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["module_text"]

_INTEGERS = {"i32": 32, "i64": 64}
_FLOATS = ("f32", "f64")
_LANES = {"i8x16": 16, "i16x8": 8, "i32x4": 4, "i64x2": 2}
_CANONICAL = {"f32": "7fc00000", "f64": "7ff8000000000000"}
# Pairs of 64 bits: whole numbers at their limits, and floats of both sizes that are special.
_OPERANDS = (
    (0, 0),
    (0x0000000100000001, 0xFFFFFFFFFFFFFFFF),
    (0x8000000080000000, 0x7FFFFFFF7FFFFFFF),
    (0x8000000000000000, 0x7FFFFFFFFFFFFFFF),
    (0x8001800180018001, 0x7FFF7FFF00FF00FF),
    (0x80017F807F8080FF, 0x0102030405060708),
    (0x3FF8000000000000, 0xBFF8000000000000),  # 1.5, -1.5
    (0x4004000000000000, 0xC1E0000000200000),  # 2.5, below the least of 32 bits
    (0x7FF0000000000000, 0xFFF8000000000001),  # infinite, not a number
    (0x7F8000007FC00000, 0xFF800000BFC00000),  # infinite, not a number, both of 32 bits
    (0x3F0000003F7FFFFF, 0x4F0000005F000000),  # 0.5, 0.99999994, 2 ^ 31, 2 ^ 63
    (0x0000000000000001, 0x0010000000000000),  # the least
    (0x41DFFFFFFFC00000, 0x43E0000000000000),  # 2 ^ 31 - 1, 2 ^ 63
    (0x3FB999999999999A, 0xC08F400000000000),  # 0.1, -1000
)
_ROOM = 32
_PARAMETERS = "(param $a i32) (param $b i32) (param $to i32)"


def _integer_functions() -> Iterator[tuple[str, str]]:
    for kind, bits in _INTEGERS.items():
        a, b = f"({kind}.load (local.get $a))", f"({kind}.load (local.get $b))"
        small = f"({kind}.or ({kind}.and {b} ({kind}.const 255)) ({kind}.const 1))"  # never 0, never -1
        for name in ("clz", "ctz", "popcnt", "extend8_s", "extend16_s", *(["extend32_s"] if bits == 64 else [])):
            yield kind, f"({kind}.{name} {a})"
        for name in ["add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr"]:
            yield kind, f"({kind}.{name} {a} {b})"
        for name in ("div_s", "div_u", "rem_s", "rem_u"):
            yield kind, f"({kind}.{name} {a} {small})"
        for name in ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"]:
            yield "i32", f"({kind}.{name} {a} {b})"
        yield "i32", f"({kind}.eqz {a})"
    yield "i32", "(i32.wrap_i64 (i64.load (local.get $a)))"
    yield "i64", "(i64.extend_i32_s (i32.load (local.get $a)))"
    yield "i64", "(i64.extend_i32_u (i32.load (local.get $a)))"


def _float_functions() -> Iterator[tuple[str, str]]:
    for kind in _FLOATS:
        a, b = f"({kind}.load (local.get $a))", f"({kind}.load (local.get $b))"
        for name in ["abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt"]:
            yield kind, f"({kind}.{name} {a})"
        for name in ["add", "sub", "mul", "div", "min", "max", "copysign"]:
            yield kind, f"({kind}.{name} {a} {b})"
        for name in ["eq", "ne", "lt", "gt", "le", "ge"]:
            yield "i32", f"({kind}.{name} {a} {b})"
        small = f"(select {a} ({kind}.const 1.5) ({kind}.lt ({kind}.abs {a}) ({kind}.const 1e9)))"
        positive = f"({kind}.abs {small})"
        for whole in _INTEGERS:
            yield whole, f"({whole}.trunc_{kind}_s {small})"
            yield whole, f"({whole}.trunc_{kind}_u {positive})"
            for sign in "su":
                yield whole, f"({whole}.trunc_sat_{kind}_{sign} {a})"
                yield kind, f"({kind}.convert_{whole}_{sign} ({whole}.load (local.get $a)))"
        same = "i32" if kind == "f32" else "i64"
        yield same, f"({same}.reinterpret_{kind} {a})"
        yield kind, f"({kind}.reinterpret_{same} ({same}.load (local.get $a)))"
    yield "f32", "(f32.demote_f64 (f64.load (local.get $a)))"
    yield "f64", "(f64.promote_f32 (f32.load (local.get $a)))"


_A, _B = "(v128.load (local.get $a))", "(v128.load (local.get $b))"


def _vector_integers() -> Iterator[tuple[str, str]]:
    signs = ("s", "u")
    narrower = {"i16x8": "i8x16", "i32x4": "i16x8", "i64x2": "i32x4"}
    for shape, lanes in _LANES.items():
        unary = ["abs", "neg", *(["popcnt"] if lanes == 16 else [])]
        binary = ["add", "sub", "eq", "ne", *(["mul"] if lanes < 16 else [])]
        for name in ("lt", "gt", "le", "ge", *(("min", "max") if lanes > 2 else ())):
            binary += [f"{name}_{sign}" for sign in (signs if lanes > 2 else "s")]
        if lanes >= 8:
            binary += ["add_sat_s", "add_sat_u", "sub_sat_s", "sub_sat_u", "avgr_u"]
        if shape in narrower:
            from_shape = narrower[shape]
            unary += [f"extend_{half}_{from_shape}_{sign}" for half in ("low", "high") for sign in signs]
            binary += [f"extmul_{half}_{from_shape}_{sign}" for half in ("low", "high") for sign in signs]
            if lanes > 2:
                unary += [f"extadd_pairwise_{from_shape}_{sign}" for sign in signs]
        binary += {"i16x8": ["q15mulr_sat_s"], "i32x4": ["dot_i16x8_s"]}.get(shape, [])
        for wide, narrow in narrower.items():
            if narrow == shape and lanes >= 8:
                binary += [f"narrow_{wide}_{sign}" for sign in signs]
        yield from (("v128", f"({shape}.{name} {_A})") for name in unary)
        yield from (("v128", f"({shape}.{name} {_A} {_B})") for name in binary)
        yield from (("i32", f"({shape}.{name} {_A})") for name in ("all_true", "bitmask"))
        for name in ("shl", "shr_s", "shr_u"):
            yield "v128", f"({shape}.{name} {_A} (i32.load (local.get $b)))"


def _vector_floats() -> Iterator[tuple[str, str]]:
    for shape in ("f32x4", "f64x2"):
        for name in ["ceil", "floor", "trunc", "nearest", "abs", "neg", "sqrt"]:
            yield shape, f"({shape}.{name} {_A})"
        for name in ["add", "sub", "mul", "div", "min", "max", "pmin", "pmax"]:
            yield shape, f"({shape}.{name} {_A} {_B})"
        for name in ["eq", "ne", "lt", "gt", "le", "ge"]:
            yield "v128", f"({shape}.{name} {_A} {_B})"
    for sign in "su":
        yield "v128", f"(i32x4.trunc_sat_f32x4_{sign} {_A})"
        yield "v128", f"(i32x4.trunc_sat_f64x2_{sign}_zero {_A})"
        yield "f32x4", f"(f32x4.convert_i32x4_{sign} {_A})"
        yield "f64x2", f"(f64x2.convert_low_i32x4_{sign} {_A})"
    yield "f32x4", f"(f32x4.demote_f64x2_zero {_A})"
    yield "f64x2", f"(f64x2.promote_low_f32x4 {_A})"


def _vector_moves() -> Iterator[tuple[str, str]]:
    yield "v128", f"(v128.not {_A})"
    yield from (("v128", f"(v128.{name} {_A} {_B})") for name in ("and", "or", "xor", "andnot"))
    yield "v128", f"(v128.bitselect {_A} {_B} (i8x16.add {_A} {_B}))"
    yield "i32", f"(v128.any_true {_A})"
    yield "v128", f"(i8x16.swizzle {_A} {_B})"
    yield "v128", f"(i8x16.shuffle 0 31 1 30 2 29 3 28 17 5 16 7 9 8 24 25 {_A} {_B})"
    for name in ("8x8_s", "8x8_u", "16x4_s", "16x4_u", "32x2_s", "32x2_u", "8_splat", "16_splat", "32_splat"):
        yield "v128", f"(v128.load{name} (local.get $a))"
    yield from (("v128", f"(v128.load{name} (local.get $a))") for name in ("64_splat", "32_zero", "64_zero"))
    for bits, shape in ((8, "i8x16"), (16, "i16x8"), (32, "i32x4"), (64, "i64x2")):
        kind = "i64" if bits == 64 else "i32"
        last = _LANES[shape] - 1
        value = f"({kind}.load (local.get $b))"
        yield "v128", f"(v128.load{bits}_lane {last} (local.get $a) {_B})"
        yield "v128", f"({shape}.splat {value})"
        yield "v128", f"({shape}.replace_lane {last} {_A} {value})"
        for sign in ("_s", "_u") if bits < 32 else ("",):
            yield kind, f"({shape}.extract_lane{sign} {last} {_A})"
    for shape, kind in (("f32x4", "f32"), ("f64x2", "f64")):
        yield shape, f"({shape}.splat ({kind}.load (local.get $a)))"
        yield shape, f"({shape}.replace_lane 1 {_A} ({kind}.load (local.get $b)))"
        yield kind, f"({shape}.extract_lane 1 {_A})"


def _atomics() -> Iterator[tuple[str, str]]:
    """On a copy of the first operand behind the result, so that what is left there is compared, too."""
    place = "(i32.add (local.get $to) (i32.const 16))"
    for kind, bits in _INTEGERS.items():
        value = f"({kind}.load (local.get $b))"
        for size in (8, 16, 32, 64):
            if size > bits:
                continue
            part, end = ("", "") if size == bits else (str(size), "_u")
            yield kind, f"({kind}.atomic.load{part}{end} {place})"
            for name in ("add", "sub", "and", "or", "xor", "xchg"):
                yield kind, f"({kind}.atomic.rmw{part}.{name}{end} {place} {value})"
            expected = f"({kind}.load (local.get $a))"
            yield kind, f"({kind}.atomic.rmw{part}.cmpxchg{end} {place} {expected} {value})"


def _stored(kind: str, value: str) -> str:
    """With one not-a-number for all."""
    if kind in _FLOATS:
        canonical = f"({kind}.reinterpret_{'i32' if kind == 'f32' else 'i64'} "
        canonical += f"({'i32' if kind == 'f32' else 'i64'}.const 0x{_CANONICAL[kind]}))"
        return (
            f"(local.set $x_{kind} {value}) ({kind}.store (local.get $to) (select (local.get $x_{kind}) {canonical} "
            + (f"({kind}.eq (local.get $x_{kind}) (local.get $x_{kind}))))")
        )
    if kind in ("f32x4", "f64x2"):
        whole = "i32x4" if kind == "f32x4" else "i64x2"
        canonical = f"(v128.const {whole} {' '.join([f'0x{_CANONICAL[kind[:3]]}'] * _LANES[whole])})"
        equal = f"({kind}.eq (local.get $x) (local.get $x))"
        return (
            f"(local.set $x {value}) (v128.store (local.get $to) (v128.bitselect (local.get $x) {canonical} {equal}))"
        )
    return f"({kind}.store (local.get $to) {value})"


def module_text() -> str:
    """The text of the module, without the parentheses around it; it writes all results to its standard output."""
    parts = (_integer_functions, _float_functions, _vector_integers, _vector_floats, _vector_moves, _atomics)
    applied = [each for part in parts for each in part()]
    functions = [
        f"(func $f{at} (type $apply) {_PARAMETERS} (local $x v128) (local $x_f32 f32) (local $x_f64 f64) "
        f"(v128.store offset=16 (local.get $to) {_A}) {_stored(kind, value)})"
        for at, (kind, value) in enumerate(applied)
    ]
    count, operands = len(applied), len(_OPERANDS)
    data = "".join(f"\\{byte:02x}" for pair in _OPERANDS for half in pair for byte in half.to_bytes(8, "little"))
    size = count * operands * operands * _ROOM
    pages = (size + 131072) // 65536 + 1
    loop = f"""
      (local $f i32) (local $a i32) (local $b i32) (local $to i32)
      (local.set $to (i32.const 65536))
      (loop $each
        (local.set $a (i32.const 1024))
        (loop $first
          (local.set $b (i32.const 1024))
          (loop $second
            (call_indirect (type $apply) (local.get $a) (local.get $b) (local.get $to) (local.get $f))
            (local.set $to (i32.add (local.get $to) (i32.const {_ROOM})))
            (br_if $second (i32.lt_u (local.tee $b (i32.add (local.get $b) (i32.const 16)))
                                     (i32.const {1024 + 16 * operands}))))
          (br_if $first (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 16)))
                                  (i32.const {1024 + 16 * operands}))))
        (br_if $each (i32.lt_u (local.tee $f (i32.add (local.get $f) (i32.const 1))) (i32.const {count}))))
      (i32.store (i32.const 0) (i32.const 65536))
      (i32.store (i32.const 4) (i32.const {size}))
      (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then (unreachable)))"""
    return f"""
      (type $apply (func {_PARAMETERS}))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") {pages})
      (table {count} funcref) (elem (i32.const 0) {" ".join(f"$f{at}" for at in range(count))})
      (data (i32.const 1024) "{data}")
      {" ".join(functions)}
      (func (export "_start") {loop})"""
