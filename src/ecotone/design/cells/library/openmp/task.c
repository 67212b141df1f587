/* Tasks: made, queued, taken by whoever has time, run, and waited for.
 *
 * Each thread of a team has a deque: it puts its tasks at the end and takes them from there; others steal the oldest. A
 * lock guards each, which is hardly ever wanted by two. A thread that waits for tasks may run only descendants of the
 * task that waits, for another one could wait for something that lies beneath it on its stack.
 *
 * Lost wake-ups: a task is put into a deque before it is looked who sleeps; a sleeper says so before it looks into the
 * deques (Dekker). A count of tasks falls before it is looked whether the one who waits for it sleeps; that one says so
 * before it looks at the count. Who waits is read before the count falls, since what it waits with may be freed then;
 * threads never are. */
#include "openmp.h"
#include "thread_wait.h"

#include <stdlib.h>
#include <string.h>

#define SPARE_BYTES 384u /* of a block that is kept for the next task */
#define SPARE_MOST 128u
#define ROUND(bytes) (((bytes) + 15) & ~(size_t) 15)

/* ---- Memory ---- */

static struct task *block_new(struct thread *thread, size_t bytes)
{
    struct task *task = thread->spare;
    if (bytes <= SPARE_BYTES && task) {
        thread->spare = task->next;
        thread->spare_count--;
        return task;
    }
    task = aligned_alloc(16, bytes <= SPARE_BYTES ? SPARE_BYTES : bytes);
    if (!task)
        eomp_fail("no memory is left for a task");
    return task;
}

struct task *eomp_task_new(uint32_t flags, size_t bytes, size_t shared_bytes, routine routine)
{
    struct member *here = eomp_here();
    size_t shared_at = ROUND(bytes), all = sizeof(struct task) + shared_at + ROUND(shared_bytes);
    struct task *task = block_new(here->thread, all);
    memset(task, 0, sizeof *task);
    task->flags = flags;
    task->bytes = (uint32_t) all;
    task->controls = here->task->controls;
    struct compiler_task *compiler_task = eomp_compiler_task(task);
    compiler_task->shareds = shared_bytes ? (char *) compiler_task + shared_at : NULL;
    compiler_task->routine = routine;
    compiler_task->part = 0;
    return task;
}

/* Of one that has not been submitted. */
struct task *eomp_task_copy(struct task *task)
{
    struct task *copy = block_new(eomp_here()->thread, task->bytes);
    memcpy(copy, task, task->bytes);
    struct compiler_task *from = eomp_compiler_task(task), *to = eomp_compiler_task(copy);
    if (from->shareds)
        to->shareds = (char *) to + ((char *) from->shareds - (char *) from);
    return copy;
}

void eomp_task_free(struct task *task)
{
    struct thread *thread = eomp_here()->thread;
    if (task->bytes > SPARE_BYTES || thread->spare_count >= SPARE_MOST) {
        free(task);
        return;
    }
    task->next = thread->spare;
    thread->spare = task;
    thread->spare_count++;
}

/* ---- Where tasks wait ---- */

static bool descends(const struct task *task, const struct task *ancestor)
{
    if (!ancestor)
        return true;
    while (task && task->depth > ancestor->depth)
        task = task->parent;
    return task == ancestor;
}

static struct task **place_in(struct deque *deque, uint32_t at) { return &deque->tasks[at & (DEQUE_ROOM - 1)]; }

static bool deque_put(struct deque *deque, struct task *task)
{
    eomp_lock(&deque->lock);
    uint32_t count = atomic_load_explicit(&deque->count, memory_order_relaxed);
    if (count < DEQUE_ROOM) {
        *place_in(deque, deque->first + count) = task;
        atomic_store(&deque->count, count + 1);
    }
    eomp_unlock(&deque->lock);
    return count < DEQUE_ROOM;
}

/* The newest one, or the newest that may be run. */
static struct task *deque_take(struct deque *deque, const struct task *ancestor)
{
    if (!atomic_load(&deque->count))
        return NULL;
    eomp_lock(&deque->lock);
    uint32_t count = atomic_load_explicit(&deque->count, memory_order_relaxed), at = count;
    struct task *task = NULL;
    while (at && !task) {
        task = *place_in(deque, deque->first + --at);
        if (!descends(task, ancestor))
            task = NULL;
    }
    if (task) {
        for (; at + 1 < count; at++)
            *place_in(deque, deque->first + at) = *place_in(deque, deque->first + at + 1);
        atomic_store(&deque->count, count - 1);
    }
    eomp_unlock(&deque->lock);
    return task;
}

/* The oldest one if it may be run, and nothing if somebody else is there. Thoroughly: the oldest that may be run. */
static struct task *deque_steal(struct deque *deque, const struct task *ancestor, bool thorough)
{
    if (!atomic_load(&deque->count))
        return NULL;
    if (thorough)
        eomp_lock(&deque->lock);
    else if (!eomp_try_lock(&deque->lock))
        return NULL;
    struct task *task = NULL;
    uint32_t count = atomic_load_explicit(&deque->count, memory_order_relaxed), most = thorough ? count : count > 0;
    uint32_t at = 0;
    while (at < most && !descends(*place_in(deque, deque->first + at), ancestor))
        at++;
    if (at < most) {
        task = *place_in(deque, deque->first + at);
        for (; at; at--)
            *place_in(deque, deque->first + at) = *place_in(deque, deque->first + at - 1);
        deque->first++;
        atomic_store(&deque->count, count - 1);
    }
    eomp_unlock(&deque->lock);
    return task;
}

static void share(struct team *team, struct task *task)
{
    eomp_lock(&team->shared_lock);
    struct task **at = &team->shared;
    while (*at && (*at)->priority >= task->priority)
        at = &(*at)->next;
    task->next = *at;
    *at = task;
    atomic_fetch_add(&team->shared_count, 1);
    eomp_unlock(&team->shared_lock);
}

static struct task *take_shared(struct team *team, const struct task *ancestor)
{
    if (!atomic_load(&team->shared_count))
        return NULL;
    eomp_lock(&team->shared_lock);
    struct task **at = &team->shared, *task;
    while (*at && !descends(*at, ancestor))
        at = &(*at)->next;
    task = *at;
    if (task) {
        *at = task->next;
        atomic_fetch_sub(&team->shared_count, 1);
    }
    eomp_unlock(&team->shared_lock);
    return task;
}

struct task *eomp_task_take(const struct task *ancestor, bool thorough)
{
    struct member *here = eomp_here();
    struct team *team = here->team;
    struct task *task = take_shared(team, ancestor);
    if (!task)
        task = deque_take(&here->deque, ancestor);
    for (int32_t tried = 0; !task && tried < team->size; tried++) {
        uint32_t victim = (here->victim + (uint32_t) tried) % (uint32_t) team->size;
        if ((int32_t) victim == here->number)
            continue;
        task = deque_steal(&team->members[victim].deque, ancestor, thorough);
        if (task)
            here->victim = victim;
    }
    return task;
}

bool eomp_tasks_waiting(struct team *team, int32_t size)
{
    if (atomic_load(&team->shared_count))
        return true;
    for (int32_t at = 0; at < size; at++)
        if (atomic_load(&team->members[at].deque.count))
            return true;
    return false;
}

/* All members are at a barrier or at the end, so no task comes from them: once there is none below an implicit task,
 * none will be. */
bool eomp_all_done(struct team *team)
{
    for (int32_t at = 0; at < team->size; at++)
        if (atomic_load(&team->members[at].implicit.count) != TASK_FAMILY)
            return false;
    return true;
}

/* One that would run anything; else those that wait for tasks of their own, which this may be one of. */
static void wake_somebody(struct team *team)
{
    for (int32_t at = 0; at < team->size; at++) {
        struct thread *thread = team->members[at].thread;
        uint32_t asleep = ASLEEP_HELPFUL;
        if (atomic_load(&thread->asleep) != asleep || !atomic_compare_exchange_strong(&thread->asleep, &asleep, AWAKE))
            continue;
        atomic_fetch_add(&thread->bell, 1);
        eomp_notify(&thread->bell, 1);
        return;
    }
    for (int32_t at = 0; at < team->size; at++)
        eomp_ring(team->members[at].thread);
}

static void wake_waiter(struct thread *thread)
{
    if (thread && atomic_load(&thread->asleep) == ASLEEP_STRICT)
        eomp_ring(thread);
}

/* To be run by anyone. `anywhere`: this thread may be in the middle of something that has nothing to do with it. Those
 * who may wait for just this task are woken besides somebody who would run any, who may take another one. They are read
 * before the task can be taken, for it may be gone then. */
void eomp_task_ready(struct task *task, bool anywhere)
{
    struct member *here = eomp_here();
    struct team *team = task->team;
    struct thread *runner = task->parent->runner, *owner = task->group ? task->group->owner : NULL;
    if (anywhere || task->priority || team != here->team || !deque_put(&here->deque, task))
        share(team, task);
    if (!atomic_load(&team->tasking))
        atomic_store(&team->tasking, 1);
    wake_somebody(team);
    wake_waiter(runner);
    wake_waiter(owner);
}

/* ---- Running ---- */

/* Takes off the counts of a task's ancestors what a task that is complete, or gone, has put there. */
static void release(struct task *task, uint64_t amount)
{
    while (task) {
        struct thread *runner = task->runner;
        struct team *team = task->team;
        bool implicit = task->implicit;
        struct task *parent = task->parent;
        uint64_t left = atomic_fetch_sub(&task->count, amount) - amount;
        if (amount & TASK_CHILD && !(uint32_t) left)
            eomp_ring(runner);
        if (implicit) {
            struct thread *finisher = left == TASK_FAMILY ? atomic_load(&team->finisher) : NULL;
            if (finisher)
                eomp_ring(finisher);
            return;
        }
        if (left >> 32)
            return;
        eomp_depend_forget(task);
        eomp_task_free(task);
        amount = TASK_FAMILY;
        task = parent;
    }
}

static void complete(struct task *task)
{
    if (task->node)
        eomp_depend_done(task);
    struct group *group = task->group;
    if (group) {
        struct thread *owner = group->owner;
        if (atomic_fetch_sub(&group->count, 1) == 1)
            eomp_ring(owner);
    }
    struct task *parent = task->parent;
    if (atomic_load(&task->count) != TASK_FAMILY) { /* it has children, who need its memory */
        release(parent, TASK_CHILD);
        release(task, TASK_FAMILY);
        return;
    }
    eomp_depend_forget(task);
    eomp_task_free(task);
    release(parent, TASK_FAMILY | TASK_CHILD);
}

static bool discarded(const struct task *task)
{
    for (struct group *group = task->group; group; group = group->outer)
        if (atomic_load(&group->cancelled))
            return true;
    return false;
}

/* After its body: who comes second of this and the event completes the task. */
static void body_done(struct task *task)
{
    struct compiler_task *compiler_task = eomp_compiler_task(task);
    if (task->flags & TASK_DESTRUCTORS && compiler_task->first.destructors)
        compiler_task->first.destructors(eomp_here()->thread->id, compiler_task);
    if (atomic_load(&task->event) == EVENT_NONE || atomic_exchange(&task->event, EVENT_BODY_DONE) == EVENT_FULFILLED)
        complete(task);
}

void eomp_event_fulfil(struct task *task)
{
    if (atomic_exchange(&task->event, EVENT_FULFILLED) == EVENT_BODY_DONE)
        complete(task);
}

void eomp_task_run(struct task *task)
{
    struct member *here = eomp_here();
    if (task->node && !eomp_exclusive_begin(task))
        return;
    struct task *before = here->task;
    struct compiler_task *compiler_task = eomp_compiler_task(task);
    task->runner = here->thread;
    here->task = task;
    if (discarded(task))
        atomic_store(&task->event, EVENT_NONE);
    else
        do {
            task->again = false;
            compiler_task->routine(here->thread->id, compiler_task);
        } while (task->again); /* the parts of an untied task; they stay with their thread */
    here->task = before;
    body_done(task);
}

bool eomp_help(const struct task *ancestor)
{
    struct task *task = eomp_task_take(ancestor, false);
    if (task)
        eomp_task_run(task);
    return task;
}

static void adopt(struct task *task, struct member *here)
{
    struct task *parent = here->task;
    task->submitted = true;
    task->parent = parent;
    task->depth = parent->depth + 1;
    task->team = here->team;
    task->group = parent->group;
    task->flags |= parent->flags & TASK_FINAL;
    task->runner = here->thread;
    atomic_store_explicit(&task->count, TASK_FAMILY, memory_order_relaxed);
    atomic_fetch_add(&parent->count, TASK_FAMILY | TASK_CHILD);
    if (task->group)
        atomic_fetch_add(&task->group->count, 1);
    int32_t priority = task->flags & TASK_PRIORITY ? eomp_compiler_task(task)->second.priority : 0;
    int32_t most = eomp_settings.most_priority;
    task->priority = priority < 0 ? 0 : priority < most ? priority : most;
    if (!atomic_load(&here->team->tasking))
        atomic_store(&here->team->tasking, 1);
}

static bool at_once(const struct task *task, const struct member *here)
{
    return here->team->size == 1 || task->parent->flags & TASK_FINAL ||
           atomic_load(&here->deque.count) >= DEQUE_ROOM;
}

static void start(struct task *task, bool undeferred)
{
    if (undeferred || at_once(task, eomp_here()))
        eomp_task_run(task);
    else
        eomp_task_ready(task, false);
}

void eomp_task_submit(struct task *task, bool undeferred)
{
    adopt(task, eomp_here());
    start(task, undeferred);
}

void *__kmpc_omp_task_alloc(PLACE, int32_t flags, size_t bytes, size_t shared_bytes, routine routine)
{
    return eomp_compiler_task(eomp_task_new((uint32_t) flags, bytes, shared_bytes, routine));
}
void *__kmpc_omp_target_task_alloc(PLACE, int32_t flags, size_t bytes, size_t shared_bytes, routine routine,
                                   int64_t device)
{
    (void) device;
    return eomp_compiler_task(eomp_task_new((uint32_t) flags, bytes, shared_bytes, routine));
}

int32_t __kmpc_omp_task(PLACE, void *compiler_task)
{
    struct task *task = eomp_task_of(compiler_task);
    if (task->submitted)
        task->again = true; /* the next part of an untied task, which runs now */
    else
        eomp_task_submit(task, false);
    return 0;
}

int32_t __kmpc_omp_task_with_deps(PLACE, void *compiler_task, int32_t count, const struct dependence *list,
                                  int32_t more_count, const struct dependence *more)
{
    struct task *task = eomp_task_of(compiler_task);
    (void) more_count; /* the compiler uses one list */
    (void) more;
    adopt(task, eomp_here());
    if (eomp_depend(task, count, list))
        start(task, false);
    return 0;
}

int32_t __kmpc_omp_reg_task_with_affinity(PLACE, void *task, int32_t count, void *list)
{
    (void) task;
    (void) count;
    (void) list;
    return 0;
}

/* A task that its maker runs itself, by calling it between these two. */
void __kmpc_omp_task_begin_if0(PLACE, void *compiler_task)
{
    struct member *here = eomp_here();
    struct task *task = eomp_task_of(compiler_task);
    adopt(task, here);
    here->task = task;
}

void __kmpc_omp_task_complete_if0(PLACE, void *compiler_task)
{
    struct member *here = eomp_here();
    struct task *task = eomp_task_of(compiler_task);
    while (task->again) {
        task->again = false;
        eomp_compiler_task(task)->routine(here->thread->id, compiler_task);
    }
    here->task = task->parent;
    body_done(task);
}

void *__kmpc_task_allow_completion_event(PLACE, void *compiler_task)
{
    struct task *task = eomp_task_of(compiler_task);
    atomic_store(&task->event, EVENT_OPEN);
    return task;
}
