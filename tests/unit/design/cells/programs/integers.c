/* strtol and its relatives: signs, bases, prefixes, limits, errors, and where they stop. Prints "ok" or what was wrong. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static int wrong;

static void expect(const char *text, long long got, long long wanted, long taken, long wanted_taken, int error)
{
    if (got == wanted && taken == wanted_taken && errno == error) return;
    printf("%s: %lld (%ld characters, error %d) instead of %lld (%ld, %d)\n", text, got, taken, errno, wanted, wanted_taken,
           error);
    wrong++;
}

#define CHECK(function, text, base, wanted, taken, error) \
    do { \
        char *end; \
        errno = 0; \
        long long got = (long long) function(text, &end, base); \
        expect(#function " " text, got, (long long) (wanted), end - text, taken, error); \
    } while (0)

static const char text[] = "";

int main(void)
{
    CHECK(strtol, "42", 10, 42, 2, 0);
    CHECK(strtol, " \t\n-42x", 10, -42, 6, 0);
    CHECK(strtol, "+7", 0, 7, 2, 0);
    CHECK(strtol, "0x1F", 0, 31, 4, 0);
    CHECK(strtol, "0x1F", 16, 31, 4, 0);
    CHECK(strtol, "0xg", 0, 0, 1, 0);
    CHECK(strtol, "0x", 16, 0, 1, 0);
    CHECK(strtol, "017", 0, 15, 3, 0);
    CHECK(strtol, "08", 0, 0, 1, 0);
    CHECK(strtol, "zZ", 36, 35 * 36 + 35, 2, 0);
    CHECK(strtol, "1012", 2, 5, 3, 0);
    CHECK(strtol, "- 1", 10, 0, 0, 0);
    CHECK(strtol, "", 10, 0, 0, 0);
    CHECK(strtol, "x", 10, 0, 0, 0);
    CHECK(strtol, "1", 1, 0, 0, EINVAL);
    CHECK(strtol, "1", 37, 0, 0, EINVAL);
    CHECK(strtol, "2147483647", 10, 2147483647, 10, 0);
    CHECK(strtol, "2147483648", 10, LONG_MAX, 10, LONG_MAX == 2147483647 ? ERANGE : 0);
    CHECK(strtol, "-2147483648", 10, -2147483647 - 1, 11, 0);
    CHECK(strtol, "-99999999999999999999999z", 10, LONG_MIN, 24, ERANGE);
    CHECK(strtoul, "4294967295", 10, 4294967295u, 10, 0);
    CHECK(strtoul, "99999999999999999999", 10, ULONG_MAX, 20, ERANGE);
    CHECK(strtoul, "-1", 10, ULONG_MAX, 2, 0);
    CHECK(strtoll, "9223372036854775807", 10, LLONG_MAX, 19, 0);
    CHECK(strtoll, "9223372036854775808", 10, LLONG_MAX, 19, ERANGE);
    CHECK(strtoll, "-9223372036854775808", 10, LLONG_MIN, 20, 0);
    CHECK(strtoll, "-9223372036854775809", 10, LLONG_MIN, 20, ERANGE);
    CHECK(strtoull, "18446744073709551615", 10, ULLONG_MAX, 20, 0);
    CHECK(strtoull, "18446744073709551616", 10, ULLONG_MAX, 20, ERANGE);
    CHECK(strtoull, "-2", 10, ULLONG_MAX - 1, 2, 0);
    CHECK(strtoimax, "-0777", 0, -511, 5, 0);
    CHECK(strtoumax, "0xffffffffffffffff", 0, UINTMAX_MAX, 18, 0);
    if (atoi(" -17 ") != -17 || atol("12") != 12 || atoll("123456789012") != 123456789012 || atof("2.5") != 2.5) wrong++;
    char *end;
    if (strtold("0.1x", &end) != 0.1L || *end != 'x') wrong++, printf("strtold\n");
    if (!wrong) printf("ok\n");
    return wrong > 0;
}
