/* Loops whose iterations are handed out while they run: `dynamic`, `guided`, `runtime`, `ordered`.
 *
 * Iterations are counted from 0. What all threads need to agree on is one number for each loop, the next chunk; the
 * rest each thread knows by itself. Who leaves a loop last makes its place ready for a later one, so nobody has to be
 * first. */
#include "openmp.h"
#include "thread_wait.h"

enum { KIND_BLOCK = 1, KIND_CHUNKS, KIND_DYNAMIC, KIND_GUIDED };
enum { FIRST_ORDERED = 64, ORDERED = 32, MODIFIERS = 3 << 29 };

static uint8_t kind_of_runtime(uint64_t *chunk)
{
    const struct controls *controls = &eomp_here()->task->controls;
    *chunk = controls->chunk > 0 ? (uint64_t) controls->chunk : 0;
    switch (controls->schedule & ~SCHEDULE_MONOTONIC) {
    case SCHEDULE_DYNAMIC: return KIND_DYNAMIC;
    case SCHEDULE_GUIDED: return KIND_GUIDED;
    case SCHEDULE_STATIC: return *chunk ? KIND_CHUNKS : KIND_BLOCK;
    default: return KIND_BLOCK;
    }
}

static uint8_t kind_of(int32_t schedule, uint64_t *chunk)
{
    switch (schedule) {
    case 33: return KIND_CHUNKS;
    case 35: return KIND_DYNAMIC;
    case 36:
    case 46: return KIND_GUIDED;
    case 37:
    case 47: return kind_of_runtime(chunk);
    default: return KIND_BLOCK; /* static without a chunk, auto */
    }
}

/* A block for each thread is a chunk for each thread, the first ones being one iteration larger: see `block`. */
static void begin(int32_t schedule, uint64_t lower, uint64_t iterations, int64_t step, int64_t given_chunk)
{
    struct member *here = eomp_here();
    struct position *position = &here->position;
    uint64_t chunk = given_chunk > 0 ? (uint64_t) given_chunk : 1;
    schedule &= ~MODIFIERS;
    bool ordered = schedule >= FIRST_ORDERED;
    uint32_t number = here->loops_begun++;
    *position = (struct position) {
        .loop = &here->team->loops[number % LOOPS],
        .iterations = iterations,
        .mine = (uint64_t) here->number,
        .lower = lower,
        .step = step,
        .number = number,
        .ordered = ordered,
        .kind = kind_of(ordered ? schedule - ORDERED : schedule, &chunk),
    };
    position->chunk = chunk ? chunk : 1;
    position->chunks = iterations ? (iterations - 1) / position->chunk + 1 : 0;
    eomp_gate_wait(&position->loop->turn, number);
    if (atomic_load(&here->team->cancelled) == CANCEL_PARALLEL)
        position->loop = NULL; /* not all come to this loop: it is over at once */
}

void eomp_loop_leave(struct member *member)
{
    struct position *position = &member->position;
    struct loop *loop = position->loop;
    position->loop = NULL;
    if (!loop || atomic_fetch_add(&loop->left, 1) + 1 != (uint32_t) member->team->size)
        return;
    atomic_store(&loop->next, 0);
    atomic_store(&loop->ordered, 0);
    atomic_store(&loop->left, 0);
    eomp_gate_set(&loop->turn, position->number + LOOPS);
}

static uint64_t least(uint64_t one, uint64_t other) { return one < other ? one : other; }

/* Each of these gives the first iteration of a chunk and how many it has, or 0. */
static uint64_t block(struct position *position, uint32_t size, uint64_t *first)
{
    uint64_t each = position->iterations / size, more = position->iterations % size, number = position->mine;
    if (number >= size)
        return 0;
    position->mine = size;
    *first = number * each + least(number, more);
    return each + (number < more);
}

static uint64_t numbered(const struct position *position, uint64_t number, uint64_t *first)
{
    if (number >= position->chunks)
        return 0;
    *first = number * position->chunk;
    return least(position->chunk, position->iterations - *first);
}

static uint64_t guided(const struct position *position, uint32_t size, uint64_t *first)
{
    uint64_t next = atomic_load(&position->loop->next), count;
    do {
        uint64_t left = position->iterations - next;
        if (!left)
            return 0;
        count = (left + 2 * size - 1) / (2 * size);
        count = least(left, count < position->chunk ? position->chunk : count);
    } while (!atomic_compare_exchange_weak(&position->loop->next, &next, next + count));
    *first = next;
    return count;
}

static uint64_t take(struct member *here, uint64_t *first)
{
    struct position *position = &here->position;
    uint32_t size = (uint32_t) here->team->size;
    switch (position->kind) {
    case KIND_BLOCK: return block(position, size, first);
    case KIND_CHUNKS: position->mine += size; return numbered(position, position->mine - size, first);
    case KIND_DYNAMIC: return numbered(position, atomic_fetch_add(&position->loop->next, 1), first);
    default: return guided(position, size, first);
    }
}

static bool next(struct member *here, int32_t *last, uint64_t *lower, uint64_t *upper)
{
    struct position *position = &here->position;
    uint64_t first = 0, count;
    if (!position->loop)
        return false;
    count = take(here, &first);
    if (!count) {
        eomp_loop_leave(here);
        return false;
    }
    *lower = position->lower + first * (uint64_t) position->step;
    *upper = position->lower + (first + count - 1) * (uint64_t) position->step;
    if (last)
        *last = first + count == position->iterations;
    position->iteration = first;
    position->served = false;
    return true;
}

void __kmpc_dispatch_deinit(PLACE)
{
    struct member *here = eomp_here();
    if (here->position.loop)
        eomp_loop_leave(here);
}

/* ---- The ordered part of an iteration: when those of all before it are over ---- */

/* The half of the count that changes with each iteration; sleepers watch it. */
static word *low_half(struct loop *loop) { return (word *) &loop->ordered; }

/* Dekker of count and sleepers. */
static void wait_for_turn(struct position *position)
{
    struct member *here = eomp_here();
    struct loop *loop = position->loop;
    uint32_t turns = eomp_spins(here->team->size);
    for (uint32_t turn = 0; turn < turns; turn++) {
        if (atomic_load(&loop->ordered) >= position->iteration)
            return;
        eomp_brake(here->thread);
    }
    atomic_fetch_add(&loop->sleepers, 1);
    for (uint64_t seen; (seen = atomic_load(&loop->ordered)) < position->iteration;)
        eomp_wait32(low_half(loop), (uint32_t) seen);
    atomic_fetch_sub(&loop->sleepers, 1);
}

static void end_turn(struct position *position)
{
    atomic_store(&position->loop->ordered, position->iteration + 1);
    if (atomic_load(&position->loop->sleepers))
        eomp_notify(low_half(position->loop), UINT32_MAX);
    position->served = true;
}

void __kmpc_ordered(PLACE)
{
    struct position *position = &eomp_here()->position;
    if (position->loop && position->ordered && !position->served)
        wait_for_turn(position);
}

void __kmpc_end_ordered(PLACE)
{
    struct position *position = &eomp_here()->position;
    if (position->loop && position->ordered && !position->served)
        end_turn(position);
}

/* The end of each iteration of an ordered loop. */
static void end_iteration(void)
{
    struct position *position = &eomp_here()->position;
    if (!position->loop || !position->ordered)
        return;
    if (!position->served) {
        wait_for_turn(position);
        end_turn(position);
    }
    position->served = false;
    position->iteration++;
}

#define DISPATCHING(name, type, signed_type)                                                                           \
    void eomp_part_of_team_##name(int32_t *, type *, type *, signed_type);                                             \
    void __kmpc_dispatch_init_##name(PLACE, int32_t schedule, type lower, type upper, signed_type step,                \
                                     signed_type chunk)                                                                \
    {                                                                                                                  \
        uint64_t from = (uint64_t) lower, to = (uint64_t) upper, iterations;                                           \
        if (step > 0)                                                                                                  \
            iterations = upper < lower ? 0 : (to - from) / (uint64_t) step + 1;                                        \
        else                                                                                                           \
            iterations = lower < upper ? 0 : (from - to) / -(uint64_t) (int64_t) step + 1;                             \
        begin(schedule, from, iterations, step, chunk);                                                                \
    }                                                                                                                  \
    void __kmpc_dist_dispatch_init_##name(PLACE, int32_t schedule, int32_t *last, type lower, type upper,              \
                                          signed_type step, signed_type chunk)                                         \
    {                                                                                                                  \
        eomp_part_of_team_##name(last, &lower, &upper, step);                                                          \
        __kmpc_dispatch_init_##name(place, id, schedule, lower, upper, step, chunk);                                   \
    }                                                                                                                  \
    int32_t __kmpc_dispatch_next_##name(PLACE, int32_t *last, type *lower, type *upper, signed_type *stride)           \
    {                                                                                                                  \
        struct member *here = eomp_here();                                                                             \
        uint64_t from, to;                                                                                             \
        if (!next(here, last, &from, &to))                                                                             \
            return 0;                                                                                                  \
        *lower = (type) from;                                                                                          \
        *upper = (type) to;                                                                                            \
        if (stride)                                                                                                    \
            *stride = (signed_type) here->position.step;                                                               \
        return 1;                                                                                                      \
    }                                                                                                                  \
    void __kmpc_dispatch_fini_##name(PLACE) { end_iteration(); }

DISPATCHING(4, int32_t, int32_t)
DISPATCHING(4u, uint32_t, int32_t)
DISPATCHING(8, int64_t, int64_t)
DISPATCHING(8u, uint64_t, int64_t)

/* Sections, as a compiler may ask for them one by one. */
void __kmpc_sections_init(PLACE, int32_t count) { begin(35, 0, count > 0 ? (uint64_t) count : 0, 1, 1); }
int32_t __kmpc_next_section(PLACE, int32_t count)
{
    uint64_t from = 0, to;
    return next(eomp_here(), NULL, &from, &to) ? (int32_t) from : count;
}
void __kmpc_end_sections(PLACE) { __kmpc_dispatch_deinit(place, id); }
