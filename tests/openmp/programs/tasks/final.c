/* 2.12.1, 3.5 final: all descendants of a final task are final and run at once, by the same thread. */
#include <omp.h>

#include "../check.h"

static int wrong;

static void descend(int depth, int thread, int final)
{
    if (omp_in_final() != final || (final && omp_get_thread_num() != thread)) add_to_word(&wrong, 1);
    if (depth == 0) return;
    int done = 0;
#pragma omp task final(depth < 4) shared(done)
    {
        descend(depth - 1, omp_get_thread_num(), depth < 4);
        add_to_word(&done, 1);
    }
    if (final && read_word(&done) != 1) add_to_word(&wrong, 1);
#pragma omp taskwait
    if (done != 1) add_to_word(&wrong, 1);
}

static void descendants(void)
{
    wrong = 0;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 30; i++) descend(6, omp_get_thread_num(), 0);
    CHECK_EQUAL(wrong, 0);
}

static void not_final(void)
{
    int inside = -1, of_region = -1;
    CHECK_EQUAL(omp_in_final(), 0);
#pragma omp parallel
#pragma omp single
    {
        of_region = omp_in_final();
#pragma omp task final(0) shared(inside)
        inside = omp_in_final();
    }
    CHECK_EQUAL(inside, 0);
    CHECK_EQUAL(of_region, 0);
}

static long long fibonacci(int n)
{
    if (n < 2) return n;
    long long left, right;
#pragma omp task shared(left) final(n < 10) mergeable
    left = fibonacci(n - 1);
#pragma omp task shared(right) final(n < 10) mergeable
    right = fibonacci(n - 2);
#pragma omp taskwait
    return left + right;
}

static void cut_off(void)
{
    long long result = 0;
#pragma omp parallel
#pragma omp single
    result = fibonacci(22);
    CHECK_EQUAL(result, 17711);
}

int main(void)
{
    RUN(descendants);
    RUN(not_final);
    RUN(cut_off);
    return finish();
}
