/* Constructs that are no loops and no tasks: single, master, critical, flush, cancellation, error. */
#include "openmp.h"

#include <stdio.h>
#include <stdlib.h>

void __kmpc_begin(const struct place *place, int32_t flags)
{
    (void) place;
    (void) flags;
}
void __kmpc_end(const struct place *place) { (void) place; }

int32_t __kmpc_global_thread_num(const struct place *place)
{
    (void) place;
    return eomp_here()->thread->id;
}
int32_t __kmpc_global_num_threads(const struct place *place)
{
    (void) place;
    return (int32_t) eomp_page[PAGE_EXISTING];
}
int32_t __kmpc_bound_thread_num(const struct place *place)
{
    (void) place;
    return eomp_here()->number;
}
int32_t __kmpc_bound_num_threads(const struct place *place)
{
    (void) place;
    return eomp_here()->team->size;
}
int32_t __kmpc_ok_to_fork(const struct place *place)
{
    (void) place;
    return 1;
}
int32_t __kmpc_in_parallel(const struct place *place)
{
    (void) place;
    return eomp_here()->team->active_level > 0;
}

/* Each thread counts the single constructs it has come to; the first one there moves the team's count on. It is never
 * set back, since a fast thread may be several constructs ahead of a slow one. */
int32_t __kmpc_single(PLACE)
{
    struct member *here = eomp_here();
    uint32_t mine = here->singles_begun++;
    return here->team->size == 1 || atomic_compare_exchange_strong(&here->team->single, &mine, mine + 1);
}
void __kmpc_end_single(PLACE) {}

int32_t __kmpc_master(PLACE) { return eomp_here()->number == 0; }
void __kmpc_end_master(PLACE) {}
int32_t __kmpc_masked(PLACE, int32_t number) { return eomp_here()->number == number; }
void __kmpc_end_masked(PLACE) {}

void __kmpc_copyprivate(PLACE, size_t bytes, void *data, void (*copy)(void *, void *), int32_t mine)
{
    (void) bytes;
    struct team *team = eomp_here()->team;
    if (mine)
        atomic_store(&team->copied, data);
    eomp_barrier();
    if (!mine && atomic_load(&team->cancelled) != CANCEL_PARALLEL) /* or nobody may have given anything */
        copy(data, atomic_load(&team->copied));
    eomp_barrier(); /* until then the data of the one must stay */
}

void *__kmpc_copyprivate_light(PLACE, void *data)
{
    struct team *team = eomp_here()->team;
    if (data)
        atomic_store(&team->copied, data);
    eomp_barrier();
    return atomic_load(&team->copied);
}

void __kmpc_critical(PLACE, word *lock) { eomp_lock(lock); }
void __kmpc_critical_with_hint(PLACE, word *lock, uint32_t hint)
{
    (void) hint;
    eomp_lock(lock);
}
void __kmpc_end_critical(PLACE, word *lock) { eomp_unlock(lock); }

void __kmpc_flush(const struct place *place)
{
    (void) place;
    atomic_thread_fence(memory_order_seq_cst);
}
void __kmpc_flush_acquire(const struct place *place) { __kmpc_flush(place); }
void __kmpc_flush_release(const struct place *place) { __kmpc_flush(place); }
void __kmpc_flush_acqrel(const struct place *place) { __kmpc_flush(place); }

void __kmpc_error(const struct place *place, int32_t severity, const char *message)
{
    const char *source = place && place->source ? place->source : ";unknown;unknown;0;0;;";
    fprintf(stderr, "%s: %s (%s)\n", severity == 2 ? "error" : "warning", message ? message : "encountered 'omp error'",
            source);
    if (severity == 2)
        exit(1);
}

/* ---- Cancellation ---- */

static int32_t group_is_cancelled(const struct task *task)
{
    return task->group && atomic_load(&task->group->cancelled);
}

int32_t __kmpc_cancel(PLACE, int32_t construct)
{
    struct member *here = eomp_here();
    if (!eomp_settings.cancellation)
        return 0;
    if (construct == CANCEL_TASKGROUP) {
        if (!here->task->group)
            return 0;
        atomic_store(&here->task->group->cancelled, 1);
        return 1;
    }
    uint32_t none = 0;
    if (!atomic_compare_exchange_strong(&here->team->cancelled, &none, (uint32_t) construct))
        return none == (uint32_t) construct || none == CANCEL_PARALLEL;
    if (construct == CANCEL_PARALLEL)
        eomp_region_cancelled(here->team);
    return 1;
}

int32_t __kmpc_cancellationpoint(PLACE, int32_t construct)
{
    struct member *here = eomp_here();
    if (!eomp_settings.cancellation)
        return 0;
    if (construct == CANCEL_TASKGROUP)
        return group_is_cancelled(here->task);
    return atomic_load(&here->team->cancelled) == (uint32_t) construct;
}

/* Who leaves a cancelled region comes here, as do those who have not heard of it. A barrier may open and the region be
 * cancelled before all have left it: they may go either way. Who leaves the region waits for its tasks, which may use
 * variables of its function. */
int32_t __kmpc_cancel_barrier(PLACE)
{
    int32_t __kmpc_omp_taskwait(PLACE);
    struct team *team = eomp_here()->team;
    eomp_barrier();
    if (atomic_load(&team->cancelled) != CANCEL_PARALLEL)
        return 0;
    if (atomic_load(&team->tasking))
        __kmpc_omp_taskwait(place, id);
    return 1;
}
