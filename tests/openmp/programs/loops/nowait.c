/* 2.10, 2.11 nowait: no thread waits at the end, many loops are under way at once, and each is done once. */
#include <omp.h>

#include "../check.h"

/* The first thread goes on although the second has not finished: it would hang with a barrier. */
static void nobody_waits(void)
{
    int gone_on = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(2)
    {
#pragma omp for schedule(static, 1) nowait
        for (int i = 0; i < 2; i++)
            if (i == 1) wait_for_word(&gone_on, 1);
        if (omp_get_thread_num() == 0) write_word(&gone_on, 1);
    }
    CHECK_EQUAL(gone_on, 1);
    gone_on = 0;
#pragma omp parallel num_threads(2)
    {
        int mine = 0;
#pragma omp single nowait
        {
            mine = 1;
            wait_for_word(&gone_on, 1);
        }
        if (!mine) write_word(&gone_on, 1);
    }
    CHECK_EQUAL(gone_on, 1);
    gone_on = 0;
#pragma omp parallel num_threads(2)
    {
        int mine = 0;
#pragma omp sections nowait
        {
            {
                mine = 1;
                wait_for_word(&gone_on, 1);
            }
        }
        if (!mine) write_word(&gone_on, 1);
    }
    CHECK_EQUAL(gone_on, 1);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void everybody_waits(void)
{
    for (int round = 0; round < 100; round++) {
        int done = 0, wrong = 0;
#pragma omp parallel
        {
#pragma omp for schedule(static, 1)
            for (int i = 0; i < 8; i++) {
                if (i % 2) linger();
                add_to_word(&done, 1);
            }
            if (read_word(&done) != 8) add_to_word(&wrong, 1);
        }
        CHECK_EQUAL(wrong, 0);
    }
}

static void hundreds_of_loops_at_once(void)
{
    enum { LOOPS = 500, TRIPS = 12 };
    static int counts[LOOPS][TRIPS];
    memset(counts, 0, sizeof counts);
#pragma omp parallel
    for (int loop = 0; loop < LOOPS; loop++) {
        if (loop % 4 == 0) {
#pragma omp for schedule(dynamic) nowait
            for (int i = 0; i < TRIPS; i++) add_to_word(&counts[loop][i], 1);
        } else if (loop % 4 == 1) {
#pragma omp for schedule(static, 5) nowait
            for (int i = 0; i < TRIPS; i++) add_to_word(&counts[loop][i], 1);
        } else if (loop % 4 == 2) {
#pragma omp for schedule(guided) nowait
            for (long long i = 0; i < TRIPS; i++) add_to_word(&counts[loop][i], 1);
        } else {
            for (int i = 0; i < TRIPS; i++) {
#pragma omp single nowait
                add_to_word(&counts[loop][i], 1);
            }
        }
    }
    for (int loop = 0; loop < LOOPS; loop++)
        for (int i = 0; i < TRIPS; i++) CHECK_EQUAL(counts[loop][i], 1);
}

/* One thread stays behind in the first loop while the others run hundreds further: whatever the runtime keeps for each
 * loop must not be used twice. */
static void one_stays_behind(void)
{
    enum { LOOPS = 300 };
    static int counts[LOOPS];
    int finished = 0;
    memset(counts, 0, sizeof counts);
    omp_set_dynamic(0);
#pragma omp parallel num_threads(3)
    for (int loop = 0; loop < LOOPS; loop++) {
#pragma omp for schedule(dynamic) nowait
        for (int i = 0; i < 6; i++) {
            if (loop == 0 && i == 0) wait_for_word(&finished, 6);
            add_to_word(&counts[loop], 1);
            if (loop == 5) add_to_word(&finished, 1);
        }
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    for (int loop = 0; loop < LOOPS; loop++) CHECK_EQUAL(counts[loop], 6);
}

static void reductions_are_complete_at_the_barrier(void)
{
    int sum = 0, wrong = 0;
#pragma omp parallel
    {
        for (int round = 0; round < 20; round++) {
#pragma omp for reduction(+ : sum) nowait schedule(dynamic)
            for (int i = 0; i < 10; i++) sum += 1;
        }
#pragma omp barrier
        if (sum != 200) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(sum, 200);
}

int main(void)
{
    RUN(nobody_waits);
    RUN(everybody_waits);
    RUN(hundreds_of_loops_at_once);
    RUN(one_stays_behind);
    RUN(reductions_are_complete_at_the_barrier);
    return finish();
}
