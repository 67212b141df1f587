/* 2.12.1 task: each is run once, by any thread of the team; if, untied, mergeable, priority; taskwait and taskyield. */
#include <omp.h>

#include "../check.h"

static void each_once(void)
{
    enum { TASKS = 3000 };
    static int counts[TASKS];
    memset(counts, 0, sizeof counts);
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < TASKS; i++) {
#pragma omp task firstprivate(i)
        add_to_word(&counts[i], 1);
    }
    for (int i = 0; i < TASKS; i++) CHECK_EQUAL(counts[i], 1);
}

static void made_by_all(void)
{
    int count = 0, size = 0;
#pragma omp parallel
    {
        for (int i = 0; i < 200; i++) {
#pragma omp task
            add_to_word(&count, 1);
        }
#pragma omp master
        size = omp_get_num_threads();
    }
    CHECK_EQUAL(count, 200 * size);
}

static void taskwait_waits_for_children(void)
{
    int wrong = 0;
#pragma omp parallel
#pragma omp single
    for (int round = 0; round < 100; round++) {
        int done = 0;
        for (int i = 0; i < 10; i++) {
#pragma omp task shared(done)
            {
                if (i % 3 == 0) linger();
                add_to_word(&done, 1);
            }
        }
#pragma omp taskwait
        if (done != 10) wrong++;
    }
    CHECK_EQUAL(wrong, 0);
}

static void if_false_runs_at_once(void)
{
    int wrong = 0;
#pragma omp parallel
    {
        int me = omp_get_thread_num();
        for (int i = 0; i < 100; i++) {
            int value = 0;
#pragma omp task if (0) shared(value, wrong) firstprivate(me)
            {
                value = i + 1;
                if (omp_get_thread_num() != me) add_to_word(&wrong, 1);
            }
            if (value != i + 1) add_to_word(&wrong, 1);
#pragma omp task if (task : i < 0) shared(value)
            value = -1;
            if (value != -1) add_to_word(&wrong, 1);
        }
    }
    CHECK_EQUAL(wrong, 0);
}

static void clauses(void)
{
    int count = 0;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 100; i++) {
#pragma omp task untied
        {
            add_to_word(&count, 1);
#pragma omp taskyield
            add_to_word(&count, 1);
        }
#pragma omp task mergeable
        add_to_word(&count, 1);
#pragma omp task mergeable if (0)
        add_to_word(&count, 1);
#pragma omp task priority(i % 5)
        add_to_word(&count, 1);
#pragma omp task untied priority(3) mergeable final(i % 2)
        add_to_word(&count, 1);
    }
    CHECK_EQUAL(count, 600);
}

static void outside_of_regions(void)
{
    int sum = 0;
    for (int i = 0; i < 10; i++) {
#pragma omp task shared(sum)
        sum += i;
    }
#pragma omp taskwait
#pragma omp taskyield
    CHECK_EQUAL(sum, 45);
#pragma omp parallel if (0)
    {
        for (int i = 0; i < 10; i++) {
#pragma omp task shared(sum)
            sum += i;
        }
#pragma omp taskwait
    }
    CHECK_EQUAL(sum, 90);
}

static void done_at_the_end_of_the_region(void)
{
    int wrong = 0;
    for (int round = 0; round < 300; round++) {
        int done = 0;
#pragma omp parallel
#pragma omp single nowait
        for (int i = 0; i < 5; i++) {
#pragma omp task
            {
#pragma omp task
                {
                    linger();
                    add_to_word(&done, 1);
                }
                add_to_word(&done, 1);
            }
        }
        if (done != 10) wrong++;
    }
    CHECK_EQUAL(wrong, 0);
}

static void others_help(void)
{
    int meeting = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(2)
#pragma omp single
    {
        for (int i = 0; i < 2; i++) {
#pragma omp task
            {
                add_to_word(&meeting, 1);
                wait_for_word(&meeting, 2);
            }
        }
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(meeting, 2);
}

int main(void)
{
    RUN(each_once);
    RUN(made_by_all);
    RUN(taskwait_waits_for_children);
    RUN(if_false_runs_at_once);
    RUN(clauses);
    RUN(outside_of_regions);
    RUN(done_at_the_end_of_the_region);
    RUN(others_help);
    return finish();
}
