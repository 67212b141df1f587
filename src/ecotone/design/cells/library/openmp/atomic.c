/* Atomic operations on what no instruction can change at once: a lock for each address, of a few. The compiler calls
 * these for large types, such as `long double` and complex numbers. */
#include "openmp.h"

#include <string.h>

#define LOCKS 64u

static struct {
    _Alignas(EOMP_LINE) word lock;
} locks[LOCKS];

static word *lock_of(const void *at)
{
    uintptr_t address = (uintptr_t) at >> 3;
    return &locks[(address ^ address >> 6) % LOCKS].lock;
}

/* The compiler knows these names and would not let them be defined. */
void eomp_load(size_t bytes, void *from, void *to, int order) __asm__("__atomic_load");
void eomp_store(size_t bytes, void *to, void *from, int order) __asm__("__atomic_store");
void eomp_exchange(size_t bytes, void *at, void *from, void *to, int order) __asm__("__atomic_exchange");
bool eomp_compare(size_t bytes, void *at, void *expected, void *desired, int success, int failure) __asm__(
    "__atomic_compare_exchange");

void eomp_load(size_t bytes, void *from, void *to, int order)
{
    (void) order;
    word *lock = lock_of(from);
    eomp_lock(lock);
    memcpy(to, from, bytes);
    eomp_unlock(lock);
}

void eomp_store(size_t bytes, void *to, void *from, int order)
{
    (void) order;
    word *lock = lock_of(to);
    eomp_lock(lock);
    memcpy(to, from, bytes);
    eomp_unlock(lock);
}

void eomp_exchange(size_t bytes, void *at, void *from, void *to, int order)
{
    (void) order;
    word *lock = lock_of(at);
    eomp_lock(lock);
    for (size_t byte = 0; byte < bytes; byte++) { /* `from` and `to` may be the same */
        char old = ((char *) at)[byte];
        ((char *) at)[byte] = ((char *) from)[byte];
        ((char *) to)[byte] = old;
    }
    eomp_unlock(lock);
}

bool eomp_compare(size_t bytes, void *at, void *expected, void *desired, int success, int failure)
{
    (void) success;
    (void) failure;
    word *lock = lock_of(at);
    eomp_lock(lock);
    bool same = !memcmp(at, expected, bytes);
    memcpy(same ? at : expected, same ? desired : at, bytes);
    eomp_unlock(lock);
    return same;
}

static word all_lock;

void __kmpc_atomic_start(void) { eomp_lock(&all_lock); }
void __kmpc_atomic_end(void) { eomp_unlock(&all_lock); }
