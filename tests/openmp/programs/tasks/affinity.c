/* 2.12.1 affinity of tasks: a hint, with iterators; and more tasks than anyone keeps in a queue. */
#include <omp.h>

#include "../check.h"

static void hints(void)
{
    enum { SIZE = 64 };
    static int numbers[SIZE], sum;
    sum = 0;
#pragma omp parallel
#pragma omp single
    {
        for (int i = 0; i < SIZE; i++) {
#pragma omp task affinity(numbers[i])
            numbers[i] = i;
        }
#pragma omp taskwait
#pragma omp task affinity(iterator(k = 0 : SIZE) : numbers[k]) shared(sum)
        for (int i = 0; i < SIZE; i++) sum += numbers[i];
    }
    CHECK_EQUAL(sum, 2016);
}

/* Made by one thread, faster than they are done. */
static void a_hundred_thousand(void)
{
    int done = 0;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 100000; i++) {
#pragma omp task
        add_to_word(&done, 1);
    }
    CHECK_EQUAL(done, 100000);
}

static void thousands_of_groups(void)
{
    int done = 0;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 3000; i++) {
#pragma omp taskgroup
        {
#pragma omp task
            add_to_word(&done, 1);
#pragma omp task depend(inout : done)
            add_to_word(&done, 1);
        }
    }
    CHECK_EQUAL(done, 6000);
}

int main(void)
{
    RUN(hints);
    RUN(a_hundred_thousand);
    RUN(thousands_of_groups);
    return finish();
}
