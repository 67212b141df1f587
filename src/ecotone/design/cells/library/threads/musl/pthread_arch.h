/* Found instead of the compiler's: where the C library finds what it knows of the thread that runs. A thread of OpenMP
 * is not begun by the C library, so each is filled in when it is first asked for. */
#ifndef ECO_PTHREAD_ARCH_H
#define ECO_PTHREAD_ARCH_H

extern _Thread_local struct __pthread __wasilibc_pthread_self;
extern _Thread_local int eco_thread_known;
void eco_know_thread(void);

static inline uintptr_t __get_tp(void)
{
    if (__builtin_expect(!eco_thread_known, 0)) eco_know_thread();
    return (uintptr_t) &__wasilibc_pthread_self;
}

#endif
