/* 2.19.11 depend: in, out, inout, mutexinoutset, on variables, elements and sections of arrays. */
#include <omp.h>

#include "../check.h"

static void chain(void)
{
    for (int round = 0; round < 20; round++) {
        unsigned value = 1, wanted = 1;
#pragma omp parallel
#pragma omp single
        for (int i = 0; i < 60; i++) {
#pragma omp task depend(inout : value) shared(value)
            {
                unsigned before = value;
                if (i % 9 == 0) linger();
                value = mix(before + (unsigned) i);
            }
        }
        for (int i = 0; i < 60; i++) wanted = mix(wanted + (unsigned) i);
        CHECK(value == wanted);
    }
}

static void readers_between_writers(void)
{
    int wrong = 0;
    for (int round = 0; round < 20; round++) {
        int value = 0, readers = 0;
#pragma omp parallel
#pragma omp single
        for (int step = 1; step <= 10; step++) {
#pragma omp task depend(out : value) shared(value, readers, wrong)
            {
                if (read_word(&readers)) add_to_word(&wrong, 1);
                linger();
                value = step;
            }
            for (int reader = 0; reader < 5; reader++) {
#pragma omp task depend(in : value) shared(value, readers, wrong)
                {
                    add_to_word(&readers, 1);
                    if (value != step) add_to_word(&wrong, 1);
                    linger();
                    if (value != step) add_to_word(&wrong, 1);
                    add_to_word(&readers, -1);
                }
            }
        }
    }
    CHECK_EQUAL(wrong, 0);
}

/* Readers of the same value run at the same time. */
static void readers_are_together(void)
{
    int value = 0, meeting = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(3)
#pragma omp single
    {
#pragma omp task depend(out : value) shared(value)
        value = 1;
        for (int reader = 0; reader < 2; reader++) {
#pragma omp task depend(in : value) shared(meeting)
            {
                add_to_word(&meeting, 1);
                wait_for_word(&meeting, 2);
            }
        }
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(meeting, 2);
}

static void mutexinoutset(void)
{
    int wrong = 0;
    for (int round = 0; round < 20; round++) {
        int count = -100, seen = 0, other = 0;
#pragma omp parallel
#pragma omp single
        {
#pragma omp task depend(out : count) shared(count)
            {
                linger();
                count = 0;
            }
            for (int i = 0; i < 12; i++) {
#pragma omp task depend(mutexinoutset : count) shared(count)
                slow_increment(&count);
#pragma omp task depend(mutexinoutset : count, other) shared(count, other)
                {
                    slow_increment(&count);
                    slow_increment(&other);
                }
            }
#pragma omp task depend(in : count) shared(count, seen)
            seen = count;
        }
        if (seen != 24 || other != 12) wrong++;
    }
    CHECK_EQUAL(wrong, 0);
}

static void elements(void)
{
    int numbers[20], wrong = 0;
    for (int round = 0; round < 20; round++) {
        memset(numbers, 0, sizeof numbers);
#pragma omp parallel
#pragma omp single
        for (int step = 0; step < 10; step++)
            for (int i = 1; i < 20; i++) {
#pragma omp task depend(in : numbers[i - 1]) depend(inout : numbers[i]) shared(numbers)
                numbers[i] += numbers[i - 1] + 1;
            }
        int wanted[20] = {0};
        for (int step = 0; step < 10; step++)
            for (int i = 1; i < 20; i++) wanted[i] += wanted[i - 1] + 1;
        for (int i = 0; i < 20; i++) wrong += numbers[i] != wanted[i];
    }
    CHECK_EQUAL(wrong, 0);
}

static void blocks(void)
{
    enum { SIZE = 8 };
    static double grid[SIZE][SIZE], wanted[SIZE][SIZE];
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) grid[i][j] = wanted[i][j] = (i == 0) + (j == 0);
#pragma omp parallel
#pragma omp single
    for (int i = 1; i < SIZE; i++)
        for (int j = 1; j < SIZE; j++) {
#pragma omp task depend(in : grid[i - 1][j], grid[i][j - 1]) depend(out : grid[i][j])
            {
                linger();
                grid[i][j] = grid[i - 1][j] + grid[i][j - 1];
            }
        }
    for (int i = 1; i < SIZE; i++)
        for (int j = 1; j < SIZE; j++) {
            wanted[i][j] = wanted[i - 1][j] + wanted[i][j - 1];
            CHECK(grid[i][j] == wanted[i][j]);
        }
}

static void sections_of_arrays(void)
{
    int numbers[100], wrong = 0;
    int *place = numbers;
    for (int round = 0; round < 20; round++) {
        int sum = 0;
        memset(numbers, 0, sizeof numbers);
#pragma omp parallel
#pragma omp single
        {
#pragma omp task depend(out : place[0 : 50])
            for (int i = 0; i < 50; i++) numbers[i] = 1;
#pragma omp task depend(out : place[50 : 50])
            for (int i = 50; i < 100; i++) numbers[i] = 2;
#pragma omp task depend(in : place[0 : 50], place[50 : 50]) shared(sum)
            for (int i = 0; i < 100; i++) sum += numbers[i];
        }
        wrong += sum != 150;
    }
    CHECK_EQUAL(wrong, 0);
}

static void among_siblings_only(void)
{
    int order = 0, wrong = 0, value = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(3)
#pragma omp single
    {
#pragma omp task depend(out : value) shared(order, wrong, value)
        {
#pragma omp task depend(out : value) shared(order)
            add_to_word(&order, 1);
#pragma omp taskwait
            if (read_word(&order) != 1) add_to_word(&wrong, 1);
        }
#pragma omp task depend(in : value) shared(order, wrong)
        if (read_word(&order) != 1) add_to_word(&wrong, 1);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(wrong, 0);
}

static void undeferred(void)
{
    int value = 0, wrong = 0;
#pragma omp parallel
#pragma omp single
    for (int round = 0; round < 50; round++) {
#pragma omp task depend(out : value) shared(value)
        {
            linger();
            value = round;
        }
#pragma omp task if (0) depend(in : value) shared(value, wrong)
        if (value != round) wrong++;
    }
    CHECK_EQUAL(wrong, 0);
}

static void thousands(void)
{
    enum { CELLS = 16 };
    static unsigned cells[CELLS], wanted[CELLS];
    memset(cells, 0, sizeof cells);
    memset(wanted, 0, sizeof wanted);
#pragma omp parallel
#pragma omp single
    for (unsigned i = 0; i < 3000; i++) {
        unsigned from = mix(i) % CELLS, to = mix(i + 100000) % CELLS;
#pragma omp task depend(in : cells[from]) depend(inout : cells[to])
        cells[to] = mix(cells[to] + cells[from] + i);
    }
    for (unsigned i = 0; i < 3000; i++) {
        unsigned from = mix(i) % CELLS, to = mix(i + 100000) % CELLS;
        wanted[to] = mix(wanted[to] + wanted[from] + i);
    }
    for (int i = 0; i < CELLS; i++) CHECK(cells[i] == wanted[i]);
    SHOW("first %u", cells[0]);
}

int main(void)
{
    RUN(chain);
    RUN(readers_between_writers);
    RUN(readers_are_together);
    RUN(mutexinoutset);
    RUN(elements);
    RUN(blocks);
    RUN(sections_of_arrays);
    RUN(among_siblings_only);
    RUN(undeferred);
    RUN(thousands);
    return finish();
}
