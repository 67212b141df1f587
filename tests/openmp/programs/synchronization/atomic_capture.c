/* 2.19.7 atomic capture in all its forms: each value is given out once, before or after the change. */
#include <omp.h>
#include <stdint.h>

#include "../check.h"

enum { TRIPS = 2000 };
static int taken[TRIPS + 2];

static void expect(int first)
{
    for (int i = 0; i < TRIPS; i++) CHECK_EQUAL(taken[i + first], 1);
    memset(taken, 0, sizeof taken);
}

#define CAPTURE(type, first, ...)                                            \
    do {                                                                     \
        static type x;                                                       \
        x = 0;                                                               \
        _Pragma("omp parallel for schedule(static, 1)")                      \
        for (int i = 0; i < TRIPS; i++) {                                    \
            type v;                                                          \
            if (i < 8) linger();                                             \
            _Pragma("omp atomic capture") __VA_ARGS__;                       \
            if (v >= 0 && v <= TRIPS) add_to_word(&taken[(int) v], 1);       \
        }                                                                    \
        CHECK(x == TRIPS);                                                   \
        expect(first);                                                       \
    } while (0)

#define TYPE(type, name)                       \
    static void name(void)                     \
    {                                          \
        CAPTURE(type, 0, v = x++);             \
        CAPTURE(type, 1, v = ++x);             \
        CAPTURE(type, 1, v = x += 1);          \
        CAPTURE(type, 1, v = x = x + 1);       \
        CAPTURE(type, 1, v = x = 1 + x);       \
        CAPTURE(type, 0, { v = x; x += 1; });  \
        CAPTURE(type, 1, { x += 1; v = x; });  \
        CAPTURE(type, 0, { v = x; x = x + 1; }); \
        CAPTURE(type, 1, { x = x + 1; v = x; }); \
        CAPTURE(type, 0, { v = x; x++; });     \
        CAPTURE(type, 1, { ++x; v = x; });     \
    }
TYPE(short, shorts)
TYPE(int, ints)
TYPE(unsigned, unsigneds)
TYPE(int64_t, longs)
TYPE(float, floats)
TYPE(double, doubles)
TYPE(long double, long_doubles)

/* Each value that is written is read back by whoever writes next. */
static void exchange(void)
{
    static int x;
    static double real;
    x = TRIPS;
    real = TRIPS;
    memset(taken, 0, sizeof taken);
    static int reals[TRIPS + 2];
#pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < TRIPS; i++) {
        int v;
        double r;
#pragma omp atomic capture
        {
            v = x;
            x = i;
        }
#pragma omp atomic capture
        {
            r = real;
            real = i;
        }
        add_to_word(&taken[v], 1);
        add_to_word(&reals[(int) r], 1);
    }
    taken[x]++;
    reals[(int) real]++;
    for (int i = 0; i <= TRIPS; i++) CHECK(taken[i] == 1 && reals[i] == 1);
}

static void other_operators(void)
{
    static unsigned bits;
    int first = 0;
    bits = 0;
#pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < 1000; i++) {
        unsigned before;
#pragma omp atomic capture
        {
            before = bits;
            bits |= 1u << (i % 32);
        }
        if (!(before >> (i % 32) & 1)) add_to_word(&first, 1);
    }
    CHECK_EQUAL(first, 32);
    static int product;
    int seen = 0;
    product = 1;
#pragma omp parallel for reduction(max : seen)
    for (int i = 0; i < 10; i++) {
        int v;
#pragma omp atomic capture
        v = product *= 2;
        if (v > seen) seen = v;
    }
    CHECK(product == 1024 && seen == 1024);
}

int main(void)
{
    RUN(shorts);
    RUN(ints);
    RUN(unsigneds);
    RUN(longs);
    RUN(floats);
    RUN(doubles);
    RUN(long_doubles);
    RUN(exchange);
    RUN(other_operators);
    return finish();
}
