/* 2.13.3 the allocate directive, for variables of functions and of files. */
// gcc: 12 does not have it
#include <omp.h>
#include <stdint.h>

#include "../check.h"

static int of_the_file[10];
#pragma omp allocate(of_the_file) allocator(omp_default_mem_alloc)

static void variables(void)
{
    int number, list[100];
#pragma omp allocate(number, list) allocator(omp_default_mem_alloc)
    number = 5;
    for (int i = 0; i < 100; i++) list[i] = i;
    of_the_file[9] = 3;
    int sum = number + of_the_file[9];
#pragma omp parallel for reduction(+ : sum)
    for (int i = 0; i < 100; i++) sum += list[i];
    CHECK_EQUAL(sum, 4958);
}

static void many_calls(void)
{
    for (int i = 0; i < 1000; i++) variables();
}

int main(void)
{
    RUN(variables);
    RUN(many_calls);
    return finish();
}
