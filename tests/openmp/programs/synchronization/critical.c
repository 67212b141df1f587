/* 2.19.1 critical: one thread at a time for each name, in the whole program; hints. */
#include <omp.h>

#include "../check.h"

static int shared_count;

static void add_under_name(void)
{
#pragma omp critical(shared_name)
    slow_increment(&shared_count);
}

static void unnamed(void)
{
    int count = 0, size = 0;
#pragma omp parallel
    {
        for (int round = 0; round < 300; round++) {
#pragma omp critical
            slow_increment(&count);
        }
#pragma omp master
        size = omp_get_num_threads();
    }
    CHECK_EQUAL(count, 300 * size);
}

static void named_in_two_places(void)
{
    int size = 0;
    shared_count = 0;
#pragma omp parallel
    {
        for (int round = 0; round < 200; round++) {
            if ((round + omp_get_thread_num()) % 2) add_under_name();
            else {
#pragma omp critical(shared_name)
                slow_increment(&shared_count);
            }
        }
#pragma omp master
        size = omp_get_num_threads();
    }
    CHECK_EQUAL(shared_count, 200 * size);
}

/* Different names do not exclude each other: each waits, inside, for the other. */
static void names_are_apart(void)
{
    int inside = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(2)
    {
        if (omp_get_thread_num()) {
#pragma omp critical(left)
            {
                add_to_word(&inside, 1);
                wait_for_word(&inside, 3);
            }
        } else {
#pragma omp critical(right)
            {
#pragma omp critical
                {
                    add_to_word(&inside, 2);
                    wait_for_word(&inside, 3);
                }
            }
        }
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(inside, 3);
}

static void hints(void)
{
    int count = 0, size = 0;
#pragma omp parallel
    {
        for (int round = 0; round < 100; round++) {
#pragma omp critical(hinted) hint(omp_sync_hint_contended | omp_sync_hint_nonspeculative)
            slow_increment(&count);
#pragma omp critical(speculative) hint(omp_sync_hint_speculative)
            if (count < 0) count = 0;
#pragma omp critical(hinted) hint(omp_sync_hint_contended | omp_sync_hint_nonspeculative)
            slow_increment(&count);
        }
#pragma omp master
        size = omp_get_num_threads();
    }
    CHECK_EQUAL(count, 200 * size);
}

static void in_all_teams_of_the_program(void)
{
    int count = 0, teams = 0;
    omp_set_max_active_levels(2);
#pragma omp parallel num_threads(2)
    {
#pragma omp parallel num_threads(2)
        {
            for (int round = 0; round < 100; round++) {
#pragma omp critical(everywhere)
                slow_increment(&count);
            }
            add_to_word(&teams, 1);
        }
    }
    omp_set_max_active_levels(1);
    CHECK_EQUAL(count, 100 * teams);
}

static void in_tasks(void)
{
    int count = 0;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 300; i++) {
#pragma omp task
        {
#pragma omp critical(of_tasks)
            slow_increment(&count);
        }
    }
    CHECK_EQUAL(count, 300);
}

int main(void)
{
    RUN(unnamed);
    RUN(named_in_two_places);
    RUN(names_are_apart);
    RUN(hints);
    RUN(in_all_teams_of_the_program);
    RUN(in_tasks);
    return finish();
}
