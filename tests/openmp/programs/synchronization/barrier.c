/* 2.19.2 barrier: nobody passes before all are there; in functions, in inner teams, many in a row; tasks end there. */
#include <omp.h>

#include "../check.h"

static void nobody_is_ahead(void)
{
    static int steps[16];
    int wrong = 0;
    memset(steps, 0, sizeof steps);
#pragma omp parallel num_threads(6)
    {
        int me = omp_get_thread_num(), all = omp_get_num_threads();
        for (int round = 1; round <= 500; round++) {
            if (round % 100 == me) linger();
            write_word(&steps[me], round);
#pragma omp barrier
            for (int other = 0; other < all; other++)
                if (read_word(&steps[other]) != round) add_to_word(&wrong, 1);
#pragma omp barrier
        }
    }
    CHECK_EQUAL(wrong, 0);
}

static void one_is_late(void)
{
    int arrived = 0, wrong = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(4)
    {
        if (omp_get_thread_num() == 3) {
            double until = omp_get_wtime() + 0.03;
            while (omp_get_wtime() < until) linger();
        }
        add_to_word(&arrived, 1);
#pragma omp barrier
        if (read_word(&arrived) != 4) add_to_word(&wrong, 1);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(wrong, 0);
}

static int number;

static void publish_and_read(int value, int *wrong)
{
    if (omp_get_thread_num() == 0) number = value;
#pragma omp barrier
    if (number != value) add_to_word(wrong, 1);
#pragma omp barrier
}

static void in_functions(void)
{
    int wrong = 0;
#pragma omp parallel
    for (int round = 0; round < 1000; round++) publish_and_read(round, &wrong);
    CHECK_EQUAL(wrong, 0);
    publish_and_read(5, &wrong);
    CHECK_EQUAL(wrong, 0);
}

static void plain_data_goes_through(void)
{
    enum { SIZE = 256 };
    static double left[SIZE], right[SIZE];
    for (int i = 0; i < SIZE; i++) left[i] = i == 0;
#pragma omp parallel
    {
        int me = omp_get_thread_num(), all = omp_get_num_threads();
        for (int round = 0; round < 200; round++) {
            double *from = round % 2 ? right : left, *to = round % 2 ? left : right;
            for (int i = me; i < SIZE; i += all) to[i] = from[(i + SIZE - 1) % SIZE];
#pragma omp barrier
        }
    }
    for (int i = 0; i < SIZE; i++) CHECK(left[i] == (i == 200));
}

static void inner_teams_have_their_own(void)
{
    int wrong = 0;
    omp_set_max_active_levels(2);
#pragma omp parallel num_threads(2)
    {
        int rounds = omp_get_thread_num() ? 30 : 3, count = 0;  /* different numbers of barriers */
#pragma omp parallel num_threads(2) shared(count, rounds, wrong)
        for (int round = 1; round <= rounds; round++) {
            add_to_word(&count, 1);
#pragma omp barrier
            if (read_word(&count) != round * omp_get_num_threads()) add_to_word(&wrong, 1);
#pragma omp barrier
        }
    }
    omp_set_max_active_levels(1);
    CHECK_EQUAL(wrong, 0);
}

static void tasks_are_done(void)
{
    int wrong = 0;
    for (int round = 0; round < 50; round++) {
        int done = 0;
#pragma omp parallel
        {
#pragma omp masked
            for (int i = 0; i < 20; i++) {
#pragma omp task
                {
                    linger();
                    add_to_word(&done, 1);
                }
            }
#pragma omp barrier
            if (read_word(&done) != 20) add_to_word(&wrong, 1);
        }
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(nobody_is_ahead);
    RUN(one_is_late);
    RUN(in_functions);
    RUN(plain_data_goes_through);
    RUN(inner_teams_have_their_own);
    RUN(tasks_are_done);
    return finish();
}
