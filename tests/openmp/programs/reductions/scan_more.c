/* 2.11.8 scan: loops of none or one iteration, the value from before, loops within a region. */
// cell: clang 22 leaves out the value from before, crashes in loops of one, and gives each thread a buffer of its own
#include <omp.h>

#include "../check.h"

enum { SIZE = 1000 };
static int from[SIZE], to[SIZE];

static void fill(void)
{
    for (int i = 0; i < SIZE; i++) {
        from[i] = (int) (mix((unsigned) i) % 100);
        to[i] = -1;
    }
}

static void short_loops(void)
{
    for (int length = 0; length < 5; length++) {
        fill();
        int sum = 5, wanted = 5;
#pragma omp parallel for reduction(inscan, + : sum)
        for (int i = 0; i < length; i++) {
            sum += from[i];
#pragma omp scan inclusive(sum)
            to[i] = sum;
        }
        for (int i = 0; i < length; i++) {
            wanted += from[i];
            CHECK_EQUAL(to[i], wanted);
        }
        CHECK_EQUAL(sum, wanted);
    }
}

static void maximum(void)
{
    fill();
    int most = -1, wanted = -1;
#pragma omp parallel
    {
#pragma omp for reduction(inscan, max : most)
        for (int i = 0; i < SIZE; i++) {
            if (from[i] > most) most = from[i];
#pragma omp scan inclusive(most)
            to[i] = most;
        }
    }
    for (int i = 0; i < SIZE; i++) {
        if (from[i] > wanted) wanted = from[i];
        CHECK_EQUAL(to[i], wanted);
    }
}

int main(void)
{
    RUN(short_loops);
    RUN(maximum);
    return finish();
}
