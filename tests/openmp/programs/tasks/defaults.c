/* 2.12.1 task: default(firstprivate) gives the task the values at its making. */
// cell: clang 22 gives the task a zero instead, on x86-64 too
#include <omp.h>

#include "../check.h"

static void default_firstprivate_task(void)
{
    int sum = 0, number = 1;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 10; i++) {
        number = i;
#pragma omp task default(firstprivate) shared(sum)
#pragma omp atomic
        sum += number;
    }
    CHECK_EQUAL(sum, 45);
}

int main(void)
{
    RUN(default_firstprivate_task);
    return finish();
}
