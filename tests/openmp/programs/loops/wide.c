/* 2.11.1 loops over more than half of what their type can hold, down by unsigned steps, and empty ones at its end. */
// gcc: libgomp of gcc 12 runs these wrongly (dynamic schedules of unsigned loops)
#include <omp.h>

#include "../check.h"

#define LOOP(clause, type, start, condition, step, wanted)                             \
    do {                                                                               \
        unsigned long long trips = 0;                                                  \
        _Pragma(clause) for (type i = start; condition; step) trips++;                 \
        CHECK_EQUAL(trips, wanted);                                                    \
    } while (0)
#define LOOPS(type, start, condition, step, wanted)                                                          \
    do {                                                                                                     \
        LOOP("omp parallel for reduction(+ : trips)", type, start, condition, step, wanted);                 \
        LOOP("omp parallel for reduction(+ : trips) schedule(static, 3)", type, start, condition, step, wanted); \
        LOOP("omp parallel for reduction(+ : trips) schedule(dynamic)", type, start, condition, step, wanted);   \
        LOOP("omp parallel for reduction(+ : trips) schedule(guided, 2)", type, start, condition, step, wanted); \
        LOOP("omp parallel for reduction(+ : trips) schedule(runtime)", type, start, condition, step, wanted);   \
    } while (0)

static void down_unsigned(void)
{
    LOOPS(unsigned, 20u, i > 0u, i--, 20);
    LOOPS(unsigned, 20u, i >= 5u, i -= 5, 4);
    LOOPS(unsigned, 4200000000u, i > 100000000u, i -= 100000000u, 41);
    LOOPS(unsigned long long, ~0ull, i > 1ull << 60, i -= 1ull << 60, 15);
}

static void up_unsigned(void)
{
    LOOPS(unsigned, 0u, i < 4000000000u, i += 100000000u, 40);
    LOOPS(unsigned long long, 0, i < ~0ull - (1ull << 60), i += 1ull << 59, 30);
}

static void most_of_a_small_type(void)
{
    LOOPS(signed char, -100, i < 100, i++, 200);
    LOOPS(signed char, 100, i > -100, i -= 2, 100);
    LOOPS(int, -1000000000, i < 1000000000, i += 300000000, 7);
}

static void empty_at_the_end(void)
{
    LOOPS(unsigned long long, ~0ull, i < 5, i++, 0);
    LOOPS(unsigned long long, 5, i > ~0ull - 3, i--, 0);
    LOOPS(unsigned, ~0u, i < 5, i++, 0);
}

int main(void)
{
    RUN(down_unsigned);
    RUN(up_unsigned);
    RUN(most_of_a_small_type);
    RUN(empty_at_the_end);
    return finish();
}
