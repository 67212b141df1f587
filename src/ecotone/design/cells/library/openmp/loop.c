/* Loops whose iterations are divided beforehand: `static`, and `distribute` over the teams of a league. */
#include "openmp.h"

enum {
    KIND_CHUNKED = 33,
    KIND_STATIC = 34,
    KIND_SIMD = 45, /* as static, in multiples of the chunk */
    KIND_DISTRIBUTE_CHUNKED = 91,
    KIND_DISTRIBUTE = 92,
};
#define MODIFIERS (3 << 29)

struct share {
    uint32_t number, count;
};

static struct share share_of(int32_t schedule)
{
    const struct member *here = eomp_here();
    const struct team *team = here->team;
    if (schedule == KIND_DISTRIBUTE || schedule == KIND_DISTRIBUTE_CHUNKED)
        return (struct share) {(uint32_t) team->team_number, (uint32_t) team->team_count};
    return (struct share) {(uint32_t) here->number, (uint32_t) team->size};
}

/* For each type of a loop's variable: signed, and unsigned of the same width. The bounds are those of the whole loop
 * and become those of the first chunk of this thread; the next one lies `stride` further. */
#define DIVIDING(name, type, signed_type, unsigned_type)                                                               \
    static unsigned_type trips_##name(type lower, type upper, signed_type step)                                        \
    {                                                                                                                  \
        if (step > 0 ? upper < lower : lower < upper)                                                                  \
            return 0;                                                                                                  \
        unsigned_type distance = step > 0 ? (unsigned_type) upper - (unsigned_type) lower                              \
                                          : (unsigned_type) lower - (unsigned_type) upper;                             \
        unsigned_type each = step > 0 ? (unsigned_type) step : -(unsigned_type) step;                                  \
        return (each == 1 ? distance : distance / each) + 1;                                                           \
    }                                                                                                                  \
    static void take_##name(type *lower, type *upper, signed_type step, unsigned_type first, unsigned_type count)      \
    {                                                                                                                  \
        *lower = (type) ((unsigned_type) *lower + first * (unsigned_type) step);                                       \
        *upper = (type) ((unsigned_type) *lower + (count - 1) * (unsigned_type) step);                                 \
    }                                                                                                                  \
    static void divide_##name(struct share share, int32_t kind, int32_t *last, type *lower, type *upper,               \
                              signed_type *stride, signed_type step, signed_type given_chunk)                          \
    {                                                                                                                  \
        unsigned_type trips = trips_##name(*lower, *upper, step), number = share.number, count = share.count;          \
        *last = trips && count == 1;                                                                                   \
        *stride = (signed_type) (trips * (unsigned_type) step);                                                        \
        if (!trips || count == 1)                                                                                      \
            return;                                                                                                    \
        unsigned_type each = trips / count, more = trips % count, chunk = (unsigned_type) given_chunk;                 \
        if (given_chunk < 1)                                                                                           \
            chunk = 1;                                                                                                 \
        if (kind == KIND_STATIC || kind == KIND_DISTRIBUTE) {                                                          \
            unsigned_type mine = each + (number < more);                                                               \
            take_##name(lower, upper, step, number * each + (number < more ? number : more), mine);                    \
            *last = number == (each ? count : more) - 1;                                                               \
            return;                                                                                                    \
        }                                                                                                              \
        if (kind == KIND_SIMD) {                                                                                       \
            each = (each + (more > 0) + chunk - 1) / chunk * chunk;                                                    \
            unsigned_type first = number * each, left = first < trips ? trips - first : 0;                             \
            take_##name(lower, upper, step, left ? first : trips, left < each ? left : each);                          \
            *last = left && left <= each;                                                                              \
            return;                                                                                                    \
        }                                                                                                              \
        if (chunk > trips)                                                                                             \
            chunk = trips;                                                                                             \
        unsigned_type chunks = (trips - 1) / chunk + 1;                                                                \
        *last = (chunks - 1) % count == number;                                                                        \
        if (number >= chunks) {                                                                                        \
            take_##name(lower, upper, step, trips, 0);                                                                 \
            return;                                                                                                    \
        }                                                                                                              \
        unsigned_type first = number * chunk, left = trips - first;                                                    \
        take_##name(lower, upper, step, first, left < chunk ? left : chunk);                                           \
        *stride = (signed_type) ((chunks <= count ? left : chunk * count) * (unsigned_type) step);                     \
        if (chunks > count)                                                                                            \
            *upper = (type) ((unsigned_type) *lower + (chunk - 1) * (unsigned_type) step);                             \
    }                                                                                                                  \
    void __kmpc_for_static_init_##name(PLACE, int32_t schedule, int32_t *last, type *lower, type *upper,               \
                                       signed_type *stride, signed_type step, signed_type chunk)                       \
    {                                                                                                                  \
        schedule &= ~MODIFIERS;                                                                                        \
        divide_##name(share_of(schedule), schedule, last, lower, upper, stride, step, chunk);                          \
    }                                                                                                                  \
    void __kmpc_distribute_static_init_##name(PLACE, int32_t schedule, int32_t *last, type *lower, type *upper,        \
                                              signed_type *stride, signed_type step, signed_type chunk)                \
    {                                                                                                                  \
        __kmpc_for_static_init_##name(place, id, schedule, last, lower, upper, stride, step, chunk);                   \
    }                                                                                                                  \
    void __kmpc_team_static_init_##name(PLACE, int32_t *last, type *lower, type *upper, signed_type *stride,           \
                                        signed_type step, signed_type chunk)                                           \
    {                                                                                                                  \
        __kmpc_for_static_init_##name(place, id, KIND_DISTRIBUTE_CHUNKED, last, lower, upper, stride, step, chunk);    \
    }                                                                                                                  \
    /* First over the teams of the league, then over the threads of this one. */                                       \
    void __kmpc_dist_for_static_init_##name(PLACE, int32_t schedule, int32_t *last, type *lower, type *upper,          \
                                            type *team_upper, signed_type *stride, signed_type step,                   \
                                            signed_type chunk)                                                         \
    {                                                                                                                  \
        int32_t last_team, last_thread;                                                                                \
        divide_##name(share_of(KIND_DISTRIBUTE), KIND_DISTRIBUTE, &last_team, lower, upper, stride, step, 1);          \
        *team_upper = *upper;                                                                                          \
        schedule &= ~MODIFIERS;                                                                                        \
        divide_##name(share_of(schedule), schedule, &last_thread, lower, upper, stride, step, chunk);                  \
        *last = last_team && last_thread;                                                                              \
    }                                                                                                                  \
    void eomp_part_of_team_##name(int32_t *last, type *lower, type *upper, signed_type step)                           \
    {                                                                                                                  \
        signed_type stride;                                                                                            \
        divide_##name(share_of(KIND_DISTRIBUTE), KIND_DISTRIBUTE, last, lower, upper, &stride, step, 1);               \
    }

DIVIDING(4, int32_t, int32_t, uint32_t)
DIVIDING(4u, uint32_t, int32_t, uint32_t)
DIVIDING(8, int64_t, int64_t, uint64_t)
DIVIDING(8u, uint64_t, int64_t, uint64_t)

void __kmpc_for_static_fini(PLACE) {}
void __kmpc_distribute_static_fini(PLACE) {}
