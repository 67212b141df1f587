/* 2.8 masked and master: who runs them, without a barrier. */
#include <omp.h>

#include "../check.h"

static void master(void)
{
    int times = 0, wrong = 0;
#pragma omp parallel
    for (int round = 0; round < 100; round++) {
#pragma omp master
        {
            times++;
            if (omp_get_thread_num() != 0) wrong++;
        }
    }
    CHECK_EQUAL(times, 100);
    CHECK_EQUAL(wrong, 0);
}

static void master_does_not_hold_up_the_others(void)
{
    int passed = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(3)
    {
#pragma omp master
        wait_for_word(&passed, 2);
        add_to_word(&passed, 1);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(passed, 3);
}

static void masked(void)
{
    int times = 0, filtered[8] = {0}, each = 0, size = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(4)
    {
#pragma omp masked
        {
            times++;
            CHECK_EQUAL(omp_get_thread_num(), 0);
        }
        for (int thread = 0; thread < 6; thread++) {
#pragma omp masked filter(thread)
            {
                CHECK_EQUAL(omp_get_thread_num(), thread);
                filtered[thread]++;
            }
        }
#pragma omp masked filter(omp_get_thread_num())
        add_to_word(&each, 1);
#pragma omp single
        size = omp_get_num_threads();
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(times, 1);
    CHECK_EQUAL(size, 4);
    CHECK_EQUAL(each, 4);
    for (int thread = 0; thread < 6; thread++) CHECK_EQUAL(filtered[thread], thread < 4);
}

static void combined(void)
{
    int tasks = 0, sum = 0;
#pragma omp parallel masked
    for (int i = 0; i < 10; i++) {
#pragma omp task
        add_to_word(&tasks, 1);
    }
    CHECK_EQUAL(tasks, 10);
#pragma omp parallel master reduction(+ : sum)
    sum += 5;
    CHECK_EQUAL(sum, 5);
#pragma omp parallel masked taskloop grainsize(3) shared(tasks)
    for (int i = 0; i < 100; i++) add_to_word(&tasks, 1);
    CHECK_EQUAL(tasks, 110);
#pragma omp parallel
#pragma omp master taskloop reduction(+ : sum)
    for (int i = 0; i < 10; i++) sum += i;
    CHECK_EQUAL(sum, 50);
}

int main(void)
{
    RUN(master);
    RUN(master_does_not_hold_up_the_others);
    RUN(masked);
    RUN(combined);
    return finish();
}
