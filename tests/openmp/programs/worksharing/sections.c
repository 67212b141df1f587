/* 2.10.1 sections: each section once, by any thread, with the clauses; more sections than threads and fewer. */
#include <omp.h>

#include "../check.h"

static int counts[12];

static void expect(int number, int times)
{
    for (int i = 0; i < 12; i++) CHECK_EQUAL(counts[i], i < number ? times : 0);
    memset(counts, 0, sizeof counts);
}

static void each_once(void)
{
    for (int threads = 1; threads < 7; threads++) {
#pragma omp parallel sections num_threads(threads)
        {
            add_to_word(&counts[0], 1);
#pragma omp section
            add_to_word(&counts[1], 1);
#pragma omp section
            {
                add_to_word(&counts[2], 1);
                linger();
            }
#pragma omp section
            add_to_word(&counts[3], 1);
#pragma omp section
            add_to_word(&counts[4], 1);
        }
        expect(5, 1);
    }
}

static void only_one(void)
{
#pragma omp parallel
    {
#pragma omp sections
        {
#pragma omp section
            add_to_word(&counts[0], 1);
        }
    }
    expect(1, 1);
}

static void at_the_same_time(void)
{
    int meeting = 0;
    omp_set_dynamic(0);
#pragma omp parallel sections num_threads(2)
    {
        {
            add_to_word(&meeting, 1);
            wait_for_word(&meeting, 2);
        }
#pragma omp section
        {
            add_to_word(&meeting, 1);
            wait_for_word(&meeting, 2);
        }
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(meeting, 2);
}

static void clauses(void)
{
    int own = 5, first = 9, last = 0, sum = 1, wrong = 0;
#pragma omp parallel
    {
#pragma omp sections private(own) firstprivate(first) lastprivate(last) reduction(+ : sum)
        {
            {
                own = 1;
                if (first != 9) add_to_word(&wrong, 1);
                last = 1;
                sum += 10;
            }
#pragma omp section
            {
                own = 2;
                last = 2;
                sum += 100;
            }
#pragma omp section
            {
                own = 3;
                last = 3;
                sum += own * 1000;
            }
        }
        if (last != 3 || sum != 3111) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(own, 5);
    CHECK_EQUAL(last, 3);
    CHECK_EQUAL(sum, 3111);
    CHECK_EQUAL(wrong, 0);
}

static void barrier_at_the_end(void)
{
    int wrong = 0;
    for (int round = 0; round < 100; round++) {
        int done = 0;
#pragma omp parallel
        {
#pragma omp sections
            {
                {
                    linger();
                    add_to_word(&done, 1);
                }
#pragma omp section
                add_to_word(&done, 1);
            }
            if (read_word(&done) != 2) add_to_word(&wrong, 1);
        }
    }
    CHECK_EQUAL(wrong, 0);
}

static void without_barriers_in_a_row(void)
{
#pragma omp parallel
    for (int round = 0; round < 100; round++) {
#pragma omp sections nowait
        {
            add_to_word(&counts[0], 1);
#pragma omp section
            add_to_word(&counts[1], 1);
#pragma omp section
            add_to_word(&counts[2], 1);
        }
    }
    expect(3, 100);
}

static void with_loops_inside(void)
{
    long long left = 0, right = 0;
#pragma omp parallel sections reduction(+ : left, right)
    {
        for (int i = 0; i < 1000; i++) left += i;
#pragma omp section
        for (int i = 0; i < 1000; i++) right -= i;
    }
    CHECK_EQUAL(left, 499500);
    CHECK_EQUAL(right, -499500);
}

int main(void)
{
    RUN(each_once);
    RUN(only_one);
    RUN(at_the_same_time);
    RUN(clauses);
    RUN(barrier_at_the_end);
    RUN(without_barriers_in_a_row);
    RUN(with_loops_inside);
    return finish();
}
