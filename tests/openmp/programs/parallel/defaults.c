/* 2.21.4.1 default(firstprivate) and default(private), which 5.1 brings to C. */
#include <omp.h>

#include "../check.h"

static void default_firstprivate(void)
{
    int number = 7, wrong = 0;
    double numbers[3] = {1, 2, 3};
#pragma omp parallel default(firstprivate) shared(wrong)
    {
        if (number != 7 || numbers[2] != 3) add_to_word(&wrong, 1);
        number = omp_get_thread_num();
        numbers[2] = number;
        linger();
        if (number != omp_get_thread_num() || numbers[2] != number) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(number, 7);
    CHECK(numbers[2] == 3);
}

static void default_private(void)
{
    int number = 7, wrong = 0;
#pragma omp parallel default(private) shared(wrong)
    {
        number = omp_get_thread_num();
        linger();
        if (number != omp_get_thread_num()) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(number, 7);
}

int main(void)
{
    RUN(default_firstprivate);
    RUN(default_private);
    return finish();
}
