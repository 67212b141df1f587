/* 2.6 parallel: who is in a team, what it returns to, and the clauses num_threads and if. */
#include <omp.h>

#include "../check.h"

static int visits[64], teams;

static void count_visits(int wanted)
{
    memset(visits, 0, sizeof visits);
    teams = 0;
#pragma omp parallel num_threads(wanted)
    {
        visits[omp_get_thread_num()]++;
        if (omp_get_thread_num() == 0) teams = omp_get_num_threads();
    }
}

static void every_thread_once(void)
{
    for (int wanted = 1; wanted <= 8; wanted++) {
        count_visits(wanted);
        CHECK(teams >= 1 && teams <= wanted);
        for (int thread = 0; thread < 64; thread++) CHECK_EQUAL(visits[thread], thread < teams);
    }
}

static void exact_if_not_dynamic(void)
{
    omp_set_dynamic(0);
    for (int wanted = 1; wanted <= 7; wanted++) {
        count_visits(wanted);
        CHECK_EQUAL(teams, wanted);
    }
    count_visits(3);
    count_visits(1);
    count_visits(5);
    CHECK_EQUAL(teams, 5);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void all_meet(void)
{
    omp_set_dynamic(0);
    int arrived = 0;
#pragma omp parallel num_threads(4)
    {
        add_to_word(&arrived, 1);
        wait_for_word(&arrived, 4);  /* would hang if the team were run one after the other */
    }
    CHECK_EQUAL(arrived, 4);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void ends_with_a_barrier(void)
{
    for (int round = 0; round < 200; round++) {
        int done = 0, size = 0;
#pragma omp parallel shared(done, size)
        {
            if (omp_get_thread_num() == 0) size = omp_get_num_threads();
            else linger();
            add_to_word(&done, 1);
        }
        CHECK_EQUAL(done, size);
    }
}

static void if_clause(void)
{
    for (int many = 0; many < 2; many++) {
        int size = -1, inside = -1;
        omp_set_dynamic(0);
#pragma omp parallel if (many) num_threads(3)
        {
#pragma omp master
            {
                size = omp_get_num_threads();
                inside = omp_in_parallel();
            }
        }
        omp_set_dynamic(USUALLY_DYNAMIC);
        CHECK_EQUAL(size, many ? 3 : 1);
        CHECK_EQUAL(inside, many);
    }
    int size = 0;
#pragma omp parallel if (parallel : 0)
    size = omp_get_num_threads();
    CHECK_EQUAL(size, 1);
}

static int twice(int number) { return 2 * number; }

static void expressions(void)
{
    omp_set_dynamic(0);
    int size = 0, evaluated = 0;
#pragma omp parallel num_threads(twice(evaluated++ + 1)) shared(size)
#pragma omp master
    size = omp_get_num_threads();
    CHECK_EQUAL(size, 2);
    CHECK_EQUAL(evaluated, 1);
    long long large = 3;
#pragma omp parallel num_threads(large)
#pragma omp master
    size = omp_get_num_threads();
    CHECK_EQUAL(size, 3);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void master_is_the_same_thread(void)
{
    static __thread int mine;
    mine = 77;
    int seen = 0, outside = 0;
#pragma omp parallel
    {
        if (omp_get_thread_num() == 0) seen = mine;
        else mine = 5;
    }
    outside = mine;
    CHECK_EQUAL(seen, 77);
    CHECK_EQUAL(outside, 77);
}

static int depth_sum(int depth)
{
    int sum = 0;
    if (depth == 0) return 1;
#pragma omp parallel reduction(+ : sum) num_threads(2)
    {
        int mine = 0;
        if (omp_get_thread_num() == 0) mine = depth_sum(depth - 1);
        sum += mine;
    }
    return sum + 1;
}

static void recursive(void)
{
    CHECK_EQUAL(depth_sum(10), 11);
}

static void many_regions(void)
{
    int total = 0;
    for (int round = 0; round < 2000; round++) {
#pragma omp parallel num_threads(1 + round % 4)
#pragma omp master
        total++;
    }
    CHECK_EQUAL(total, 2000);
}

static void outside(void)
{
    CHECK_EQUAL(omp_get_num_threads(), 1);
    CHECK_EQUAL(omp_get_thread_num(), 0);
    CHECK_EQUAL(omp_in_parallel(), 0);
    CHECK_EQUAL(omp_get_level(), 0);
}

int main(void)
{
    RUN(every_thread_once);
    RUN(exact_if_not_dynamic);
    RUN(all_meet);
    RUN(ends_with_a_barrier);
    RUN(if_clause);
    RUN(expressions);
    RUN(master_is_the_same_thread);
    RUN(recursive);
    RUN(many_regions);
    RUN(outside);
    return finish();
}
