/* Teams that change their size from region to region: what is kept between regions does not depend on it. */
#include <omp.h>

#include "../check.h"

/* Every loop is done once and every sum is right, whatever the team. */
static void loops(void)
{
    enum { SIZE = 500 };
    static double field[SIZE], next[SIZE];
    for (int i = 0; i < SIZE; i++) field[i] = i == SIZE / 2 ? 1024 : 0;
    for (int round = 0; round < 1500; round++) {
#pragma omp parallel
        {
#pragma omp for schedule(static)
            for (int i = 1; i < SIZE - 1; i++) next[i] = 0.25 * field[i - 1] + 0.5 * field[i] + 0.25 * field[i + 1];
#pragma omp for schedule(dynamic, 50)
            for (int i = 1; i < SIZE - 1; i++) field[i] = next[i];
        }
    }
    static double alone[SIZE], alone_next[SIZE];
    for (int i = 0; i < SIZE; i++) alone[i] = i == SIZE / 2 ? 1024 : 0;
    for (int round = 0; round < 1500; round++) {
        for (int i = 1; i < SIZE - 1; i++) alone_next[i] = 0.25 * alone[i - 1] + 0.5 * alone[i] + 0.25 * alone[i + 1];
        for (int i = 1; i < SIZE - 1; i++) alone[i] = alone_next[i];
    }
    for (int i = 0; i < SIZE; i++) CHECK(field[i] == alone[i]);
}

/* A team keeps its size until its end. */
static void a_team_is_constant(void)
{
    int wrong = 0;
    for (int round = 0; round < 300; round++) {
        int threads = 0;
#pragma omp parallel shared(threads, wrong)
        {
            int size = omp_get_num_threads();
            add_to_word(&threads, 1);
#pragma omp barrier
            if (read_word(&threads) != size) add_to_word(&wrong, 1);
            linger();
#pragma omp barrier
            if (omp_get_num_threads() != size) add_to_word(&wrong, 1);
        }
    }
    CHECK_EQUAL(wrong, 0);
}

/* Arrays by omp_get_max_threads are large enough, and slots by thread number are enough to add up. */
static void slots_for_threads(void)
{
    int most = omp_get_max_threads();
    long long *slots = calloc((size_t) most + 1, sizeof *slots), total = 0;
    slots[most] = 77;
    for (int round = 0; round < 500; round++) {
#pragma omp parallel for schedule(dynamic, 3)
        for (int i = 0; i < 60; i++) slots[omp_get_thread_num()] += i;
    }
    for (int thread = 0; thread < most; thread++) total += slots[thread];
    CHECK_EQUAL(total, 500LL * 1770);
    CHECK_EQUAL(slots[most], 77);
    free(slots);
}

/* What the program insists on it gets. */
static void exact_teams(void)
{
    omp_set_dynamic(0);
    for (int round = 0; round < 300; round++) {
        int size = 0;
#pragma omp parallel num_threads(3)
#pragma omp master
        size = omp_get_num_threads();
        CHECK_EQUAL(size, 3);
    }
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void tasks(void)
{
    for (int round = 0; round < 200; round++) {
        int done = 0;
#pragma omp parallel
#pragma omp single
        for (int i = 0; i < 20; i++) {
#pragma omp task
            add_to_word(&done, 1);
        }
        CHECK_EQUAL(done, 20);
    }
}

int main(void)
{
    RUN(loops);
    RUN(a_team_is_constant);
    RUN(slots_for_threads);
    RUN(exact_teams);
    RUN(tasks);
    return finish();
}
