/* 3.3 text about affinity, 3.15 omp_display_env, 3.6 pausing: they may do little, but they must not break. */
#include <omp.h>

#include "../check.h"

static void affinity_format(void)
{
    char text[200], after[200];
    size_t length = omp_get_affinity_format(text, sizeof text);
    CHECK(length > 0 && length < sizeof text && strlen(text) == length);
    omp_set_affinity_format("level %L thread %n of %N, %0.4n|%.5n|%5n, 100%%");
    CHECK_EQUAL(omp_get_affinity_format(after, sizeof after), strlen("level %L thread %n of %N, %0.4n|%.5n|%5n, 100%%"));
    CHECK(strcmp(after, "level %L thread %n of %N, %0.4n|%.5n|%5n, 100%%") == 0);
    length = omp_capture_affinity(after, sizeof after, NULL);
    CHECK(strcmp(after, "level 0 thread 0 of 1, 0000|    0|0    , 100%") == 0);
    SHOW("%s", after);
    CHECK_EQUAL(length, strlen(after));
    length = omp_capture_affinity(after, 6, "0123456789");
    CHECK(length == 10 && strcmp(after, "01234") == 0);
    omp_set_affinity_format(text);
}

static void affinity_of_threads(void)
{
    int wrong = 0;
#pragma omp parallel
    {
        char text[50], wanted[50];
        omp_capture_affinity(text, sizeof text, "%n/%N/%L");
        snprintf(wanted, sizeof wanted, "%d/%d/1", omp_get_thread_num(), omp_get_num_threads());
        if (strcmp(text, wanted)) add_to_word(&wrong, 1);
    }
    CHECK_EQUAL(wrong, 0);
}

static void environment(void)
{
    omp_display_env(0);
    omp_display_env(1);
    CHECK_EQUAL(omp_in_parallel(), 0);
}

static void pause_and_go_on(void)
{
    int size = 0, again = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(3)
#pragma omp master
    size = omp_get_num_threads();
    int paused = omp_pause_resource(omp_pause_soft, omp_get_initial_device());
    CHECK(paused == 0 || paused == -1 || paused == 1);
    omp_pause_resource_all(omp_pause_hard);
#pragma omp parallel num_threads(3)
#pragma omp master
    again = omp_get_num_threads();
    CHECK(size == 3 && again == 3);
    omp_set_dynamic(USUALLY_DYNAMIC);
}

int main(void)
{
    RUN(affinity_format);
    RUN(affinity_of_threads);
    RUN(environment);
    RUN(pause_and_go_on);
    return finish();
}
