/* Costs of OpenMP's constructs: prints a line for each, its name and the microseconds that one of it takes. Each is done
 * many times in a row; the figure is the least of several such rows, so that what else the machine does is left out. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS 15
enum { THREADS = 2, TRIPS = 128 };

static volatile int sink;
static double numbers[TRIPS];

static void region(int times)
{
    for (int i = 0; i < times; i++) {
#pragma omp parallel num_threads(THREADS)
        __asm__ volatile("" ::: "memory");
    }
}

static void barrier(int times)
{
#pragma omp parallel num_threads(THREADS)
    for (int i = 0; i < times; i++) {
#pragma omp barrier
    }
}

static void for_static(int times)
{
#pragma omp parallel num_threads(THREADS)
    for (int i = 0; i < times; i++) {
#pragma omp for schedule(static)
        for (int k = 0; k < TRIPS; k++) numbers[k] = k;
    }
}

static void for_dynamic(int times)
{
#pragma omp parallel num_threads(THREADS)
    for (int i = 0; i < times; i++) {
#pragma omp for schedule(dynamic, 4)
        for (int k = 0; k < TRIPS; k++) numbers[k] = k;
    }
}

static void reduction(int times)
{
    double sum = 0;
    for (int i = 0; i < times; i++) {
#pragma omp parallel num_threads(THREADS) reduction(+ : sum)
        sum += 1;
    }
    sink = (int) sum;
}

static void critical(int times)
{
#pragma omp parallel num_threads(THREADS)
    for (int i = 0; i < times / THREADS; i++) {
#pragma omp critical
        sink++;
    }
}

static void atomic(int times)
{
    static double total;
#pragma omp parallel num_threads(THREADS)
    for (int i = 0; i < times / THREADS; i++) {
#pragma omp atomic
        total += 1;
    }
}

static void single(int times)
{
#pragma omp parallel num_threads(THREADS)
    for (int i = 0; i < times; i++) {
#pragma omp single
        sink = i;
    }
}

static void task(int times)
{
#pragma omp parallel num_threads(THREADS)
#pragma omp single
    for (int i = 0; i < times; i++) {
#pragma omp task
        __asm__ volatile("" ::: "memory");
    }
}

static void task_by_all(int times)
{
#pragma omp parallel num_threads(THREADS)
    for (int i = 0; i < times / THREADS; i++) {
#pragma omp task
        __asm__ volatile("" ::: "memory");
    }
}

static void taskwait(int times)
{
#pragma omp parallel num_threads(THREADS)
#pragma omp single
    for (int i = 0; i < times; i++) {
#pragma omp task
        __asm__ volatile("" ::: "memory");
#pragma omp taskwait
    }
}

static void measure(const char *name, void (*construct)(int), int times)
{
    double least = 1e9;
    construct(times / 10 + 1);
    for (int row = 0; row < ROWS; row++) {
        double start = omp_get_wtime();
        construct(times);
        double elapsed = omp_get_wtime() - start;
        if (elapsed < least) least = elapsed;
    }
    printf("%s %.5f\n", name, least / times * 1e6);
}

int main(void)
{
    omp_set_dynamic(0);
    measure("region", region, 3000);
    measure("barrier", barrier, 10000);
    measure("for static", for_static, 5000);
    measure("for dynamic", for_dynamic, 2000);
    measure("reduction", reduction, 3000);
    measure("critical", critical, 20000);
    measure("atomic", atomic, 40000);
    measure("single", single, 10000);
    measure("task", task, 10000);
    measure("task by all", task_by_all, 10000);
    measure("taskwait", taskwait, 5000);
    return 0;
}
