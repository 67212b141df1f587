/* Datatypes as numbers, so that a one-sided call can tell its target how the data lies there. All ranks of a job run
 * the same module: what is predefined has the same address everywhere. */
#include "internal.h"

/* A predefined type: its address. Another one: 0, repeats, stride, lb, extent, which bounds were set, number of parts, and
 * for each part its offset, blocks and type. */
enum { HEAD_NUMBERS = 7 };

int type_encode(const struct eco_type *type, int32_t *into)
{
    int used = HEAD_NUMBERS;
    if (type->references == 0) {
        if (into) *into = (int32_t) (uintptr_t) type;
        return 1;
    }
    if (into) {
        int32_t head[HEAD_NUMBERS] = {0, type->repeats, (int32_t) type->stride, (int32_t) type->lb,
                                      (int32_t) type_extent(type), type->lower_set | type->upper_set << 1,
                                      type->part_count};
        memcpy(into, head, sizeof head);
    }
    for (int i = 0; i < type->part_count; i++) {
        const struct part *part = &type->parts[i];
        if (into) {
            into[used] = (int32_t) part->offset;
            into[used + 1] = part->blocks;
        }
        used += 2;
        used += type_encode(part->type, into ? into + used : NULL);
    }
    return used;
}

static struct eco_type *decode_derived(const int32_t **numbers)
{
    const int32_t *head = *numbers;
    int count = head[6];
    struct part *parts = eco_allocate((size_t) count * sizeof *parts);
    *numbers += HEAD_NUMBERS;
    for (int i = 0; i < count; i++) {
        parts[i].offset = *(*numbers)++;
        parts[i].blocks = *(*numbers)++;
        parts[i].type = type_decode(numbers);
    }
    struct eco_type *type = type_build(head[1], head[2], count, parts);
    for (int i = 0; i < count; i++) type_release(parts[i].type); /* the type has its own hold on them */
    free(parts);
    type->lb = head[3];
    type->ub = type->lb + head[4];
    type->lower_set = head[5] & 1;
    type->upper_set = head[5] >> 1;
    type->whole = type->dense && type_extent(type) == type->size;
    return type;
}

struct eco_type *type_decode(const int32_t **numbers)
{
    if (**numbers == 0) return decode_derived(numbers);
    return (struct eco_type *) (uintptr_t) (uint32_t) * (*numbers)++;
}

struct eco_type *type_basic(struct eco_type *type)
{
    if (type->references == 0) return type;
    struct eco_type *found = NULL;
    for (int i = 0; i < type->part_count; i++) {
        struct eco_type *basic = type_basic(type->parts[i].type);
        if (type->parts[i].type->size == 0) continue;
        if (!basic || (found && basic != found)) return NULL;
        found = basic;
    }
    return found;
}
