/* 6.5, 6.9, 6.10, 6.16, 6.23, 6.24 limits: of nested levels, threads, priorities, teams; OMP_NESTED; what makes no
 * sense is left aside. */
// run: OMP_MAX_ACTIVE_LEVELS=3
// run: OMP_MAX_ACTIVE_LEVELS=0
// run: OMP_MAX_ACTIVE_LEVELS=deep
// run: OMP_MAX_ACTIVE_LEVELS=-1
// run: OMP_THREAD_LIMIT=3 OMP_DYNAMIC=false
// run: OMP_THREAD_LIMIT=1 OMP_DYNAMIC=false
// run: OMP_THREAD_LIMIT=none
// run: OMP_MAX_TASK_PRIORITY=7
// run: OMP_MAX_TASK_PRIORITY=high
// run: OMP_NESTED=true OMP_NUM_THREADS=2 OMP_DYNAMIC=false
// run: OMP_NESTED=false OMP_NUM_THREADS=2 OMP_DYNAMIC=false
#include <omp.h>

#include "../check.h"

static const char *variable(const char *name)
{
    const char *text = getenv(name);
    return text ? text : "";
}

static void levels(void)
{
    const char *text = variable("OMP_MAX_ACTIVE_LEVELS");
    if (*text == '3') CHECK_EQUAL(omp_get_max_active_levels(), 3);
    else if (*text == '0') CHECK_EQUAL(omp_get_max_active_levels(), 0);
    else CHECK(omp_get_max_active_levels() >= 1);
    int size = 0;
#pragma omp parallel
#pragma omp master
    size = omp_get_num_threads();
    if (*text == '0') CHECK_EQUAL(size, 1);
    CHECK(size >= 1);
}

static void thread_limit(void)
{
    const char *text = variable("OMP_THREAD_LIMIT");
    int size = 0, limit = omp_get_thread_limit();
#pragma omp parallel num_threads(6)
#pragma omp master
    size = omp_get_num_threads();
    CHECK(limit >= 1 && size <= limit);
    if (*text == '3' || *text == '1') CHECK_EQUAL(limit, *text - '0');
    if (*text == '1') CHECK_EQUAL(size, 1);
    int sum = 0;
#pragma omp parallel for num_threads(6) schedule(static, 1) reduction(+ : sum)
    for (int i = 0; i < 100; i++) sum += i;
    CHECK_EQUAL(sum, 4950);
}

static void priority(void)
{
    const char *text = variable("OMP_MAX_TASK_PRIORITY");
    CHECK_EQUAL(omp_get_max_task_priority(), *text == '7' ? 7 : 0);
    int done = 0;
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 20; i++) {
#pragma omp task priority(i)
        add_to_word(&done, 1);
    }
    CHECK_EQUAL(done, 20);
}

static void nested(void)
{
    const char *text = variable("OMP_NESTED");
    int inner = 0;
#pragma omp parallel
    {
#pragma omp parallel
#pragma omp master
        write_word(&inner, omp_get_num_threads());
    }
    if (*text == 't') CHECK_EQUAL(inner, 2);
    if (*text == 'f') CHECK_EQUAL(inner, 1);
    CHECK(inner >= 1);
}

int main(void)
{
    RUN(levels);
    RUN(thread_limit);
    RUN(priority);
    RUN(nested);
    return finish();
}
