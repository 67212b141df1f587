/* What the files of the OpenMP runtime share. Read it from the top: waiting, threads, teams, tasks, dependences.
 *
 * It implements the calls (`__kmpc_*`) that clang emits with -fopenmp, for threads of a cell: each is an instance of
 * the program over one memory, started by the host (thread.c). All atomic operations are sequentially consistent, for
 * WebAssembly has no others; where the text says "Dekker" it means: each of two sides first writes its own word and
 * then reads the other's, so that at least one of them sees what the other has done. */
#ifndef EOMP_OPENMP_H
#define EOMP_OPENMP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EOMP_LINE 64
typedef _Atomic uint32_t word;
struct thread;
struct member;
struct team;
struct task;

/* ---- Waiting (wait.c) ---- */

enum asleep { AWAKE, ASLEEP_STRICT, ASLEEP_HELPFUL }; /* the last one would run any task of its team */

#ifdef __wasm__
static inline void eomp_wait32(word *at, uint32_t seen)
{
    __builtin_wasm_memory_atomic_wait32((int *) at, (int) seen, -1);
}
static inline void eomp_notify(word *at, uint32_t count) { __builtin_wasm_memory_atomic_notify((int *) at, count); }
#else
#include "native.h" /* for a test of races outside WebAssembly; not in the repository */
#endif

/* Without the cost of an atomic operation, where another one that follows tells of it. */
static inline void eomp_set_quietly(word *at, uint32_t value) { *(volatile uint32_t *) at = value; }

/* A lock of one word: 0 free, 1 held, 2 held and somebody may sleep. */
void eomp_lock_slowly(word *lock);
static inline bool eomp_try_lock(word *lock)
{
    uint32_t free = 0;
    return atomic_compare_exchange_strong(lock, &free, 1);
}
static inline void eomp_lock(word *lock)
{
    if (!eomp_try_lock(lock))
        eomp_lock_slowly(lock);
}
static inline void eomp_unlock(word *lock)
{
    if (atomic_exchange(lock, 0) == 2)
        eomp_notify(lock, 1);
}

/* A number that only grows, and that threads wait for. */
struct gate {
    word value;
    word sleepers;
};
void eomp_gate_wait(struct gate *gate, uint32_t least); /* until value - least, as a signed number, is >= 0 */
void eomp_gate_set(struct gate *gate, uint32_t value);

void eomp_ring(struct thread *thread); /* wakes it if it sleeps; call it after what it waits for has come true */
uint32_t eomp_spins(int32_t size);

/* ---- Settings (settings.c reads the environment) ---- */

enum schedule { SCHEDULE_STATIC = 1, SCHEDULE_DYNAMIC, SCHEDULE_GUIDED, SCHEDULE_AUTO };
#define SCHEDULE_MONOTONIC 0x80000000u

/* What every task has of its own, and hands on to tasks and regions that it makes. */
struct controls {
    int32_t threads; /* wanted for the next region */
    bool dynamic, threads_were_set;
    int32_t most_levels; /* active ones */
    int32_t thread_limit;
    uint32_t schedule;
    int32_t chunk;
    int32_t device;
};
struct settings {
    int32_t processors;
    int32_t threads_list[16], threads_levels;
    int32_t most_priority, teams, teams_thread_limit;
    uint32_t stack_bytes;
    bool cancellation, display_affinity;
    int32_t wait_policy; /* 0 unknown, 1 passive, 2 active */
    int32_t offload, bind_levels, bind[16];
    uintptr_t allocator; /* the default one */
    struct controls controls;
};
extern struct settings eomp_settings;
void eomp_read_settings(int32_t processors);
void eomp_show_settings(void); /* if OMP_DISPLAY_ENV says so */
extern const char *eomp_affinity_format;
void eomp_set_affinity_format(const char *format);
extern const char *const eomp_allocator_names[]; /* by their number less 1; 0 behind the last */
void eomp_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void eomp_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- Tasks (task.c) ---- */

/* What the compiler knows of a task; what is private to it follows. */
typedef int32_t (*routine)(int32_t, void *);
struct compiler_task {
    void *shareds;
    routine routine;
    int32_t part;
    union {
        int32_t priority;
        routine destructors;
    } first, second;
};
enum task_flags { /* the compiler's */
    TASK_TIED = 1,
    TASK_FINAL = 2,
    TASK_DESTRUCTORS = 8,
    TASK_PRIORITY = 32,
    TASK_DETACHABLE = 64,
};
/* Two counts in one word. `family`: children (of any depth, unless their own parents are gone) that still need this
 * task's memory, and 1 for itself until it is complete. `children`: those that are not complete. */
#define TASK_CHILD 1ull
#define TASK_FAMILY (1ull << 32)
struct task {
    _Atomic uint64_t count;
    struct task *parent;
    struct thread *runner; /* who runs it; never changes once it has begun */
    struct team *team;
    struct group *group;
    struct node *node;   /* its dependences, if it has any */
    struct table *table; /* of the dependences of its children */
    struct task *next;   /* in lists of tasks */
    int32_t depth, priority;
    uint32_t flags, bytes; /* of the whole block */
    bool implicit, again, submitted;
    word event; /* of a detachable task: see below */
    struct controls controls;
} __attribute__((aligned(16)));
enum event { EVENT_NONE, EVENT_OPEN, EVENT_BODY_DONE, EVENT_FULFILLED };

#define DEQUE_ROOM 256u /* a power of two; a task that finds it full is run at once by its maker */
struct deque {
    word lock, count;
    uint32_t first; /* the oldest */
    struct task *tasks[DEQUE_ROOM];
};
/* Of a `taskgroup`, on the heap until its end. */
struct group {
    struct group *outer;
    word count; /* of tasks in it that are not complete */
    word cancelled;
    struct thread *owner;
    struct reductions *reductions;
};

static inline struct compiler_task *eomp_compiler_task(struct task *task)
{
    return (struct compiler_task *) (task + 1);
}
static inline struct task *eomp_task_of(void *compiler_task) { return (struct task *) compiler_task - 1; }
struct task *eomp_task_new(uint32_t flags, size_t bytes, size_t shared_bytes, routine routine);
struct task *eomp_task_copy(struct task *task);
void eomp_task_free(struct task *task);
void eomp_task_submit(struct task *task, bool undeferred);
void eomp_task_run(struct task *task); /* now, in this thread */
void eomp_task_ready(struct task *task, bool anywhere);
/* A descendant of it, unless it is 0. Overlooks some unless it is thorough. 0: found none. */
struct task *eomp_task_take(const struct task *ancestor, bool thorough);
bool eomp_help(const struct task *ancestor); /* runs such a task */
void eomp_event_fulfil(struct task *task);
bool eomp_tasks_waiting(struct team *team, int32_t size);
bool eomp_all_done(struct team *team);
void eomp_wait_for_zero(word *count); /* runs descendants of this thread's task meanwhile; who counts down rings */
struct group *eomp_group_begin(void);
void eomp_group_end(void);
void eomp_reductions_end(struct group *group); /* all tasks of the group are done */
void eomp_reductions_forget(struct team *team); /* those that not all have come to the end of */

/* Dependences (depend.c) */
struct dependence {
    uintptr_t address;
    size_t bytes;
    uint8_t flags;
};
bool eomp_depend(struct task *task, int32_t count, const struct dependence *list); /* false: has to wait */
void eomp_depend_done(struct task *task);
bool eomp_exclusive_begin(struct task *task); /* false: it is begun again later */
void eomp_depend_forget(struct task *task);   /* its children's table */

/* ---- Loops (dispatch.c, doacross.c) ---- */

#define LOOPS 8u /* that a team may have begun and not all have left */
/* Of a loop whose iterations are handed out, one for the team. Loop number i of a region has place i % LOOPS and may
 * use it once `turn` is i - i % LOOPS; who leaves it last makes it ready for loop i + LOOPS. */
struct loop {
    _Alignas(EOMP_LINE) _Atomic uint64_t next; /* chunk, or iteration if they are guided */
    _Alignas(EOMP_LINE) struct gate turn;
    _Atomic uint64_t ordered; /* how many iterations have had their ordered part */
    word sleepers;            /* who wait for theirs */
    word left;
};
/* Of a loop whose iterations wait for others; likewise. */
struct doacross {
    struct gate turn;
    word left, sleepers;
    word *done; /* a bit for each iteration */
};
/* Where a thread is in its loop. */
struct position {
    struct loop *loop; /* 0: in none */
    uint64_t iterations, chunk, chunks; /* `chunk`: iterations of one */
    uint64_t mine; /* the next chunk of this thread, if it is known from the beginning which are */
    uint64_t lower;
    int64_t step;
    uint32_t number; /* of the loop */
    uint8_t kind;
    bool ordered, served; /* `served`: this iteration has had its ordered part */
    uint64_t iteration;   /* which this thread is at; only in ordered loops */
};
void eomp_loop_leave(struct member *member); /* one in which this thread still is */

/* ---- Threads and teams (thread.c, team.c) ---- */

/* A thread in a team. */
struct member {
    _Alignas(EOMP_LINE) struct team *team;
    struct thread *thread;
    struct task *task; /* which it runs */
    int32_t number, worker; /* `worker`: the thread's place in the pool */
    uint32_t loops_begun, doacrosses_begun, singles_begun;
    struct position position;
    struct {
        struct doacross *loop;
        uint32_t number;
        int32_t dimensions;
        const struct bounds *bounds;
    } across;
    struct task implicit;
    uint32_t victim; /* where it last stole */
    _Alignas(EOMP_LINE) struct deque deque;
};

typedef void (*microtask)(int32_t *, int32_t *, ...);
#define ARGUMENTS 64
void eomp_invoke(microtask function, int32_t *thread, int32_t *number, int32_t count, const uintptr_t *arguments);

/* Teams are kept by the thread that began them, for its next region, and never freed: threads that have left one may
 * still look at it. */
struct team {
    struct team *next; /* kept ones */
    int32_t room;      /* members */
    int32_t size;
    struct member *above; /* who has begun it */
    int32_t level, active_level;
    struct controls controls;
    int32_t team_number, team_count; /* of the league */
    uint32_t loops_begun, doacrosses_begun, singles_begun; /* in its regions so far */
    word cancelled; /* a kind of construct, or 0 */
    _Alignas(EOMP_LINE) word arrived; /* at the barrier */
    word generation;                  /* of the barrier */
    struct thread *_Atomic finisher;  /* waits for all tasks */
    _Alignas(EOMP_LINE) word joined; /* how many have come to the end of a region, ever */
    uint32_t joined_before;
    _Alignas(EOMP_LINE) word region; /* grows when other threads are in it, and after tasks */
    word tasking;                    /* somebody has made a task in this region */
    word shared_count;
    _Alignas(EOMP_LINE) word shared_lock; /* tasks that wait in no deque, by priority */
    struct task *shared;
    _Alignas(EOMP_LINE) word single;
    void *_Atomic copied; /* by copyprivate */
    struct copies *copies[2]; /* of reductions with tasks; guarded by `shared_lock` */
    int32_t copies_left[2];
    struct loop loops[LOOPS];
    struct doacross doacrosses[LOOPS];
    _Alignas(EOMP_LINE) microtask function;
    int32_t argument_count;
    uintptr_t arguments[ARGUMENTS];
    struct member members[];
};

struct thread {
    _Alignas(EOMP_LINE) word work; /* grows when it is given a region */
    word asleep;
    word bell;
    struct member *offered; /* the region it is given */
    uint32_t joined_after;  /* the region: what `joined` of the team will be when all have come to its end */
    word helping;          /* with tasks of a region whose end it has reached */
    _Alignas(EOMP_LINE) uint32_t seen_work;
    word brake; /* see thread_wait.h */
    struct member *member; /* of the newest region it was given */
    uint32_t region;       /* of that team; once that has changed, it does not belong to it any more */
    int32_t id, size;      /* of that team */
    int32_t shown_size;    /* what OMP_DISPLAY_AFFINITY has shown */
    bool has_left;
    uint32_t patience[2], waits; /* at barriers, between regions */
    int32_t push_threads, push_teams, push_limit;
    bool push_strict;
    struct team *teams, *serial_teams;
    struct task *spare;
    uint32_t spare_count;
};

extern _Thread_local struct member *eomp_member;
struct member *eomp_begin(void); /* a thread that is seen for the first time */
static inline struct member *eomp_here(void)
{
    struct member *here = eomp_member;
    return here ? here : eomp_begin();
}
#define THREADS_MOST 256 /* that the host gives to a process; see THREADS_MOST in execution/cells/interface.py */
extern word eomp_pool_lock;
/* Gives a team up to `wanted` threads besides the first, started if need be; tells whether they are others than last
 * time. Call it with the pool locked. */
bool eomp_take_threads(struct team *team, int32_t wanted);
void eomp_give_back(struct team *team);
int32_t eomp_threads_busy(void);
void eomp_hire(struct member *member, uint32_t joined_after);
struct team *eomp_team_new(int32_t room);
void eomp_enter(struct member *member);
void eomp_show_affinity(struct member *member);

extern volatile uint32_t *const eomp_page; /* shared with the host */
enum page {
    PAGE_VERSION,
    PAGE_CAP,
    PAGE_PROCESSORS,
    PAGE_CORES,
    PAGE_REGIONS = 16,
    PAGE_THREADS,
    PAGE_CAP_SEEN,
    PAGE_ACTIVE,
    PAGE_EXISTING,
};

void eomp_barrier(void);
void eomp_region_cancelled(struct team *team); /* after `cancelled` says so; lets all go who are at a barrier */
enum construct { CANCEL_PARALLEL = 1, CANCEL_LOOP, CANCEL_SECTIONS, CANCEL_TASKGROUP };

/* Where the compiler says what a call belongs to. */
struct place {
    int32_t reserved, flags, reserved2, reserved3;
    const char *source;
};
#define PLACE const struct place *place __attribute__((unused)), int32_t id __attribute__((unused))

#endif
