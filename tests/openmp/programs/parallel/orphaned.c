/* 2.10, 2.11 constructs in functions that are called from a region, and from none: a team of one does them all. */
#include <omp.h>

#include "../check.h"

static int counts[200], singles, masters, sections, ordered_sum, guarded, tasks;

static void work(void)
{
#pragma omp for schedule(dynamic, 3)
    for (int i = 0; i < 200; i++) {
#pragma omp atomic
        counts[i]++;
    }
#pragma omp for schedule(static, 2) nowait
    for (int i = 0; i < 200; i++) {
#pragma omp atomic
        counts[i]++;
    }
#pragma omp for schedule(guided)
    for (long long i = 199; i >= 0; i--) {
#pragma omp atomic
        counts[i]++;
    }
#pragma omp single
    singles++;
#pragma omp master
    masters++;
#pragma omp sections
    {
        add_to_word(&sections, 1);
#pragma omp section
        add_to_word(&sections, 2);
#pragma omp section
        add_to_word(&sections, 4);
    }
#pragma omp for ordered schedule(dynamic)
    for (int i = 0; i < 20; i++) {
#pragma omp ordered
        ordered_sum = 3 * ordered_sum + i;
    }
#pragma omp critical(orphan)
    guarded++;
#pragma omp barrier
#pragma omp single
    {
        for (int i = 0; i < 10; i++) {
#pragma omp task
            add_to_word(&tasks, 1);
        }
#pragma omp taskwait
    }
#pragma omp taskgroup
    {
#pragma omp task
        add_to_word(&tasks, 100);
    }
#pragma omp flush
}

static void check_after(int threads)
{
    for (int i = 0; i < 200; i++) CHECK_EQUAL(counts[i], 3);
    CHECK_EQUAL(singles, 1);
    CHECK_EQUAL(masters, 1);
    CHECK_EQUAL(sections, 7);
    int wanted = 0;
    for (int i = 0; i < 20; i++) wanted = 3 * wanted + i;
    CHECK_EQUAL(ordered_sum, wanted);
    CHECK_EQUAL(guarded, threads);
    CHECK_EQUAL(tasks, 10 + 100 * threads);
    memset(counts, 0, sizeof counts);
    singles = masters = sections = ordered_sum = guarded = tasks = 0;
}

static void outside_of_regions(void)
{
    work();
    check_after(1);
}

static void in_a_region(void)
{
    for (int wanted = 1; wanted < 6; wanted++) {
        int size = 0;
#pragma omp parallel num_threads(wanted)
        {
            work();
#pragma omp master
            size = omp_get_num_threads();
        }
        check_after(size);
    }
}

static void in_a_serial_region(void)
{
#pragma omp parallel if (0)
    work();
    check_after(1);
}

static void outside_again(void)
{
    for (int round = 0; round < 3; round++) outside_of_regions();
}

static int reduced;

static void orphaned_reduction(void)
{
#pragma omp for reduction(+ : reduced)
    for (int i = 1; i <= 100; i++) reduced += i;
}

static void reductions(void)
{
    reduced = 1;
    orphaned_reduction();
    CHECK_EQUAL(reduced, 5051);
#pragma omp parallel
    orphaned_reduction();
    CHECK_EQUAL(reduced, 10101);
}

int main(void)
{
    RUN(outside_of_regions);
    RUN(in_a_region);
    RUN(in_a_serial_region);
    RUN(outside_again);
    RUN(reductions);
    return finish();
}
