/* How the locks of the C library wait: in memory, after a few looks. */
#include "pthread_impl.h"
#include <time.h>

enum { LOOKS = 100 };

void __wait(volatile int *word, volatile int *waiters, int value, int private)
{
    (void) private;
    for (int looks = 0; looks < LOOKS && (!waiters || !*waiters); looks++)
        if (*word != value) return;
    if (waiters) a_inc(waiters);
    while (*word == value) __builtin_wasm_memory_atomic_wait32((int *) word, value, -1);
    if (waiters) a_dec(waiters);
}

/* Clocks are addresses here, but condition variables keep the number of theirs. */
static clockid_t clock_of(clockid_t clock)
{
    return !clock ? CLOCK_REALTIME : (intptr_t) clock == 1 ? CLOCK_MONOTONIC : clock;
}

/* Until `at` by the clock, or for ever. */
int __timedwait(volatile int *word, int value, clockid_t clock, const struct timespec *at, int private)
{
    (void) private;
    int64_t nanoseconds = -1;
    if (at) {
        if (at->tv_nsec < 0 || at->tv_nsec >= 1000000000L) return EINVAL;
        struct timespec now;
        if (clock_gettime(clock_of(clock), &now)) return EINVAL;
        int64_t seconds = at->tv_sec - now.tv_sec, most = INT64_MAX / 1000000000 - 1;
        if (seconds > most) seconds = most;
        if (seconds < -1) return ETIMEDOUT;
        nanoseconds = seconds * 1000000000 + (at->tv_nsec - now.tv_nsec);
        if (nanoseconds <= 0) return ETIMEDOUT;
    }
    return __builtin_wasm_memory_atomic_wait32((int *) word, value, nanoseconds) == 2 ? ETIMEDOUT : 0;
}

int __timedwait_cp(volatile int *word, int value, clockid_t clock, const struct timespec *at, int private)
{
    return __timedwait(word, value, clock, at, private);
}
