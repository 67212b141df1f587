/* 2.11.8 scan: inclusive and exclusive sums along loops, shared among threads or vectorised. (Not of fewer than two iterations, in
 * which the code of clang 22 crashes.) */
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

static void inclusive(void)
{
    for (int length = 2; length <= SIZE; length += 77) {
        fill();
        int sum = 0, wanted = 0;
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

static void exclusive(void)
{
    for (int length = 3; length <= SIZE; length += 77) {
        fill();
        int sum = 0, wanted = 0;
#pragma omp parallel for reduction(inscan, + : sum)
        for (int i = 0; i < length; i++) {
            to[i] = sum;
#pragma omp scan exclusive(sum)
            sum += from[i];
        }
        for (int i = 0; i < length; i++) {
            CHECK_EQUAL(to[i], wanted);
            wanted += from[i];
        }
        CHECK_EQUAL(sum, wanted);
    }
}

static void maximum(void)
{
    fill();
    int most = -1, wanted = -1;
#pragma omp parallel for reduction(inscan, max : most)
    for (int i = 0; i < SIZE; i++) {
        if (from[i] > most) most = from[i];
#pragma omp scan inclusive(most)
        to[i] = most;
    }
    for (int i = 0; i < SIZE; i++) {
        if (from[i] > wanted) wanted = from[i];
        CHECK_EQUAL(to[i], wanted);
    }
}

static void simd(void)
{
    fill();
    int sum = 0, wanted = 0;
#pragma omp simd reduction(inscan, + : sum)
    for (int i = 0; i < SIZE; i++) {
        sum += from[i];
#pragma omp scan inclusive(sum)
        to[i] = sum;
    }
    for (int i = 0; i < SIZE; i++) {
        wanted += from[i];
        CHECK_EQUAL(to[i], wanted);
    }
    double real = 0;
    static double reals[SIZE];
#pragma omp parallel for simd reduction(inscan, + : real)
    for (int i = 0; i < SIZE; i++) {
        reals[i] = real;
#pragma omp scan exclusive(real)
        real += 0.5 * i;
    }
    for (int i = 0; i < SIZE; i++) CHECK(reals[i] == 0.25 * i * (i - 1));
    CHECK(real == 0.25 * SIZE * (SIZE - 1));
}

int main(void)
{
    RUN(inclusive);
    RUN(exclusive);
    RUN(maximum);
    RUN(simd);
    return finish();
}
