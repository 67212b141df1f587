/* What translated programs need at run time: memory behind guard pages, tables, traps that come back to the caller, and
 * the way to functions of the host. It takes the place of wasm2c's own runtime, of which only wasm-rt.h is used.
 *
 * A thread is in the program, or in its host on behalf of the program: `struct entry` says which. A fault while it is in
 * the program is a trap, and ends the call that has entered it; any other fault is left to who was there before. No trap
 * ever jumps over frames of the host: a function of the host that calls the program is itself a new entry. */
#define _GNU_SOURCE
#include "runtime.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 65536, HUGE_PAGE = 1 << 21, TABLE_MOST = 1 << 20, TABLES_MOST = 8 * TABLE_MOST };
#define REACH ((uint64_t) 2 << 32)       /* of an address of 32 bits and an offset of 32 */
#define BEHIND ((uint64_t) 1 << 21)      /* what is accessed at the last address reaches beyond it */
#define BEFORE ((uint64_t) 1 << 31)      /* nothing should ever reach there; if it does, nothing is there */
#define SIGNAL_STACK_BYTES (128 << 10)
#define STACK_MOST ((size_t) 64 << 20)
#define HOST_ROOM ((size_t) 512 << 10)   /* of the stack, for what the host does */

struct entry {
    sigjmp_buf place;
    struct entry *before;
    struct report *report;
    struct program *program;
    volatile enum end why;
    volatile bool in_program;
    char *top; /* of the stack that it uses */
};

static _Thread_local struct entry *entered;
static _Thread_local char *stack_low; /* of this thread */
static pthread_mutex_t change = PTHREAD_MUTEX_INITIALIZER;

/* ---- Where the program was ---- */

typedef int backtrace_function(int (*each)(void *context, void *data), void *data);
typedef uintptr_t frame_function(void *context);
static backtrace_function *backtrace_all;
static frame_function *place_of, *start_of;

/* Given at load: what unwinds stacks, if this machine has it. */
SEEN_FROM_OUTSIDE void native_unwinder(backtrace_function *all, frame_function *place, frame_function *start)
{
    backtrace_all = all;
    place_of = place;
    start_of = start;
}

int native_call(struct instance *instance, size_t index, union value *values, struct report *report);
int native_instance(struct program *program, struct instance **made, struct report *report);

static int record(void *context, void *data)
{
    struct report *report = data;
    uintptr_t function = start_of(context);
    if (function == (uintptr_t) native_call || function == (uintptr_t) native_instance) return 1; /* beyond is the host */
    uint64_t place = place_of(context);
    if (report->frames < INNER_FRAMES) report->inner[report->frames] = place;
    report->outer[report->frames++ % OUTER_FRAMES] = place;
    return 0;
}

_Noreturn static void leave_at(struct entry *entry, enum end why, uint64_t fault)
{
    entry->in_program = false;
    entry->why = why;
    entry->report->frames = 0;
    entry->report->fault = fault;
    if (backtrace_all) backtrace_all(record, entry->report);
    siglongjmp(entry->place, 1);
}

_Noreturn static void leave(struct entry *entry, enum end why) { leave_at(entry, why, UINT64_MAX); }

_Noreturn void end_call(enum end why) { leave(entered, why); }

_Noreturn void wasm_rt_trap(wasm_rt_trap_t code)
{
    static const enum end ends[] = {
        [WASM_RT_TRAP_OOB] = END_BOUNDS,
        [WASM_RT_TRAP_INT_OVERFLOW] = END_OVERFLOW,
        [WASM_RT_TRAP_DIV_BY_ZERO] = END_DIVISION,
        [WASM_RT_TRAP_INVALID_CONVERSION] = END_CONVERSION,
        [WASM_RT_TRAP_UNREACHABLE] = END_UNREACHABLE,
        [WASM_RT_TRAP_CALL_INDIRECT] = END_INDIRECT,
        [WASM_RT_TRAP_NULL_REF] = END_NULL,
        [WASM_RT_TRAP_UNCAUGHT_EXCEPTION] = END_EXCEPTION,
        [WASM_RT_TRAP_UNALIGNED] = END_UNALIGNED,
        [WASM_RT_TRAP_EXHAUSTION] = END_STACK,
    };
    leave(entered, ends[code]);
}

bool wasm_rt_is_initialized(void) { return true; }

/* ---- Faults ---- */

static struct sigaction earlier[2]; /* of SIGSEGV and SIGBUS */

static void pass_on(int number, siginfo_t *about, void *context)
{
    struct sigaction *old = &earlier[number == SIGBUS];
    if (old->sa_flags & SA_SIGINFO) {
        old->sa_sigaction(number, about, context);
    } else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
        old->sa_handler(number);
    } else {
        signal(number, SIG_DFL); /* the access is tried again, and ends the process */
    }
}

static void on_fault(int number, siginfo_t *about, void *context)
{
    struct entry *entry = entered;
    if (entry && entry->in_program) {
        wasm_rt_memory_t *known = entry->program->memory;
        char *address = about->si_addr, *memory = known ? (char *) known->data : NULL;
        if (memory && address >= memory - BEFORE && address < memory + REACH + BEHIND)
            leave_at(entry, END_BOUNDS, address < memory ? UINT64_MAX : (uint64_t) (address - memory));
        if (address < entry->top && address >= entry->top - STACK_MOST) leave(entry, END_STACK);
    }
    pass_on(number, about, context);
}

static void watch_faults(void)
{
    static bool watched;
    pthread_mutex_lock(&change);
    if (!watched) {
        struct sigaction ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        sigemptyset(&ours.sa_mask);
        sigaction(SIGSEGV, &ours, &earlier[0]);
        sigaction(SIGBUS, &ours, &earlier[1]);
        watched = true;
    }
    pthread_mutex_unlock(&change);
}

/* A thread that has used up its stack needs another one to say so. */
static void prepare_thread(void)
{
    if (stack_low) return;
    pthread_attr_t attributes;
    void *low = NULL;
    size_t bytes = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &low, &bytes);
        pthread_attr_destroy(&attributes);
    }
    char *here = __builtin_frame_address(0);
    if (!low || bytes > STACK_MOST) low = here - STACK_MOST / 8;
    stack_low = low;
    stack_t own;
    if (sigaltstack(NULL, &own) == 0 && !(own.ss_flags & SS_DISABLE) && own.ss_size >= SIGNAL_STACK_BYTES) return;
    void *room = mmap(NULL, SIGNAL_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return;
    own = (stack_t){.ss_sp = room, .ss_size = SIGNAL_STACK_BYTES};
    sigaltstack(&own, NULL);
}

/* ---- Into the program, and to its host ---- */

static void enter(struct entry *entry, struct program *program, struct report *report)
{
    prepare_thread();
    entry->before = entered;
    entry->program = program;
    entry->report = report;
    entry->top = __builtin_frame_address(0);
    entry->in_program = true;
    entered = entry;
}

SEEN_FROM_OUTSIDE int native_call(struct instance *instance, size_t index, union value *values, struct report *report)
{
    struct entry entry;
    if (sigsetjmp(entry.place, 1)) {
        entered = entry.before;
        return (int) entry.why;
    }
    enter(&entry, instance->program, report);
    cell_exports[index].call(instance + 1, values);
    entered = entry.before;
    return ENDED_WELL;
}

void call_host(struct instance *instance, size_t index, union value *values)
{
    struct entry *entry = entered;
    if ((char *) __builtin_frame_address(0) < stack_low + HOST_ROOM) leave(entry, END_STACK);
    entry->in_program = false;
    int trapped = instance->program->host[index](values);
    entry->in_program = true;
    if (trapped) leave(entry, END_HOST);
}

/* ---- Programs and instances ---- */

SEEN_FROM_OUTSIDE struct program *native_program(host_function *const *host, uint64_t most_pages)
{
    struct program *program = calloc(1, sizeof *program);
    if (program) *program = (struct program){.host = host, .most_pages = most_pages};
    watch_faults();
    return program;
}

static _Thread_local struct program *making; /* whose instance this thread makes */

SEEN_FROM_OUTSIDE uint32_t native_version(void) { return RUNTIME_VERSION; }
SEEN_FROM_OUTSIDE const struct imported *native_imports(void) { return cell_imports; }
SEEN_FROM_OUTSIDE const struct exported *native_exports(void) { return cell_exports; }
SEEN_FROM_OUTSIDE const struct variable *native_variables(void) { return cell_variables; }

SEEN_FROM_OUTSIDE void *native_variable(struct instance *instance, size_t index)
{
    return cell_variables[index].place(instance + 1);
}

/* ---- Memory ---- */

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* All that an address and an offset can reach, of which so many bytes can be used. */
static uint8_t *reserve(uint64_t bytes)
{
    uint64_t all = BEFORE + REACH + BEHIND + HUGE_PAGE;
    char *start = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return NULL;
    char *data = (char *) (((uintptr_t) start + BEFORE + HUGE_PAGE - 1) & -(uintptr_t) HUGE_PAGE);
    if (bytes && mprotect(data, bytes, PROT_READ | PROT_WRITE)) {
        munmap(start, all);
        return NULL;
    }
    return (uint8_t *) data;
}

static enum end make_memory(struct program *program, wasm_rt_memory_t *memory, uint64_t pages, uint64_t own_most)
{
    if (program->memory) return END_NO_MEMORY; /* a second one */
    if (pages > program->most_pages) return END_MEMORY_LIMIT;
    uint8_t *data = reserve(pages * PAGE);
    if (!data) return END_NO_MEMORY;
    *memory = (wasm_rt_memory_t){
        .data = data,
        .data_end = data + REACH,
        .page_size = PAGE,
        .pages = pages,
        .max_pages = least(own_most, program->most_pages),
        .size = pages * PAGE,
    };
    program->own_most = own_most;
    program->memory = memory;
    return ENDED_WELL;
}

/* For a program that imports its memory, before its first instance. */
static enum end share_memory(struct program *program)
{
    if (program->memory || !cell_imports_memory) return ENDED_WELL;
    return make_memory(program, &program->shared, cell_memory_pages[0], cell_memory_pages[1]);
}

void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint64_t pages, uint64_t most, bool is64, uint32_t page_size)
{
    enum end why = is64 || page_size != PAGE ? END_NO_MEMORY : make_memory(making, memory, pages, most);
    if (why) end_call(why);
}

uint64_t wasm_rt_grow_memory(wasm_rt_memory_t *memory, uint64_t pages)
{
    pthread_mutex_lock(&change);
    uint64_t before = memory->pages;
    if (before > memory->max_pages || pages > memory->max_pages - before
        || (pages && mprotect(memory->data + before * PAGE, pages * PAGE, PROT_READ | PROT_WRITE))) {
        before = UINT64_MAX;
    } else {
        memory->pages = before + pages;
        __atomic_store_n(&memory->size, (before + pages) * PAGE, __ATOMIC_SEQ_CST);
    }
    pthread_mutex_unlock(&change);
    return before;
}

void wasm_rt_free_memory(wasm_rt_memory_t *memory) { (void) memory; }

SEEN_FROM_OUTSIDE void *native_base(struct program *program) { return program->memory ? program->memory->data : NULL; }

SEEN_FROM_OUTSIDE uint64_t native_size(struct program *program)
{
    return __atomic_load_n(&program->memory->size, __ATOMIC_SEQ_CST);
}

/* The pages before, or UINT64_MAX if there can be no more. */
SEEN_FROM_OUTSIDE uint64_t native_grow(struct program *program, uint64_t pages)
{
    return wasm_rt_grow_memory(program->memory, pages);
}

SEEN_FROM_OUTSIDE void native_allow(struct program *program, uint64_t most_pages)
{
    pthread_mutex_lock(&change);
    program->most_pages = most_pages;
    if (program->memory) program->memory->max_pages = least(program->own_most, most_pages);
    pthread_mutex_unlock(&change);
}

/* ---- Instances ---- */

/* Makes an instance, which is never freed: its process ends, or its thread waits for more to do. */
SEEN_FROM_OUTSIDE int native_instance(struct program *program, struct instance **made, struct report *report)
{
    struct instance *instance = calloc(1, sizeof *instance + cell_bytes);
    if (!instance) return END_NO_MEMORY;
    instance->program = program;
    enum end refused = share_memory(program);
    if (refused) return (int) refused;
    struct entry entry;
    struct program *const outer = making;
    if (sigsetjmp(entry.place, 1)) {
        entered = entry.before;
        making = outer;
        return (int) entry.why;
    }
    enter(&entry, program, report);
    making = program;
    cell_instantiate(instance);
    making = outer;
    entered = entry.before;
    if (!program->memory) return END_NO_MEMORY;
    *made = instance;
    return ENDED_WELL;
}

/* ---- Tables ---- */

/* Each instance has tables of its own, so all threads together may have so many places. */
static bool take_places(struct program *program, uint64_t places)
{
    if (__atomic_add_fetch(&program->table_places, places, __ATOMIC_SEQ_CST) <= TABLES_MOST) return true;
    __atomic_sub_fetch(&program->table_places, places, __ATOMIC_SEQ_CST);
    return false;
}

#define TABLE(kind)                                                                                                   \
    void wasm_rt_allocate_##kind##_table(wasm_rt_##kind##_table_t *table, uint32_t size, uint32_t most)               \
    {                                                                                                                 \
        if (size > TABLE_MOST || !take_places(making, size)) end_call(END_TABLE_LIMIT);                               \
        *table = (wasm_rt_##kind##_table_t){.size = size, .max_size = most};                                          \
        table->data = calloc(size ? size : 1, sizeof *table->data);                                                   \
        if (!table->data) end_call(END_NO_MEMORY);                                                                    \
    }                                                                                                                 \
    void wasm_rt_free_##kind##_table(wasm_rt_##kind##_table_t *table) { free(table->data); }                          \
    uint32_t wasm_rt_grow_##kind##_table(wasm_rt_##kind##_table_t *table, uint32_t more, wasm_rt_##kind##_t value)    \
    {                                                                                                                 \
        uint32_t before = table->size;                                                                                \
        uint64_t size = (uint64_t) before + more;                                                                     \
        if (size > table->max_size || size > TABLE_MOST) return UINT32_MAX;                                           \
        if (!take_places(entered->program, more)) return UINT32_MAX;                                                  \
        void *data = realloc(table->data, (size ? size : 1) * sizeof *table->data);                                   \
        if (!data) return UINT32_MAX;                                                                                 \
        table->data = data;                                                                                           \
        table->size = (uint32_t) size;                                                                                \
        for (uint64_t i = before; i < size; i++) table->data[i] = value;                                              \
        return before;                                                                                                \
    }

TABLE(funcref)
TABLE(externref)

/* ---- Waiting ---- */

enum { WOKEN, NOT_EQUAL, TIMED_OUT };

static uint32_t *word(wasm_rt_memory_t *memory, uint32_t address, uint64_t offset)
{
    uint64_t at = address + offset;
    if (at % sizeof(uint32_t)) end_call(END_UNALIGNED);
    if (at + sizeof(uint32_t) > __atomic_load_n(&memory->size, __ATOMIC_SEQ_CST)) end_call(END_BOUNDS);
    return (uint32_t *) (memory->data + at);
}

uint32_t wait_32(wasm_rt_memory_t *memory, uint32_t address, uint32_t seen, uint64_t timeout_ns, uint64_t offset)
{
    uint32_t *at = word(memory, address, offset);
    if (memory != &entered->program->shared) end_call(END_WAIT);
    struct timespec until, *limit = NULL;
    if ((int64_t) timeout_ns >= 0) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        uint64_t nanoseconds = (uint64_t) until.tv_nsec + timeout_ns % 1000000000;
        until.tv_sec += (time_t) (timeout_ns / 1000000000 + nanoseconds / 1000000000);
        until.tv_nsec = (long) (nanoseconds % 1000000000);
        limit = &until;
    }
    for (;;) {
        if (__atomic_load_n(at, __ATOMIC_SEQ_CST) != seen) return NOT_EQUAL;
        if (syscall(SYS_futex, at, FUTEX_WAIT_BITSET, seen, limit, NULL, FUTEX_BITSET_MATCH_ANY) == 0) return WOKEN;
        if (errno == ETIMEDOUT) return TIMED_OUT;
        if (errno != EINTR && errno != EAGAIN) end_call(END_BOUNDS);
    }
}

uint32_t notify(wasm_rt_memory_t *memory, uint32_t address, uint32_t count, uint64_t offset)
{
    uint32_t *at = word(memory, address, offset);
    if (memory != &entered->program->shared) return 0;
    long woken = syscall(SYS_futex, at, FUTEX_WAKE, count > INT32_MAX ? INT32_MAX : count, NULL, NULL, 0);
    return woken > 0 ? (uint32_t) woken : 0;
}
