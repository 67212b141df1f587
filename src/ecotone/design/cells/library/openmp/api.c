/* The functions of omp.h about teams, levels, time and places. Locks, memory and devices have files of their own. */
#include "../omp.h"

#include "openmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEVELS_SUPPORTED 255

static struct controls *controls(void) { return &eomp_here()->task->controls; }
static const struct team *team(void) { return eomp_here()->team; }

void omp_set_num_threads(int threads)
{
    controls()->threads = threads > 0 ? threads : 1;
    controls()->threads_were_set = true;
}
int omp_get_num_threads(void) { return team()->size; }
int omp_get_max_threads(void) { return controls()->threads; }
int omp_get_thread_num(void) { return eomp_here()->number; }
int omp_get_num_procs(void)
{
    eomp_here();
    return eomp_settings.processors;
}
int omp_in_parallel(void) { return team()->active_level > 0; }
void omp_set_dynamic(int dynamic) { controls()->dynamic = dynamic; }
int omp_get_dynamic(void) { return controls()->dynamic; }
int omp_get_cancellation(void)
{
    eomp_here();
    return eomp_settings.cancellation;
}
void omp_set_nested(int nested)
{
    if (!nested)
        controls()->most_levels = 1;
    else if (controls()->most_levels <= 1)
        controls()->most_levels = LEVELS_SUPPORTED;
}
int omp_get_nested(void) { return controls()->most_levels > 1 && controls()->most_levels > team()->active_level; }

void omp_set_schedule(omp_sched_t kind, int chunk)
{
    uint32_t without = (uint32_t) kind & ~SCHEDULE_MONOTONIC;
    if (without < SCHEDULE_STATIC || without > SCHEDULE_AUTO)
        return;
    controls()->schedule = (uint32_t) kind;
    int least = without == SCHEDULE_STATIC || without == SCHEDULE_AUTO ? 0 : 1; /* 0: no chunk is given */
    controls()->chunk = chunk < 1 || without == SCHEDULE_AUTO ? least : chunk;
}
void omp_get_schedule(omp_sched_t *kind, int *chunk)
{
    *kind = (omp_sched_t) controls()->schedule;
    *chunk = controls()->chunk;
}

int omp_get_thread_limit(void) { return controls()->thread_limit; }
int omp_get_supported_active_levels(void) { return LEVELS_SUPPORTED; }
void omp_set_max_active_levels(int levels)
{
    if (levels >= 0)
        controls()->most_levels = levels > LEVELS_SUPPORTED ? LEVELS_SUPPORTED : levels;
}
int omp_get_max_active_levels(void) { return controls()->most_levels; }
int omp_get_level(void) { return team()->level; }
int omp_get_active_level(void) { return team()->active_level; }

static const struct member *ancestor(int level)
{
    const struct member *member = eomp_here();
    if (level < 0 || level > member->team->level)
        return NULL;
    while (member->team->level > level)
        member = member->team->above;
    return member;
}
int omp_get_ancestor_thread_num(int level)
{
    const struct member *member = ancestor(level);
    return member ? member->number : -1;
}
int omp_get_team_size(int level)
{
    const struct member *member = ancestor(level);
    return member ? member->team->size : -1;
}
int omp_in_final(void) { return (eomp_here()->task->flags & TASK_FINAL) != 0; }

/* ---- Leagues ---- */

int omp_get_num_teams(void) { return team()->team_count; }
int omp_get_team_num(void) { return team()->team_number; }
void omp_set_num_teams(int teams)
{
    eomp_here();
    if (teams >= 0)
        eomp_settings.teams = teams;
}
int omp_get_max_teams(void)
{
    eomp_here();
    return eomp_settings.teams;
}
void omp_set_teams_thread_limit(int limit)
{
    eomp_here();
    if (limit >= 0)
        eomp_settings.teams_thread_limit = limit;
}
int omp_get_teams_thread_limit(void)
{
    eomp_here();
    return eomp_settings.teams_thread_limit;
}

/* ---- Places: one, with all processors ---- */

omp_proc_bind_t omp_get_proc_bind(void)
{
    int32_t level = team()->level;
    if (!eomp_settings.bind_levels)
        return omp_proc_bind_false;
    int32_t at = level < eomp_settings.bind_levels ? level : eomp_settings.bind_levels - 1;
    return (omp_proc_bind_t) eomp_settings.bind[at];
}
int omp_get_num_places(void) { return 1; }
int omp_get_place_num_procs(int place) { return place == 0 ? omp_get_num_procs() : 0; }
void omp_get_place_proc_ids(int place, int *ids)
{
    for (int at = 0; at < omp_get_place_num_procs(place); at++)
        ids[at] = at;
}
int omp_get_place_num(void) { return 0; }
int omp_get_partition_num_places(void) { return 1; }
void omp_get_partition_place_nums(int *places) { places[0] = 0; }

/* ---- Tasks, pauses, time ---- */

int omp_get_max_task_priority(void)
{
    eomp_here();
    return eomp_settings.most_priority;
}
void omp_fulfill_event(omp_event_handle_t event) { eomp_event_fulfil((struct task *) (uintptr_t) event); }

int omp_pause_resource(omp_pause_resource_t kind, int device)
{
    bool known = kind == omp_pause_soft || kind == omp_pause_hard;
    return known && device == 0 && !omp_in_parallel() ? 0 : 1; /* parked threads use nothing that could be given back */
}
int omp_pause_resource_all(omp_pause_resource_t kind) { return omp_pause_resource(kind, 0); }

double omp_get_wtime(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}
double omp_get_wtick(void)
{
    struct timespec tick;
    return clock_getres(CLOCK_MONOTONIC, &tick) ? 1e-9 : (double) tick.tv_sec + (double) tick.tv_nsec * 1e-9;
}

int omp_control_tool(int command, int modifier, void *argument)
{
    (void) command;
    (void) modifier;
    (void) argument;
    return omp_control_tool_notool;
}
