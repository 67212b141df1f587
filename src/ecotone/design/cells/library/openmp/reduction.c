/* Reductions: of a worksharing construct, under a lock; of tasks, with a copy for each thread that needs one.
 *
 * The copies belong to the taskgroup of the reduction. With the modifier `task` each thread of the team has a taskgroup
 * of its own, and all use the same copies; who ends its group last combines them. */
#include "openmp.h"

#include <stdlib.h>
#include <string.h>

/* From the compiler; older calls leave out `original`. */
struct task_reduction {
    void *shared, *original;
    size_t bytes;
    void (*initialise)(void *, void *);
    void (*finish)(void *);
    void (*combine)(void *, void *);
    uint32_t flags;
};
struct old_task_reduction {
    void *shared;
    size_t bytes;
    void (*initialise)(void *, void *);
    void (*finish)(void *);
    void (*combine)(void *, void *);
    uint32_t flags;
};
/* Used by all threads of a team; each touches its own copies, until the end. */
struct copies {
    int32_t count, threads;
    void *_Atomic copy[]; /* of item i for thread t: [i * threads + t] */
};
struct reductions {
    int32_t count, kind; /* -1, or which of the team's */
    struct copies *copies;
    struct task_reduction items[];
};

static struct copies *copies_new(int32_t count, int32_t threads)
{
    struct copies *copies = calloc(1, sizeof *copies + (size_t) count * (size_t) threads * sizeof(void *));
    if (!copies)
        eomp_fail("no memory is left for a reduction");
    copies->count = count;
    copies->threads = threads;
    return copies;
}

static struct reductions *reductions_new(int32_t count, const struct task_reduction *items)
{
    struct reductions *reductions = malloc(sizeof *reductions + (size_t) count * sizeof *items);
    if (!reductions)
        eomp_fail("no memory is left for a reduction");
    reductions->count = count;
    reductions->kind = -1;
    memcpy(reductions->items, items, (size_t) count * sizeof *items);
    return reductions;
}

void *__kmpc_taskred_init(int32_t id, int32_t count, const struct task_reduction *items)
{
    (void) id;
    struct member *here = eomp_here();
    struct group *group = here->task->group;
    group->reductions = reductions_new(count, items);
    group->reductions->copies = copies_new(count, here->team->size);
    return group;
}

void *__kmpc_task_reduction_init(int32_t id, int32_t count, const struct old_task_reduction *items)
{
    struct task_reduction *all = malloc((size_t) count * sizeof *all);
    if (!all)
        eomp_fail("no memory is left for a reduction");
    for (int32_t at = 0; at < count; at++)
        all[at] = (struct task_reduction) {items[at].shared,     items[at].shared, items[at].bytes,
                                           items[at].initialise, items[at].finish, items[at].combine,
                                           items[at].flags};
    void *group = __kmpc_taskred_init(id, count, all);
    free(all);
    return group;
}

/* The first thread to come makes the copies that all use. */
void *__kmpc_taskred_modifier_init(PLACE, int32_t is_loop, int32_t count, const struct task_reduction *items)
{
    struct team *team = eomp_here()->team;
    struct group *group = eomp_group_begin();
    struct reductions *reductions = reductions_new(count, items);
    int32_t kind = is_loop ? 1 : 0;
    eomp_lock(&team->shared_lock);
    if (!team->copies[kind]) {
        team->copies[kind] = copies_new(count, team->size);
        team->copies_left[kind] = 0;
    }
    reductions->copies = team->copies[kind];
    eomp_unlock(&team->shared_lock);
    reductions->kind = kind;
    group->reductions = reductions;
    return group;
}

void *__kmpc_task_reduction_modifier_init(PLACE, int32_t is_loop, int32_t count, const struct task_reduction *items)
{
    return __kmpc_taskred_modifier_init(place, id, is_loop, count, items);
}

void __kmpc_task_reduction_modifier_fini(PLACE, int32_t is_loop)
{
    (void) is_loop;
    eomp_group_end();
}

static void combine(struct reductions *reductions)
{
    struct copies *copies = reductions->copies;
    for (int32_t item = 0; item < reductions->count; item++)
        for (int32_t thread = 0; thread < copies->threads; thread++) {
            const struct task_reduction *reduction = &reductions->items[item];
            void *copy = atomic_load(&copies->copy[item * copies->threads + thread]);
            if (!copy)
                continue;
            reduction->combine(reduction->shared, copy);
            if (reduction->finish)
                reduction->finish(copy);
            free(copy);
        }
    free(copies);
}

void eomp_reductions_end(struct group *group)
{
    struct team *team = eomp_here()->team;
    struct reductions *reductions = group->reductions;
    bool last = true;
    if (reductions->kind >= 0) {
        eomp_lock(&team->shared_lock);
        last = ++team->copies_left[reductions->kind] == team->size;
        if (last)
            team->copies[reductions->kind] = NULL;
        eomp_unlock(&team->shared_lock);
    }
    if (last)
        combine(reductions);
    free(reductions);
}

void eomp_reductions_forget(struct team *team)
{
    for (int32_t kind = 0; kind < 2; kind++) {
        struct copies *copies = team->copies[kind];
        for (int32_t at = 0; copies && at < copies->count * copies->threads; at++)
            free(atomic_load(&copies->copy[at]));
        free(copies);
        team->copies[kind] = NULL;
        team->copies_left[kind] = 0;
    }
}

static void *copy_for(const struct task_reduction *item, void *_Atomic *place)
{
    void *copy = atomic_load(place);
    if (copy)
        return copy;
    copy = aligned_alloc(EOMP_LINE, (item->bytes + EOMP_LINE - 1) & -(size_t) EOMP_LINE);
    if (!copy)
        eomp_fail("no memory is left for a reduction");
    if (item->initialise)
        item->initialise(copy, item->original);
    else
        memset(copy, 0, item->bytes);
    atomic_store(place, copy);
    return copy;
}

/* Whether it is the shared item, or the copy of one of the threads. */
static bool is_of(const struct reductions *reductions, int32_t item, const char *data)
{
    struct copies *copies = reductions->copies;
    const struct task_reduction *reduction = &reductions->items[item];
    if (data == reduction->shared || data == reduction->original)
        return true;
    for (int32_t thread = 0; thread < copies->threads; thread++) {
        const char *copy = atomic_load(&copies->copy[item * copies->threads + thread]);
        if (copy && data >= copy && data < copy + reduction->bytes)
            return true;
    }
    return false;
}

void *__kmpc_task_reduction_get_th_data(int32_t id, struct group *group, void *data)
{
    (void) id;
    struct member *here = eomp_here();
    for (group = group ? group : here->task->group; group; group = group->outer) {
        struct reductions *reductions = group->reductions;
        for (int32_t item = 0; reductions && item < reductions->count; item++)
            if (is_of(reductions, item, data)) {
                struct copies *copies = reductions->copies;
                return copy_for(&reductions->items[item], &copies->copy[item * copies->threads + here->number]);
            }
    }
    eomp_fail("a task takes part in a reduction that no construct around it has begun");
}

/* ---- Worksharing constructs: the lock is the compiler's, one for each construct ---- */

int32_t __kmpc_reduce_nowait(PLACE, int32_t count, size_t bytes, void *data, void (*function)(void *, void *),
                             word *lock)
{
    (void) count;
    (void) bytes;
    (void) data;
    (void) function;
    if (eomp_here()->team->size > 1)
        eomp_lock(lock);
    return 1; /* this thread adds what it has */
}

void __kmpc_end_reduce_nowait(PLACE, word *lock)
{
    if (eomp_here()->team->size > 1)
        eomp_unlock(lock);
}

int32_t __kmpc_reduce(PLACE, int32_t count, size_t bytes, void *data, void (*function)(void *, void *), word *lock)
{
    return __kmpc_reduce_nowait(place, id, count, bytes, data, function, lock);
}

void __kmpc_end_reduce(PLACE, word *lock)
{
    __kmpc_end_reduce_nowait(place, id, lock);
    eomp_barrier();
}
