/* 3.2 threads of teams: numbers, limits, settings of the calling task. */
#include <omp.h>

#include "../check.h"

static void numbers(void)
{
    CHECK(omp_get_num_procs() >= 1);
    CHECK(omp_get_max_threads() >= 1);
    CHECK(omp_get_thread_limit() >= omp_get_max_threads());
    CHECK(omp_get_supported_active_levels() >= 1);
    CHECK(omp_get_max_active_levels() >= 1);
    CHECK(omp_get_max_task_priority() >= 0);
    CHECK_EQUAL(omp_get_num_threads(), 1);
}

static void set_num_threads(void)
{
    int before = omp_get_max_threads();
    omp_set_dynamic(0);
    for (int wanted = 1; wanted < 6; wanted++) {
        int size = 0;
        omp_set_num_threads(wanted);
        CHECK_EQUAL(omp_get_max_threads(), wanted);
#pragma omp parallel
#pragma omp master
        size = omp_get_num_threads();
        CHECK_EQUAL(size, wanted);
#pragma omp parallel num_threads(2)
#pragma omp master
        size = omp_get_num_threads();
        CHECK_EQUAL(size, 2);
        CHECK_EQUAL(omp_get_max_threads(), wanted);
    }
    omp_set_num_threads(before);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void dynamic(void)
{
    omp_set_dynamic(1);
    CHECK(omp_get_dynamic() != 0);
    omp_set_dynamic(0);
    CHECK_EQUAL(omp_get_dynamic(), 0);
    int wrong = 0;
#pragma omp parallel num_threads(2)
    {
        if (omp_get_dynamic()) add_to_word(&wrong, 1);
        omp_set_dynamic(omp_get_thread_num());
        linger();
        if (!omp_get_dynamic() != !omp_get_thread_num()) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(omp_get_dynamic(), 0);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

/* Arrays that are as long as omp_get_max_threads says are never too short. */
static void max_threads_is_enough(void)
{
    int most = 0, bound = omp_get_max_threads();
    for (int round = 0; round < 200; round++) {
#pragma omp parallel reduction(max : most)
        most = omp_get_thread_num();
        CHECK(most < bound);
    }
}

static void max_active_levels(void)
{
    int before = omp_get_max_active_levels();
    omp_set_max_active_levels(2);
    CHECK_EQUAL(omp_get_max_active_levels(), 2);
    omp_set_max_active_levels(0);
    CHECK_EQUAL(omp_get_max_active_levels(), 0);
    omp_set_max_active_levels(before);
    CHECK_EQUAL(omp_get_max_active_levels(), before);
}

static void in_parallel(void)
{
    int inside = -1, serial = -1, level = -1;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(2)
#pragma omp master
    inside = omp_in_parallel();
#pragma omp parallel num_threads(1)
    {
        serial = omp_in_parallel();
        level = omp_get_level();
    }
    CHECK(inside != 0 && serial == 0 && level == 1);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

int main(void)
{
    RUN(numbers);
    RUN(set_num_threads);
    RUN(dynamic);
    RUN(max_threads_is_enough);
    RUN(max_active_levels);
    RUN(in_parallel);
    return finish();
}
