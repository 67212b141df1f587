/* 2.11.9 tile and unroll, alone and under for. */
// gcc: 12 has neither
#include <omp.h>

#include "../check.h"

static int counts[2000];

static void expect(int number)
{
    for (int i = 0; i < 2000; i++) CHECK_EQUAL(counts[i], i < number);
    memset(counts, 0, sizeof counts);
}

static void tile(void)
{
#pragma omp tile sizes(4, 7)
    for (int i = 0; i < 30; i++)
        for (int j = 0; j < 40; j++) counts[40 * i + j]++;
    expect(1200);
#pragma omp parallel for collapse(2) schedule(dynamic)
#pragma omp tile sizes(8, 8)
    for (int i = 0; i < 30; i++)
        for (int j = 0; j < 40; j++) counts[40 * i + j]++;
    expect(1200);
}

static void unroll(void)
{
#pragma omp unroll partial(4)
    for (int i = 0; i < 1003; i++) counts[i]++;
    expect(1003);
#pragma omp unroll full
    for (int i = 0; i < 13; i++) counts[i]++;
    expect(13);
#pragma omp parallel for schedule(static, 3)
#pragma omp unroll partial(3)
    for (int i = 0; i < 1000; i++) counts[i]++;
    expect(1000);
}

int main(void)
{
    RUN(tile);
    RUN(unroll);
    return finish();
}
