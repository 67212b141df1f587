/* 3.9 locks, simple and nestable. */
#include <omp.h>

#include "../check.h"

static void exclude(void)
{
    omp_lock_t lock;
    int count = 0, size = 0;
    omp_init_lock(&lock);
#pragma omp parallel
    {
        for (int round = 0; round < 300; round++) {
            omp_set_lock(&lock);
            slow_increment(&count);
            omp_unset_lock(&lock);
        }
#pragma omp master
        size = omp_get_num_threads();
    }
    omp_destroy_lock(&lock);
    CHECK_EQUAL(count, 300 * size);
}

static void test(void)
{
    omp_lock_t lock;
    omp_init_lock(&lock);
    CHECK(omp_test_lock(&lock) != 0);
    int got = -1;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(2)
    if (omp_get_thread_num() == 1) got = omp_test_lock(&lock);
    CHECK_EQUAL(got, 0);
    omp_unset_lock(&lock);
#pragma omp parallel num_threads(2)
    if (omp_get_thread_num() == 1) {
        got = omp_test_lock(&lock);
        omp_unset_lock(&lock);
    }
    CHECK(got != 0);
    omp_set_dynamic(USUALLY_DYNAMIC);
    int count = 0, size = 0;
#pragma omp parallel
    {
        for (int done = 0; done < 100;) {
            if (!omp_test_lock(&lock)) {
                sched_yield();
                continue;
            }
            slow_increment(&count);
            omp_unset_lock(&lock);
            done++;
        }
#pragma omp master
        size = omp_get_num_threads();
    }
    CHECK_EQUAL(count, 100 * size);
    omp_destroy_lock(&lock);
}

static void nestable(void)
{
    omp_nest_lock_t lock;
    int count = 0, size = 0, wrong = 0;
    omp_init_nest_lock(&lock);
#pragma omp parallel
    {
        for (int round = 0; round < 100; round++) {
            omp_set_nest_lock(&lock);
            omp_set_nest_lock(&lock);
            int depth = omp_test_nest_lock(&lock);
            if (depth != 3) add_to_word(&wrong, 1);
            slow_increment(&count);
            omp_unset_nest_lock(&lock);
            omp_unset_nest_lock(&lock);
            slow_increment(&count);
            omp_unset_nest_lock(&lock);
        }
#pragma omp master
        size = omp_get_num_threads();
    }
    CHECK_EQUAL(count, 200 * size);
    CHECK_EQUAL(wrong, 0);
    int got = -1;
    omp_set_dynamic(0);
    omp_set_nest_lock(&lock);
#pragma omp parallel num_threads(2)
    if (omp_get_thread_num() == 1) got = omp_test_nest_lock(&lock);
    CHECK_EQUAL(got, 0);
    omp_unset_nest_lock(&lock);
    omp_set_dynamic(USUALLY_DYNAMIC);
    omp_destroy_nest_lock(&lock);
}

/* Threads meet at many locks. */
static void many_locks(void)
{
    enum { LOCKS = 100 };
    static omp_lock_t locks[LOCKS];
    static int counts[LOCKS];
    for (int i = 0; i < LOCKS; i++) omp_init_lock(&locks[i]);
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < 5000; i++) {
        int which = (int) (mix((unsigned) i) % LOCKS);
        omp_set_lock(&locks[which]);
        counts[which]++;
        omp_unset_lock(&locks[which]);
    }
    int total = 0;
    for (int i = 0; i < LOCKS; i++) {
        total += counts[i];
        omp_destroy_lock(&locks[i]);
    }
    CHECK_EQUAL(total, 5000);
}

/* Locks belong to tasks: two tasks of one thread do not share a nestable lock's depth. */
static void in_tasks(void)
{
    omp_lock_t lock;
    int count = 0;
    omp_init_lock(&lock);
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < 200; i++) {
#pragma omp task
        {
            omp_set_lock(&lock);
            slow_increment(&count);
            omp_unset_lock(&lock);
        }
    }
    CHECK_EQUAL(count, 200);
    omp_destroy_lock(&lock);
}

int main(void)
{
    RUN(exclude);
    RUN(test);
    RUN(nestable);
    RUN(many_locks);
    RUN(in_tasks);
    return finish();
}
