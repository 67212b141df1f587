/* Teams: how a parallel region begins and ends, and its barriers.
 *
 * A region begins when each of its threads is given a `struct member` (thread.c). Who comes to its end counts itself in
 * `joined` and may then be given the next region; only the first thread waits, until all have come and all tasks are
 * done. Nothing is passed back, so an empty region costs each thread one line of cache in each direction. */
#include "openmp.h"
#include "thread_wait.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct team *eomp_team_new(int32_t room)
{
    size_t bytes = sizeof(struct team) + (size_t) room * sizeof(struct member);
    struct team *team = aligned_alloc(EOMP_LINE, bytes);
    if (!team)
        return NULL;
    memset(team, 0, bytes);
    team->room = room;
    team->size = 1;
    for (int32_t at = 0; at < room; at++) {
        team->members[at].team = team;
        team->members[at].number = at;
    }
    for (uint32_t at = 0; at < LOOPS; at++) {
        team->loops[at].turn.value = at;
        team->doacrosses[at].turn.value = at;
    }
    return team;
}

static struct team *team_for(struct thread *thread, int32_t size)
{
    struct team **list = size > 1 ? &thread->teams : &thread->serial_teams, *team = *list;
    if (team && team->room >= size) {
        *list = team->next;
        return team;
    }
    int32_t room = size == 1 || eomp_settings.processors < size ? size : eomp_settings.processors;
    return eomp_team_new(room);
}

static void keep(struct thread *thread, struct team *team)
{
    struct team **list = team->room > 1 ? &thread->teams : &thread->serial_teams;
    team->next = *list;
    *list = team;
}

/* This thread becomes that member of a team; its implicit task begins. */
void eomp_enter(struct member *member)
{
    struct team *team = member->team;
    struct task *task = &member->implicit;
    atomic_store_explicit(&task->count, TASK_FAMILY, memory_order_relaxed);
    task->runner = member->thread;
    task->team = team;
    task->group = NULL;
    task->implicit = true;
    task->flags = TASK_TIED;
    task->controls = team->controls;
    member->task = task;
    member->loops_begun = team->loops_begun;
    member->doacrosses_begun = team->doacrosses_begun;
    member->singles_begun = team->singles_begun;
    member->position.loop = NULL;
    eomp_member = member;
    if (eomp_settings.display_affinity)
        eomp_show_affinity(member);
}

/* How many threads the next region may have. Call it with the pool locked. */
static int32_t threads_for(const struct member *here, int32_t pushed)
{
    const struct controls *controls = &here->task->controls;
    if (here->team->active_level >= controls->most_levels)
        return 1;
    int32_t wanted = pushed > 0 ? pushed : controls->threads;
    bool obeyed = !controls->dynamic && (pushed > 0 || controls->threads_were_set);
    int32_t busy = eomp_threads_busy();
    int32_t most = (controls->thread_limit < THREADS_MOST ? controls->thread_limit : THREADS_MOST) - busy;
    int32_t cap = (int32_t) eomp_page[PAGE_CAP];
    if (!obeyed && cap > 0 && cap - busy < most)
        most = cap - busy;
    if (wanted > most)
        wanted = most;
    return wanted > 1 ? wanted : 1;
}

/* What the other threads have read for the last region stays in their caches unless it changes. */
#define SET(place, value)                                                                                              \
    do {                                                                                                               \
        if ((place) != (value))                                                                                        \
            (place) = (value);                                                                                         \
    } while (0)

static void set_controls(struct controls *to, const struct controls *from)
{
    SET(to->threads, from->threads);
    SET(to->dynamic, from->dynamic);
    SET(to->threads_were_set, from->threads_were_set);
    SET(to->most_levels, from->most_levels);
    SET(to->thread_limit, from->thread_limit);
    SET(to->schedule, from->schedule);
    SET(to->chunk, from->chunk);
    SET(to->device, from->device);
}

/* The controls of tasks in a region: one place further in the list of OMP_NUM_THREADS. */
static void inherit(struct team *team, struct member *above)
{
    const struct team *outer = above->team;
    struct controls controls = above->task->controls;
    int32_t level = outer->level + 1;
    if (level < eomp_settings.threads_levels)
        controls.threads = eomp_settings.threads_list[level];
    set_controls(&team->controls, &controls);
    SET(team->above, above);
    SET(team->level, level);
    SET(team->active_level, outer->active_level + (team->size > 1));
    SET(team->team_number, outer->team_number);
    SET(team->team_count, outer->team_count);
}

/* Of regions with no other around them that has several threads. */
static void tell_host(const struct team *team)
{
    if (team->above->team->active_level)
        return;
    eomp_page[PAGE_THREADS] = (uint32_t) team->size;
    eomp_page[PAGE_CAP_SEEN] = eomp_page[PAGE_CAP];
    eomp_page[PAGE_REGIONS]++;
}

/* ---- Regions of one thread ---- */

/* After a cancelled region, which threads have left at different places. All have come to its end. */
static void forget_constructs(struct team *team)
{
    for (uint32_t at = 0; at < LOOPS; at++) {
        struct loop *loop = &team->loops[at];
        loop->next = 0;
        loop->turn.value = at;
        loop->ordered = 0;
        loop->left = 0;
        struct doacross *doacross = &team->doacrosses[at];
        free(doacross->done);
        doacross->done = NULL;
        doacross->turn.value = at;
        doacross->left = 0;
    }
    team->loops_begun = team->doacrosses_begun = team->singles_begun = 0;
    atomic_store(&team->single, 0);
    eomp_reductions_forget(team);
    atomic_store(&team->arrived, 0);
    atomic_store(&team->cancelled, 0);
}

/* The next region of this team goes on where this one ends, so nothing has to be set back. */
static void end_constructs(struct team *team)
{
    const struct member *first = &team->members[0];
    SET(team->loops_begun, first->loops_begun);
    SET(team->doacrosses_begun, first->doacrosses_begun);
    SET(team->singles_begun, first->singles_begun);
    if (atomic_load(&team->cancelled))
        forget_constructs(team);
}

static struct team *begin_alone(struct member *here)
{
    struct team *team = team_for(here->thread, 1);
    if (!team)
        eomp_fail("no memory is left for a parallel region");
    here->thread->push_threads = 0;
    inherit(team, here);
    team->members[0].thread = here->thread;
    return team;
}

/* Tasks that wait for an event may still be there. */
static void finish_tasks(struct team *team);

static void end_alone(struct team *team)
{
    struct thread *thread = team->members[0].thread;
    if (atomic_load(&team->tasking))
        finish_tasks(team);
    end_constructs(team);
    eomp_member = team->above;
    keep(thread, team);
}

void __kmpc_serialized_parallel(PLACE)
{
    struct team *team = begin_alone(eomp_here());
    eomp_enter(&team->members[0]);
}

void __kmpc_end_serialized_parallel(PLACE) { end_alone(eomp_here()->team); }

static void run_alone(struct member *here, microtask function, int32_t count, const uintptr_t *arguments)
{
    struct team *team = begin_alone(here);
    tell_host(team);
    eomp_enter(&team->members[0]);
    int32_t id = here->thread->id, number = 0;
    eomp_invoke(function, &id, &number, count, arguments);
    end_alone(team);
}

/* ---- Regions of several threads ---- */

/* Whoever waits for all tasks of the team says so in `finisher` before it looks whether they are done; who completes
 * one looks at `finisher` afterwards (Dekker). */
static void finish_tasks(struct team *team)
{
    struct thread *thread = eomp_here()->thread;
    atomic_store(&team->finisher, thread);
    while (!eomp_all_done(team))
        if (!eomp_help(NULL))
            EOMP_SLEEP_WHILE(thread, ASLEEP_HELPFUL, !eomp_all_done(team) && !eomp_tasks_waiting(team, team->size));
    atomic_store(&team->finisher, NULL);
    atomic_store(&team->tasking, 0);
    for (int32_t at = 0; at < team->size; at++)
        if (team->members[at].implicit.table)
            eomp_depend_forget(&team->members[at].implicit);
}

static bool all_joined(struct team *team, uint32_t all) { return atomic_load(&team->joined) == all; }
static bool has_opened(struct team *team, uint32_t generation) { return atomic_load(&team->generation) != generation; }

static bool has_tasks(struct team *team)
{
    return atomic_load(&team->tasking) && eomp_tasks_waiting(team, team->size);
}

/* Until it is done, helps with tasks. */
static inline __attribute__((always_inline)) void wait_in_team(struct team *team, struct thread *thread,
                                                               bool (*done)(struct team *, uint32_t), uint32_t value)
{
    while (!done(team, value)) {
        bool paid = false;
        uint32_t turns = eomp_patience(thread, AT_BARRIERS, team->size);
        for (uint32_t turn = 0; turn < turns && !paid; turn++) {
            paid = done(team, value);
            if (!paid && atomic_load(&team->tasking)) {
                paid = eomp_help(NULL);
                turn += TURNS_OF_SEARCH;
            }
            eomp_brake(thread);
        }
        eomp_patience_paid(thread, AT_BARRIERS, paid);
        if (!paid)
            EOMP_SLEEP_WHILE(thread, ASLEEP_HELPFUL, !done(team, value) && !has_tasks(team));
    }
}

/* Nobody may look into the team's deques once its end is told; see `help_after_end` in thread.c. */
static void wait_for_helpers(struct team *team, struct thread *thread)
{
    for (int32_t at = 1; at < team->size; at++)
        while (atomic_load(&team->members[at].thread->helping))
            EOMP_SLEEP_WHILE(thread, ASLEEP_STRICT, atomic_load(&team->members[at].thread->helping));
}

static void join(struct team *team, uint32_t all)
{
    struct member *first = &team->members[0];
    wait_in_team(team, first->thread, all_joined, all);
    if (atomic_load(&team->tasking)) {
        finish_tasks(team);
        atomic_fetch_add(&team->region, 1);
        wait_for_helpers(team, first->thread);
    }
    end_constructs(team);
    eomp_member = team->above;
}

static struct team *begin_together(struct member *here, int32_t pushed)
{
    eomp_lock(&eomp_pool_lock);
    int32_t size = threads_for(here, pushed);
    struct team *team = size > 1 ? team_for(here->thread, size) : NULL;
    if (team) {
        if (eomp_take_threads(team, size - 1))
            atomic_fetch_add(&team->region, 1); /* those who were in it do not belong to it any more */
        SET(team->members[0].thread, here->thread);
    }
    eomp_unlock(&eomp_pool_lock);
    if (team && team->size == 1) {
        keep(here->thread, team);
        return NULL;
    }
    return team;
}

static void set_work(struct team *team, microtask function, int32_t count, const uintptr_t *arguments)
{
    SET(team->function, function);
    SET(team->argument_count, count);
    for (int32_t at = 0; at < count; at++)
        SET(team->arguments[at], arguments[at]);
}

static void run_together(microtask function, int32_t count, const uintptr_t *arguments)
{
    struct member *here = eomp_here();
    struct thread *thread = here->thread;
    int32_t pushed = thread->push_threads;
    thread->push_threads = 0;
    struct team *team = count <= ARGUMENTS ? begin_together(here, pushed) : NULL;
    if (!team) {
        run_alone(here, function, count, arguments);
        return;
    }
    inherit(team, here);
    tell_host(team);
    set_work(team, function, count, arguments);
    uint32_t all = team->joined_before + (uint32_t) team->size - 1;
    team->joined_before = all;
    for (int32_t at = 1; at < team->size; at++)
        eomp_hire(&team->members[at], all);
    eomp_enter(&team->members[0]);
    int32_t id = thread->id, number = 0;
    eomp_invoke(function, &id, &number, count, arguments);
    join(team, all);
    eomp_lock(&eomp_pool_lock);
    eomp_give_back(team);
    eomp_unlock(&eomp_pool_lock);
    keep(thread, team);
}

#define COPY_ARGUMENTS(count, last)                                                                                    \
    uintptr_t arguments[ARGUMENTS];                                                                                    \
    if (count > ARGUMENTS)                                                                                             \
        eomp_invoke(NULL, NULL, NULL, count, NULL); /* complains */                                                    \
    va_list list;                                                                                                      \
    va_start(list, last);                                                                                              \
    for (int32_t at = 0; at < count; at++)                                                                             \
        arguments[at] = va_arg(list, uintptr_t);                                                                       \
    va_end(list)

void __kmpc_fork_call(const struct place *place, int32_t count, microtask function, ...)
{
    (void) place;
    COPY_ARGUMENTS(count, function);
    run_together(function, count, arguments);
}

void __kmpc_fork_call_if(const struct place *place, int32_t count, microtask function, int32_t condition, void *given)
{
    (void) place;
    uintptr_t arguments[1] = {(uintptr_t) given};
    count = given ? 1 : count;
    if (condition)
        run_together(function, count, arguments);
    else
        run_alone(eomp_here(), function, count, arguments);
}

void __kmpc_push_num_threads(PLACE, int32_t threads) { eomp_here()->thread->push_threads = threads; }
void __kmpc_push_num_threads_strict(PLACE, int32_t threads, int32_t severity, const char *message)
{
    (void) severity;
    (void) message;
    eomp_here()->thread->push_threads = threads;
}
void __kmpc_push_proc_bind(PLACE, int32_t policy) { (void) policy; } /* the system places our threads */

/* ---- Barriers ---- */

/* All are at a barrier, so a loop (or sections) that somebody has cancelled is over. */
static void end_cancelled_loop(struct team *team)
{
    uint32_t cancelled = atomic_load(&team->cancelled);
    if (cancelled && cancelled != CANCEL_PARALLEL)
        atomic_store(&team->cancelled, 0);
}

/* The last one to come sees to the tasks, and then lets all others go: `arrived` is 0 again before `generation` tells,
 * so who comes to the next barrier finds it so. A sleeper is woken as wait.c says. */
static void open_barrier(struct team *team, uint32_t generation)
{
    if (atomic_load(&team->tasking))
        finish_tasks(team);
    end_cancelled_loop(team);
    eomp_set_quietly(&team->arrived, 0);
    atomic_store(&team->generation, generation + 1);
    for (int32_t at = 0; at < team->size; at++)
        eomp_ring(team->members[at].thread);
}

void eomp_barrier(void)
{
    struct member *here = eomp_here();
    struct team *team = here->team;
    if (here->position.loop)
        eomp_loop_leave(here);
    if (team->size == 1) {
        if (atomic_load(&team->tasking))
            finish_tasks(team);
        end_cancelled_loop(team);
        return;
    }
    uint32_t generation = atomic_load(&team->generation);
    if (atomic_load(&team->cancelled) == CANCEL_PARALLEL)
        return; /* after `generation`, or it might wait for one that is not to come */
    if (atomic_fetch_add(&team->arrived, 1) + 1 == (uint32_t) team->size)
        open_barrier(team, generation);
    else
        wait_in_team(team, here->thread, has_opened, generation);
}

void __kmpc_barrier(PLACE) { eomp_barrier(); }

/* For all who wait there. It may be set to what they wait for meanwhile, but not to less. */
static void open_gate(struct gate *turn) { eomp_gate_set(turn, atomic_load(&turn->value) + INT32_MAX / 2); }

/* By the one who cancels it. Nobody waits for all at a barrier any more, for some go to the end of the region without
 * coming to one. The one who cancels is not at the barrier, so none is being opened, and none will be. */
void eomp_region_cancelled(struct team *team)
{
    atomic_fetch_add(&team->generation, 1);
    for (int32_t at = 0; at < team->size; at++)
        eomp_ring(team->members[at].thread);
    for (uint32_t at = 0; at < LOOPS; at++) {
        open_gate(&team->loops[at].turn);
        open_gate(&team->doacrosses[at].turn);
    }
}

/* ---- Leagues of teams: on the host one after the other, in this thread ---- */

void __kmpc_push_num_teams(PLACE, int32_t teams, int32_t limit)
{
    struct thread *thread = eomp_here()->thread;
    thread->push_teams = teams;
    thread->push_limit = limit;
}
void __kmpc_push_num_teams_51(PLACE, int32_t least, int32_t most, int32_t limit)
{
    __kmpc_push_num_teams(place, id, most ? most : least, limit);
}

static void run_team(struct member *here, int32_t number, int32_t count, int32_t limit, microtask function,
                     int32_t argument_count, const uintptr_t *arguments)
{
    struct team *team = begin_alone(here);
    team->level = team->active_level = 0;
    team->team_number = number;
    team->team_count = count;
    if (limit > 0)
        team->controls.thread_limit = limit;
    eomp_enter(&team->members[0]);
    int32_t id = here->thread->id, first = 0;
    eomp_invoke(function, &id, &first, argument_count, arguments);
    end_alone(team);
}

void __kmpc_fork_teams(const struct place *place, int32_t count, microtask function, ...)
{
    (void) place;
    COPY_ARGUMENTS(count, function);
    struct member *here = eomp_here();
    struct thread *thread = here->thread;
    int32_t teams = thread->push_teams > 0 ? thread->push_teams : eomp_settings.teams > 0 ? eomp_settings.teams : 1;
    int32_t limit = thread->push_limit > 0 ? thread->push_limit : eomp_settings.teams_thread_limit;
    thread->push_teams = thread->push_limit = 0;
    for (int32_t number = 0; number < teams; number++)
        run_team(here, number, teams, limit, function, count, arguments);
}

void __kmpc_set_thread_limit(PLACE, int32_t limit)
{
    if (limit > 0)
        eomp_here()->task->controls.thread_limit = limit;
}
