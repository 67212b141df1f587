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

static double clock_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double) time.tv_sec + (double) time.tv_nsec * 1e-9;
}

/* What passes lies between what passes on the clock inside of it and around it. */
static void as_the_clock_says(void)
{
    double around = clock_seconds(), from = omp_get_wtime(), inside = clock_seconds();
    while (omp_get_wtime() < from + 0.05) sched_yield();
    inside = clock_seconds() - inside;
    double elapsed = omp_get_wtime() - from;
    around = clock_seconds() - around;
    CHECK(elapsed >= 0.05);
    CHECK(elapsed >= inside - 0.001 && elapsed <= around + 0.001);
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
