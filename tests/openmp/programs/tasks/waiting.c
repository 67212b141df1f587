/* 2.19 who waits finds the task that it waits for, wherever it lies. */
// run: OMP_MAX_TASK_PRIORITY=10
#include <omp.h>

#include "../check.h"

/* Only thread 1 has time, and only thread 2 has a task. */
static void the_last_thread_has_it(void)
{
    for (int size = 3; size <= 5; size++) {
        int done = 0, over = 0;
#pragma omp parallel num_threads(size)
        {
            int me = omp_get_thread_num();
            if (me == size - 1) {
#pragma omp task shared(done)
                write_word(&done, 1);
                wait_for_word(&done, 1);
                write_word(&over, 1);
            } else if (me != 1) {
                wait_for_word(&over, 1);
            }
        }
        CHECK_EQUAL(done, 1);
    }
}

/* A child that has become ready lies behind a task that the one who waits may not run, and its owner waits for a lock
 * that the waiting one holds. */
static void it_lies_behind_another_one(void)
{
    int other = 0, ready = 0, first = 0, held = 0, children = 0;
    omp_lock_t lock;
    omp_init_lock(&lock);
#pragma omp parallel num_threads(2)
#pragma omp single
    {
#pragma omp task shared(other, ready)
        {
            write_word(&other, 1);
            wait_for_word(&ready, 1);
#pragma omp task shared(other)
            add_to_word(&other, 1);
        }
        wait_for_word(&other, 1);
#pragma omp task priority(1) shared(lock)
        {
            omp_set_lock(&lock);
            omp_unset_lock(&lock);
        }
#pragma omp task if (0) shared(first, ready, held, children, lock)
        {
            omp_set_lock(&lock);
#pragma omp task depend(out : held) priority(5) shared(first, children)
            {
                write_word(&first, 1);
                for (int i = 0; i < 300; i++) linger();
                add_to_word(&children, 1);
            }
#pragma omp task depend(in : held) shared(children)
            add_to_word(&children, 1);
            write_word(&ready, 1);
            wait_for_word(&first, 1);
#pragma omp taskwait
            CHECK_EQUAL(children, 2);
            omp_unset_lock(&lock);
        }
    }
    CHECK_EQUAL(other, 2);
}

/* Of which each has an address of its own; and what comes behind a taskwait waits for nothing. */
static void many_addresses(void)
{
    static int values[20000];
#pragma omp parallel
#pragma omp single
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20000; i++) {
#pragma omp task depend(inout : values[i]) shared(values)
            values[i]++;
        }
#pragma omp task depend(inout : values[7], values[19999]) shared(values)
        CHECK(values[7] == 1 + 2 * round && values[19999] == 1 + 2 * round);
        for (int i = 0; i < 20000; i++) {
#pragma omp task depend(inout : values[i]) shared(values)
            values[i]++;
        }
        if (round == 1) {
#pragma omp taskwait
        }
    }
    for (int i = 0; i < 20000; i++) CHECK_EQUAL(values[i], 6);
}

static void an_empty_taskloop(void)
{
    int ran = 0;
    for (int n = 0; n < 3; n++) {
#pragma omp parallel num_threads(2)
#pragma omp single
#pragma omp taskloop grainsize(1) shared(ran)
        for (int i = n; i > -n; i -= 3) add_to_word(&ran, 1);
    }
    CHECK_EQUAL(ran, 3);
}

int main(void)
{
    omp_set_dynamic(0);
    RUN(the_last_thread_has_it);
    RUN(it_lies_behind_another_one);
    RUN(many_addresses);
    RUN(an_empty_taskloop);
    return finish();
}
