/* Loops whose iterations wait for certain others: `ordered(n)` with `depend(sink)` and `depend(source)`.
 *
 * Each iteration has a bit. Who waits for one that is not set spins, then says that it sleeps, looks once more, and
 * sleeps on the bit's word; who sets a bit looks afterwards whether anybody sleeps (Dekker). */
#include "openmp.h"
#include "thread_wait.h"

#include <stdlib.h>

/* Of one of the loops. clang counts iterations from 0, by 1, and `upper` is how many there are: it is outside, though
 * other runtimes take it for the last one. */
struct bounds {
    int64_t lower, upper, step;
};

static uint64_t extent(const struct bounds *bounds)
{
    return bounds->upper > bounds->lower ? (uint64_t) bounds->upper - (uint64_t) bounds->lower : 0;
}

void __kmpc_doacross_init(PLACE, int32_t dimensions, const struct bounds *bounds)
{
    struct member *here = eomp_here();
    struct team *team = here->team;
    here->across.loop = NULL;
    if (team->size == 1)
        return;
    uint32_t number = here->doacrosses_begun++;
    struct doacross *loop = &team->doacrosses[number % LOOPS];
    eomp_gate_wait(&loop->turn, number);
    if (atomic_load(&team->cancelled) == CANCEL_PARALLEL)
        return; /* not all come to this loop */
    uint64_t iterations = 1;
    for (int32_t at = 0; at < dimensions; at++)
        iterations *= extent(&bounds[at]);
    eomp_lock(&team->shared_lock);
    if (!loop->done)
        loop->done = calloc(iterations / 32 + 1, sizeof(word));
    eomp_unlock(&team->shared_lock);
    if (!loop->done)
        eomp_fail("no memory is left for a loop with %llu ordered iterations", (unsigned long long) iterations);
    here->across.loop = loop;
    here->across.number = number;
    here->across.dimensions = dimensions;
    here->across.bounds = bounds;
}

/* The number of an iteration; false if there is none. */
static bool locate(const struct member *here, const int64_t *at, uint64_t *number)
{
    *number = 0;
    for (int32_t dimension = 0; dimension < here->across.dimensions; dimension++) {
        const struct bounds *bounds = &here->across.bounds[dimension];
        int64_t value = at[dimension];
        if (value < bounds->lower || value >= bounds->upper)
            return false;
        *number = *number * extent(bounds) + ((uint64_t) value - (uint64_t) bounds->lower);
    }
    return true;
}

void __kmpc_doacross_wait(PLACE, const int64_t *at)
{
    struct member *here = eomp_here();
    struct doacross *loop = here->across.loop;
    uint64_t number;
    if (!loop || !locate(here, at, &number))
        return;
    word *bits = &loop->done[number / 32];
    uint32_t bit = 1u << number % 32;
    uint32_t turns = eomp_spins(here->team->size);
    for (uint32_t turn = 0; turn < turns; turn++) {
        if (atomic_load(bits) & bit)
            return;
        eomp_brake(here->thread);
    }
    atomic_fetch_add(&loop->sleepers, 1);
    for (uint32_t seen = atomic_load(bits); !(seen & bit); seen = atomic_load(bits))
        eomp_wait32(bits, seen);
    atomic_fetch_sub(&loop->sleepers, 1);
}

void __kmpc_doacross_post(PLACE, const int64_t *at)
{
    struct member *here = eomp_here();
    struct doacross *loop = here->across.loop;
    uint64_t number;
    if (!loop || !locate(here, at, &number))
        return;
    word *bits = &loop->done[number / 32];
    atomic_fetch_or(bits, 1u << number % 32);
    if (atomic_load(&loop->sleepers))
        eomp_notify(bits, UINT32_MAX);
}

void __kmpc_doacross_fini(PLACE)
{
    struct member *here = eomp_here();
    struct doacross *loop = here->across.loop;
    here->across.loop = NULL;
    if (!loop || atomic_fetch_add(&loop->left, 1) + 1 != (uint32_t) here->team->size)
        return;
    free(loop->done);
    loop->done = NULL;
    atomic_store(&loop->left, 0);
    eomp_gate_set(&loop->turn, here->across.number + LOOPS);
}
