/* 2.7 teams, 2.11.6 distribute: leagues on the host, whatever number of teams there are. */
#include <omp.h>

#include "../check.h"

enum { SIZE = 600 };
static int counts[SIZE];

static void expect(int times)
{
    for (int i = 0; i < SIZE; i++) CHECK_EQUAL(counts[i], times);
    memset(counts, 0, sizeof counts);
}

static void league(void)
{
    for (int wanted = 1; wanted < 5; wanted++) {
        int teams = 0, wrong = 0, seen[8] = {0};
#pragma omp teams num_teams(wanted) thread_limit(2) shared(teams, wrong, seen)
        {
            int team = omp_get_team_num();
            if (omp_get_num_teams() > wanted || team >= omp_get_num_teams() || team < 0) add_to_word(&wrong, 1);
            add_to_word(&seen[team], 1);
            if (team == 0) teams = omp_get_num_teams();
        }
        CHECK_EQUAL(wrong, 0);
        CHECK(teams >= 1 && teams <= wanted);
        for (int team = 0; team < 8; team++) CHECK_EQUAL(seen[team], team < teams);
    }
    CHECK(omp_get_num_teams() == 1 && omp_get_team_num() == 0);
}

static void parallel_inside(void)
{
    int threads = 0, sizes = 0, wrong = 0;
#pragma omp teams num_teams(2) thread_limit(3) shared(threads, sizes, wrong)
    {
#pragma omp parallel num_threads(8) shared(threads, sizes, wrong)
        {
            add_to_word(&threads, 1);
            if (omp_get_num_threads() > 3) add_to_word(&wrong, 1);
#pragma omp master
            add_to_word(&sizes, omp_get_num_threads());
        }
    }
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(threads, sizes);
}

static void distribute(void)
{
#pragma omp teams num_teams(3)
    {
#pragma omp distribute
        for (int i = 0; i < SIZE; i++) add_to_word(&counts[i], 1);
#pragma omp distribute dist_schedule(static, 7)
        for (int i = SIZE - 1; i >= 0; i--) add_to_word(&counts[i], 1);
#pragma omp distribute collapse(2)
        for (int i = 0; i < 20; i++)
            for (int j = 0; j < 30; j++) add_to_word(&counts[30 * i + j], 1);
#pragma omp distribute parallel for
        for (int i = 0; i < SIZE; i++) add_to_word(&counts[i], 1);
#pragma omp distribute parallel for schedule(dynamic, 3) dist_schedule(static, 50)
        for (int i = 0; i < SIZE; i++) add_to_word(&counts[i], 1);
#pragma omp distribute simd
        for (int i = 0; i < SIZE; i++) add_to_word(&counts[i], 1);
    }
    expect(6);
}

static void combined(void)
{
    int sum = 0, last = -1, first = 4, wrong = 0;
#pragma omp teams distribute reduction(+ : sum)
    for (int i = 0; i < SIZE; i++) sum += i;
    CHECK_EQUAL(sum, SIZE * (SIZE - 1) / 2);
#pragma omp teams distribute parallel for reduction(+ : sum) num_teams(2) num_threads(2)
    for (int i = 0; i < SIZE; i++) sum -= i;
    CHECK_EQUAL(sum, 0);
#pragma omp teams distribute parallel for simd reduction(+ : sum) schedule(static, 4)
    for (int i = 0; i < SIZE; i++) sum += 2;
    CHECK_EQUAL(sum, 2 * SIZE);
#pragma omp teams distribute simd
    for (int i = 0; i < SIZE; i++) counts[i] = 1;
    expect(1);
#pragma omp teams distribute parallel for lastprivate(last) firstprivate(first) shared(wrong)
    for (int i = 0; i < SIZE; i++) {
        last = i;
        if (first != 4) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(last, SIZE - 1);
    CHECK_EQUAL(wrong, 0);
}

static void data(void)
{
    int own = 5, first = 6, shared_sum = 0, teams = 0, wrong = 0;
#pragma omp teams num_teams(2) private(own) firstprivate(first) shared(shared_sum, teams, wrong)
    {
        own = omp_get_team_num();
        first += own;
        linger();
        if (own != omp_get_team_num() || first != 6 + own) add_to_word(&wrong, 1);
        add_to_word(&shared_sum, 1);
        if (own == 0) teams = omp_get_num_teams();
    }
    CHECK(own == 5 && first == 6);
    CHECK_EQUAL(shared_sum, teams);
    CHECK_EQUAL(wrong, 0);
    int count = 0;
#pragma omp teams reduction(+ : count) num_teams(3)
    count += 1;
    CHECK(count >= 1 && count <= 3);
}

int main(void)
{
    RUN(league);
    RUN(parallel_inside);
    RUN(distribute);
    RUN(combined);
    RUN(data);
    return finish();
}
