/* 2.12 where tasks meet other constructs: in loops and sections, in inner regions, waiting while holding nothing; a
 * waiting task runs only tasks below it, so that what it waits for is not held up by what it runs. */
#include <omp.h>

#include "../check.h"

static void in_loops(void)
{
    int count = 0, wrong = 0;
#pragma omp parallel
    {
#pragma omp for schedule(dynamic, 3)
        for (int i = 0; i < 100; i++) {
#pragma omp task
            add_to_word(&count, 1);
            if (i % 10 == 0) {
#pragma omp taskwait
            }
        }
        if (read_word(&count) != 100) add_to_word(&wrong, 1);  /* the loop's barrier has run them */
    }
    CHECK_EQUAL(wrong, 0);
}

static void in_sections(void)
{
    int count = 0;
#pragma omp parallel sections
    {
        for (int i = 0; i < 20; i++) {
#pragma omp task
            add_to_word(&count, 1);
        }
#pragma omp section
        for (int i = 0; i < 20; i++) {
#pragma omp task
            add_to_word(&count, 100);
        }
    }
    CHECK_EQUAL(count, 2020);
}

/* Tasks that take turns at a critical region and wait inside for their children. */
static void waiting_inside_critical(void)
{
    int count = 0;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 50; i++) {
#pragma omp task
        {
#pragma omp critical(waiting)
            {
                int children = 0;
                for (int k = 0; k < 3; k++) {
#pragma omp task shared(children)
                    {
                        linger();
                        add_to_word(&children, 1);
                    }
                }
#pragma omp taskwait
                count += children;
            }
        }
    }
    CHECK_EQUAL(count, 150);
}

static void regions_inside_tasks(void)
{
    int sum = 0;
    omp_set_max_active_levels(2);
#pragma omp parallel num_threads(2)
#pragma omp single
    for (int i = 0; i < 10; i++) {
#pragma omp task
        {
            int mine = 0;
#pragma omp parallel for reduction(+ : mine) num_threads(2)
            for (int k = 0; k < 100; k++) mine += k;
            add_to_word(&sum, mine);
        }
    }
    omp_set_max_active_levels(1);
    CHECK_EQUAL(sum, 49500);
}

static void tasks_of_inner_regions(void)
{
    int count = 0, regions = 0, wrong = 0;
    omp_set_max_active_levels(2);
#pragma omp parallel num_threads(2)
    {
        int mine = 0;
        add_to_word(&regions, 1);
#pragma omp parallel num_threads(2) shared(mine)
#pragma omp single
        for (int i = 0; i < 30; i++) {
#pragma omp task shared(mine)
            add_to_word(&mine, 1);
        }
        if (mine != 30) add_to_word(&wrong, 1);
        add_to_word(&count, mine);
    }
    omp_set_max_active_levels(1);
    CHECK_EQUAL(count, 30 * regions);
    CHECK_EQUAL(wrong, 0);
}

static void thread_number_is_kept(void)
{
    int wrong = 0;
#pragma omp parallel
    {
#pragma omp task
        {
            int me = omp_get_thread_num();
            for (int i = 0; i < 10; i++) {
#pragma omp task
                linger();
            }
#pragma omp taskwait
            if (omp_get_thread_num() != me) add_to_word(&wrong, 1);
#pragma omp taskyield
            if (omp_get_thread_num() != me) add_to_word(&wrong, 1);
        }
    }
    CHECK_EQUAL(wrong, 0);
}

/* The control variables that a task sets are its own. */
static void control_variables(void)
{
    int wrong = 0;
#pragma omp parallel
#pragma omp single
    {
        omp_set_num_threads(3);
        for (int i = 0; i < 20; i++) {
#pragma omp task
            {
                if (omp_get_max_threads() != 3) add_to_word(&wrong, 1);
                omp_set_num_threads(10 + i);
                linger();
                if (omp_get_max_threads() != 10 + i) add_to_word(&wrong, 1);
            }
        }
#pragma omp taskwait
        if (omp_get_max_threads() != 3) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(in_loops);
    RUN(in_sections);
    RUN(waiting_inside_critical);
    RUN(regions_inside_tasks);
    RUN(tasks_of_inner_regions);
    RUN(thread_number_is_kept);
    RUN(control_variables);
    return finish();
}
