/* 2.11.4 schedule(runtime) with omp_set_schedule, 3.2.12: all kinds, chunks that make no sense, modifiers. */
#include <omp.h>

#include "../check.h"

static int owner[120], counts[120];

static int run_loop(void)
{
    int size = 0;
    memset(counts, 0, sizeof counts);
#pragma omp parallel
    {
#pragma omp for schedule(runtime)
        for (int i = 0; i < 120; i++) {
            owner[i] = omp_get_thread_num();
            add_to_word(&counts[i], 1);
        }
#pragma omp master
        size = omp_get_num_threads();
    }
    for (int i = 0; i < 120; i++) CHECK_EQUAL(counts[i], 1);
    return size;
}

static void set_and_get(omp_sched_t kind, int chunk, int wanted)
{
    omp_sched_t seen = 0;
    int seen_chunk = -100;
    omp_set_schedule(kind, chunk);
    omp_get_schedule(&seen, &seen_chunk);
    CHECK_EQUAL((unsigned) seen & 0x7fffffff, (unsigned) kind & 0x7fffffff);
    if (wanted) CHECK_EQUAL(seen_chunk, wanted);
}

static void kinds(void)
{
    set_and_get(omp_sched_static, 5, 5);
    int size = run_loop();
    for (int i = 0; i < 120; i++) CHECK_EQUAL(owner[i], i / 5 % size);
    set_and_get(omp_sched_static, 0, 0);
    run_loop();
    for (int i = 1; i < 120; i++) CHECK(owner[i] >= owner[i - 1]);
    set_and_get(omp_sched_dynamic, 6, 6);
    run_loop();
    for (int i = 0; i < 120; i++) CHECK_EQUAL(owner[i], owner[i - i % 6]);
    set_and_get(omp_sched_guided, 4, 4);
    run_loop();
    set_and_get(omp_sched_auto, 0, 0);
    run_loop();
}

static void chunks_below_one_are_the_default(void)
{
    omp_sched_t kind;
    int chunk;
    omp_set_schedule(omp_sched_dynamic, 0);
    omp_get_schedule(&kind, &chunk);
    CHECK(kind == omp_sched_dynamic && chunk == 1);
    omp_set_schedule(omp_sched_guided, -7);
    omp_get_schedule(&kind, &chunk);
    CHECK(kind == omp_sched_guided && chunk == 1);
    run_loop();
    omp_set_schedule(omp_sched_static, -7);
    run_loop();
    for (int i = 1; i < 120; i++) CHECK(owner[i] >= owner[i - 1]);
}

static void monotonic(void)
{
    int wrong = 0;
    set_and_get((omp_sched_t) (omp_sched_dynamic | omp_sched_monotonic), 3, 3);
#pragma omp parallel
    {
        int last = -1;
#pragma omp for schedule(runtime)
        for (int i = 0; i < 1000; i++) {
            if (i <= last) add_to_word(&wrong, 1);
            last = i;
        }
    }
    CHECK_EQUAL(wrong, 0);
}

static void set_within_a_region(void)
{
    int wrong = 0;
    omp_set_schedule(omp_sched_static, 0);
#pragma omp parallel
    {
        omp_set_schedule(omp_sched_dynamic, 2);
#pragma omp for schedule(runtime)
        for (int i = 0; i < 120; i++) {
            owner[i] = omp_get_thread_num();
            linger();
        }
        omp_sched_t kind;
        int chunk;
        omp_get_schedule(&kind, &chunk);
        if (kind != omp_sched_dynamic || chunk != 2) add_to_word(&wrong, 1);
    }
    for (int i = 0; i < 120; i++) CHECK_EQUAL(owner[i], owner[i - i % 2]);
    CHECK_EQUAL(wrong, 0);
    omp_sched_t kind;
    int chunk;
    omp_get_schedule(&kind, &chunk);
    CHECK_EQUAL(kind, omp_sched_static);
}

static void long_counters(void)
{
    omp_sched_t kinds[] = {omp_sched_static, omp_sched_dynamic, omp_sched_guided, omp_sched_auto};
    for (int k = 0; k < 4; k++) {
        unsigned long long sum = 0;
        omp_set_schedule(kinds[k], 3);
#pragma omp parallel for schedule(runtime) reduction(+ : sum)
        for (unsigned long long i = 1ull << 63; i < (1ull << 63) + 500; i += 7) sum += i - (1ull << 63);
        CHECK_EQUAL(sum, 7 * 71 * 72 / 2);
    }
    omp_set_schedule(omp_sched_dynamic, 1);
}

int main(void)
{
    RUN(kinds);
    RUN(chunks_below_one_are_the_default);
    RUN(monotonic);
    RUN(set_within_a_region);
    RUN(long_counters);
    return finish();
}
