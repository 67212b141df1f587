/* What the C library knows of the program and of its threads, which are thought to be several from the start. */
#include "libc.h"
#include "locale_impl.h"
#include "pthread_impl.h"
#include "stdio_impl.h"
#include <wasi/libc-environ.h>

struct __libc __libc = {.threaded = 1, .need_locks = 1};
size_t __hwcap;
char *__progname, *__progname_full;
weak_alias(__progname, program_invocation_short_name);
weak_alias(__progname_full, program_invocation_name);

_Thread_local int eco_thread_known;
static _Thread_local void *values[PTHREAD_KEYS_MAX];
static int threads; /* that were ever known, whose numbers begin with 1 */

/* All known threads, in a ring; `list_owner` is the number of the one that has locked it. */
static volatile int list_owner, list_waiters;
static int list_depth;
static struct pthread *first;

void __tl_lock(void)
{
    int tid = __wasilibc_pthread_self.tid, owner;
    if (list_owner == tid) {
        list_depth++;
        return;
    }
    while ((owner = a_cas(&list_owner, 0, tid))) __wait(&list_owner, &list_waiters, owner, 1);
}

void __tl_unlock(void)
{
    if (list_depth) {
        list_depth--;
        return;
    }
    a_store(&list_owner, 0);
    if (list_waiters) __wake(&list_owner, 1, 1);
}

void eco_know_thread(void)
{
    struct pthread *self = &__wasilibc_pthread_self;
    self->self = self;
    self->tid = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
    self->detach_state = DT_JOINABLE;
    self->locale = &libc.global_locale;
    self->tsd = values;
    self->robust_list.head = &self->robust_list.head;
    eco_thread_known = 1;
    __tl_lock();
    if (!first) first = self->next = self->prev = self;
    self->next = first;
    self->prev = first->prev;
    self->prev->next = self->next->prev = self;
    __tl_unlock();
}

/* A thread that ends leaves the ring; its memory may then be used for another. */
void eco_forget_thread(void)
{
    if (!eco_thread_known) return;
    struct pthread *self = &__wasilibc_pthread_self;
    __tl_lock();
    if (first == self) first = self->next == self ? NULL : self->next;
    self->next->prev = self->prev;
    self->prev->next = self->next;
    __tl_unlock();
    eco_thread_known = 0;
}

/* The standard streams say of themselves that they need no lock, and the environment is read when it is first needed:
 * both change while there is one thread. Streams that the program does not use are not there. */
extern FILE *volatile __stdin_used weak;
extern FILE *volatile __stdout_used weak;
extern FILE *volatile __stderr_used weak;

static void use_lock(FILE *volatile *file)
{
    if (file && *file && (*file)->lock < 0) (*file)->lock = 0;
}

__attribute__((constructor(51))) static void begin(void)
{
    use_lock(&__stdin_used);
    use_lock(&__stdout_used);
    use_lock(&__stderr_used);
    __wasilibc_ensure_environ();
}
