/* 3.4, 3.5, 3.12, 3.14 and the rest of chapter 3 that is nowhere else: teams, priorities, interoperability, tools. */
// gcc: 12 has no interoperability routines or omp_control_tool
#include <omp.h>

#include "../check.h"

static void teams(void)
{
    CHECK_EQUAL(omp_get_num_teams(), 1);
    CHECK_EQUAL(omp_get_team_num(), 0);
    CHECK(omp_get_max_teams() >= 0);
    omp_set_num_teams(3);
    CHECK_EQUAL(omp_get_max_teams(), 3);
    omp_set_teams_thread_limit(2);
    CHECK_EQUAL(omp_get_teams_thread_limit(), 2);
    int wrong = 0;
#pragma omp teams shared(wrong)
    {
        if (omp_get_num_teams() > 3) add_to_word(&wrong, 1);
#pragma omp parallel num_threads(8)
        if (omp_get_num_threads() > 2) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void tools(void)
{
    /* No tool is active: -2, or -1 if the library has no interface for tools. */
    int result = omp_control_tool(omp_control_tool_start, 0, NULL);
    CHECK(result == -2 || result == -1);
}

static void affinity_is_shown(void)
{
    omp_display_affinity("thread %n");
    CHECK_EQUAL(omp_get_thread_num(), 0);
}

static void interoperability(void)
{
    omp_interop_t none = omp_interop_none;
    CHECK_EQUAL(omp_get_num_interop_properties(none), 0);
    CHECK(omp_get_interop_ptr(none, omp_ipr_device, NULL) == NULL);
}

int main(void)
{
    RUN(teams);
    RUN(tools);
    RUN(affinity_is_shown);
    RUN(interoperability);
    return finish();
}
