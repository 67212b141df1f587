/* 2.11.5 simd and its clauses: safelen, simdlen, aligned, linear, private, lastprivate, reduction, collapse, if,
 * nontemporal; ordered simd. */
#include <omp.h>

#include "../check.h"

enum { SIZE = 1003 };
static float a[SIZE], b[SIZE], c[SIZE];
static int numbers[SIZE];

static void fill(void)
{
    for (int i = 0; i < SIZE; i++) a[i] = (float) i, b[i] = (float) (i % 7), c[i] = -1, numbers[i] = i;
}

static void plain(void)
{
    fill();
#pragma omp simd
    for (int i = 0; i < SIZE; i++) c[i] = a[i] * 2 + b[i];
    for (int i = 0; i < SIZE; i++) CHECK(c[i] == (float) (2 * i + i % 7));
}

/* Iterations that are 8 apart depend on each other. */
static void safelen(void)
{
    fill();
#pragma omp simd safelen(8)
    for (int i = 8; i < SIZE; i++) numbers[i] = numbers[i - 8] + 1;
    for (int i = 0; i < SIZE; i++) CHECK_EQUAL(numbers[i], i % 8 + i / 8);
    fill();
#pragma omp simd simdlen(4) safelen(4)
    for (int i = 4; i < SIZE; i++) a[i] = a[i - 4] + 1;
    for (int i = 0; i < SIZE; i++) CHECK(a[i] == (float) (i % 4 + i / 4));
}

static void aligned(void)
{
    double *x = aligned_alloc(64, 64 * 100), *y = aligned_alloc(64, 64 * 100), sum = 0;
    for (int i = 0; i < 800; i++) x[i] = i, y[i] = 1;
#pragma omp simd aligned(x, y : 64) reduction(+ : sum) simdlen(4)
    for (int i = 0; i < 800; i++) sum += x[i] * y[i];
    CHECK(sum == 319600);
#pragma omp simd aligned(x) nontemporal(y) if (simd : sum > 0)
    for (int i = 0; i < 800; i++) y[i] = x[i] + 1;
    for (int i = 0; i < 800; i++) CHECK(y[i] == i + 1);
    free(x);
    free(y);
}

static void data(void)
{
    fill();
    int own = 5, last = 0, place = 3;
    long long sum = 0;
#pragma omp simd private(own) lastprivate(last) linear(place : 2) reduction(+ : sum)
    for (int i = 0; i < SIZE; i++) {
        own = numbers[i] * 3;
        last = own + 1;
        sum += place;
        place += 2;
    }
    CHECK_EQUAL(last, (SIZE - 1) * 3 + 1);
    CHECK_EQUAL(own, 5);
    CHECK_EQUAL(place, 3 + 2 * SIZE);
    CHECK_EQUAL(sum, 3LL * SIZE + (long long) SIZE * (SIZE - 1));
}

static void reductions(void)
{
    fill();
    int most = -1, all = -1, any = 0;
    double product = 1;
#pragma omp simd reduction(max : most) reduction(& : all) reduction(| : any) reduction(* : product)
    for (int i = 0; i < SIZE; i++) {
        if (numbers[i] > most) most = numbers[i];
        all &= ~(i & 4);
        any |= i;
        product *= i % 100 ? 1 : 2;
    }
    CHECK(most == SIZE - 1 && all == ~4 && any == 1023 && product == 2048);
}

static void collapse(void)
{
    static int grid[30][40];
    int i, j;
#pragma omp simd collapse(2) lastprivate(i, j)
    for (i = 0; i < 30; i++)
        for (j = 0; j < 40; j++) grid[i][j] = 100 * i + j;
    CHECK(i == 30 && j == 40);
    for (i = 0; i < 30; i++)
        for (j = 0; j < 40; j++) CHECK_EQUAL(grid[i][j], 100 * i + j);
}

static void ordered_simd(void)
{
    int order[SIZE], next = 0;
#pragma omp simd
    for (int i = 0; i < SIZE; i++) {
#pragma omp ordered simd
        order[next++] = i;
    }
    CHECK_EQUAL(next, SIZE);
    for (int i = 0; i < SIZE; i++) CHECK_EQUAL(order[i], i);
}

static void counter_is_lastprivate(void)
{
    int i;
#pragma omp simd
    for (i = 0; i < SIZE; i += 4) numbers[i] = 0;
    CHECK_EQUAL(i, 1004);
}

int main(void)
{
    RUN(plain);
    RUN(safelen);
    RUN(aligned);
    RUN(data);
    RUN(reductions);
    RUN(collapse);
    RUN(ordered_simd);
    RUN(counter_is_lastprivate);
    return finish();
}
