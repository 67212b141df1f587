/* pthread_create and what belongs to it. A thread that has ended parks, and serves for the next one that is created. */
#include "pthread_impl.h"
#include "../thread.h"
#include <stdlib.h>
#include <string.h>

enum { STACK_LEAST = 1 << 20, PAGE = 4096, TLS_LEAST = 16 };

/* `start` comes first: it is found by its address. */
struct worker {
    struct eco_thread_start start;
    char *low, *top;
    void *(*function)(void *);
    void *argument;
    volatile int work;   /* 1 from pthread_create until the thread has taken it */
    volatile int begun;  /* 1 once `self` can be told */
    pthread_t self;
    struct worker *next;
};

int eco_thread_start(void *low, void *top, void *tls, void *argument)
    __attribute__((import_module("eco"), import_name("thread_start")));
int __pthread_detach(pthread_t thread);
void __wasm_init_tls(void *tls);
void eco_know_thread(void);
void eco_forget_thread(void);
weak void eco_memory_thread_ends(void); /* a program may have its own malloc */
void eco_run_destructors(void);

int eco_threads_created;
static volatile int lock;
static struct worker *parked;

static void take(void)
{
    while (a_swap(&lock, 1)) __wait(&lock, NULL, 1, 1);
}

static void give(void)
{
    a_store(&lock, 0);
    __wake(&lock, 1, 1);
}

static struct worker *unpark(size_t stack)
{
    take();
    struct worker **link = &parked;
    while (*link && (size_t) ((*link)->top - (*link)->low) < stack) link = &(*link)->next;
    struct worker *worker = *link;
    if (worker) *link = worker->next;
    give();
    return worker;
}

static void park(struct worker *worker)
{
    take();
    worker->next = parked;
    parked = worker;
    give();
}

/* What a thread does at its end; afterwards its pthread_t belongs to whoever joins it. */
static void end(struct worker *worker, void *result)
{
    pthread_t self = worker->self;
    self->result = result;
    eco_run_destructors();
    __pthread_tsd_run_dtors();
    if (eco_memory_thread_ends) eco_memory_thread_ends();
    eco_forget_thread();
    if (a_cas(&self->detach_state, DT_JOINABLE, DT_EXITING) == DT_DETACHED) {
        park(worker);
    } else {
        a_store(&self->detach_state, DT_EXITED);
        __wake(&self->detach_state, -1, 1);
    }
    __atomic_sub_fetch(&eco_threads_created, 1, __ATOMIC_SEQ_CST); /* from here on it may vanish, and begin anew */
}

__attribute__((noinline)) static void work(struct worker *worker)
{
    eco_know_thread();
    worker->self = pthread_self();
    worker->self->map_base = (unsigned char *) worker;
    void *(*function)(void *) = worker->function;
    void *argument = worker->argument;
    a_store(&worker->begun, 1);
    __wake(&worker->begun, 1, 1);
    end(worker, function(argument));
}

static void life(struct eco_thread_start *start, int fresh)
{
    struct worker *worker = (struct worker *) start;
    for (;; fresh = 0) {
        while (!worker->work) __wait(&worker->work, NULL, 0, 1);
        a_store(&worker->work, 0);
        if (!fresh) __wasm_init_tls(worker->start.tls);
        work(worker);
    }
}

static struct worker *new_worker(size_t stack)
{
    size_t tls_size = __builtin_wasm_tls_size(), align = __builtin_wasm_tls_align();
    if (align < TLS_LEAST) align = TLS_LEAST;
    struct worker *worker = calloc(1, sizeof *worker);
    char *tls = aligned_alloc(align, (tls_size + align - 1) & -align), *low = aligned_alloc(PAGE, stack);
    if (!worker || !tls || !low) {
        free(low);
        free(tls);
        free(worker);
        return NULL;
    }
    worker->start = (struct eco_thread_start) {life, tls};
    worker->low = low;
    worker->top = low + stack;
    return worker;
}

int __pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*function)(void *),
                     void *restrict argument)
{
    size_t stack = attributes && attributes->_a_stacksize > STACK_LEAST ? attributes->_a_stacksize : STACK_LEAST;
    stack = (stack + PAGE - 1) & -(size_t) PAGE;
    struct worker *worker = unpark(stack);
    int new = !worker, problem = 0;
    if (new && !(worker = new_worker(stack))) return EAGAIN;
    worker->function = function;
    worker->argument = argument;
    worker->begun = 0;
    __atomic_add_fetch(&eco_threads_created, 1, __ATOMIC_SEQ_CST);
    a_store(&worker->work, 1);
    if (!new)
        __wake(&worker->work, 1, 1);
    else
        problem = eco_thread_start(worker->low, worker->top, worker->start.tls, worker);
    if (problem) { /* the blocks stay: the host may have made the stack's last page unusable */
        __atomic_sub_fetch(&eco_threads_created, 1, __ATOMIC_SEQ_CST);
        return EAGAIN;
    }
    while (!worker->begun) __wait(&worker->begun, NULL, 0, 1);
    *thread = worker->self;
    if (attributes && attributes->_a_detach) __pthread_detach(*thread);
    return 0;
}

int __pthread_join(pthread_t thread, void **result)
{
    if (thread == pthread_self()) return EDEADLK;
    int state;
    while ((state = thread->detach_state) != DT_EXITED) {
        if (state == DT_DETACHED) return EINVAL;
        __wait(&thread->detach_state, NULL, state, 1);
    }
    if (result) *result = thread->result;
    park((struct worker *) thread->map_base);
    return 0;
}

int __pthread_detach(pthread_t thread)
{
    if (a_cas(&thread->detach_state, DT_JOINABLE, DT_DETACHED) == DT_JOINABLE) return 0;
    return __pthread_join(thread, NULL);
}

weak_alias(__pthread_create, pthread_create);
weak_alias(__pthread_join, pthread_join);
weak_alias(__pthread_detach, pthread_detach);
weak_alias(__pthread_detach, thrd_detach);
