/* 2.19.11 depend(inoutset) and omp_all_memory, of 5.1; iterators that descend. */
// gcc: 12 has neither, and does not order tasks by inout with an iterator
#include <omp.h>

#include "../check.h"

static void inoutset(void)
{
    int value = 0, meeting = 0, wrong = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(3)
#pragma omp single
    {
#pragma omp task depend(out : value) shared(value)
        {
            linger();
            value = 1;
        }
        for (int i = 0; i < 2; i++) {
#pragma omp task depend(inoutset : value) shared(value, meeting, wrong)
            {
                if (value != 1) add_to_word(&wrong, 1);
                add_to_word(&meeting, 1);
                wait_for_word(&meeting, 2);  /* both at the same time */
            }
        }
#pragma omp task depend(in : value) shared(meeting, wrong)
        if (read_word(&meeting) != 2) add_to_word(&wrong, 1);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(meeting, 2);
}

static void descending_iterators(void)
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
#pragma omp task depend(iterator(int k = 9 : -1 : -3), inout : numbers[k]) shared(numbers, sum)
            for (int i = 0; i < 10; i += 3) numbers[i] = sum;
#pragma omp task depend(in : numbers[6]) shared(numbers, wrong)
            if (numbers[6] != 45) add_to_word(&wrong, 1);
        }
        wrong += sum != 45;
    }
    CHECK_EQUAL(wrong, 0);
}

static void all_memory(void)
{
    int wrong = 0;
    for (int round = 0; round < 30; round++) {
        int a = 0, b = 0;
#pragma omp parallel
#pragma omp single
        {
#pragma omp task depend(out : a) shared(a)
            {
                linger();
                a = 1;
            }
#pragma omp task depend(out : b) shared(b)
            {
                linger();
                b = 1;
            }
#pragma omp task depend(out : omp_all_memory) shared(a, b, wrong)
            {
                if (a != 1 || b != 1) add_to_word(&wrong, 1);
                linger();
                a = b = 2;
            }
#pragma omp task depend(in : b) shared(b, wrong)
            if (b != 2) add_to_word(&wrong, 1);
        }
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(inoutset);
    RUN(descending_iterators);
    RUN(all_memory);
    return finish();
}
