/* 2.19.9.2 ordered with depend(source) and depend(sink): loops whose iterations wait for earlier ones. */
#include <omp.h>

#include "../check.h"

enum { SIZE = 40 };
static int grid[SIZE][SIZE], reference[SIZE][SIZE];

#define CHAIN(name, clause)                                             \
    static void name(void)                                              \
    {                                                                   \
        unsigned numbers[300];                                          \
        numbers[0] = 1;                                                 \
        _Pragma(clause) for (int i = 1; i < 300; i++)                   \
        {                                                               \
            if (i % 7 == 0) linger();                                   \
            _Pragma("omp ordered depend(sink : i - 1)")                 \
            numbers[i] = mix(numbers[i - 1] + (unsigned) i);            \
            _Pragma("omp ordered depend(source)")                       \
        }                                                               \
        unsigned wanted = 1;                                            \
        for (int i = 1; i < 300; i++) {                                 \
            wanted = mix(wanted + (unsigned) i);                        \
            CHECK(numbers[i] == wanted);                                \
        }                                                               \
    }
CHAIN(chain, "omp parallel for ordered(1)")
CHAIN(chain_static_1, "omp parallel for ordered(1) schedule(static, 1)")
CHAIN(chain_static_4, "omp parallel for ordered(1) schedule(static, 4)")
CHAIN(chain_dynamic, "omp parallel for ordered(1) schedule(dynamic)")
CHAIN(chain_dynamic_3, "omp parallel for ordered(1) schedule(dynamic, 3)")
CHAIN(chain_guided, "omp parallel for ordered(1) schedule(guided)")

static void wavefront(void)
{
    for (int i = 0; i < SIZE; i++) grid[i][0] = grid[0][i] = reference[i][0] = reference[0][i] = i + 1;
    for (int i = 1; i < SIZE; i++)
        for (int j = 1; j < SIZE; j++)
            reference[i][j] = (int) (mix((unsigned) (reference[i - 1][j] + 3 * reference[i][j - 1])) % 1000);
#pragma omp parallel for ordered(2) schedule(dynamic)
    for (int i = 1; i < SIZE; i++)
        for (int j = 1; j < SIZE; j++) {
#pragma omp ordered depend(sink : i - 1, j) depend(sink : i, j - 1)
            grid[i][j] = (int) (mix((unsigned) (grid[i - 1][j] + 3 * grid[i][j - 1])) % 1000);
#pragma omp ordered depend(source)
        }
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) CHECK_EQUAL(grid[i][j], reference[i][j]);
    SHOW("last %d", grid[SIZE - 1][SIZE - 1]);
}

static void farther_back(void)
{
    int numbers[100] = {1, 2, 3}, wanted[100] = {1, 2, 3};
    for (int i = 3; i < 100; i++) wanted[i] = (wanted[i - 3] * 5 + i) % 1009;
#pragma omp parallel for ordered(1) schedule(static, 1)
    for (int i = 3; i < 100; i++) {
#pragma omp ordered depend(sink : i - 3)
        numbers[i] = (numbers[i - 3] * 5 + i) % 1009;
#pragma omp ordered depend(source)
    }
    for (int i = 0; i < 100; i++) CHECK_EQUAL(numbers[i], wanted[i]);
}

static void steps_and_descending(void)
{
    int numbers[200] = {0};
    numbers[198] = 7;
#pragma omp parallel for ordered(1) schedule(dynamic)
    for (int i = 196; i >= 0; i -= 2) {
#pragma omp ordered depend(sink : i + 2)
        numbers[i] = (numbers[i + 2] * 3 + 1) % 997;
#pragma omp ordered depend(source)
    }
    int wanted = 7;
    for (int i = 196; i >= 0; i -= 2) {
        wanted = (wanted * 3 + 1) % 997;
        CHECK_EQUAL(numbers[i], wanted);
    }
}

static void collapsed(void)
{
    int next[30][30], wrong = 0;
    memset(next, 0, sizeof next);
#pragma omp parallel for collapse(2) ordered(2) schedule(static, 3)
    for (int i = 0; i < 30; i++)
        for (int j = 0; j < 30; j++) {
#pragma omp ordered depend(sink : i - 1, j + 1) depend(sink : i, j - 1)
            if (i > 0 && j < 29 && read_word(&next[i - 1][j + 1]) != 1) add_to_word(&wrong, 1);
            if (j > 0 && read_word(&next[i][j - 1]) != 1) add_to_word(&wrong, 1);
            write_word(&next[i][j], 1);
#pragma omp ordered depend(source)
        }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(chain);
    RUN(chain_static_1);
    RUN(chain_static_4);
    RUN(chain_dynamic);
    RUN(chain_dynamic_3);
    RUN(chain_guided);
    RUN(wavefront);
    RUN(farther_back);
    RUN(steps_and_descending);
    RUN(collapsed);
    return finish();
}
