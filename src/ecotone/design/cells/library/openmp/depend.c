/* Dependences of tasks with the same parent: which must be complete before which begin.
 *
 * For each address that children of a task have named there is an entry with the last tasks that used it. Only the
 * thread that runs the parent uses these tables. What others use is the `struct node` of each task: who completes a
 * task marks its node as done and takes the list of those that wait for it under the node's lock, and who adds one to
 * that list does so under the lock and only if it is not done; so each successor is counted down exactly once. */
#include "openmp.h"

#include <stdlib.h>

enum dependence_flags {
    DEPEND_IN = 1,
    DEPEND_OUT = 2,
    DEPEND_EXCLUSIVE = 4, /* mutexinoutset */
    DEPEND_SET = 8,       /* inoutset */
    DEPEND_ALL = 0x80,    /* omp_all_memory */
};

struct node {
    word references, lock;
    word missing;          /* predecessors that are not complete, and 1 while it is being made */
    struct task *task;     /* 0: somebody waits for it in a taskwait */
    struct thread *waiter;
    atomic_bool done;
    struct link *successors;
    struct link *exclusive; /* entries of which only one task may run at a time */
};
struct link {
    struct link *next;
    union {
        struct node *node;
        struct exclusion *exclusion;
    };
};
/* Shared by an entry and the tasks that name it. */
struct exclusion {
    word references;
    bool held;
    struct task *waiting;
};
struct entry {
    struct entry *next;
    uintptr_t address;
    uint8_t kind; /* of those in `now` */
    struct node *out;          /* the last one that wrote; 0 if all have to wait for `before` instead */
    struct link *now, *before; /* tasks that may run at once; what they have to wait for */
    struct exclusion *exclusion;
};
#define BUCKET_BITS 6u /* of a new table; it grows with its entries */
struct table {
    struct node *out; /* the last one that named all memory */
    uint32_t bits, count;
    struct entry **entries; /* 1 << bits lists of them */
};

static void *get(size_t bytes)
{
    void *block = calloc(1, bytes);
    if (!block)
        eomp_fail("no memory is left for the dependences of a task");
    return block;
}

static struct node *hold(struct node *node)
{
    atomic_fetch_add(&node->references, 1);
    return node;
}

static void drop(struct node *node)
{
    if (node && atomic_fetch_sub(&node->references, 1) == 1)
        free(node);
}

static void drop_exclusion(struct exclusion *exclusion)
{
    if (exclusion && atomic_fetch_sub(&exclusion->references, 1) == 1)
        free(exclusion);
}

static void push(struct link **list, struct node *node)
{
    struct link *link = get(sizeof *link);
    link->node = hold(node);
    link->next = *list;
    *list = link;
}

static void drop_list(struct link **list)
{
    for (struct link *link = *list, *next; link; link = next) {
        next = link->next;
        drop(link->node);
        free(link);
    }
    *list = NULL;
}

/* ---- What a task waits for ---- */

static void after(struct node *node, struct node *earlier)
{
    if (!earlier || earlier == node)
        return;
    eomp_lock(&earlier->lock);
    if (!earlier->done) {
        push(&earlier->successors, node);
        atomic_fetch_add(&node->missing, 1);
    }
    eomp_unlock(&earlier->lock);
}

static void after_all(struct node *node, const struct link *list)
{
    for (; list; list = list->next)
        after(node, list->node);
}

static struct table *table_new(void)
{
    struct table *table = get(sizeof *table);
    table->bits = BUCKET_BITS;
    table->entries = get(sizeof *table->entries << BUCKET_BITS);
    return table;
}

/* The high bits of a product depend on all bits of its factors. */
static struct entry **bucket_of(const struct table *table, uintptr_t address)
{
    return &table->entries[(uint32_t) address * 0x9e3779b1u >> (32 - table->bits)];
}

static void grow(struct table *table)
{
    struct entry **before = table->entries;
    uint32_t buckets = 1u << table->bits++;
    table->entries = get(sizeof *table->entries << table->bits);
    for (uint32_t at = 0; at < buckets; at++)
        for (struct entry *entry = before[at], *next; entry; entry = next) {
            next = entry->next;
            struct entry **bucket = bucket_of(table, entry->address);
            entry->next = *bucket;
            *bucket = entry;
        }
    free(before);
}

static struct entry *entry_of(struct table *table, uintptr_t address)
{
    struct entry *entry = *bucket_of(table, address);
    while (entry && entry->address != address)
        entry = entry->next;
    if (entry)
        return entry;
    if (++table->count >> table->bits)
        grow(table);
    entry = get(sizeof *entry);
    entry->address = address;
    entry->out = table->out ? hold(table->out) : NULL;
    struct entry **bucket = bucket_of(table, address);
    entry->next = *bucket;
    return *bucket = entry;
}

static void entry_free(struct entry *entry)
{
    drop(entry->out);
    drop_list(&entry->now);
    drop_list(&entry->before);
    drop_exclusion(entry->exclusion);
    free(entry);
}

static void after_entry(struct node *node, const struct entry *entry)
{
    after_all(node, entry->now ? entry->now : entry->before);
    after(node, entry->out);
}

/* It alone comes after all that used the address before. */
static void use_alone(struct entry *entry, struct node *node)
{
    after_entry(node, entry);
    drop_list(&entry->now);
    drop_list(&entry->before);
    drop(entry->out);
    entry->out = hold(node);
}

static void drop_done(struct link **list)
{
    for (struct link *link = *list; link && link->node->done; link = *list) {
        *list = link->next;
        drop(link->node);
        free(link);
    }
}

/* It may run beside others that use the address in the same way. */
static void use_together(struct entry *entry, struct node *node, uint8_t kind)
{
    if (entry->now && entry->kind != kind) {
        drop_list(&entry->before);
        entry->before = entry->now;
        entry->now = NULL;
        drop(entry->out);
        entry->out = NULL;
    }
    entry->kind = kind;
    after_all(node, entry->before);
    after(node, entry->out);
    drop_done(&entry->now); /* many may read what nobody writes */
    push(&entry->now, node);
}

static void exclude(struct entry *entry, struct node *node)
{
    if (!entry->exclusion) {
        entry->exclusion = get(sizeof *entry->exclusion);
        atomic_store(&entry->exclusion->references, 1);
    }
    for (struct link *link = node->exclusive; link; link = link->next)
        if (link->exclusion == entry->exclusion)
            return;
    struct link *link = get(sizeof *link);
    link->exclusion = entry->exclusion;
    atomic_fetch_add(&entry->exclusion->references, 1);
    link->next = node->exclusive;
    node->exclusive = link;
}

static void empty(struct table *table)
{
    for (uint32_t at = 0; at < 1u << table->bits; at++) {
        for (struct entry *entry = table->entries[at], *next; entry; entry = next) {
            next = entry->next;
            entry_free(entry);
        }
        table->entries[at] = NULL;
    }
    drop(table->out);
    table->out = NULL;
    table->count = 0;
}

static void use_everything(struct table *table, struct node *node)
{
    for (uint32_t at = 0; at < 1u << table->bits; at++)
        for (struct entry *entry = table->entries[at]; entry; entry = entry->next)
            after_entry(node, entry);
    after(node, table->out);
    empty(table);
    table->out = hold(node);
}

static void use(struct table *table, struct node *node, const struct dependence *dependence)
{
    uint8_t flags = dependence->flags;
    if (flags & DEPEND_ALL) {
        use_everything(table, node);
        return;
    }
    struct entry *entry = entry_of(table, dependence->address);
    if (flags & DEPEND_OUT || (!node->task && flags != DEPEND_IN)) { /* a taskwait belongs to no set */
        use_alone(entry, node);
        return;
    }
    use_together(entry, node, flags);
    if (flags & DEPEND_EXCLUSIVE)
        exclude(entry, node);
}

static struct node *node_new(struct task *parent, struct task *task, int32_t count, const struct dependence *list)
{
    struct node *node = get(sizeof *node);
    atomic_store(&node->references, 1);
    atomic_store(&node->missing, 1);
    node->task = task;
    node->waiter = eomp_here()->thread;
    if (!parent->table)
        parent->table = table_new();
    for (int32_t at = 0; at < count; at++)
        use(parent->table, node, &list[at]);
    return node;
}

bool eomp_depend(struct task *task, int32_t count, const struct dependence *list)
{
    if (count <= 0)
        return true;
    task->node = node_new(task->parent, task, count, list);
    return atomic_fetch_sub(&task->node->missing, 1) == 1; /* else whoever takes away the last one starts it */
}

void eomp_depend_forget(struct task *task)
{
    if (!task->table)
        return;
    empty(task->table);
    free(task->table->entries);
    free(task->table);
    task->table = NULL;
}

/* ---- Sets of which only one task may run ---- */

static word exclusions_lock;

/* All or none; if one is held, the task waits with it and tries again when it is not. */
bool eomp_exclusive_begin(struct task *task)
{
    struct link *list = task->node->exclusive, *link = list;
    if (!list)
        return true;
    eomp_lock(&exclusions_lock);
    while (link && !link->exclusion->held)
        link = link->next;
    if (link) {
        task->next = link->exclusion->waiting;
        link->exclusion->waiting = task;
    } else {
        for (link = list; link; link = link->next)
            link->exclusion->held = true;
        link = NULL;
    }
    eomp_unlock(&exclusions_lock);
    return !link;
}

static void exclusive_end(struct link *list, bool anywhere)
{
    struct task *woken = NULL;
    eomp_lock(&exclusions_lock);
    for (struct link *link = list; link; link = link->next) {
        link->exclusion->held = false;
        for (struct task *task = link->exclusion->waiting, *next; task; task = next) {
            next = task->next;
            task->next = woken;
            woken = task;
        }
        link->exclusion->waiting = NULL;
    }
    eomp_unlock(&exclusions_lock);
    for (struct task *task = woken, *next; task; task = next) {
        next = task->next;
        eomp_task_ready(task, anywhere);
    }
    for (struct link *link = list, *next; link; link = next) {
        next = link->next;
        drop_exclusion(link->exclusion);
        free(link);
    }
}

/* ---- The end of a task ---- */

static void count_down(struct node *node, bool anywhere)
{
    if (atomic_fetch_sub(&node->missing, 1) != 1)
        return;
    if (node->task)
        eomp_task_ready(node->task, anywhere);
    else
        eomp_ring(node->waiter);
}

static void node_done(struct node *node, bool anywhere)
{
    eomp_lock(&node->lock);
    node->done = true;
    struct link *successors = node->successors;
    node->successors = NULL;
    eomp_unlock(&node->lock);
    for (struct link *link = successors; link; link = link->next)
        count_down(link->node, anywhere);
    drop_list(&successors);
}

void eomp_depend_done(struct task *task)
{
    struct node *node = task->node;
    bool anywhere = atomic_load(&task->event) != EVENT_NONE;
    if (node->exclusive)
        exclusive_end(node->exclusive, anywhere);
    node->exclusive = NULL;
    node_done(node, anywhere);
    drop(node);
    task->node = NULL;
}

static void wait_for(int32_t count, const struct dependence *list)
{
    struct member *here = eomp_here();
    if (count <= 0 || !here->task->table)
        return; /* no child has named anything yet */
    struct node *node = node_new(here->task, NULL, count, list);
    atomic_fetch_sub(&node->missing, 1);
    eomp_wait_for_zero(&node->missing);
    node_done(node, false);
    drop(node);
}

static int32_t nothing(int32_t id, void *task)
{
    (void) id;
    (void) task;
    return 0;
}

void __kmpc_omp_taskwait_deps_51(PLACE, int32_t count, const struct dependence *list, int32_t more_count,
                                 const struct dependence *more, int32_t no_wait)
{
    int32_t __kmpc_omp_task_with_deps(PLACE, void *, int32_t, const struct dependence *, int32_t,
                                      const struct dependence *);
    if (no_wait) {
        struct task *task = eomp_task_new(TASK_TIED, sizeof(struct compiler_task), 0, nothing);
        __kmpc_omp_task_with_deps(place, id, eomp_compiler_task(task), count, list, more_count, more);
    } else {
        wait_for(count, list);
    }
}

void __kmpc_omp_wait_deps(PLACE, int32_t count, const struct dependence *list, int32_t more_count,
                          const struct dependence *more)
{
    __kmpc_omp_taskwait_deps_51(place, id, count, list, more_count, more, 0);
}
