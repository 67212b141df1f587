/* Destructors of the thread-local variables of C++: run when a thread of pthread_create ends, and for the thread that
 * ends the program. Those of OpenMP live as long as the program, so theirs are never run, as with other libraries. */
#include <stddef.h>
#include <stdlib.h>

struct destructor {
    struct destructor *next;
    void (*run)(void *);
    void *object;
};

static _Thread_local struct destructor *mine;

/* The newest first; one of them may add others. */
void eco_run_destructors(void)
{
    while (mine) {
        struct destructor *each = mine;
        mine = each->next;
        each->run(each->object);
        free(each);
    }
}

int __cxa_thread_atexit(void (*run)(void *), void *object, void *program)
{
    static int at_exit;
    (void) program;
    if (!__atomic_exchange_n(&at_exit, 1, __ATOMIC_RELAXED)) atexit(eco_run_destructors);
    struct destructor *added = malloc(sizeof *added);
    if (!added) return -1;
    *added = (struct destructor) {mine, run, object};
    mine = added;
    return 0;
}
