/* 2.12.1 firstprivate arrays of variable length in tasks. */
// cell: clang 22 refuses them
#include <omp.h>

#include "../check.h"

static void arrays_of_variable_length(void)
{
    int wrong = 0;
#pragma omp parallel
#pragma omp single
    for (int length = 1; length < 200; length += 13) {
        int numbers[length];
        for (int k = 0; k < length; k++) numbers[k] = length * k;
#pragma omp task firstprivate(numbers) shared(wrong)
        {
            if (sizeof numbers != (size_t) length * sizeof(int)) add_to_word(&wrong, 1);
            for (int k = 0; k < length; k++)
                if (numbers[k] != length * k) add_to_word(&wrong, 1);
        }
        for (int k = 0; k < length; k++) numbers[k] = -1;
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(arrays_of_variable_length);
    return finish();
}
