/* 2.11.5.2 for simd and parallel for simd: shared among threads, then vectorised. */
#include <omp.h>

#include "../check.h"

enum { SIZE = 1003 };
static int counts[SIZE];
static double reals[SIZE];

static void expect(int times)
{
    for (int i = 0; i < SIZE; i++) CHECK_EQUAL(counts[i], times);
    memset(counts, 0, sizeof counts);
}

static void each_once(void)
{
#pragma omp parallel
    {
#pragma omp for simd
        for (int i = 0; i < SIZE; i++) counts[i]++;
#pragma omp for simd schedule(static, 5)
        for (int i = 0; i < SIZE; i++) counts[i]++;
#pragma omp for simd schedule(dynamic, 7)
        for (int i = SIZE - 1; i >= 0; i--) counts[i]++;
#pragma omp for simd schedule(simd : dynamic, 3) simdlen(8)
        for (int i = 0; i < SIZE; i++) counts[i]++;
#pragma omp for simd schedule(guided)
        for (long i = 0; i < SIZE; i++) counts[i]++;
#pragma omp for simd schedule(runtime)
        for (unsigned i = 0; i < SIZE; i++) counts[i]++;
    }
    expect(6);
}

static void combined(void)
{
    double sum = 0, last = 0;
#pragma omp parallel for simd reduction(+ : sum) lastprivate(last) if (parallel : SIZE > 5)
    for (int i = 0; i < SIZE; i++) {
        reals[i] = i * 0.5;
        sum += reals[i];
        last = reals[i];
    }
    CHECK(sum == 0.25 * SIZE * (SIZE - 1) && last == (SIZE - 1) * 0.5);
}

static void static_simd(void)
{
#pragma omp parallel for simd schedule(simd : static, 5)
    for (int i = 0; i < SIZE; i++) counts[i]++;
    expect(1);
}

static void collapsed(void)
{
#pragma omp parallel for simd collapse(2) schedule(static, 3)
    for (int i = 0; i < 17; i++)
        for (int j = 0; j < 59; j++) counts[59 * i + j]++;
    expect(1);
}

static void ordered(void)
{
    int next = 0, wrong = 0;
#pragma omp parallel for simd ordered schedule(dynamic, 4)
    for (int i = 0; i < 300; i++) {
#pragma omp ordered threads simd
        wrong += next++ != i;
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(each_once);
    RUN(combined);
    RUN(static_simd);
    RUN(collapsed);
    RUN(ordered);
    return finish();
}
