/* Numbers with a point in text form: strtod and its relatives, correctly rounded.
 *
 * Three ways, each taken where the one before cannot decide: a product or quotient of exact doubles (Clinger); the first
 * nineteen digits times a power of ten of 128 bits (Lemire, "Number parsing at a gigabyte per second", 2021), unless the
 * result is so near to the middle of two numbers that the digits cut off could matter; a comparison of whole numbers of
 * any length. `powers.h` is made by _powers.py. */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "powers.h"

struct format {
    int digits;        /* of the significand, in bits */
    int bias;          /* of the exponent */
    uint64_t infinity; /* as bits */
    int exact_power;   /* largest power of ten without error */
};

static const struct format double_format = {53, 1023, 0x7ffull << 52, 22};
static const struct format float_format = {24, 127, 0xffull << 23, 10};

enum { DIGITS_KEPT = 19, DIGITS_COMPARED = 800, EXPONENT_MOST = 100000000 };

/* A number as it was found in a text: (digits and perhaps more, cut off) * 10^exponent. */
struct decimal {
    const char *first, *end; /* of its digits and point */
    uint64_t digits;
    int64_t exponent, written_exponent;
    bool more;
};

static bool is_digit(char character) { return (unsigned char) character - (unsigned) '0' < 10; }
static bool is_space(char character) { return character == ' ' || (unsigned char) character - 9u < 5; }

/* ---- from a number in binary that is longer than the format ---- */

struct rounding { uint64_t below, rest, half; }; /* the bits if rounded down, what is lost, what would be the middle */

/* Cuts upper * 2^exponent, whose highest bit is set. */
static struct rounding cut(uint64_t upper, int64_t exponent, const struct format *format)
{
    int64_t biased = exponent + 63 + format->bias, shift = 64 - format->digits;
    if (biased >= (int64_t) (format->infinity >> (format->digits - 1)))
        return (struct rounding) {format->infinity, 0, 1};
    if (biased < 1) shift += 1 - biased;
    if (shift >= 64) return (struct rounding) {0, shift - 64 > 63 ? 0 : upper >> (shift - 64), 1ull << 63};
    uint64_t base = biased < 1 ? 0 : (uint64_t) (biased - 1) << (format->digits - 1);
    return (struct rounding) {base + (upper >> shift), upper & ((1ull << shift) - 1), 1ull << (shift - 1)};
}

static uint64_t round_half_even(struct rounding parts, bool more)
{
    bool up = parts.rest > parts.half || (parts.rest == parts.half && (more || parts.below & 1));
    return parts.below + up;
}

/* ---- the first nineteen digits times a power of ten ---- */

struct product { uint64_t upper, lower; };

static struct product multiply(uint64_t a, uint64_t b)
{
    uint64_t a0 = (uint32_t) a, a1 = a >> 32, b0 = (uint32_t) b, b1 = b >> 32;
    uint64_t low = a0 * b0, middle = a1 * b0 + (low >> 32), other = a0 * b1 + (uint32_t) middle;
    return (struct product) {a1 * b1 + (middle >> 32) + (other >> 32), other << 32 | (uint32_t) low};
}

/* The bits of digits * 10^power; `certain` unless the truth might be rounded otherwise. The power's error is less than
 * one in its last place, so the truth is less than one (first try: 2^64) above the product's last place, and twice that
 * where the product is moved by one. */
static uint64_t scale(uint64_t digits, int power, const struct format *format, bool *certain)
{
    int leading = __builtin_clzll(digits);
    int64_t exponent = (power * 217706 >> 16) - leading + 1;
    const uint64_t *factor = powers[power - POWER_LEAST];
    uint64_t significand = digits << leading;
    struct product whole = multiply(significand, factor[0]);
    for (bool refined = false;; refined = true) {
        uint64_t moved = !(whole.upper >> 63);
        uint64_t upper = whole.upper << moved | (moved & whole.lower >> 63), lower = whole.lower << moved;
        struct rounding parts = cut(upper, exponent - (int64_t) moved, format);
        if (refined) {
            bool maybe_half = parts.rest == parts.half - 1 && lower >= -(uint64_t) 4;
            *certain = !maybe_half && !(parts.rest == parts.half && lower == 0);
            return round_half_even(parts, true);
        }
        if (parts.rest + 2 < parts.half || parts.rest > parts.half) {
            *certain = true;
            return round_half_even(parts, true);
        }
        struct product rest = multiply(significand, factor[1]);
        whole.lower += rest.upper;
        whole.upper += whole.lower < rest.upper;
    }
}

/* ---- whole numbers of any length ---- */

enum { LIMBS = 144 };
struct big { int used; uint32_t limbs[LIMBS]; };

static void multiply_add(struct big *big, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    for (int i = 0; i < big->used; i++) {
        carry += (uint64_t) big->limbs[i] * factor;
        big->limbs[i] = (uint32_t) carry;
        carry >>= 32;
    }
    if (carry) {
        assert(big->used < LIMBS);
        big->limbs[big->used++] = (uint32_t) carry;
    }
}

static void shift_left(struct big *big, int64_t by)
{
    multiply_add(big, 1u << by % 32, 0);
    int words = (int) (by / 32);
    if (!words || !big->used) return;
    assert(big->used + words <= LIMBS);
    memmove(big->limbs + words, big->limbs, (size_t) big->used * sizeof *big->limbs);
    memset(big->limbs, 0, (size_t) words * sizeof *big->limbs);
    big->used += words;
}

static void multiply_power_of_five(struct big *big, int64_t power)
{
    for (; power >= 13; power -= 13) multiply_add(big, 1220703125u, 0);
    for (; power > 0; power--) multiply_add(big, 5, 0);
}

static int compare_big(const struct big *a, const struct big *b)
{
    if (a->used != b->used) return a->used < b->used ? -1 : 1;
    for (int i = a->used - 1; i >= 0; i--)
        if (a->limbs[i] != b->limbs[i]) return a->limbs[i] < b->limbs[i] ? -1 : 1;
    return 0;
}

/* All digits of a decimal that can matter, as a whole number; returns the power of ten to multiply it with. Of those
 * behind the first 800 only matters whether any is not zero: no middle of two doubles has as many. */
static int64_t read_big(const struct decimal *decimal, struct big *big)
{
    int64_t power = decimal->written_exponent;
    int kept = 0;
    bool fraction = false, more = false;
    big->used = 0;
    for (const char *at = decimal->first; at < decimal->end; at++) {
        if (*at == '.') {
            fraction = true;
        } else if (kept < DIGITS_COMPARED) {
            multiply_add(big, 10, (uint32_t) (*at - '0'));
            kept += big->used > 0;
            power -= fraction;
        } else {
            more |= *at != '0';
            power += !fraction;
        }
    }
    if (!more) return power;
    multiply_add(big, 10, 1);
    return power - 1;
}

/* How value * 10^power is to the middle between the number with these bits and the next: less, the same or greater. */
static int compare_middle(const struct big *value, int64_t power, uint64_t bits, const struct format *format)
{
    uint64_t hidden = 1ull << (format->digits - 1), significand = bits & (hidden - 1);
    int64_t biased = (int64_t) (bits >> (format->digits - 1));
    if (biased)
        significand |= hidden;
    else
        biased = 1;
    int64_t exponent = biased - format->bias - format->digits; /* of half a unit in the last place */
    struct big left = *value, right = {.used = 0};
    uint64_t middle = 2 * significand + 1;
    multiply_add(&right, 1, (uint32_t) (middle >> 32));
    shift_left(&right, 32);
    if (right.used)
        right.limbs[0] = (uint32_t) middle;
    else
        multiply_add(&right, 1, (uint32_t) middle);
    multiply_power_of_five(power > 0 ? &left : &right, power > 0 ? power : -power);
    int64_t shift = power - exponent;
    shift_left(shift > 0 ? &left : &right, shift > 0 ? shift : -shift);
    return compare_big(&left, &right);
}

/* From bits that are near, step by step to the nearest. */
static uint64_t decide(const struct decimal *decimal, uint64_t bits, const struct format *format)
{
    struct big value;
    int64_t power = read_big(decimal, &value);
    for (;;) {
        int above = bits == format->infinity ? -1 : compare_middle(&value, power, bits, format);
        if (above > 0 || (above == 0 && bits & 1)) {
            bits++;
            continue;
        }
        int below = bits == 0 ? 1 : compare_middle(&value, power, bits - 1, format);
        if (below > 0 || (below == 0 && !(bits & 1))) return bits;
        bits--;
    }
}

/* ---- reading ---- */

/* Reads digits, point and exponent; false if there is no digit. */
static bool read_decimal(const char *at, struct decimal *decimal)
{
    struct decimal found = {.first = at};
    int kept = 0;
    bool any = false, fraction = false;
    for (;; at++) {
        if (is_digit(*at)) {
            any = true;
            if (kept < DIGITS_KEPT) {
                found.digits = found.digits * 10 + (uint64_t) (*at - '0');
                kept += found.digits > 0;
                found.exponent -= fraction;
            } else {
                found.more |= *at != '0';
                found.exponent += !fraction;
            }
        } else if (*at == '.' && !fraction) {
            fraction = true;
        } else {
            break;
        }
    }
    found.end = at;
    *decimal = found;
    return any;
}

/* Reads an exponent behind `mark`, if there is a whole one; returns where it ends. */
static const char *read_exponent(const char *at, char mark, int64_t *exponent)
{
    *exponent = 0;
    if ((*at | 32) != mark) return at;
    const char *digit = at + 1;
    bool negative = *digit == '-';
    digit += *digit == '-' || *digit == '+';
    if (!is_digit(*digit)) return at;
    for (; is_digit(*digit); digit++)
        if (*exponent < EXPONENT_MOST) *exponent = *exponent * 10 + (*digit - '0');
    if (negative) *exponent = -*exponent;
    return digit;
}

static int hex_digit(char character)
{
    unsigned letter = ((unsigned char) character | 32u) - 'a';
    return is_digit(character) ? character - '0' : letter < 6 ? (int) letter + 10 : -1;
}

/* A hexadecimal number behind its 0x; `end` is left alone if there is no digit. */
static uint64_t read_hexadecimal(const char *at, const char **end, const struct format *format, bool *inexact)
{
    uint64_t digits = 0;
    int64_t exponent = 0, written;
    bool any = false, fraction = false, more = false;
    for (;; at++) {
        int digit = hex_digit(*at);
        if (*at == '.' && !fraction) {
            fraction = true;
        } else if (digit < 0) {
            break;
        } else {
            any = true;
            bool fits = digits >> 60 == 0;
            if (fits)
                digits = digits << 4 | (uint64_t) digit;
            else
                more |= digit != 0;
            exponent += 4 * (!fits - fraction);
        }
    }
    if (!any) return 0;
    *end = read_exponent(at, 'p', &written);
    if (!digits) return 0;
    int leading = __builtin_clzll(digits);
    struct rounding parts = cut(digits << leading, exponent + written - leading, format);
    *inexact = more || parts.rest || parts.below == format->infinity;
    return round_half_even(parts, more);
}

static bool begins(const char *text, const char *name)
{
    for (; *name; text++, name++)
        if ((*text | 32) != *name) return false;
    return true;
}

/* Infinities and what is not a number; `end` is left alone if it is neither. */
static uint64_t read_name(const char *at, const char **end, const struct format *format)
{
    if (begins(at, "inf")) {
        *end = at + (begins(at, "infinity") ? 8 : 3);
        return format->infinity;
    }
    if (!begins(at, "nan")) return 0;
    *end = at + 3;
    if (at[3] == '(') {
        const char *close = at + 4;
        while (is_digit(*close) || (unsigned char) ((*close | 32) - 'a') < 26 || *close == '_') close++;
        if (*close == ')') *end = close + 1;
    }
    return format->infinity | 1ull << (format->digits - 2);
}

static uint64_t nearest(const struct decimal *decimal, const struct format *format)
{
    if (!decimal->digits || decimal->exponent < POWER_LEAST) return 0;
    if (decimal->exponent > POWER_MOST) return format->infinity;
    bool certain, also = true;
    uint64_t bits = scale(decimal->digits, (int) decimal->exponent, format, &certain);
    if (certain && decimal->more) also = bits == scale(decimal->digits + 1, (int) decimal->exponent, format, &certain);
    return certain && also ? bits : decide(decimal, bits, format);
}

/* Where a number begins, behind spaces and sign. */
static const char *skip(const char *text, bool *negative)
{
    while (is_space(*text)) text++;
    *negative = *text == '-';
    return text + (*text == '-' || *text == '+');
}

/* What is not decimal; NULL in `end` if it is. */
static uint64_t read_other(const char *at, const char **end, const struct format *format)
{
    bool inexact = false;
    *end = NULL;
    if (at[0] != '0') return read_name(at, end, format);
    if ((at[1] | 32) != 'x') return 0;
    uint64_t bits = read_hexadecimal(at + 2, end, format, &inexact);
    if (inexact && (bits == format->infinity || bits >> (format->digits - 1) == 0)) errno = ERANGE;
    return bits;
}

/* Bits of a number that was read as decimal, by the two longer ways. */
static uint64_t bits_of(const struct decimal *decimal, const struct format *format)
{
    uint64_t bits = nearest(decimal, format);
    if (decimal->digits && (bits == format->infinity || bits >> (format->digits - 1) == 0)) errno = ERANGE;
    return bits;
}

static void tell_end(char **end, const char *at)
{
    if (end) *end = (char *) at;
}

/* All but the value of a decimal number: true if there is one, else `*bits` are those of the value, zero for no number. */
static bool read_text(const char *text, char **end, const struct format *format, struct decimal *decimal, bool *negative,
                      uint64_t *bits)
{
    const char *at = skip(text, negative), *other;
    *bits = read_other(at, &other, format);
    if (other) {
        tell_end(end, other);
        return false;
    }
    if (!read_decimal(at, decimal)) {
        tell_end(end, text);
        *negative = false;
        *bits = 0;
        return false;
    }
    tell_end(end, read_exponent(decimal->end, 'e', &decimal->written_exponent));
    decimal->exponent += decimal->written_exponent;
    return true;
}

double strtod(const char *restrict text, char **restrict end)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    bool negative;
    uint64_t bits;
    struct decimal decimal;
    if (read_text(text, end, &double_format, &decimal, &negative, &bits)) {
        int64_t power = decimal.exponent, most = double_format.exact_power;
        if (!decimal.more && decimal.digits <= 1ull << 53 && power >= -most && power <= most) {
            double value = (double) decimal.digits;
            value = power < 0 ? value / exact[-power] : value * exact[power];
            return negative ? -value : value;
        }
        bits = bits_of(&decimal, &double_format);
    }
    bits |= (uint64_t) negative << 63;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float strtof(const char *restrict text, char **restrict end)
{
    bool negative;
    uint64_t bits;
    struct decimal decimal;
    if (read_text(text, end, &float_format, &decimal, &negative, &bits)) {
        bits = bits_of(&decimal, &float_format);
    }
    uint32_t word = (uint32_t) bits | (uint32_t) negative << 31;
    float value;
    memcpy(&value, &word, sizeof value);
    return value;
}

double atof(const char *text) { return strtod(text, NULL); }
