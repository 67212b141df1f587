/* 2.19.10 depobj: dependences that are kept in a variable, for tasks and taskwait. */
#include <omp.h>

#include "../check.h"

static void as_dependence(void)
{
    int wrong = 0;
    for (int round = 0; round < 50; round++) {
        int value = 0, seen = -1;
        omp_depend_t out;
#pragma omp depobj(out) depend(out : value)
#pragma omp parallel
#pragma omp single
        {
#pragma omp task depend(depobj : out) shared(value)
            {
                linger();
                value = 7;
            }
#pragma omp task depend(in : value) shared(value, seen)
            seen = value;
        }
#pragma omp depobj(out) destroy
        if (seen != 7) wrong++;
    }
    CHECK_EQUAL(wrong, 0);
}

static void updated(void)
{
    int wrong = 0;
    for (int round = 0; round < 50; round++) {
        int value = 0, sum = 0;
        omp_depend_t object;
#pragma omp depobj(object) depend(in : value)
#pragma omp depobj(object) update(inout)
#pragma omp parallel
#pragma omp single
        for (int i = 0; i < 10; i++) {
#pragma omp task depend(depobj : object) shared(value, sum)
            {
                int before = value;
                linger();
                value = before + 1;
                sum += value;
            }
        }
#pragma omp depobj(object) destroy
        if (value != 10 || sum != 55) wrong++;
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(as_dependence);
    RUN(updated);
    return finish();
}
