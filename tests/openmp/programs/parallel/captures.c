/* 2.6 parallel: regions that capture none, one, or dozens of variables, which the compiler passes as that many
 * parameters, of all types. */
#include <omp.h>

#include "../check.h"

#define CAPTURE(n, list, sum)                        \
    static void captures_##n(void)                   \
    {                                                \
        int VARIABLES;                               \
        int wrong = 0;                               \
        _Pragma("omp parallel") {                    \
            if ((sum) != list) add_to_word(&wrong, 1); \
        }                                            \
        CHECK_EQUAL(wrong, 0);                       \
    }
#define VARIABLES                                                                                                    \
    a0 = 0, a1 = 1, a2 = 2, a3 = 3, a4 = 4, a5 = 5, a6 = 6, a7 = 7, a8 = 8, a9 = 9, b0 = 10, b1 = 11, b2 = 12, b3 = 13, \
    b4 = 14, b5 = 15, b6 = 16, b7 = 17, b8 = 18, b9 = 19, c0 = 20, c1 = 21, c2 = 22, c3 = 23, c4 = 24, c5 = 25,         \
    c6 = 26, c7 = 27, c8 = 28, c9 = 29, d0 = 30, d1 = 31, d2 = 32, d3 = 33, d4 = 34, d5 = 35, d6 = 36, d7 = 37,         \
    d8 = 38, d9 = 39
#define A4 a0 + a1 + a2 + a3
#define A9 A4 + a4 + a5 + a6 + a7 + a8
#define A10 A9 + a9
#define B10 b0 + b1 + b2 + b3 + b4 + b5 + b6 + b7 + b8 + b9
#define C10 c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9
#define D10 d0 + d1 + d2 + d3 + d4 + d5 + d6 + d7 + d8 + d9
#pragma GCC diagnostic ignored "-Wunused-variable"

CAPTURE(1, 5, a5)
CAPTURE(2, 3, a1 + a2)
CAPTURE(3, 6, a1 + a2 + a3)
CAPTURE(4, 6, A4)
CAPTURE(9, 36, A9)
CAPTURE(10, 45, A10)
CAPTURE(14, 91, A10 + b0 + b1 + b2 + b3)
CAPTURE(15, 105, A10 + b0 + b1 + b2 + b3 + b4)
CAPTURE(16, 120, A10 + b0 + b1 + b2 + b3 + b4 + b5)
CAPTURE(17, 136, A10 + b0 + b1 + b2 + b3 + b4 + b5 + b6)
CAPTURE(20, 190, A10 + B10)
CAPTURE(30, 435, A10 + B10 + C10)
CAPTURE(31, 465, A10 + B10 + C10 + d0)
CAPTURE(32, 496, A10 + B10 + C10 + d0 + d1)
CAPTURE(40, 780, A10 + B10 + C10 + D10)

static void captures_0(void)
{
    int calls = omp_in_parallel();
#pragma omp parallel
    linger();
    CHECK_EQUAL(omp_in_parallel(), calls);
}

static void every_type(void)
{
    char c = -3;
    unsigned char uc = 200;
    short s = -300;
    unsigned short us = 60000;
    unsigned u = 4000000000u;
    long l = -5;
    long long ll = -(1LL << 60);
    unsigned long long ull = ~0ull;
    float f = -0.5f;
    double d = 1e300;
    long double ld = 1.0L / 3;
    _Bool b = 1;
    void *p = &d;
    double (*function)(const char *) = atof;
    int wrong = 0;
#pragma omp parallel firstprivate(c, uc, s, us, u, l, ll, ull, f, d, ld, b, p, function)
    {
        if (c != -3 || uc != 200 || s != -300 || us != 60000 || u != 4000000000u || l != -5) add_to_word(&wrong, 1);
        if (ll != -(1LL << 60) || ull != ~0ull || f != -0.5f || d != 1e300 || ld != 1.0L / 3) add_to_word(&wrong, 1);
        if (!b || function("1.5") != 1.5 || p == NULL || p == &d) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(captures_0);
    RUN(captures_1);
    RUN(captures_2);
    RUN(captures_3);
    RUN(captures_4);
    RUN(captures_9);
    RUN(captures_10);
    RUN(captures_14);
    RUN(captures_15);
    RUN(captures_16);
    RUN(captures_17);
    RUN(captures_20);
    RUN(captures_30);
    RUN(captures_31);
    RUN(captures_32);
    RUN(captures_40);
    RUN(every_type);
    return finish();
}
