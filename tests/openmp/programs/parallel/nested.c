/* 2.6 nested parallel regions: levels, ancestors, sizes of teams, and serialised ones. */
#include <omp.h>

#include "../check.h"

static void levels(void)
{
    int wrong = 0;
    omp_set_dynamic(0);
    omp_set_max_active_levels(3);
#pragma omp parallel num_threads(2)
    {
        int outer = omp_get_thread_num();
        if (omp_get_level() != 1 || omp_get_active_level() != 1) add_to_word(&wrong, 1);
#pragma omp parallel num_threads(3)
        {
            int middle = omp_get_thread_num();
            if (omp_get_level() != 2 || omp_get_ancestor_thread_num(1) != outer) add_to_word(&wrong, 1);
            if (omp_get_ancestor_thread_num(2) != middle || omp_get_ancestor_thread_num(0) != 0) add_to_word(&wrong, 1);
            if (omp_get_team_size(1) != 2 && omp_get_active_level() > 1) add_to_word(&wrong, 1);
            if (omp_get_team_size(2) != omp_get_num_threads() || omp_get_team_size(0) != 1) add_to_word(&wrong, 1);
            if (omp_get_ancestor_thread_num(3) != -1 || omp_get_team_size(3) != -1) add_to_word(&wrong, 1);
            if (omp_get_ancestor_thread_num(-1) != -1 || omp_get_team_size(-1) != -1) add_to_word(&wrong, 1);
#pragma omp parallel if (0)
            {
                if (omp_get_level() != 3 || omp_get_num_threads() != 1 || omp_get_thread_num() != 0)
                    add_to_word(&wrong, 1);
                if (omp_get_ancestor_thread_num(2) != middle || omp_get_team_size(3) != 1) add_to_word(&wrong, 1);
            }
            if (omp_get_thread_num() != middle || omp_get_level() != 2) add_to_word(&wrong, 1);
        }
        if (omp_get_thread_num() != outer || omp_get_num_threads() != 2) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(omp_get_level(), 0);
    omp_set_max_active_levels(1);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void only_as_many_active_levels_as_set(void)
{
    omp_set_dynamic(0);
    omp_set_max_active_levels(1);
    int inner = -1, wrong = 0;
#pragma omp parallel num_threads(2)
    {
#pragma omp parallel num_threads(2)
        {
            if (omp_get_num_threads() != 1 || omp_get_level() != 2 || omp_get_active_level() != 1)
                add_to_word(&wrong, 1);
            if (!omp_in_parallel()) add_to_word(&wrong, 1);
            inner = 1;
        }
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(inner, 1);
    omp_set_max_active_levels(0);
    int size = -1;
#pragma omp parallel num_threads(4)
    size = omp_get_num_threads();
    CHECK_EQUAL(size, 1);
    omp_set_max_active_levels(1);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

static void work_in_inner_teams(void)
{
    int sums[2] = {0, 0};
    omp_set_max_active_levels(2);
#pragma omp parallel for num_threads(2) schedule(static, 1)
    for (int half = 0; half < 2; half++) {
        int sum = 0;
#pragma omp parallel for reduction(+ : sum) num_threads(2) schedule(dynamic, 3)
        for (int i = 0; i < 1000; i++) sum += i;
        sums[half] = sum + half;
    }
    CHECK_EQUAL(sums[0], 499500);
    CHECK_EQUAL(sums[1], 499501);
    omp_set_max_active_levels(1);
}

static void constructs_bind_to_the_inner_team(void)
{
    int singles = 0, masters = 0, inner_teams = 0, sections = 0;
    omp_set_max_active_levels(2);
#pragma omp parallel num_threads(2)
    {
        add_to_word(&inner_teams, 1);
#pragma omp parallel num_threads(2)
        {
#pragma omp single
            add_to_word(&singles, 1);
#pragma omp master
            add_to_word(&masters, 1);
#pragma omp barrier
#pragma omp sections
            {
                add_to_word(&sections, 1);
#pragma omp section
                add_to_word(&sections, 1);
            }
        }
    }
    CHECK_EQUAL(singles, inner_teams);
    CHECK_EQUAL(masters, inner_teams);
    CHECK_EQUAL(sections, 2 * inner_teams);
    omp_set_max_active_levels(1);
}

static void control_variables_are_inherited(void)
{
    int wrong = 0, before = omp_get_max_threads();
    omp_set_num_threads(3);
    omp_set_schedule(omp_sched_guided, 7);
#pragma omp parallel num_threads(2)
    {
        omp_sched_t kind;
        int chunk;
        omp_get_schedule(&kind, &chunk);
        if (kind != omp_sched_guided || chunk != 7) add_to_word(&wrong, 1);
        omp_set_schedule(omp_sched_dynamic, 2 + omp_get_thread_num());
        omp_set_num_threads(5 + omp_get_thread_num());
        linger();
        omp_get_schedule(&kind, &chunk);
        if (kind != omp_sched_dynamic || chunk != 2 + omp_get_thread_num()) add_to_word(&wrong, 1);
        if (omp_get_max_threads() != 5 + omp_get_thread_num()) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
    omp_sched_t kind;
    int chunk;
    omp_get_schedule(&kind, &chunk);
    CHECK(kind == omp_sched_guided && chunk == 7);
    CHECK_EQUAL(omp_get_max_threads(), 3);
    omp_set_num_threads(before);
}

static int inner_sum(int depth)
{
    int sum = 0;
#pragma omp parallel num_threads(2) reduction(+ : sum)
    {
#pragma omp single
        sum += depth ? inner_sum(depth - 1) + 1 : 1;
    }
    return sum;
}

static void deep(void)
{
    omp_set_max_active_levels(4);
    CHECK_EQUAL(inner_sum(6), 7);
    omp_set_max_active_levels(1);
    CHECK_EQUAL(inner_sum(6), 7);
}

int main(void)
{
    RUN(levels);
    RUN(only_as_many_active_levels_as_set);
    RUN(work_in_inner_teams);
    RUN(constructs_bind_to_the_inner_team);
    RUN(control_variables_are_inherited);
    RUN(deep);
    return finish();
}
