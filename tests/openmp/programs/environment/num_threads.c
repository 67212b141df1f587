/* 6.2 OMP_NUM_THREADS, with lists for inner levels, and what makes no sense; 6.3 OMP_DYNAMIC. */
// run: OMP_NUM_THREADS=3 OMP_DYNAMIC=false
// run: OMP_NUM_THREADS=1 OMP_DYNAMIC=false
// run: OMP_NUM_THREADS=4,2 OMP_DYNAMIC=FALSE OMP_MAX_ACTIVE_LEVELS=2
// run: OMP_NUM_THREADS=2,3,4 OMP_DYNAMIC=false OMP_MAX_ACTIVE_LEVELS=3
// run: OMP_NUM_THREADS=0 OMP_DYNAMIC=false
// run: OMP_NUM_THREADS=-3 OMP_DYNAMIC=false
// run: OMP_NUM_THREADS=many OMP_DYNAMIC=false
// run: OMP_NUM_THREADS=3x OMP_DYNAMIC=false
// run: OMP_NUM_THREADS= OMP_DYNAMIC=false
// run: OMP_NUM_THREADS=99999999999999999999 OMP_DYNAMIC=false
// run: OMP_NUM_THREADS=3 OMP_DYNAMIC=true
// run: OMP_NUM_THREADS=3 OMP_DYNAMIC=perhaps
#include <ctype.h>
#include <omp.h>

#include "../check.h"

static int wanted[4], known;

/* The list, or nothing if it makes no sense. */
static void read_list(void)
{
    const char *text = getenv("OMP_NUM_THREADS");
    while (text && *text && known < 4) {
        char *end;
        long number = strtol(text, &end, 10);
        if (end == text || number < 1 || number > 1000 || (*end && *end != ',')) {
            known = 0;
            return;
        }
        wanted[known++] = (int) number;
        text = *end ? end + 1 : end;
    }
}

static int team_size(void)
{
    int size = 0;
#pragma omp parallel
#pragma omp master
    size = omp_get_num_threads();
    return size;
}

static int exact(void)
{
    const char *text = getenv("OMP_DYNAMIC");
    return text && tolower(text[0]) == 'f';
}

static void outer(void)
{
    if (known) CHECK_EQUAL(omp_get_max_threads(), wanted[0]);
    else CHECK(omp_get_max_threads() >= 1);
    if (exact() && known) CHECK_EQUAL(team_size(), wanted[0]);
    CHECK(team_size() >= 1 && team_size() <= omp_get_max_threads());
    CHECK_EQUAL(omp_get_num_procs(), omp_get_num_procs());
}

static void inner(void)
{
    int wrong = 0, level_2 = known > 1 ? wanted[1] : known ? wanted[0] : 0;
    int level_3 = known > 2 ? wanted[2] : level_2;
    if (!exact() || !level_2) return;
#pragma omp parallel
    {
        if (omp_get_max_threads() != level_2) add_to_word(&wrong, 1);
#pragma omp parallel
        {
            int size = omp_get_num_threads();
            if (size != (omp_get_max_active_levels() > 1 ? level_2 : 1)) add_to_word(&wrong, 1);
            if (omp_get_max_threads() != level_3) add_to_word(&wrong, 1);
        }
    }
    CHECK_EQUAL(wrong, 0);
}

static void settings_beat_it(void)
{
    omp_set_dynamic(0);
    omp_set_num_threads(2);
    CHECK_EQUAL(team_size(), 2);
    CHECK_EQUAL(omp_get_max_threads(), 2);
}

static void dynamic(void)
{
    const char *text = getenv("OMP_DYNAMIC");
    if (tolower(text[0]) == 'f') CHECK_EQUAL(omp_get_dynamic(), 0);
    if (tolower(text[0]) == 't') CHECK(omp_get_dynamic() != 0);
}

int main(void)
{
    read_list();
    RUN(dynamic);
    RUN(outer);
    RUN(inner);
    RUN(settings_beat_it);
    return finish();
}
