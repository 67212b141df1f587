/* The lock of our own parts of the library: one word, taken without a call when nobody holds it. */
#ifndef ECO_LOCK_H
#define ECO_LOCK_H

enum { LOCK_FREE, LOCK_HELD, LOCK_AWAITED, LOCK_TRIES = 100 };

static inline int lock_tried(int *lock)
{
    int expected = LOCK_FREE;
    return __atomic_compare_exchange_n(lock, &expected, LOCK_HELD, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

__attribute__((noinline, unused)) static void lock_slowly(int *lock)
{
    for (int tries = 0; tries < LOCK_TRIES; tries++)
        if (__atomic_load_n(lock, __ATOMIC_RELAXED) == LOCK_FREE && lock_tried(lock)) return;
    while (__atomic_exchange_n(lock, LOCK_AWAITED, __ATOMIC_ACQUIRE) != LOCK_FREE)
        __builtin_wasm_memory_atomic_wait32(lock, LOCK_AWAITED, -1);
}

static inline void lock_take(int *lock)
{
    if (!lock_tried(lock)) lock_slowly(lock);
}

static inline void lock_give(int *lock)
{
    if (__atomic_exchange_n(lock, LOCK_FREE, __ATOMIC_RELEASE) == LOCK_AWAITED)
        __builtin_wasm_memory_atomic_notify(lock, 1);
}

#endif
