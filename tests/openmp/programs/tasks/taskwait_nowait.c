/* 2.19.5 taskwait with depend and nowait, of 5.1: an empty task that orders others. */
// gcc: 12 does not have it
#include <omp.h>

#include "../check.h"

static void orders_others(void)
{
    int wrong = 0;
    for (int round = 0; round < 50; round++) {
        int a = 0, b = 0, seen = -1;
#pragma omp parallel
#pragma omp single
        {
#pragma omp task depend(out : a) shared(a)
            {
                linger();
                a = 5;
            }
#pragma omp taskwait depend(in : a) depend(out : b) nowait
#pragma omp task depend(in : b) shared(a, seen)
            seen = a;
        }
        wrong += seen != 5;
    }
    CHECK_EQUAL(wrong, 0);
}

static void does_not_wait(void)
{
    int release = 0, done = 0, begun = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(3)
#pragma omp single
    {
        int a = 0;
#pragma omp task depend(out : a) shared(release, done, begun)
        {
            write_word(&begun, 1);
            wait_for_word(&release, 1);
            done = 1;
        }
        wait_for_word(&begun, 1);
#pragma omp taskwait depend(in : a) nowait
        write_word(&release, 1);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(done, 1);
}

int main(void)
{
    RUN(orders_others);
    RUN(does_not_wait);
    return finish();
}
