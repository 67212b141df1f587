/* 2.11.5.3 declare simd: functions with vector forms, called from loops: uniform, linear, inbranch, notinbranch. */
#include <omp.h>

#include "../check.h"

#pragma omp declare simd
static double square(double x) { return x * x; }

#pragma omp declare simd uniform(factor) notinbranch simdlen(4)
static float scaled(float x, float factor) { return x * factor; }

#pragma omp declare simd linear(place : 1) uniform(numbers)
static int element(const int *numbers, int place) { return numbers[place]; }

#pragma omp declare simd inbranch
static int odd_only(int x) { return x % 2 ? x : -1; }

#pragma omp declare simd aligned(numbers : 16) linear(numbers)
static int first(const int *numbers) { return *numbers; }

enum { SIZE = 501 };

static void called_from_loops(void)
{
    static double reals[SIZE];
    static float singles[SIZE];
    static int numbers[SIZE], found[SIZE];
    int sum = 0;
    for (int i = 0; i < SIZE; i++) numbers[i] = i, found[i] = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < SIZE; i++) {
        reals[i] = square(i);
        singles[i] = scaled((float) i, 0.5f);
        sum += element(numbers, i);
        if (i % 3 == 0) found[i] = odd_only(i);
    }
    for (int i = 0; i < SIZE; i++) {
        CHECK(reals[i] == (double) i * i);
        CHECK(singles[i] == (float) i * 0.5f);
        CHECK_EQUAL(found[i], i % 3 ? 0 : i % 2 ? i : -1);
    }
    CHECK_EQUAL(sum, SIZE * (SIZE - 1) / 2);
    CHECK_EQUAL(first(numbers), 0);
}

static void shared_among_threads(void)
{
    double sum = 0;
#pragma omp parallel for simd reduction(+ : sum)
    for (int i = 0; i < SIZE; i++) sum += square(i);
    CHECK(sum == 500.0 * 501 * 1001 / 6);
}

int main(void)
{
    RUN(called_from_loops);
    RUN(shared_among_threads);
    return finish();
}
