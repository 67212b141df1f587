/* Where the bytes of a datatype lie: construction from parts, packing, unpacking, counting. */
#include "internal.h"

/* ---- Construction ---- */

/* A bound is the extreme of those of the parts; but as soon as one of them was set, only such ones count. */
struct bound {
    bool known, set;
    long long at;
};
struct bounds {
    struct bound lower, upper;
    bool data;
    long long true_lb, true_ub;
};

static long long least(long long a, long long b) { return a < b ? a : b; }
static long long most(long long a, long long b) { return a > b ? a : b; }

static void include_bound(struct bound *bound, long long at, bool set, bool upper)
{
    if (bound->set && !set) return;
    bool alone = !bound->known || (set && !bound->set);
    bound->at = alone ? at : upper ? most(bound->at, at) : least(bound->at, at);
    bound->known = true;
    bound->set = set;
}

static void include_true_bounds(struct bounds *bounds, const struct part *part, long long first, long long last)
{
    if (part->type->size == 0) return;
    long long lower = first + part->type->true_lb, upper = last + part->type->true_ub;
    bounds->true_lb = bounds->data ? least(bounds->true_lb, lower) : lower;
    bounds->true_ub = bounds->data ? most(bounds->true_ub, upper) : upper;
    bounds->data = true;
}

static void include(struct bounds *bounds, const struct part *part, long long shift)
{
    const struct eco_type *type = part->type;
    long long span = (part->blocks - 1ll) * type_extent(type), start = part->offset + shift;
    long long first = start + least(0, span), last = start + most(0, span);
    bool marker = type->size == 0 && type->lower_set != type->upper_set; /* MPI_LB or MPI_UB: one bound only */
    if (!marker || type->lower_set) include_bound(&bounds->lower, first + type->lb, type->lower_set, false);
    if (!marker || type->upper_set) include_bound(&bounds->upper, last + type->ub, type->upper_set, true);
    include_true_bounds(bounds, part, first, last);
}

static void set_bounds(struct eco_type *type)
{
    struct bounds bounds = {0};
    for (int i = 0; i < type->part_count; i++) {
        const struct part *part = &type->parts[i];
        if (part->blocks == 0 || type->repeats == 0) continue;
        include(&bounds, part, 0);
        if (type->repeats > 1) include(&bounds, part, (type->repeats - 1) * type->stride);
    }
    type->lb = bounds.lower.at;
    type->ub = bounds.upper.at;
    type->true_lb = bounds.true_lb;
    type->true_ub = bounds.true_ub;
    type->lower_set = bounds.lower.set;
    type->upper_set = bounds.upper.set;
}

static void set_sizes(struct eco_type *type)
{
    for (int i = 0; i < type->part_count; i++) {
        const struct part *part = &type->parts[i];
        type->size += part->blocks * part->type->size;
        type->elements += part->blocks * part->type->elements;
        if (part->type->align > type->align) type->align = part->type->align;
    }
    type->size *= type->repeats;
    type->elements *= type->repeats;
}

/* One run of bytes, in the order of the type map? */
static bool is_dense(const struct eco_type *type)
{
    long long next = 0, round = 0;
    bool started = false;
    for (int i = 0; i < type->part_count; i++) {
        const struct part *part = &type->parts[i];
        long long bytes = part->blocks * part->type->size, start = part->offset + part->type->true_lb;
        if (bytes == 0) continue;
        if (!part->type->dense || (part->blocks > 1 && !part->type->whole)) return false;
        if (started && start != next) return false;
        started = true;
        next = start + bytes;
        round += bytes;
    }
    return type->repeats <= 1 || type->stride == round || round == 0;
}

/* Do the bytes and the extent of each part, repeated, have room in so many bits? */
static bool has_room(int bits, int repeats, long long stride, int count, const struct part *parts)
{
    __int128 most = ((__int128) 1 << (bits - 1)) - 1, bytes = 0;
    __int128 shift = repeats > 1 ? (repeats - 1) * (__int128) (stride < 0 ? -stride : stride) : 0;
    for (int i = 0; i < count; i++) {
        const struct part *part = &parts[i];
        if (part->blocks == 0) continue;
        __int128 extent = llabs(type_extent(part->type)), span = (part->blocks - 1) * extent;
        bytes += (__int128) part->blocks * part->type->size;
        if (span + shift + extent > most || bytes > most || llabs(part->offset) > most + 1) return false;
    }
    return shift <= most && bytes * repeats <= most;
}

/* Where a type of 32 bits lies does not matter: an address in the upper half of memory is negative, and sums with it
 * come out right. */
static bool is_wide(int repeats, long long stride, int count, const struct part *parts)
{
    for (int i = 0; i < count; i++)
        if (parts[i].type->wide) return true;
    return !has_room(32, repeats, stride, count, parts);
}

struct eco_type *type_build(int repeats, long long stride, int count, const struct part *parts)
{
    if (!has_room(62, repeats, stride, count, parts)) return NULL;
    struct eco_type *type = eco_allocate(sizeof *type);
    *type = (struct eco_type){.references = 1, .repeats = repeats, .stride = stride, .align = 1};
    type->wide = is_wide(repeats, stride, count, parts);
    type->parts = eco_allocate((size_t) count * sizeof *parts);
    for (int i = 0; i < count; i++) {
        if (parts[i].blocks == 0) continue;
        type->parts[type->part_count++] = parts[i];
        type_hold(parts[i].type);
    }
    set_sizes(type);
    set_bounds(type);
    type->dense = is_dense(type);
    type->whole = type->dense && type_extent(type) == type->size;
    return type;
}

struct eco_type *type_parts(int count, const struct part *parts) { return type_build(1, 0, count, parts); }

struct eco_type *type_vector(int count, int blocks, long long stride, struct eco_type *old)
{
    struct part part = {0, blocks, old};
    return type_build(count, stride, 1, &part);
}

struct eco_type *type_resized(struct eco_type *old, long long lb, long long extent)
{
    struct part part = {0, 1, old};
    struct eco_type *type = type_parts(1, &part);
    if (!type) return NULL;
    type->lb = lb;
    type->ub = lb + extent;
    type->wide = type->wide || !is_aint(extent);
    type->lower_set = type->upper_set = true;
    type->whole = type->dense && extent == type->size;
    return type;
}

/* ---- Moving bytes ---- */

struct cursor {
    char *packed;
    size_t left;
    bool packing;
};

static void move_run(struct cursor *cursor, char *scattered, size_t bytes)
{
    if (bytes > cursor->left) bytes = cursor->left;
    if (cursor->packing)
        memcpy(cursor->packed, scattered, bytes);
    else
        memcpy(scattered, cursor->packed, bytes);
    cursor->packed += bytes;
    cursor->left -= bytes;
}

/* Elements of one size at a fixed distance, the commonest case by far: the size is a constant to the compiler. */
static void move_words(struct cursor *cursor, char *scattered, int count, MPI_Aint step, size_t bytes)
{
    char *packed = cursor->packed;
    for (int i = 0; i < count; i++, scattered += step, packed += bytes) {
        if (cursor->packing)
            memcpy(packed, scattered, bytes);
        else
            memcpy(scattered, packed, bytes);
    }
    cursor->packed = packed;
    cursor->left -= (size_t) count * bytes;
}

static void move_runs(struct cursor *cursor, char *scattered, int count, MPI_Aint step, size_t bytes)
{
    if ((size_t) count * bytes <= cursor->left && bytes == 8)
        move_words(cursor, scattered, count, step, 8);
    else if ((size_t) count * bytes <= cursor->left && bytes == 4)
        move_words(cursor, scattered, count, step, 4);
    else
        for (int i = 0; i < count && cursor->left; i++, scattered += step) move_run(cursor, scattered, bytes);
}

static void move_elements(struct cursor *cursor, char *scattered, int count, const struct eco_type *type);

static void move_part(struct cursor *cursor, char *scattered, const struct part *part)
{
    move_elements(cursor, scattered + part->offset, part->blocks, part->type);
}

static void move_repeats(struct cursor *cursor, char *scattered, const struct eco_type *type)
{
    const struct part *part = type->parts;
    bool runs = type->part_count == 1 && (part->type->whole || (part->type->dense && part->blocks == 1));
    if (runs) {
        char *first = scattered + part->offset + part->type->true_lb;
        move_runs(cursor, first, type->repeats, (MPI_Aint) type->stride, (size_t) part->blocks * part->type->size);
        return;
    }
    for (int i = 0; i < type->repeats && cursor->left; i++, scattered += type->stride)
        for (int j = 0; j < type->part_count && cursor->left; j++) move_part(cursor, scattered, &type->parts[j]);
}

static void move_elements(struct cursor *cursor, char *scattered, int count, const struct eco_type *type)
{
    if (type->size == 0) return;
    if (type->whole)
        move_run(cursor, scattered + type->true_lb, (size_t) count * type->size);
    else if (type->dense)
        move_runs(cursor, scattered + type->true_lb, count, (MPI_Aint) type_extent(type), (size_t) type->size);
    else
        for (int i = 0; i < count && cursor->left; i++, scattered += type_extent(type))
            move_repeats(cursor, scattered, type);
}

size_t layout_pack(const void *elements, int count, const struct eco_type *type, void *packed, size_t limit)
{
    struct cursor cursor = {packed, limit, true};
    move_elements(&cursor, (char *) elements, count, type);
    return limit - cursor.left;
}

size_t layout_unpack(void *elements, int count, const struct eco_type *type, const void *packed, size_t limit)
{
    struct cursor cursor = {(char *) packed, limit, false};
    move_elements(&cursor, elements, count, type);
    return limit - cursor.left;
}

void layout_copy(const void *from, int from_count, const struct eco_type *from_type, void *to, int to_count,
                 const struct eco_type *to_type)
{
    size_t bytes = (size_t) from_count * from_type->size, room = (size_t) to_count * to_type->size;
    if (bytes > room) bytes = room;
    if (bytes == 0) return;
    if (from_type->whole && to_type->whole) {
        memmove((char *) to + to_type->true_lb, (const char *) from + from_type->true_lb, bytes);
    } else if (to_type->whole) {
        layout_pack(from, from_count, from_type, (char *) to + to_type->true_lb, bytes);
    } else if (from_type->whole) {
        layout_unpack(to, to_count, to_type, (const char *) from + from_type->true_lb, bytes);
    } else {
        char *packed = eco_allocate(bytes);
        layout_pack(from, from_count, from_type, packed, bytes);
        layout_unpack(to, to_count, to_type, packed, bytes);
        free(packed);
    }
}

/* ---- Counting ---- */

static long long elements_of_one(const struct eco_type *type, long long bytes)
{
    long long total = 0;
    for (int i = 0; i < type->repeats; i++)
        for (int j = 0; j < type->part_count && bytes; j++) {
            const struct part *part = &type->parts[j];
            long long all = (long long) part->blocks * part->type->size, here = bytes < all ? bytes : all;
            long long count = layout_elements(part->type, here);
            if (count < 0) return -1;
            total += count;
            bytes -= here;
        }
    return total;
}

long long layout_elements(const struct eco_type *type, long long bytes)
{
    if (type->size == 0) return bytes ? -1 : 0;
    long long whole = bytes / type->size, rest = bytes % type->size;
    if (rest == 0) return whole * type->elements;
    if (type->part_count == 0) return -1;
    long long partial = elements_of_one(type, rest);
    return partial < 0 ? -1 : whole * type->elements + partial;
}
