/* Waiting: a bounded spin, then sleep. Used by everything that waits for another thread.
 *
 * Each thread sleeps on its own bell. The sleeper notes the bell, says that it sleeps, and looks once more whether what
 * it waits for has come true; the waker makes it true and then looks whether the sleeper sleeps (Dekker): if it does,
 * the bell changes, so that the sleeper either does not fall asleep, for the bell is not what it has noted, or is
 * woken. */
#include "openmp.h"
#include "thread_wait.h"

#define LOCK_SPINS 100u

/* Dekker of lock and sleeper: who is about to sleep leaves a 2 in the lock, and sleeps only while it is 2; who frees
 * the lock exchanges it, so it sees the 2, or the other one gets the lock. */
void eomp_lock_slowly(word *lock)
{
    for (uint32_t spin = 0; spin < LOCK_SPINS; spin++)
        if (!atomic_load(lock) && eomp_try_lock(lock))
            return;
    while (atomic_exchange(lock, 2))
        eomp_wait32(lock, 2);
}

void eomp_ring(struct thread *thread)
{
    if (!atomic_load(&thread->asleep))
        return;
    atomic_fetch_add(&thread->bell, 1);
    eomp_notify(&thread->bell, 1);
}

/* How many turns to spin at most: few if the threads of this team cannot all run at once. The host may change the
 * number of cores at any time. */
uint32_t eomp_spins(int32_t size)
{
    if (eomp_settings.wait_policy == 2)
        return UINT32_MAX;
    if (eomp_settings.wait_policy == 1)
        return 1;
    return (uint32_t) size > eomp_page[PAGE_CORES] ? PATIENCE_CROWDED : PATIENCE_MOST;
}

static bool reached(const struct gate *gate, uint32_t least)
{
    return (int32_t) (atomic_load(&gate->value) - least) >= 0;
}

/* Dekker of value and sleepers. */
void eomp_gate_wait(struct gate *gate, uint32_t least)
{
    if (reached(gate, least))
        return;
    struct member *here = eomp_here();
    uint32_t turns = eomp_spins(here->team->size);
    for (uint32_t turn = 0; turn < turns; turn++) {
        if (reached(gate, least))
            return;
        eomp_brake(here->thread);
    }
    atomic_fetch_add(&gate->sleepers, 1);
    for (;;) {
        uint32_t seen = atomic_load(&gate->value);
        if ((int32_t) (seen - least) >= 0)
            break;
        eomp_wait32(&gate->value, seen);
    }
    atomic_fetch_sub(&gate->sleepers, 1);
}

void eomp_gate_set(struct gate *gate, uint32_t value)
{
    atomic_store(&gate->value, value);
    if (atomic_load(&gate->sleepers))
        eomp_notify(&gate->value, UINT32_MAX);
}
