/* Whole numbers in text form: strtol and its relatives. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#define INLINE static inline __attribute__((always_inline))

INLINE unsigned digit_of(char character)
{
    unsigned decimal = (unsigned char) character - (unsigned) '0', letter = ((unsigned char) character | 32u) - 'a';
    return decimal < 10 ? decimal : letter < 26 ? letter + 10 : UINT_MAX;
}

INLINE bool is_space(char character) { return character == ' ' || (unsigned char) character - 9u < 5; }

/* The magnitude of the number at `text`, and its sign; too large ones give the limit of their sign and ERANGE. */
INLINE uint64_t read(const char *text, char **end, int base, uint64_t most, uint64_t most_negative, bool *negative)
{
    const char *at = text;
    if (end) *end = (char *) text;
    *negative = false;
    if (base < 0 || base == 1 || base > 36) {
        errno = EINVAL;
        return 0;
    }
    while (is_space(*at)) at++;
    if (*at == '-' || *at == '+') *negative = *at++ == '-';
    if ((base == 0 || base == 16) && at[0] == '0' && (at[1] | 32) == 'x' && digit_of(at[2]) < 16)
        at += 2, base = 16;
    else if (base == 0)
        base = *at == '0' ? 8 : 10;
    const char *first = at;
    uint64_t value = 0, limit = *negative ? most_negative : most;
    bool too_large = false;
    uint64_t before = limit / (unsigned) base;
    for (unsigned digit; (digit = digit_of(*at)) < (unsigned) base; at++) {
        too_large |= value > before || value * (unsigned) base > limit - digit;
        value = value * (unsigned) base + digit; /* meaningless once it is too large */
    }
    if (at == first) return 0;
    if (end) *end = (char *) at;
    if (!too_large) return value;
    errno = ERANGE;
    return limit;
}

long strtol(const char *restrict text, char **restrict end, int base)
{
    bool negative;
    uint64_t value = read(text, end, base, LONG_MAX, -(uint64_t) LONG_MIN, &negative);
    return (long) (negative ? -value : value);
}

long long strtoll(const char *restrict text, char **restrict end, int base)
{
    bool negative;
    uint64_t value = read(text, end, base, LLONG_MAX, -(uint64_t) LLONG_MIN, &negative);
    return (long long) (negative ? -value : value);
}

/* A minus in front of an unsigned number is taken modulo its size, but not if it is too large. */
static uint64_t read_unsigned(const char *text, char **end, int base, uint64_t most)
{
    bool negative;
    int before = errno;
    errno = 0;
    uint64_t value = read(text, end, base, most, most, &negative);
    bool too_large = errno == ERANGE;
    if (!errno) errno = before;
    return negative && !too_large ? -value : value;
}

unsigned long strtoul(const char *restrict text, char **restrict end, int base)
{
    return (unsigned long) read_unsigned(text, end, base, ULONG_MAX);
}

unsigned long long strtoull(const char *restrict text, char **restrict end, int base)
{
    return read_unsigned(text, end, base, ULLONG_MAX);
}

intmax_t strtoimax(const char *restrict text, char **restrict end, int base) { return strtoll(text, end, base); }
uintmax_t strtoumax(const char *restrict text, char **restrict end, int base) { return strtoull(text, end, base); }
int atoi(const char *text) { return (int) strtol(text, NULL, 10); }
long atol(const char *text) { return strtol(text, NULL, 10); }
long long atoll(const char *text) { return strtoll(text, NULL, 10); }
