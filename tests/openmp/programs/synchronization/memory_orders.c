/* 2.19.7, 2.19.8 orders of memory: what is written before a release is seen after the acquire that reads it; flush. */
#include <omp.h>

#include "../check.h"

static void release_and_acquire(void)
{
    omp_set_dynamic(0);
    for (int round = 0; round < 300; round++) {
        static int data[4], ready;
        int wrong = 0;
        memset(data, 0, sizeof data);
        ready = 0;
#pragma omp parallel num_threads(2)
        {
            if (omp_get_thread_num() == 0) {
                for (int i = 0; i < 4; i++) data[i] = round + i;
#pragma omp atomic write release
                ready = 1;
            } else {
                int seen = 0;
                while (!seen) {
#pragma omp atomic read acquire
                    seen = ready;
                    if (!seen) sched_yield();
                }
                for (int i = 0; i < 4; i++)
                    if (data[i] != round + i) add_to_word(&wrong, 1);
            }
        }
        CHECK_EQUAL(wrong, 0);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void flush_and_flag(void)
{
    omp_set_dynamic(0);
    for (int round = 0; round < 300; round++) {
        static int data, flag;
        int wrong = 0;
        data = flag = 0;
#pragma omp parallel num_threads(2)
        {
            if (omp_get_thread_num() == 1) {
                data = round + 7;
#pragma omp flush
#pragma omp atomic write
                flag = 1;
#pragma omp flush(flag)
            } else {
                int seen = 0;
                while (!seen) {
#pragma omp atomic read
                    seen = flag;
                    if (!seen) sched_yield();
                }
#pragma omp flush
                if (data != round + 7) add_to_word(&wrong, 1);
            }
        }
        CHECK_EQUAL(wrong, 0);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
}

/* Of two threads that each write their own and read the other's, at least one sees a write. */
static void sequentially_consistent(void)
{
    omp_set_dynamic(0);
    int wrong = 0;
    for (int round = 0; round < 300; round++) {
        static int left, right;
        int seen_left = 0, seen_right = 0, ready = 0;
        left = right = 0;
#pragma omp parallel num_threads(2)
        {
            add_to_word(&ready, 1);
            wait_for_word(&ready, 2);
            if (omp_get_thread_num()) {
#pragma omp atomic write seq_cst
                left = 1;
#pragma omp atomic read seq_cst
                seen_right = right;
            } else {
#pragma omp atomic write seq_cst
                right = 1;
#pragma omp atomic read seq_cst
                seen_left = left;
            }
        }
        wrong += !seen_left && !seen_right;
    }
    CHECK_EQUAL(wrong, 0);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void all_orders_count(void)
{
    static int a, b, c, d, e;
    a = b = c = d = e = 0;
#pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < 2000; i++) {
        int seen;
#pragma omp atomic update relaxed
        a++;
#pragma omp atomic update release
        b++;
#pragma omp atomic capture acq_rel
        seen = c++;
#pragma omp atomic update seq_cst hint(omp_sync_hint_contended)
        d += seen >= 0;
#pragma omp atomic capture acquire
        {
            seen = e;
            e += 2;
        }
#pragma omp flush acq_rel
#pragma omp flush release
#pragma omp flush acquire
    }
    CHECK(a == 2000 && b == 2000 && c == 2000 && d == 2000 && e == 4000);
}

int main(void)
{
    RUN(release_and_acquire);
    RUN(flush_and_flag);
    RUN(sequentially_consistent);
    RUN(all_orders_count);
    return finish();
}
