/* What is shown to people: the settings, and where threads run. */
#include "../omp.h"

#include "openmp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *truth(bool value) { return value ? "TRUE" : "FALSE"; }

static void show_threads(void)
{
    fputs("  OMP_NUM_THREADS = '", stderr);
    if (eomp_settings.threads_levels < 2)
        fprintf(stderr, "%d", (int) eomp_settings.controls.threads);
    for (int32_t at = 0; eomp_settings.threads_levels > 1 && at < eomp_settings.threads_levels; at++)
        fprintf(stderr, at ? ",%d" : "%d", (int) eomp_settings.threads_list[at]);
    fputs("'\n", stderr);
}

static void show_schedule(void)
{
    static const char *const kinds[] = {"STATIC", "DYNAMIC", "GUIDED", "AUTO"};
    const struct controls *controls = &eomp_settings.controls;
    uint32_t kind = controls->schedule & ~SCHEDULE_MONOTONIC;
    const char *modifier = controls->schedule & SCHEDULE_MONOTONIC ? "MONOTONIC:" : "";
    fprintf(stderr, "  OMP_SCHEDULE = '%s%s", modifier, kinds[kind - 1]);
    bool usual = kind == SCHEDULE_STATIC || kind == SCHEDULE_AUTO ? controls->chunk == 0 : controls->chunk == 1;
    if (!usual)
        fprintf(stderr, ",%d", (int) controls->chunk);
    fputs("'\n", stderr);
}

static void show_bind(void)
{
    static const char *const kinds[] = {"FALSE", "TRUE", "PRIMARY", "CLOSE", "SPREAD"};
    fputs("  OMP_PROC_BIND = '", stderr);
    if (!eomp_settings.bind_levels)
        fputs(kinds[0], stderr);
    for (int32_t at = 0; at < eomp_settings.bind_levels; at++)
        fprintf(stderr, at ? ",%s" : "%s", kinds[eomp_settings.bind[at]]);
    fputs("'\n", stderr);
}

void omp_display_env(int verbose)
{
    (void) verbose; /* there is nothing of ours beyond the standard */
    eomp_here();
    const struct settings *settings = &eomp_settings;
    const struct controls *controls = &settings->controls;
    static const char *const offloads[] = {"DEFAULT", "MANDATORY", "DISABLED"};
    fputs("\nOPENMP DISPLAY ENVIRONMENT BEGIN\n  _OPENMP = '202011'\n", stderr);
    fprintf(stderr, "  OMP_DYNAMIC = '%s'\n", truth(controls->dynamic));
    fprintf(stderr, "  OMP_NESTED = '%s'\n", truth(controls->most_levels > 1));
    show_threads();
    show_schedule();
    show_bind();
    fprintf(stderr, "  OMP_PLACES = ''\n  OMP_STACKSIZE = '%" PRIu32 "'\n", settings->stack_bytes);
    fprintf(stderr, "  OMP_WAIT_POLICY = '%s'\n", settings->wait_policy == 2 ? "ACTIVE" : "PASSIVE");
    fprintf(stderr, "  OMP_THREAD_LIMIT = '%d'\n", (int) controls->thread_limit);
    fprintf(stderr, "  OMP_MAX_ACTIVE_LEVELS = '%d'\n", (int) controls->most_levels);
    fprintf(stderr, "  OMP_NUM_TEAMS = '%d'\n", (int) settings->teams);
    fprintf(stderr, "  OMP_TEAMS_THREAD_LIMIT = '%d'\n", (int) settings->teams_thread_limit);
    fprintf(stderr, "  OMP_CANCELLATION = '%s'\n", truth(settings->cancellation));
    fprintf(stderr, "  OMP_DEFAULT_DEVICE = '%d'\n", (int) controls->device);
    fprintf(stderr, "  OMP_MAX_TASK_PRIORITY = '%d'\n", (int) settings->most_priority);
    fprintf(stderr, "  OMP_DISPLAY_AFFINITY = '%s'\n", truth(settings->display_affinity));
    fprintf(stderr, "  OMP_AFFINITY_FORMAT = '%s'\n", eomp_affinity_format);
    if (settings->allocator <= omp_thread_mem_alloc)
        fprintf(stderr, "  OMP_ALLOCATOR = '%s'\n", eomp_allocator_names[settings->allocator - 1]);
    fprintf(stderr, "  OMP_TARGET_OFFLOAD = '%s'\n", offloads[settings->offload]);
    fputs("OPENMP DISPLAY ENVIRONMENT END\n", stderr);
}
