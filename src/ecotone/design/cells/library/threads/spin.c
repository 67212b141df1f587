/* Spin locks of pthreads: 0 is free, 1 is held. Those that come with the compiler exclude nobody. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

enum { TURNS = 200 }; /* before the core is left to another thread, which may be the one that holds the lock */

int pthread_spin_init(pthread_spinlock_t *lock, int shared)
{
    (void) shared;
    __atomic_store_n(lock, 0, __ATOMIC_SEQ_CST);
    return 0;
}

int pthread_spin_destroy(pthread_spinlock_t *lock)
{
    (void) lock;
    return 0;
}

int pthread_spin_trylock(pthread_spinlock_t *lock)
{
    return __atomic_exchange_n(lock, 1, __ATOMIC_SEQ_CST) ? EBUSY : 0;
}

int pthread_spin_lock(pthread_spinlock_t *lock)
{
    for (int turn = 1; pthread_spin_trylock(lock); turn++) {
        while (__atomic_load_n(lock, __ATOMIC_SEQ_CST))
            if (++turn % TURNS == 0) sched_yield();
    }
    return 0;
}

int pthread_spin_unlock(pthread_spinlock_t *lock)
{
    __atomic_store_n(lock, 0, __ATOMIC_SEQ_CST);
    return 0;
}
