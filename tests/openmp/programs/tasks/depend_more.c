/* 2.1.4, 2.19.5, 2.19.11 dependences by iterators, inoutset, omp_all_memory, and taskwait with depend. */
#include <omp.h>

#include "../check.h"

static void iterators(void)
{
    int wrong = 0;
    for (int round = 0; round < 30; round++) {
        int numbers[10] = {0}, sum = 0;
#pragma omp parallel
#pragma omp single
        {
            for (int i = 0; i < 10; i++) {
#pragma omp task depend(out : numbers[i]) shared(numbers)
                {
                    if (i % 4 == 0) linger();
                    numbers[i] = i;
                }
            }
#pragma omp task depend(iterator(k = 0 : 10), in : numbers[k]) shared(numbers, sum)
            for (int i = 0; i < 10; i++) sum += numbers[i];
        }
        wrong += sum != 45;
    }
    CHECK_EQUAL(wrong, 0);
}

static void taskwait_with_depend(void)
{
    int wrong = 0, release = 0, begun = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(3)
#pragma omp single
    for (int round = 0; round < 30; round++) {
        int first = 0, second = 0;
#pragma omp task depend(out : first) shared(first)
        {
            linger();
            first = round + 1;
        }
#pragma omp task depend(out : second) shared(second, release, begun)
        {
            write_word(&begun, round + 1);
            wait_for_word(&release, round + 1);
            second = 1;
        }
        wait_for_word(&begun, round + 1);
#pragma omp taskwait depend(in : first)
        if (first != round + 1) wrong++;  /* does not wait for the second, which would never end */
        write_word(&release, round + 1);
#pragma omp taskwait
        if (second != 1) wrong++;
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(wrong, 0);
}

static void null_pointers(void)
{
    int *none = NULL, done = 0;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 10; i++) {
#pragma omp task depend(inout : none[0]) shared(done)
        slow_increment(&done);
    }
    CHECK_EQUAL(done, 10);
}

int main(void)
{
    RUN(iterators);
    RUN(taskwait_with_depend);
    RUN(null_pointers);
    return finish();
}
