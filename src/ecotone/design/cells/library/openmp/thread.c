/* Threads: how they are started, given to teams, and what they do between regions.
 *
 * A thread is either parked or belongs to one team. Whatever a parked thread knows lies in its `struct thread`, not in
 * local variables: a cell can be taken to another process while its threads are parked, where they begin anew in
 * `eco_thread` with `fresh` 0. */
#include "openmp.h"
#include "thread_wait.h"

#include <stdlib.h>
#include <string.h>

#define SYSTEM_PAGE 4096u
#define GUARD_MOST (1u << 20)
#define PAGE_BYTES 65536

#ifdef __wasm__
#include "../threads/thread.h"
#define HOST(name) __attribute__((import_module("eco"), import_name(name)))
HOST("thread_start") int host_thread_start(void *low, void *top, void *tls, void *argument);
HOST("control") void host_control(void *page);
void __wasm_init_tls(void *block);
#endif

static uint32_t page[PAGE_BYTES / sizeof(uint32_t)] __attribute__((aligned(PAGE_BYTES)));
volatile uint32_t *const eomp_page = page;
_Thread_local struct member *eomp_member;
word eomp_pool_lock;

/* Guarded by `eomp_pool_lock`. */
static struct worker {
    struct thread *thread;
    bool busy;
} *workers;
static int32_t worker_count, worker_room, busy_count, last_id;
static word begun;

static struct thread *thread_new(void)
{
    struct thread *thread = aligned_alloc(EOMP_LINE, sizeof *thread);
    if (!thread)
        return NULL;
    memset(thread, 0, sizeof *thread);
    thread->patience[AT_BARRIERS] = thread->patience[BETWEEN_REGIONS] = PATIENCE_MOST;
    return thread;
}

/* The main thread; also one that the program has started in another way. It is a team of its own. */
__attribute__((noinline)) struct member *eomp_begin(void)
{
    eomp_lock(&eomp_pool_lock);
    if (!atomic_load(&begun)) {
        host_control(page);
        eomp_read_settings((int32_t) eomp_page[PAGE_PROCESSORS]);
        eomp_page[PAGE_EXISTING] = 1;
        atomic_store(&begun, 1);
    }
    struct thread *thread = thread_new();
    struct team *team = thread ? eomp_team_new(1) : NULL;
    if (!team)
        eomp_fail("no memory is left for threads");
    thread->id = last_id++;
    eomp_unlock(&eomp_pool_lock);
    team->team_count = 1;
    team->controls = eomp_settings.controls;
    team->members[0].thread = thread;
    eomp_enter(&team->members[0]);
    return eomp_member;
}

/* So that OMP_DISPLAY_ENV is obeyed, and a bad setting told, before the program begins. */
__attribute__((constructor(101))) static void begin_main_thread(void)
{
    eomp_here();
    eomp_show_settings();
}

/* ---- Between regions ---- */

/* Runs tasks of the region whose end it has reached, if that has not been left by all yet: `helping` is set before
 * `region` is looked at, and who closes the region changes `region` before it looks at `helping` (Dekker). */
static bool help_after_end(struct thread *thread)
{
    struct team *team = thread->member->team;
    bool helped = false;
    atomic_store(&thread->helping, 1);
    if (atomic_load(&team->region) == thread->region)
        helped = eomp_help(NULL);
    else
        thread->has_left = true;
    atomic_store(&thread->helping, 0);
    eomp_ring(team->members[0].thread); /* it may wait for us to stop helping */
    return helped;
}

static bool has_tasks(const struct thread *thread)
{
    return thread->member && !thread->has_left && atomic_load(&thread->member->team->tasking);
}

static bool has_work(const struct thread *thread) { return atomic_load(&thread->work) != thread->seen_work; }

static bool nothing_to_do(const struct thread *thread)
{
    if (has_work(thread))
        return false;
    if (!has_tasks(thread))
        return true;
    struct team *team = thread->member->team;
    return atomic_load(&team->region) != thread->region || !eomp_tasks_waiting(team, thread->size);
}

static bool look_for_work(struct thread *thread, uint32_t turns)
{
    for (uint32_t turn = 0; turn < turns; turn++) {
        if (has_work(thread))
            return true;
        eomp_brake(thread);
        if (!has_tasks(thread))
            continue;
        if (help_after_end(thread))
            return true;
        turn += TURNS_OF_SEARCH;
    }
    return false;
}

/* Until the thread is given a region. Nothing but its own words may be left half done here, for it may vanish at any
 * instruction once the region it was in has ended. */
static void wait_for_work(struct thread *thread)
{
    while (!has_work(thread)) {
        uint32_t turns = eomp_patience(thread, BETWEEN_REGIONS, thread->size);
        bool found = look_for_work(thread, turns);
        eomp_patience_paid(thread, BETWEEN_REGIONS, found);
        if (!found)
            EOMP_SLEEP_WHILE(thread, ASLEEP_HELPFUL, nothing_to_do(thread));
    }
    thread->seen_work = atomic_load(&thread->work);
    thread->member = thread->offered;
}

static void run_region(struct thread *thread)
{
    struct member *member = thread->member;
    struct team *team = member->team;
    struct thread *first = team->members[0].thread;
    uint32_t all = thread->joined_after;
    int32_t id = thread->id, number = member->number;
    thread->region = atomic_load(&team->region);
    thread->size = team->size;
    thread->has_left = false;
    eomp_enter(member);
    eomp_invoke(team->function, &id, &number, team->argument_count, team->arguments);
    /* From here on the team may be used for its next region. */
    if (atomic_fetch_add(&team->joined, 1) + 1 == all)
        eomp_ring(first);
}

__attribute__((noinline)) static void live(struct thread *thread)
{
    for (;;) {
        wait_for_work(thread);
        run_region(thread);
    }
}

#ifdef __wasm__
/* Another instance of the program begins here, with a thread of ours or of pthread_create. `fresh` 0: it was parked in
 * another process before. */
__attribute__((export_name("eco_thread"))) void eco_thread(void *argument, int fresh)
{
    struct eco_thread_start *start = argument;
    if (fresh)
        __wasm_init_tls(start->tls);
    start->life(start, fresh);
}

/* Whether the process may be left now: all other threads are parked. */
__attribute__((export_name("eco_may_leave"))) int eco_may_leave(void)
{
    return !eomp_page[PAGE_ACTIVE] && !__atomic_load_n(&eco_threads_created, __ATOMIC_SEQ_CST);
}

struct start {
    struct eco_thread_start start;
    struct thread *thread;
};

static void life(struct eco_thread_start *start, int fresh)
{
    struct thread *thread = ((struct start *) start)->thread;
    (void) fresh;
    atomic_store(&thread->asleep, AWAKE);
    atomic_store(&thread->helping, 0);
    live(thread);
}

/* The host makes the lowest eighth unusable, but not more than GUARD_MOST. */
static uint32_t stack_with_guard(uint32_t bytes)
{
    uint32_t guard = bytes / 7 < GUARD_MOST ? bytes / 7 : GUARD_MOST;
    return (bytes + guard + 2 * SYSTEM_PAGE - 1) & ~(SYSTEM_PAGE - 1);
}

/* A stack that the host has not taken stays for the next try, since its lower end may be unusable. */
static bool start_thread(struct thread *thread)
{
    static char *spare_stack;
    uint32_t bytes = stack_with_guard(eomp_settings.stack_bytes);
    size_t align = __builtin_wasm_tls_align();
    size_t tls_bytes = (__builtin_wasm_tls_size() + align - 1) & -align;
    char *stack = spare_stack ? spare_stack : aligned_alloc(SYSTEM_PAGE, bytes);
    struct start *start = malloc(sizeof *start);
    spare_stack = stack;
    void *tls = aligned_alloc(align < 16 ? 16 : align, tls_bytes ? (tls_bytes + 15) & ~15u : 16);
    if (!stack || !start || !tls)
        goto failed;
    *start = (struct start) {{life, tls}, thread};
    if (!host_thread_start(stack, stack + bytes, tls, start)) {
        spare_stack = NULL;
        return true;
    }
failed:
    free(start);
    free(tls);
    return false;
}
#endif

static bool add_worker(void)
{
    if (worker_count == worker_room) {
        int32_t room = worker_room ? 2 * worker_room : 16;
        struct worker *more = realloc(workers, (size_t) room * sizeof(struct worker));
        if (!more)
            return false;
        workers = more;
        worker_room = room;
    }
    struct thread *thread = thread_new();
    if (!thread)
        return false;
    thread->id = last_id++;
    workers[worker_count] = (struct worker) {thread, false};
    if (!start_thread(thread)) {
        last_id--;
        free(thread);
        return false;
    }
    eomp_page[PAGE_EXISTING] = (uint32_t) ++worker_count + 1;
    return true;
}

/* ---- The pool ---- */

int32_t eomp_threads_busy(void) { return busy_count; }

/* The same ones in the same order whenever they are free, so that what is private to a thread stays with it. */
bool eomp_take_threads(struct team *team, int32_t wanted)
{
    int32_t taken = 0;
    bool others = false;
    for (int32_t at = 0; taken < wanted; at++) {
        if (at == worker_count && !add_worker())
            break;
        struct worker *worker = &workers[at];
        if (worker->busy)
            continue;
        worker->busy = true;
        struct member *member = &team->members[++taken];
        others |= member->thread != worker->thread;
        member->thread = worker->thread;
        member->worker = at;
    }
    others |= team->size != taken + 1;
    team->size = taken + 1;
    busy_count += taken;
    eomp_page[PAGE_ACTIVE] = busy_count > 0;
    return others;
}

void eomp_give_back(struct team *team)
{
    for (int32_t at = 1; at < team->size; at++)
        workers[team->members[at].worker].busy = false;
    busy_count -= team->size - 1;
    eomp_page[PAGE_ACTIVE] = busy_count > 0;
}

void eomp_hire(struct member *member, uint32_t joined_after)
{
    struct thread *thread = member->thread;
    thread->offered = member; /* both are read after `work` is seen to have changed */
    thread->joined_after = joined_after;
    atomic_fetch_add(&thread->work, 1);
    eomp_ring(thread);
}
