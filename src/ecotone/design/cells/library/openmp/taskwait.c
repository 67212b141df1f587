/* Waiting for tasks: taskwait, taskgroup, taskyield; and taskloop, which makes tasks of a loop. */
#include "openmp.h"
#include "thread_wait.h"

#include <stdlib.h>

/* Until it is done. Runs descendants of the task that waits; one more look for one is taken after this thread has said
 * that it sleeps. */
static inline __attribute__((always_inline)) void wait_in_task(bool (*done)(void *), void *what)
{
    struct member *here = eomp_here();
    struct thread *thread = here->thread;
    struct task *task = here->task, *found;
    while (!done(what)) {
        bool paid = eomp_help(task);
        uint32_t turns = paid ? 0 : eomp_patience(thread, AT_BARRIERS, here->team->size);
        for (uint32_t turn = 0; turn < turns && !paid; turn++) {
            paid = done(what);
            eomp_brake(thread);
            if (!paid && turn % TURNS_OF_SEARCH == 0) {
                paid = eomp_help(task);
                turn += TURNS_OF_SEARCH - 1;
            }
        }
        if (turns)
            eomp_patience_paid(thread, AT_BARRIERS, paid);
        if (paid)
            continue;
        found = NULL;
        EOMP_SLEEP_WHILE(thread, ASLEEP_STRICT, !done(what) && !(found = eomp_task_take(task, true)));
        if (found)
            eomp_task_run(found);
    }
}

static bool has_no_children(void *task) { return !(uint32_t) atomic_load(&((struct task *) task)->count); }
static bool is_zero(void *count) { return !atomic_load((word *) count); }

void eomp_wait_for_zero(word *count) { wait_in_task(is_zero, count); }

int32_t __kmpc_omp_taskwait(PLACE)
{
    struct task *task = eomp_here()->task;
    wait_in_task(has_no_children, task);
    if (task->table)
        eomp_depend_forget(task); /* what comes now has nothing to wait for */
    return 0;
}

int32_t __kmpc_omp_taskyield(PLACE, int32_t end)
{
    (void) end;
    struct member *here = eomp_here();
    if (atomic_load(&here->team->tasking))
        eomp_help(here->task);
    return 0;
}

struct group *eomp_group_begin(void)
{
    struct task *task = eomp_here()->task;
    struct group *group = calloc(1, sizeof *group);
    if (!group)
        eomp_fail("no memory is left for a taskgroup");
    group->outer = task->group;
    group->owner = eomp_here()->thread;
    task->group = group;
    return group;
}

void eomp_group_end(void)
{
    struct task *task = eomp_here()->task;
    struct group *group = task->group;
    eomp_wait_for_zero(&group->count);
    if (group->reductions)
        eomp_reductions_end(group);
    task->group = group->outer;
    free(group);
}

void __kmpc_taskgroup(PLACE) { eomp_group_begin(); }
void __kmpc_end_taskgroup(PLACE) { eomp_group_end(); }

/* ---- taskloop ---- */

#define TASKS_PER_THREAD 8

typedef void (*duplicate)(void *, void *, int32_t);
struct task_loop {
    struct task *pattern;
    size_t lower_at, upper_at; /* where a task has its bounds */
    uint64_t lower;
    int64_t step;
    uint64_t iterations, tasks, each, larger; /* the first `larger` tasks have one iteration more */
    duplicate duplicate;
    bool undeferred;
};

static uint64_t *bound(struct task *task, size_t at) { return (uint64_t *) ((char *) eomp_compiler_task(task) + at); }

static void divide(struct task_loop *loop, int32_t kind, uint64_t wanted, bool strict)
{
    uint64_t tasks = TASKS_PER_THREAD * (uint64_t) eomp_here()->team->size;
    if (kind == 1 && wanted) { /* grainsize */
        tasks = strict ? (loop->iterations + wanted - 1) / wanted : loop->iterations / wanted;
    } else if (kind == 2 && wanted) {
        tasks = wanted;
    }
    if (tasks > loop->iterations)
        tasks = loop->iterations;
    loop->tasks = tasks ? tasks : 1;
    loop->each = loop->iterations / loop->tasks;
    loop->larger = loop->iterations % loop->tasks;
    if (kind == 1 && strict && wanted) {
        loop->each = wanted;
        loop->larger = 0;
    }
}

static void make_tasks(const struct task_loop *loop)
{
    uint64_t begun = 0;
    for (uint64_t number = 0; number < loop->tasks; number++) {
        bool last = number + 1 == loop->tasks;
        uint64_t count = last ? loop->iterations - begun : loop->each + (number < loop->larger);
        struct task *task = eomp_task_copy(loop->pattern);
        *bound(task, loop->lower_at) = loop->lower + begun * (uint64_t) loop->step;
        *bound(task, loop->upper_at) = loop->lower + (begun + count - 1) * (uint64_t) loop->step;
        if (loop->duplicate)
            loop->duplicate(eomp_compiler_task(task), eomp_compiler_task(loop->pattern), last);
        begun += count;
        eomp_task_submit(task, loop->undeferred);
    }
}

/* What is private to the pattern has been constructed, so it is destroyed too. */
static void drop_pattern(struct task *pattern)
{
    struct compiler_task *compiler_task = eomp_compiler_task(pattern);
    if (pattern->flags & TASK_DESTRUCTORS && compiler_task->first.destructors)
        compiler_task->first.destructors(eomp_here()->thread->id, compiler_task);
    eomp_task_free(pattern);
}

void __kmpc_taskloop_5(PLACE, void *compiler_task, int32_t condition, uint64_t *lower, uint64_t *upper, int64_t step,
                       int32_t no_group, int32_t kind, uint64_t wanted, int32_t modifier, void *duplicating)
{
    struct task_loop loop = {
        .pattern = eomp_task_of(compiler_task),
        .lower_at = (size_t) ((char *) lower - (char *) compiler_task),
        .upper_at = (size_t) ((char *) upper - (char *) compiler_task),
        .lower = *lower,
        .step = step,
        .duplicate = (duplicate) duplicating,
        .undeferred = !condition,
    };
    if (step > 0)
        loop.iterations = (int64_t) *upper < (int64_t) *lower ? 0 : (*upper - *lower) / (uint64_t) step + 1;
    else
        loop.iterations = (int64_t) *lower < (int64_t) *upper ? 0 : (*lower - *upper) / -(uint64_t) step + 1;
    if (!no_group)
        eomp_group_begin();
    if (loop.iterations) {
        if (loop.lower == 0 && step == 1 && *upper == UINT32_MAX)
            kind = 0; /* an empty loop, which only the body of its tasks knows: no tasks of some iterations */
        divide(&loop, kind, wanted, modifier);
        make_tasks(&loop);
    }
    drop_pattern(loop.pattern);
    if (!no_group)
        eomp_group_end();
}

void __kmpc_taskloop(PLACE, void *compiler_task, int32_t condition, uint64_t *lower, uint64_t *upper, int64_t step,
                     int32_t no_group, int32_t kind, uint64_t wanted, void *duplicating)
{
    __kmpc_taskloop_5(place, id, compiler_task, condition, lower, upper, step, no_group, kind, wanted, 0, duplicating);
}
