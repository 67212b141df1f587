/* 6.7, 6.8, 6.13 to 6.22 the other variables: how to wait, where to run, what to show, devices, allocators; each does
 * what it says, or nothing, and nonsense does no harm. */
// run: OMP_WAIT_POLICY=active
// run: OMP_WAIT_POLICY=PASSIVE
// run: OMP_WAIT_POLICY=tired
// run: OMP_DISPLAY_ENV=true
// run: OMP_DISPLAY_ENV=verbose
// run: OMP_DISPLAY_ENV=quiet
// run: OMP_DEFAULT_DEVICE=2
// run: OMP_DEFAULT_DEVICE=none
// run: OMP_PLACES={0},{0} OMP_PROC_BIND=close
// run: OMP_PLACES=nowhere OMP_PROC_BIND=loosely
// run: OMP_PLACES={0:4:1},{ OMP_PROC_BIND=spread
// run: OMP_ALLOCATOR=omp_large_cap_mem_alloc
// run: OMP_ALLOCATOR=omp_no_such_alloc
// run: OMP_TARGET_OFFLOAD=disabled
// run: OMP_TARGET_OFFLOAD=sometimes
// run: OMP_AFFINITY_FORMAT=thread_%n_of_%N
// run: OMP_TOOL=disabled OMP_TOOL_LIBRARIES=/nowhere/libtool.so
// run: OMP_DEBUG=enabled OMP_NUM_TEAMS=2 OMP_TEAMS_THREAD_LIMIT=3
// run: OMP_NUM_TEAMS=x OMP_TEAMS_THREAD_LIMIT=-5 OMP_NO_SUCH_VARIABLE=1
#include <omp.h>

#include "../check.h"

static const char *variable(const char *name)
{
    const char *text = getenv(name);
    return text ? text : "";
}

static void work_goes_on(void)
{
    int sum = 0, tasks = 0;
    for (int round = 0; round < 20; round++) {
#pragma omp parallel reduction(+ : sum)
        {
#pragma omp for schedule(dynamic)
            for (int i = 0; i < 100; i++) sum += i;
#pragma omp barrier
#pragma omp single
            for (int i = 0; i < 10; i++) {
#pragma omp task
                add_to_word(&tasks, 1);
            }
        }
    }
    CHECK_EQUAL(sum, 99000);
    CHECK_EQUAL(tasks, 200);
}

/* Threads that have nothing to do for a while come back. */
static void after_a_pause(void)
{
    int sum = 0;
    for (int round = 0; round < 5; round++) {
        double until = omp_get_wtime() + 0.02;
        while (omp_get_wtime() < until) sched_yield();
#pragma omp parallel for reduction(+ : sum)
        for (int i = 0; i < 100; i++) sum += i;
    }
    CHECK_EQUAL(sum, 24750);
}

static void settings(void)
{
    if (strcmp(variable("OMP_DEFAULT_DEVICE"), "2") == 0) CHECK_EQUAL(omp_get_default_device(), 2);
    else CHECK_EQUAL(omp_get_default_device(), 0);
    if (strcmp(variable("OMP_ALLOCATOR"), "omp_large_cap_mem_alloc") == 0)
        CHECK(omp_get_default_allocator() == omp_large_cap_mem_alloc);
    else CHECK(omp_get_default_allocator() == omp_default_mem_alloc);
    if (*variable("OMP_AFFINITY_FORMAT")) {
        char text[100];
        omp_get_affinity_format(text, sizeof text);
        CHECK(strcmp(text, "thread_%n_of_%N") == 0);
    }
    int ran = 0;
#pragma omp target map(tofrom : ran)
    ran = omp_is_initial_device();
    CHECK_EQUAL(ran, 1);
}

static void teams(void)
{
    int teams = 0, wrong = 0, wanted = strcmp(variable("OMP_NUM_TEAMS"), "2") == 0 ? 2 : 0;
    int limit = strcmp(variable("OMP_TEAMS_THREAD_LIMIT"), "3") == 0 ? 3 : 0;
#pragma omp teams shared(teams, wrong)
    {
        if (omp_get_team_num() == 0) teams = omp_get_num_teams();
#pragma omp parallel num_threads(8)
        if (limit && omp_get_num_threads() > limit) add_to_word(&wrong, 1);
    }
    CHECK(teams >= 1);
    if (wanted) CHECK(teams <= wanted);
    CHECK_EQUAL(wrong, 0);
}

int main(void)
{
    RUN(work_goes_on);
    RUN(after_a_pause);
    RUN(settings);
    RUN(teams);
    return finish();
}
