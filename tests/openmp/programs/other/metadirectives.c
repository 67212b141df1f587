/* 2.3.4 metadirective, 2.5 error, nothing, assumes: directives about directives. */
// gcc: 12 has no metadirective, nothing or assumes
#include <omp.h>

#include "../check.h"

#pragma omp assumes no_openmp_routines

static void chosen(void)
{
    int sum = 0, parallel_levels = -1;
#pragma omp metadirective when(user = {condition(1)} : parallel for reduction(+ : sum)) default(nothing)
    for (int i = 0; i < 100; i++) sum += i;
    CHECK_EQUAL(sum, 4950);
#pragma omp metadirective when(device = {kind(nohost)} : parallel num_threads(3)) default(nothing)
    parallel_levels = omp_get_level();
    CHECK_EQUAL(parallel_levels, 0);
#pragma omp metadirective when(implementation = {vendor(unknown)} : nothing) default(parallel if (0))
    parallel_levels = omp_get_level();
    CHECK(parallel_levels == 0 || parallel_levels == 1);
}

static void nothing(void)
{
    int value = 0;
#pragma omp nothing
    value++;
#pragma omp parallel if (0)
    {
#pragma omp nothing
        value++;
    }
    CHECK_EQUAL(value, 2);
}

static void assume(void)
{
    int sum = 0;
#pragma omp assume no_openmp
    {
        for (int i = 0; i < 10; i++) sum += i;
    }
    CHECK_EQUAL(sum, 45);
}

static void messages(void)
{
#pragma omp error at(compilation) severity(warning) message("a warning that belongs to the test")
#pragma omp error at(execution) severity(warning) message("a warning that belongs to the test")
    CHECK_EQUAL(omp_get_level(), 0);
}

int main(void)
{
    RUN(chosen);
    RUN(nothing);
    RUN(assume);
    RUN(messages);
    return finish();
}
