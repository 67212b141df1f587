/* How a thread waits for something that others make come true; see wait.c. */
#ifndef EOMP_THREAD_WAIT_H
#define EOMP_THREAD_WAIT_H

#include "openmp.h"

/* In turns of some 5 ns. A sleeper is awake again after some 20 us; to wake it costs its waker several. */
#define PATIENCE_MOST 20000u
#define PATIENCE_TRIAL 8000u
#define PATIENCE_LEAST 500u
#define PATIENCE_CROWDED 250u
#define TRIAL 16u
#define TURNS_OF_SEARCH 8u /* what looking for a task costs */
enum patience { AT_BARRIERS, BETWEEN_REGIONS };

/* Makes each turn take about as long on every tier: an atomic operation on a word that only this thread uses. */
static inline void eomp_brake(struct thread *thread) { atomic_fetch_add(&thread->brake, 1); }

/* How many turns to spin. Who has spun for nothing spins for less next time, down to what a sleep would cost anyway;
 * one wait of sixteen tries again whether spinning pays. */
static inline uint32_t eomp_patience(struct thread *thread, enum patience kind, int32_t size)
{
    uint32_t most = eomp_spins(size), turns = thread->patience[kind];
    if (eomp_settings.wait_policy == 2)
        return most;
    if (++thread->waits % TRIAL == 0 && turns < PATIENCE_TRIAL)
        turns = PATIENCE_TRIAL;
    return turns < most ? turns : most;
}

static inline void eomp_patience_paid(struct thread *thread, enum patience kind, bool paid)
{
    uint32_t less = thread->patience[kind] / 2;
    thread->patience[kind] = paid ? PATIENCE_MOST : less > PATIENCE_LEAST ? less : PATIENCE_LEAST;
}

/* Sleeps unless `holds` is false at the last look. Afterwards all is to be looked at anew. */
#define EOMP_SLEEP_WHILE(thread, kind, holds)                                                                          \
    do {                                                                                                               \
        uint32_t bell_ = atomic_load(&(thread)->bell);                                                                 \
        atomic_store(&(thread)->asleep, (kind));                                                                       \
        if (holds)                                                                                                     \
            eomp_wait32(&(thread)->bell, bell_);                                                                       \
        atomic_store(&(thread)->asleep, AWAKE);                                                                        \
    } while (0)

#endif
