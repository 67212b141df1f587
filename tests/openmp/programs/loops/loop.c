/* 2.11.7 loop, with bind, and order(concurrent): iterations in any order by any thread of the region it binds to. */
#include <omp.h>

#include "../check.h"

static int counts[500];

static void expect(int times)
{
    for (int i = 0; i < 500; i++) CHECK_EQUAL(counts[i], times);
    memset(counts, 0, sizeof counts);
}

static void alone(void)
{
#pragma omp loop bind(thread)
    for (int i = 0; i < 500; i++) counts[i]++;
    expect(1);
}

static void in_a_region(void)
{
    int size = 0;
#pragma omp parallel
    {
#pragma omp loop bind(parallel)
        for (int i = 0; i < 500; i++) counts[i]++;
#pragma omp loop
        for (int i = 0; i < 500; i++) counts[i]++;
#pragma omp master
        size = omp_get_num_threads();
    }
    expect(2);
#pragma omp parallel
    {
#pragma omp loop bind(thread)
        for (int i = 0; i < 500; i++) __atomic_fetch_add(&counts[i], 1, __ATOMIC_RELAXED);
#pragma omp barrier
#pragma omp master
        size = omp_get_num_threads();
    }
    expect(size);
}

static void combined(void)
{
    int sum = 0, last = 0;
#pragma omp parallel loop reduction(+ : sum) collapse(2)
    for (int i = 0; i < 20; i++)
        for (int j = 0; j < 20; j++) sum += i * j;
    CHECK_EQUAL(sum, 36100);
    sum = 0;
#pragma omp parallel loop order(concurrent) private(last)
    for (int i = 0; i < 500; i++) {
        last = 1;
        counts[i] += last;
    }
    expect(1);
#pragma omp teams loop reduction(+ : sum)
    for (int i = 0; i < 100; i++) sum += i;
    CHECK_EQUAL(sum, 4950);
}

static void order_concurrent(void)
{
    int sum = 0;
#pragma omp parallel for order(concurrent) reduction(+ : sum)
    for (int i = 0; i < 1000; i++) sum += i;
    CHECK_EQUAL(sum, 499500);
#pragma omp simd order(concurrent)
    for (int i = 0; i < 500; i++) counts[i] = 1;
    expect(1);
}

int main(void)
{
    RUN(alone);
    RUN(in_a_region);
    RUN(combined);
    RUN(order_concurrent);
    return finish();
}
