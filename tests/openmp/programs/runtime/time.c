/* 3.10 timing. */
#include <omp.h>
#include <time.h>

#include "../check.h"

static void forward(void)
{
    double before = omp_get_wtime();
    for (int i = 0; i < 1000; i++) {
        double now = omp_get_wtime();
        CHECK(now >= before);
        before = now;
    }
}

static void precision(void)
{
    double tick = omp_get_wtick();
    CHECK(tick > 0 && tick < 0.01);
}

static void as_the_clock_says(void)
{
    struct timespec start, end;
    double from = omp_get_wtime();
    clock_gettime(CLOCK_MONOTONIC, &start);
    double until = from + 0.05;
    while (omp_get_wtime() < until) sched_yield();
    double elapsed = omp_get_wtime() - from;
    clock_gettime(CLOCK_MONOTONIC, &end);
    double wanted = (double) (end.tv_sec - start.tv_sec) + (double) (end.tv_nsec - start.tv_nsec) * 1e-9;
    CHECK(elapsed >= 0.05);
    CHECK(elapsed - wanted < 0.02 && wanted - elapsed < 0.02);
}

static void by_all_threads(void)
{
    int wrong = 0;
    double start = omp_get_wtime();
#pragma omp parallel
    {
        double before = start;
        for (int i = 0; i < 500; i++) {
            double now = omp_get_wtime();
            if (now < before) add_to_word(&wrong, 1);
            before = now;
        }
    }
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(forward);
    RUN(precision);
    RUN(as_the_clock_says);
    RUN(by_all_threads);
    return finish();
}
