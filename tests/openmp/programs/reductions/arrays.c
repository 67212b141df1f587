/* 2.21.5 reductions of arrays and of sections of arrays, with bounds known or not. */
#include <omp.h>

#include "../check.h"

enum { SIZE = 50 };

static void whole_arrays(void)
{
    int numbers[SIZE];
    double grid[5][10];
    for (int i = 0; i < SIZE; i++) numbers[i] = i;
    memset(grid, 0, sizeof grid);
#pragma omp parallel for reduction(+ : numbers, grid)
    for (int i = 0; i < 1000; i++) {
        numbers[i % SIZE] += 1;
        grid[i % 5][i % 10] += 0.5;
    }
    for (int i = 0; i < SIZE; i++) CHECK_EQUAL(numbers[i], i + 20);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 10; j++) CHECK(grid[i][j] == (j % 5 == i ? 50 : 0));
}

static void sections_of_arrays(void)
{
    int numbers[SIZE] = {0};
#pragma omp parallel for reduction(+ : numbers[10 : 20]) schedule(dynamic, 3)
    for (int i = 0; i < 600; i++) numbers[10 + i % 20] += i % 3;
    for (int i = 0; i < SIZE; i++) {
        int wanted = 0;
        for (int k = 0; k < 600; k++)
            if (10 + k % 20 == i) wanted += k % 3;
        CHECK_EQUAL(numbers[i], wanted);
    }
#pragma omp parallel for reduction(max : numbers[ : 10])
    for (int i = 0; i < 100; i++)
        if (i > numbers[i % 10]) numbers[i % 10] = i;
    for (int i = 0; i < 10; i++) CHECK_EQUAL(numbers[i], 90 + i);
}

static void through_pointers(int length)
{
    double *sums = calloc((size_t) length, sizeof *sums);
    int from = 2, count = length - 3;
#pragma omp parallel for reduction(+ : sums[ : length])
    for (int i = 0; i < 10 * length; i++) sums[i % length] += i;
    double total = 0;
    for (int i = 0; i < length; i++) total += sums[i];
    CHECK(total == 10.0 * length * (10.0 * length - 1) / 2);
#pragma omp parallel for reduction(- : sums[from : count])
    for (int i = 0; i < length; i++)
        if (i >= from && i < from + count) sums[i] -= 1;
    CHECK(sums[0] == 45.0 * length && sums[2] == 10 * 2 + 45.0 * length - 1);
    free(sums);
}

static void pointers(void)
{
    through_pointers(8);
    through_pointers(1000);
    through_pointers(30000);
}

static void variable_length(int length)
{
    int numbers[length], grid[length * 3];
    memset(numbers, 0, sizeof numbers);
    memset(grid, 0, sizeof grid);
#pragma omp parallel for reduction(+ : numbers) reduction(| : grid)
    for (int i = 0; i < 4 * length; i++) {
        numbers[i % length]++;
        grid[i % length * 3 + i % 3] |= 1 << (i / length);
    }
    for (int i = 0; i < length; i++) CHECK_EQUAL(numbers[i], 4);
    for (int i = 0; i < length; i++) {
        int bits = 0;
        for (int k = 0; k < 3; k++) bits += __builtin_popcount((unsigned) grid[i * 3 + k]);
        CHECK_EQUAL(bits, 4);
    }
}

static void arrays_of_variable_length(void)
{
    variable_length(3);
    variable_length(17);
    variable_length(400);
}

static void of_regions_and_sections(void)
{
    int counts[4] = {0}, size = 0, bits[2] = {0};
#pragma omp parallel reduction(+ : counts)
    {
        for (int i = 0; i < 4; i++) counts[i] += i;
#pragma omp master
        size = omp_get_num_threads();
    }
    for (int i = 0; i < 4; i++) CHECK_EQUAL(counts[i], i * size);
#pragma omp parallel sections reduction(| : bits[0 : 2])
    {
        bits[0] |= 1;
#pragma omp section
        bits[1] |= 2;
#pragma omp section
        bits[0] |= 4;
    }
    CHECK(bits[0] == 5 && bits[1] == 2);
}

int main(void)
{
    RUN(whole_arrays);
    RUN(sections_of_arrays);
    RUN(pointers);
    RUN(arrays_of_variable_length);
    RUN(of_regions_and_sections);
    return finish();
}
