/* 2.12.2 taskloop with strict grainsize and num_tasks, of 5.1: exactly so many iterations for each task. */
#include <omp.h>

#include "../check.h"

enum { SIZE = 500 };

static void grainsize(void)
{
    int owner_changes = 0;
    static int task_of[SIZE];
    int next = 0;
#pragma omp parallel
#pragma omp single
#pragma omp taskloop grainsize(strict : 20) shared(next, task_of)
    for (int i = 0; i < SIZE; i++) task_of[i] = i % 20 ? task_of[i - 1] : add_to_word(&next, 1);
    for (int i = 1; i < SIZE; i++) owner_changes += task_of[i] != task_of[i - 1];
    CHECK_EQUAL(owner_changes, SIZE / 20 - 1);
    CHECK_EQUAL(next, SIZE / 20);
}

static void num_tasks(void)
{
    static int task_of[103];
    int next = 0, changes = 0;
#pragma omp parallel
#pragma omp single
#pragma omp taskloop num_tasks(strict : 10) shared(next, task_of)
    for (int i = 0; i < 103; i++) task_of[i] = omp_get_thread_num() >= 0 ? add_to_word(&next, 1) : 0;
    for (int i = 0; i < 103; i++) changes += task_of[i] > 0;
    CHECK_EQUAL(changes, 103);
    CHECK_EQUAL(next, 103);
}

int main(void)
{
    RUN(grainsize);
    RUN(num_tasks);
    return finish();
}
