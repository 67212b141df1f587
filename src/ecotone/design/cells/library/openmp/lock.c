/* Locks of omp.h. A nested one belongs to a task, which may set it again. */
#include "../omp.h"

#include "openmp.h"

static word *word_of(unsigned int *lock) { return (word *) lock; }

void omp_init_lock(omp_lock_t *lock) { lock->eco_word = 0; }
void omp_init_lock_with_hint(omp_lock_t *lock, omp_sync_hint_t hint)
{
    (void) hint;
    omp_init_lock(lock);
}
void omp_destroy_lock(omp_lock_t *lock) { (void) lock; }
void omp_set_lock(omp_lock_t *lock) { eomp_lock(word_of(&lock->eco_word)); }
void omp_unset_lock(omp_lock_t *lock) { eomp_unlock(word_of(&lock->eco_word)); }
int omp_test_lock(omp_lock_t *lock) { return eomp_try_lock(word_of(&lock->eco_word)); }

void omp_init_nest_lock(omp_nest_lock_t *lock) { *lock = (omp_nest_lock_t) {0}; }
void omp_init_nest_lock_with_hint(omp_nest_lock_t *lock, omp_sync_hint_t hint)
{
    (void) hint;
    omp_init_nest_lock(lock);
}
void omp_destroy_nest_lock(omp_nest_lock_t *lock) { (void) lock; }

/* Only its owner writes its own name there, so whoever finds it there owns the lock. */
static void *_Atomic *owner_of(omp_nest_lock_t *lock) { return (void *_Atomic *) &lock->eco_owner; }

static int again(omp_nest_lock_t *lock) { return ++lock->eco_count; }

static int first(omp_nest_lock_t *lock, void *task)
{
    atomic_store(owner_of(lock), task);
    return lock->eco_count = 1;
}

void omp_set_nest_lock(omp_nest_lock_t *lock)
{
    void *task = eomp_here()->task;
    if (atomic_load(owner_of(lock)) == task) {
        again(lock);
        return;
    }
    eomp_lock(word_of(&lock->eco_word));
    first(lock, task);
}

void omp_unset_nest_lock(omp_nest_lock_t *lock)
{
    if (--lock->eco_count)
        return;
    atomic_store(owner_of(lock), NULL);
    eomp_unlock(word_of(&lock->eco_word));
}

int omp_test_nest_lock(omp_nest_lock_t *lock)
{
    void *task = eomp_here()->task;
    if (atomic_load(owner_of(lock)) == task)
        return again(lock);
    return eomp_try_lock(word_of(&lock->eco_word)) ? first(lock, task) : 0;
}
