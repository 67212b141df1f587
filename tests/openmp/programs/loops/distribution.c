/* 2.11.4 schedule: which thread has which iterations, where the standard says so, and chunks that stay whole. */
#include <omp.h>

#include "../check.h"

enum { SIZE = 101 };
static int owner[SIZE], again[SIZE];

static void static_in_turn(void)
{
    int size = 0;
#pragma omp parallel
    {
#pragma omp for schedule(static, 1)
        for (int i = 0; i < SIZE; i++) owner[i] = omp_get_thread_num();
#pragma omp for schedule(static, 4)
        for (int i = 0; i < SIZE; i++) again[i] = omp_get_thread_num();
#pragma omp master
        size = omp_get_num_threads();
    }
    for (int i = 0; i < SIZE; i++) {
        CHECK_EQUAL(owner[i], i % size);
        CHECK_EQUAL(again[i], i / 4 % size);
    }
}

/* Without a chunk: at most one piece for each thread, in their order, of about the same size. */
static void static_in_pieces(void)
{
    for (int wanted = 1; wanted <= 6; wanted++) {
        int size = 0, counts[8] = {0};
#pragma omp parallel num_threads(wanted)
        {
#pragma omp for schedule(static)
            for (int i = 0; i < SIZE; i++) owner[i] = omp_get_thread_num();
#pragma omp master
            size = omp_get_num_threads();
        }
        for (int i = 0; i < SIZE; i++) {
            if (i > 0) CHECK(owner[i] >= owner[i - 1]);
            counts[owner[i]]++;
        }
        for (int thread = 0; thread < size; thread++) CHECK(abs(counts[thread] - SIZE / size) <= size);
    }
}

/* Two loops of the same bounds and schedule give a thread the same iterations, so nowait between them is right. */
static void same_for_the_next_loop(void)
{
    int wrong = 0;
#pragma omp parallel
    for (int round = 0; round < 20; round++) {
#pragma omp for schedule(static) nowait
        for (int i = 0; i < SIZE; i++) owner[i] = omp_get_thread_num();
#pragma omp for schedule(static)
        for (int i = 0; i < SIZE; i++)
            if (owner[i] != omp_get_thread_num()) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void dynamic_chunks_stay_whole(void)
{
#pragma omp parallel for schedule(dynamic, 10)
    for (int i = 0; i < SIZE; i++) {
        owner[i] = omp_get_thread_num();
        linger();
    }
    for (int i = 0; i < SIZE; i++) CHECK_EQUAL(owner[i], owner[i - i % 10]);
}

/* With a monotonic schedule a thread's iterations come in ascending order. */
static void in_ascending_order(void)
{
    int wrong = 0;
#pragma omp parallel
    {
        int last = -1;
#pragma omp for schedule(monotonic : dynamic, 2) nowait
        for (int i = 0; i < 5000; i++) {
            if (i <= last) add_to_word(&wrong, 1);
            last = i;
        }
        last = -1;
#pragma omp for schedule(static, 3) nowait
        for (int i = 0; i < 5000; i++) {
            if (i <= last) add_to_word(&wrong, 1);
            last = i;
        }
        last = 5000;
#pragma omp for schedule(monotonic : guided)
        for (int i = 4999; i >= 0; i--) {
            if (i >= last) add_to_word(&wrong, 1);
            last = i;
        }
    }
    CHECK_EQUAL(wrong, 0);
}

/* A thread that is slow does not hold up the others: they take what is left. */
static void dynamic_balances(void)
{
    int others = 0, release = 0;
    omp_set_dynamic(0);
#pragma omp parallel for schedule(dynamic, 1) num_threads(3)
    for (int i = 0; i < 100; i++) {
        if (i == 0) wait_for_word(&others, 99);
        else add_to_word(&others, 1);
        add_to_word(&release, 1);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(release, 100);
}

static void guided_balances(void)
{
    int chunk = 0, others = 0;
    omp_set_dynamic(0);
#pragma omp parallel for schedule(guided) num_threads(4)
    for (int i = 0; i < 1000; i++) {
        int last = 999;
        if (i == last) wait_for_word(&others, 500);  /* the last chunk is far smaller than half of all */
        else add_to_word(&others, 1);
        if (i == 0) chunk = 1;
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
    CHECK_EQUAL(chunk, 1);
    CHECK_EQUAL(others, 999);
}

int main(void)
{
    RUN(static_in_turn);
    RUN(static_in_pieces);
    RUN(same_for_the_next_loop);
    RUN(dynamic_chunks_stay_whole);
    RUN(in_ascending_order);
    RUN(dynamic_balances);
    RUN(guided_balances);
    return finish();
}
