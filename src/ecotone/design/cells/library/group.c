/* Groups: ordered sets of processes, by their rank in the world. */
#include "internal.h"

struct eco_group eco_group_empty = {.rank = MPI_UNDEFINED};

struct eco_group *group_new(int size, const int *world)
{
    struct eco_group *group = eco_allocate(sizeof *group);
    *group = (struct eco_group){.references = 1, .size = size, .world = eco_copy_ints(world, size)};
    group->rank = group_position(group, transport_rank);
    return group;
}

void group_release(struct eco_group *group)
{
    if (group == &eco_group_empty || --group->references) return;
    free(group->world);
    free(group);
}

/* Rank in the group of a process of the world. */
int group_position(const struct eco_group *group, int world)
{
    for (int i = 0; i < group->size; i++)
        if (group->world[i] == world) return i;
    return MPI_UNDEFINED;
}

static int make_group(int size, const int *world, MPI_Group *result)
{
    *result = size ? group_new(size, world) : MPI_GROUP_EMPTY;
    return MPI_SUCCESS;
}

#define CHECK_GROUP(group, condition)                                                                                  \
    REQUIRE(group, NULL, MPI_ERR_GROUP);                                                                               \
    REQUIRE(condition, NULL, MPI_ERR_ARG)

int MPI_Group_size(MPI_Group group, int *size)
{
    CHECK_GROUP(group, size);
    *size = group->size;
    return MPI_SUCCESS;
}

int MPI_Group_rank(MPI_Group group, int *rank)
{
    CHECK_GROUP(group, rank);
    *rank = group->rank;
    return MPI_SUCCESS;
}

int MPI_Group_translate_ranks(MPI_Group from, int count, const int *ranks, MPI_Group to, int *result)
{
    CHECK_GROUP(from && to, count >= 0 && (count == 0 || (ranks && result)));
    for (int i = 0; i < count; i++) {
        if (ranks[i] == MPI_PROC_NULL) {
            result[i] = MPI_PROC_NULL;
            continue;
        }
        REQUIRE(ranks[i] >= 0 && ranks[i] < from->size, NULL, MPI_ERR_RANK);
        result[i] = group_position(to, from->world[ranks[i]]);
    }
    return MPI_SUCCESS;
}

int MPI_Group_compare(MPI_Group a, MPI_Group b, int *result)
{
    CHECK_GROUP(a && b, result);
    bool same_order = a->size == b->size, same_members = a->size == b->size;
    for (int i = 0; i < a->size && same_members; i++) {
        same_order = same_order && a->world[i] == b->world[i];
        same_members = group_position(b, a->world[i]) != MPI_UNDEFINED;
    }
    *result = same_order ? MPI_IDENT : same_members ? MPI_SIMILAR : MPI_UNEQUAL;
    return MPI_SUCCESS;
}

/* Members of `a` that are (or are not) in `b` are appended to `world`. */
static int select_members(const struct eco_group *a, const struct eco_group *b, bool wanted, int *world, int used)
{
    for (int i = 0; i < a->size; i++)
        if ((group_position(b, a->world[i]) != MPI_UNDEFINED) == wanted) world[used++] = a->world[i];
    return used;
}

static int combine(MPI_Group a, MPI_Group b, bool wanted, bool all_of_a, MPI_Group *result)
{
    int *world = eco_allocate((size_t) (a->size + b->size) * sizeof *world), used = 0;
    if (all_of_a) {
        used = select_members(a, a, true, world, 0);
        used = select_members(b, a, false, world, used);
    } else {
        used = select_members(a, b, wanted, world, 0);
    }
    make_group(used, world, result);
    free(world);
    return MPI_SUCCESS;
}

int MPI_Group_union(MPI_Group a, MPI_Group b, MPI_Group *result)
{
    CHECK_GROUP(a && b, result);
    return combine(a, b, false, true, result);
}

int MPI_Group_intersection(MPI_Group a, MPI_Group b, MPI_Group *result)
{
    CHECK_GROUP(a && b, result);
    return combine(a, b, true, false, result);
}

int MPI_Group_difference(MPI_Group a, MPI_Group b, MPI_Group *result)
{
    CHECK_GROUP(a && b, result);
    return combine(a, b, false, false, result);
}

/* ---- By rank ---- */

static int check_ranks(const struct eco_group *group, int count, const int *ranks)
{
    if (count < 0 || (count && !ranks)) return MPI_ERR_ARG;
    char *seen = eco_allocate((size_t) group->size);
    memset(seen, 0, (size_t) group->size);
    int code = MPI_SUCCESS;
    for (int i = 0; i < count && !code; i++) {
        bool known = ranks[i] >= 0 && ranks[i] < group->size;
        if (!known || seen[ranks[i]])
            code = MPI_ERR_RANK;
        else
            seen[ranks[i]] = 1;
    }
    free(seen);
    return code;
}

static int include(MPI_Group group, int count, const int *ranks, MPI_Group *result)
{
    int code = check_ranks(group, count, ranks);
    if (code) return code;
    int *world = eco_allocate((size_t) count * sizeof *world);
    for (int i = 0; i < count; i++) world[i] = group->world[ranks[i]];
    make_group(count, world, result);
    free(world);
    return MPI_SUCCESS;
}

static int exclude(MPI_Group group, int count, const int *ranks, MPI_Group *result)
{
    int code = check_ranks(group, count, ranks);
    if (code) return code;
    int *world = eco_copy_ints(group->world, group->size), used = 0;
    for (int i = 0; i < count; i++) world[ranks[i]] = -1;
    for (int i = 0; i < group->size; i++)
        if (world[i] != -1) world[used++] = world[i];
    make_group(used, world, result);
    free(world);
    return MPI_SUCCESS;
}

int MPI_Group_incl(MPI_Group group, int count, const int *ranks, MPI_Group *result)
{
    CHECK_GROUP(group, result);
    PASS(NULL, include(group, count, ranks, result));
    return MPI_SUCCESS;
}

int MPI_Group_excl(MPI_Group group, int count, const int *ranks, MPI_Group *result)
{
    CHECK_GROUP(group, result);
    PASS(NULL, exclude(group, count, ranks, result));
    return MPI_SUCCESS;
}

/* Ranges of (first, last, stride) as a list of ranks; -1 if one of them is wrong or they overlap. */
static int expand(const struct eco_group *group, int count, int ranges[][3], int *ranks)
{
    int used = 0;
    for (int i = 0; i < count; i++) {
        int first = ranges[i][0], last = ranges[i][1], stride = ranges[i][2];
        bool upward = stride > 0;
        if (stride == 0 || (upward ? first > last : first < last)) return -1;
        for (int rank = first; upward ? rank <= last : rank >= last; rank += stride) {
            if (used == group->size) return -1;
            ranks[used++] = rank;
        }
    }
    return used;
}

static int by_ranges(MPI_Group group, int count, int ranges[][3], MPI_Group *result, bool including)
{
    if (count < 0) return MPI_ERR_ARG;
    int *ranks = eco_allocate((size_t) group->size * sizeof *ranks), used = expand(group, count, ranges, ranks);
    int code = used < 0 ? MPI_ERR_ARG : (including ? include : exclude)(group, used, ranks, result);
    free(ranks);
    return code;
}

int MPI_Group_range_incl(MPI_Group group, int count, int ranges[][3], MPI_Group *result)
{
    CHECK_GROUP(group, result);
    PASS(NULL, by_ranges(group, count, ranges, result, true));
    return MPI_SUCCESS;
}

int MPI_Group_range_excl(MPI_Group group, int count, int ranges[][3], MPI_Group *result)
{
    CHECK_GROUP(group, result);
    PASS(NULL, by_ranges(group, count, ranges, result, false));
    return MPI_SUCCESS;
}

int MPI_Group_free(MPI_Group *group)
{
    REQUIRE(group && *group, NULL, MPI_ERR_GROUP);
    group_release(*group);
    *group = MPI_GROUP_NULL;
    return MPI_SUCCESS;
}
