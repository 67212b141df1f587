/* 2.11.1 canonical loops: all comparisons and steps, all integer types up to their limits, pointers, expressions. */
#include <limits.h>
#include <omp.h>
#include <stdint.h>

#include "../check.h"

#define SUM(type, schedule, start, condition, step)                                                                 \
    ({                                                                                                              \
        unsigned long long sum_ = 0, trips_ = 0;                                                                    \
        _Pragma(schedule) for (type i = start; condition; step) sum_ += (unsigned long long) i, trips_++;           \
        sum_ * 1000003 + trips_;                                                                                    \
    })
#define SERIAL(type, start, condition, step)                                                                        \
    ({                                                                                                              \
        unsigned long long sum_ = 0, trips_ = 0;                                                                    \
        for (type i = start; condition; step) sum_ += (unsigned long long) i, trips_++;                             \
        sum_ * 1000003 + trips_;                                                                                    \
    })
#define LOOP(type, start, condition, step)                                                                          \
    do {                                                                                                            \
        unsigned long long wanted = SERIAL(type, start, condition, step);                                           \
        CHECK_EQUAL(SUM(type, "omp parallel for reduction(+ : sum_, trips_)", start, condition, step), wanted);     \
        CHECK_EQUAL(SUM(type, "omp parallel for schedule(static, 3) reduction(+ : sum_, trips_)", start, condition, step), wanted); \
        CHECK_EQUAL(SUM(type, "omp parallel for schedule(dynamic, 2) reduction(+ : sum_, trips_)", start, condition, step), wanted); \
        CHECK_EQUAL(SUM(type, "omp parallel for schedule(guided) reduction(+ : sum_, trips_)", start, condition, step), wanted); \
        CHECK_EQUAL(SUM(type, "omp parallel for schedule(runtime) reduction(+ : sum_, trips_)", start, condition, step), wanted); \
    } while (0)

static void comparisons(void)
{
    LOOP(int, 0, i < 10, i++);
    LOOP(int, 0, i <= 10, ++i);
    LOOP(int, 10, i > 0, i--);
    LOOP(int, 10, i >= 0, --i);
    LOOP(int, 0, i != 10, i++);
    LOOP(int, 10, i != 0, i--);
    LOOP(int, 0, 10 > i, i += 1);
    LOOP(int, 100, 3 <= i, i -= 7);
    LOOP(int, 0, i < 100, i = i + 9);
    LOOP(int, 0, i < 100, i = 9 + i);
    LOOP(int, 50, i > -50, i = i - 11);
    LOOP(int, -7, i < 8, i += 5);
}

static void empty_loops(void)
{
    LOOP(int, 0, i < 0, i++);
    LOOP(int, 10, i < 0, i++);
    LOOP(int, 0, i > 0, i--);
    LOOP(int, 0, i >= 1, i--);
    LOOP(unsigned, 5u, i < 5u, i++);
    LOOP(unsigned, 5u, i < 3u, i += 2);
    LOOP(long long, 1LL << 40, i < 0, i += 3);
}

static void limits_of_int(void)
{
    LOOP(int, INT_MAX - 10, i < INT_MAX, i++);
    LOOP(int, INT_MIN + 10, i > INT_MIN, i--);
    LOOP(int, INT_MIN, i < INT_MIN + 9, i += 2);
    LOOP(int, -900000000, i < 900000000, i += 300000000);
    LOOP(int, 900000000, i > -900000000, i -= 300000000);
}

static void unsigned_loops(void)
{
    LOOP(unsigned, UINT_MAX - 10, i < UINT_MAX, i++);
    LOOP(unsigned, 2000000000u, i < 4200000000u, i += 100000000u);
}

static void long_loops(void)
{
    LOOP(long long, LLONG_MAX - 10, i < LLONG_MAX, i++);
    LOOP(long long, LLONG_MIN + 10, i > LLONG_MIN, i--);
    LOOP(long long, -(1LL << 40), i < (1LL << 40), i += 1LL << 35);
    LOOP(long long, 1LL << 40, i > -(1LL << 40), i -= 1LL << 35);
    LOOP(long long, 5000000000LL, i <= 5000000100LL, i += 7);
    LOOP(long, 100, i > 0, i -= 3);
}

static void unsigned_long_loops(void)
{
    LOOP(unsigned long long, ULLONG_MAX - 10, i < ULLONG_MAX, i++);
    LOOP(unsigned long long, 1ULL << 63, i < (1ULL << 63) + 100, i += 9);
    LOOP(unsigned long long, 0, i < (1ULL << 63) + (1ULL << 62), i += 1ULL << 60);
    LOOP(unsigned long long, ULLONG_MAX, i > ULLONG_MAX - 50, i -= 3);
    LOOP(size_t, 0, i < 100, i++);
}

static void small_types(void)
{
    LOOP(signed char, -20, i < 20, i++);
    LOOP(unsigned char, 0, i < 200, i += 3);
    LOOP(short, 1000, i > -1000, i -= 9);
    LOOP(unsigned short, 60000, i < 65000, i += 100);
    LOOP(char, 'a', i <= 'z', i++);
    LOOP(int64_t, 0, i < 33, i++);
    LOOP(uint16_t, 9, i != 30, i++);
}

static void pointers(void)
{
    static int numbers[1000];
    for (int i = 0; i < 1000; i++) numbers[i] = i;
    long long up = 0, down = 0, differ = 0;
#pragma omp parallel for reduction(+ : up) schedule(dynamic, 7)
    for (int *place = numbers; place < numbers + 1000; place++) up += *place;
#pragma omp parallel for reduction(+ : down)
    for (int *place = numbers + 999; place >= numbers; place -= 3) down += *place;
#pragma omp parallel for reduction(+ : differ) schedule(static, 4)
    for (int *place = numbers; place != numbers + 1000; ++place) differ += *place;
    CHECK_EQUAL(up, 499500);
    CHECK_EQUAL(down, 166833);
    CHECK_EQUAL(differ, 499500);
}

static int calls;

static int called(int value)
{
    calls++;
    return value;
}

static void expressions(void)
{
    int sum = 0;
    calls = 0;
#pragma omp parallel for reduction(+ : sum) schedule(static, 2)
    for (int i = called(3); i < 50; i += 4) sum += i;
    CHECK(calls >= 1);
    CHECK_EQUAL(sum, 3 + 7 + 11 + 15 + 19 + 23 + 27 + 31 + 35 + 39 + 43 + 47);
    int end = 20, step = 3, chunk = 2;
    sum = 0;
#pragma omp parallel for reduction(+ : sum) schedule(dynamic, chunk * 2)
    for (int i = end - 20; i < end; i += step) sum += i;
    CHECK_EQUAL(sum, 63);
}

static void counter_outside(void)
{
    int i = 77, sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (i = 0; i < 100; i++) sum += i;
    CHECK_EQUAL(sum, 4950);
    CHECK_EQUAL(i, 77);  /* the loop's own copy is private */
    static int counter;
    sum = 0;
#pragma omp parallel
    {
#pragma omp for reduction(+ : sum)
        for (counter = 0; counter < 10; counter++) sum += counter;
    }
    CHECK_EQUAL(sum, 45);
}

int main(void)
{
    RUN(comparisons);
    RUN(empty_loops);
    RUN(limits_of_int);
    RUN(unsigned_loops);
    RUN(long_loops);
    RUN(unsigned_long_loops);
    RUN(small_types);
    RUN(pointers);
    RUN(expressions);
    RUN(counter_outside);
    return finish();
}
