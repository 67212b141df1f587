/* 2.9 scope: all threads run it, with private variables and reductions of its own. */
#include <omp.h>

#include "../check.h"

static void everyone(void)
{
    int entered = 0, size = 0, own = 4, wrong = 0;
#pragma omp parallel shared(entered, size, own, wrong)
    {
#pragma omp scope private(own)
        {
            own = omp_get_thread_num();
            linger();
            if (own != omp_get_thread_num()) add_to_word(&wrong, 1);
            add_to_word(&entered, 1);
        }
        if (read_word(&entered) != omp_get_num_threads()) add_to_word(&wrong, 1);
#pragma omp master
        size = omp_get_num_threads();
    }
    CHECK_EQUAL(entered, size);
    CHECK_EQUAL(own, 4);
    CHECK_EQUAL(wrong, 0);
}

static void reduction(void)
{
    int sum = 100, size = 0, wrong = 0;
#pragma omp parallel shared(sum, size)
    {
        for (int round = 0; round < 10; round++) {
#pragma omp scope reduction(+ : sum)
            sum += 1;
        }
        if (sum != 100 + 10 * omp_get_num_threads()) add_to_word(&wrong, 1);
#pragma omp master
        size = omp_get_num_threads();
    }
    CHECK_EQUAL(sum, 100 + 10 * size);
    CHECK_EQUAL(wrong, 0);
}

static void nowait(void)
{
    int gone_on = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(2)
    {
#pragma omp scope nowait
        if (omp_get_thread_num() == 1) wait_for_word(&gone_on, 1);
        if (omp_get_thread_num() == 0) write_word(&gone_on, 1);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(gone_on, 1);
}

int main(void)
{
    RUN(everyone);
    RUN(reduction);
    RUN(nowait);
    return finish();
}
