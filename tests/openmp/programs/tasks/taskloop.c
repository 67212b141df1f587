/* 2.12.2 taskloop: grainsize, num_tasks, nogroup, collapse, if, final, private data, lastprivate, reductions. */
#include <omp.h>

#include "../check.h"

enum { SIZE = 500 };
static int counts[SIZE];

static void expect(int times)
{
    for (int i = 0; i < SIZE; i++) CHECK_EQUAL(counts[i], times);
    memset(counts, 0, sizeof counts);
}

static void each_iteration_once(void)
{
#pragma omp parallel
#pragma omp single
    {
#pragma omp taskloop
        for (int i = 0; i < SIZE; i++) add_to_word(&counts[i], 1);
#pragma omp taskloop grainsize(7)
        for (int i = SIZE - 1; i >= 0; i--) add_to_word(&counts[i], 1);
#pragma omp taskloop num_tasks(9)
        for (long long i = 0; i < 2 * SIZE; i += 2) add_to_word(&counts[i / 2], 1);
#pragma omp taskloop grainsize(100000)
        for (unsigned i = 0; i < SIZE; i++) add_to_word(&counts[i], 1);
#pragma omp taskloop num_tasks(100000)
        for (int i = 0; i < SIZE; i++) add_to_word(&counts[i], 1);
#pragma omp taskloop num_tasks(1)
        for (int i = 0; i < SIZE; i++) add_to_word(&counts[i], 1);
    }
    expect(6);
}

static void by_all_threads(void)
{
    int size = 0;
#pragma omp parallel
    {
#pragma omp taskloop
        for (int i = 0; i < SIZE; i++) add_to_word(&counts[i], 1);
#pragma omp master
        size = omp_get_num_threads();
    }
    expect(size);
}

static void waits_at_its_end(void)
{
    int wrong = 0;
#pragma omp parallel
#pragma omp single
    for (int round = 0; round < 50; round++) {
        int done = 0;
#pragma omp taskloop shared(done) grainsize(2)
        for (int i = 0; i < 20; i++) {
            if (i % 7 == 0) linger();
            add_to_word(&done, 1);
        }
        if (done != 20) wrong++;
#pragma omp taskloop shared(done) nogroup num_tasks(4)
        for (int i = 0; i < 20; i++) add_to_word(&done, 1);
#pragma omp taskwait
        if (done != 40) wrong++;
    }
    CHECK_EQUAL(wrong, 0);
}

static void data(void)
{
    int first = 5, own = 0, last = -1, wrong = 0, i;
#pragma omp parallel
#pragma omp single
    {
#pragma omp taskloop firstprivate(first) private(own) lastprivate(last) shared(wrong) grainsize(11)
        for (i = 0; i < SIZE; i++) {
            own = i;
            if (first < 5) add_to_word(&wrong, 1);
            linger();
            if (own != i) add_to_word(&wrong, 1);
            last = i * 2;
        }
        if (last != 2 * SIZE - 2) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(last, 2 * SIZE - 2);
    CHECK_EQUAL(first, 5);
}

static void collapsed(void)
{
#pragma omp parallel
#pragma omp single
    {
#pragma omp taskloop collapse(2) grainsize(3)
        for (int i = 0; i < 20; i++)
            for (int j = 0; j < 25; j++) add_to_word(&counts[25 * i + j], 1);
#pragma omp taskloop collapse(3) num_tasks(6)
        for (int i = 0; i < 10; i++)
            for (int j = 10; j > 0; j--)
                for (long k = 0; k < 5; k++) add_to_word(&counts[50 * i + 5 * (j - 1) + k], 1);
    }
    expect(2);
}

static void reductions(void)
{
    long long sum = 10, squares = 0;
    int most = -1;
#pragma omp parallel
#pragma omp single
    {
#pragma omp taskloop reduction(+ : sum) reduction(max : most) grainsize(10)
        for (int i = 0; i < 1000; i++) {
            sum += i;
            if (i > most) most = i;
        }
#pragma omp taskgroup task_reduction(+ : squares)
        {
#pragma omp taskloop in_reduction(+ : squares) nogroup
            for (int i = 0; i < 100; i++) squares += i * i;
#pragma omp task in_reduction(+ : squares)
            squares += 1000000;
        }
    }
    CHECK_EQUAL(sum, 499510);
    CHECK_EQUAL(most, 999);
    CHECK_EQUAL(squares, 1328350);
}

static void other_clauses(void)
{
    int wrong = 0;
#pragma omp parallel
#pragma omp single
    {
        int me = omp_get_thread_num();
#pragma omp taskloop if (0) shared(wrong)
        for (int i = 0; i < SIZE; i++) {
            add_to_word(&counts[i], 1);
            if (omp_get_thread_num() != me) add_to_word(&wrong, 1);
        }
#pragma omp taskloop untied mergeable priority(2)
        for (int i = 0; i < SIZE; i++) add_to_word(&counts[i], 1);
#pragma omp taskloop final(1) shared(wrong)
        for (int i = 0; i < SIZE; i++) {
            add_to_word(&counts[i], 1);
            if (!omp_in_final()) add_to_word(&wrong, 1);
        }
#pragma omp taskloop simd grainsize(16)
        for (int i = 0; i < SIZE; i++) counts[i]++;
#pragma omp taskloop
        for (int i = 0; i < 0; i++) wrong++;
    }
    expect(4);
    CHECK_EQUAL(wrong, 0);
}

static void combined(void)
{
#pragma omp parallel master taskloop shared(counts)
    for (int i = 0; i < SIZE; i++) add_to_word(&counts[i], 1);
#pragma omp parallel master taskloop simd
    for (int i = 0; i < SIZE; i++) counts[i]++;
    expect(2);
}

int main(void)
{
    RUN(each_iteration_once);
    RUN(by_all_threads);
    RUN(waits_at_its_end);
    RUN(data);
    RUN(collapsed);
    RUN(reductions);
    RUN(other_clauses);
    RUN(combined);
    return finish();
}
