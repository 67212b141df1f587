/* 2.20 a cancelled region: threads end it at different places, and the next one knows nothing of it. */
// run: OMP_CANCELLATION=true
#include <omp.h>

#include "../check.h"

/* The one that cancels and the one that does not meet at no barrier. */
static void one_goes_straight_to_the_end(void)
{
    int rounds = 0;
    for (; rounds < 30; rounds++) {
#pragma omp parallel num_threads(3)
        {
            if (omp_get_thread_num() == rounds % 3) {
#pragma omp cancel parallel
            }
        }
    }
    CHECK_EQUAL(rounds, 30);
}

/* Some wait at a barrier when another one cancels, and one comes to the end without it. */
static void some_are_at_a_barrier(void)
{
    int passed = 0;
    for (int round = 0; round < 30; round++) {
#pragma omp parallel num_threads(4)
        {
            int me = omp_get_thread_num();
            if (me == 0) {
                linger();
#pragma omp cancel parallel
            }
            if (me != 1) {
#pragma omp barrier
                add_to_word(&passed, 1);
            }
        }
    }
    CHECK_EQUAL(passed, 0);
}

/* One leaves at once; the others have come to three singles. */
static void the_next_singles_are_run(void)
{
    for (int round = 0; round < 10; round++) {
        int cancelled = 0, singles = 0;
#pragma omp parallel num_threads(2)
        {
            if (omp_get_thread_num() == 0) {
                write_word(&cancelled, 1);
#pragma omp cancel parallel
            }
            wait_for_word(&cancelled, 1);
            for (int i = 0; i < 3; i++) {
#pragma omp single nowait
                linger();
            }
#pragma omp cancellation point parallel
        }
#pragma omp parallel num_threads(2)
        for (int i = 0; i < 3; i++) {
#pragma omp single
            add_to_word(&singles, 1);
        }
        CHECK_EQUAL(singles, 3);
    }
}

static void the_next_loop_has_its_order(void)
{
    for (int round = 0; round < 5; round++) {
        int values[100] = {0};
#pragma omp parallel num_threads(2)
        {
            if (omp_get_thread_num() == 0) {
#pragma omp cancel parallel
            }
            if (omp_get_thread_num() == 1) {
#pragma omp for ordered(1) schedule(static, 1) nowait
                for (int i = 0; i < 100; i++) {
#pragma omp ordered depend(sink : i - 200)
                    values[i] = 1;
#pragma omp ordered depend(source)
                }
            }
#pragma omp barrier
        }
#pragma omp parallel for ordered(1) schedule(static, 1) num_threads(2)
        for (int i = 0; i < 100; i++) {
#pragma omp ordered depend(sink : i - 1)
            if (i % 20 == 1) linger();
            values[i] = i ? values[i - 1] + 1 : 0;
#pragma omp ordered depend(source)
        }
        CHECK_EQUAL(values[99], 99);
    }
}

/* More loops than a runtime may keep at a time. */
static void many_loops_behind(void)
{
    int cancelled = 0, done = 0;
#pragma omp parallel num_threads(2)
    {
        if (omp_get_thread_num() == 0) {
            write_word(&cancelled, 1);
#pragma omp cancel parallel
        }
        wait_for_word(&cancelled, 1);
        for (int k = 0; k < 20; k++) {
#pragma omp for schedule(dynamic) nowait
            for (int i = 0; i < 10; i++) add_to_word(&done, 1);
        }
#pragma omp barrier
    }
    CHECK(done <= 200);
    done = 0;
#pragma omp parallel for schedule(dynamic) num_threads(2)
    for (int i = 0; i < 1000; i++) add_to_word(&done, 1);
    CHECK_EQUAL(done, 1000);
}

static void the_next_reduction_is_its_own(void)
{
    for (int round = 0; round < 6; round++) {
        int size = 2 + round;
        long sum = 0;
#pragma omp parallel num_threads(size) reduction(task, + : sum)
        {
            for (int i = 0; i < 20; i++) {
#pragma omp task in_reduction(+ : sum)
                sum += i;
            }
#pragma omp taskwait
            if (round % 2 == 0) {
#pragma omp cancel parallel
            }
        }
        if (round % 2) CHECK_EQUAL(sum, 190 * size);
    }
}

int main(void)
{
    omp_set_dynamic(0);
    RUN(one_goes_straight_to_the_end);
    RUN(some_are_at_a_barrier);
    RUN(the_next_singles_are_run);
    RUN(the_next_loop_has_its_order);
    RUN(many_loops_behind);
    RUN(the_next_reduction_is_its_own);
    return finish();
}
