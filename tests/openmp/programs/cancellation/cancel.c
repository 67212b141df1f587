/* 2.20 cancel and cancellation point, for regions, loops, sections and groups of tasks; what OMP_CANCELLATION allows. */
// run: OMP_CANCELLATION=true
// run: OMP_CANCELLATION=false
// run:
#include <omp.h>

#include "../check.h"

static int allowed(void)
{
    const char *text = getenv("OMP_CANCELLATION");
    return text && strcmp(text, "true") == 0;
}

static void is_told(void)
{
    CHECK_EQUAL(omp_get_cancellation(), allowed());
}

static void parallel(void)
{
    for (int round = 0; round < 50; round++) {
        int behind = 0, size = 0, cancelled = 0;
#pragma omp parallel num_threads(4)
        {
            if (omp_get_thread_num() == 0) write_word(&size, omp_get_num_threads());
            if (omp_get_thread_num() == 0) {
                write_word(&cancelled, 1);
#pragma omp cancel parallel
            } else {
                wait_for_word(&cancelled, 1);
                for (int i = 0; i < 1000 && allowed(); i++) {
                    sched_yield();
#pragma omp cancellation point parallel
                }
            }
            add_to_word(&behind, 1);
        }
        CHECK(allowed() ? behind < size : behind == size);
    }
}

static void parallel_with_condition(void)
{
    int behind = 0, size = 0;
#pragma omp parallel
    {
        if (omp_get_thread_num() == 0) size = omp_get_num_threads();
#pragma omp cancel parallel if (size < 0)
        add_to_word(&behind, 1);
    }
    CHECK_EQUAL(behind, size);
}

static void released_from_a_barrier(void)
{
    for (int round = 0; round < 30; round++) {
        int passed = 0, size = 0;
#pragma omp parallel num_threads(3)
        {
            if (omp_get_thread_num() == 0) write_word(&size, omp_get_num_threads());
            if (omp_get_thread_num() == 0) {
#pragma omp cancel parallel
            }
#pragma omp barrier
            add_to_word(&passed, 1);
        }
        CHECK_EQUAL(passed, allowed() ? 0 : size);
    }
}

static void loops(void)
{
    for (int kind = 0; kind < 3; kind++) {
        int done = 0, size = 0, after = 0;
        omp_set_schedule(kind == 0 ? omp_sched_static : kind == 1 ? omp_sched_dynamic : omp_sched_guided, 1);
#pragma omp parallel
        {
#pragma omp for schedule(runtime)
            for (int i = 0; i < 20000; i++) {
                add_to_word(&done, 1);
                if (i == 10) {
#pragma omp cancel for
                }
                if (i % 100 == 0) sched_yield();
#pragma omp cancellation point for
            }
            add_to_word(&after, 1);
#pragma omp master
            size = omp_get_num_threads();
        }
        CHECK_EQUAL(after, size);
        CHECK(allowed() ? done < 20000 : done == 20000);
    }
}

/* The loop behind a cancelled one is whole. */
static void the_next_loop_is_whole(void)
{
    int first = 0, second = 0;
#pragma omp parallel
    {
#pragma omp for schedule(dynamic)
        for (int i = 0; i < 1000; i++) {
#pragma omp cancel for if (i == 3)
            add_to_word(&first, 1);
        }
#pragma omp for schedule(dynamic)
        for (int i = 0; i < 1000; i++) {
#pragma omp cancel for if (i < 0)
            add_to_word(&second, 1);
        }
    }
    CHECK(allowed() ? first < 1000 : first == 1000);
    CHECK_EQUAL(second, 1000);
}

static void sections(void)
{
    int late = 0, cancelled = 0;
#pragma omp parallel num_threads(1)
#pragma omp sections
    {
        {
            cancelled = 1;
#pragma omp cancel sections
            cancelled = 2;
        }
#pragma omp section
        late++;
#pragma omp section
        late++;
    }
    CHECK_EQUAL(cancelled, allowed() ? 1 : 2);
    CHECK_EQUAL(late, allowed() ? 0 : 2);
}

static void groups_of_tasks(void)
{
    int most = 0;
    for (int round = 0; round < 20; round++) {
        int done = 0, after = 0;
#pragma omp parallel
#pragma omp single
        {
#pragma omp taskgroup
            {
                for (int i = 0; i < 500; i++) {
#pragma omp task shared(done)
                    {
#pragma omp cancellation point taskgroup
                        if (add_to_word(&done, 1) == 20) {
#pragma omp cancel taskgroup
                        }
                    }
                }
            }
#pragma omp task shared(after)
            after = 1;
        }
        if (done > most) most = done;
        CHECK_EQUAL(after, 1);
        if (!allowed()) CHECK_EQUAL(done, 500);
    }
    CHECK(allowed() ? most < 500 : most == 500);
}

/* A search that ends when something is found: the use that cancellation is made for. */
static void search(void)
{
    int found = -1, visited = 0;
#pragma omp parallel for schedule(dynamic, 10)
    for (int i = 0; i < 100000; i++) {
        add_to_word(&visited, 1);
        if (i == 1234) {
#pragma omp atomic write
            found = i;
#pragma omp cancel for
        }
#pragma omp cancellation point for
    }
    CHECK_EQUAL(found, 1234);
    CHECK(allowed() ? visited < 100000 : visited == 100000);
}

int main(void)
{
    omp_set_dynamic(0);
    RUN(is_told);
    RUN(parallel);
    RUN(parallel_with_condition);
    RUN(released_from_a_barrier);
    RUN(loops);
    RUN(the_next_loop_is_whole);
    RUN(sections);
    RUN(groups_of_tasks);
    RUN(search);
    return finish();
}
