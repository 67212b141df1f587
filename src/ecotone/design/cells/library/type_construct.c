/* Constructors of datatypes, and their life. Every one is parts repeated at a stride (see struct eco_type); what was
 * asked for is recorded for MPI_Type_get_contents. */
#include "internal.h"

struct eco_type *type_hold(struct eco_type *type)
{
    if (type->references) type->references++;
    return type;
}

void type_release(struct eco_type *type)
{
    if (!type->references || --type->references) return;
    for (int i = 0; i < type->part_count; i++) type_release(type->parts[i].type);
    for (int i = 0; i < type->type_count; i++) type_release(type->types[i]);
    free(type->parts);
    free(type->types);
    free(type->integers);
    free(type->addresses);
    free(type);
}

void type_record(struct eco_type *type, int combiner, int integer_count, const int *integers, int address_count,
                 const MPI_Aint *addresses, int type_count, struct eco_type *const *types)
{
    type->combiner = combiner;
    type->integer_count = integer_count;
    type->address_count = address_count;
    type->type_count = type_count;
    type->integers = eco_copy_ints(integers, integer_count);
    type->addresses = eco_allocate((size_t) address_count * sizeof *addresses);
    if (address_count) memcpy(type->addresses, addresses, (size_t) address_count * sizeof *addresses);
    type->types = eco_allocate((size_t) type_count * sizeof *types);
    for (int i = 0; i < type_count; i++) type->types[i] = type_hold(types[i]);
}

#define CHECK_OLD(old)                                                                                                 \
    REQUIRE(old, NULL, MPI_ERR_TYPE);                                                                                  \
    REQUIRE(result, NULL, MPI_ERR_ARG)
#define MAKE(type)                                                                                                     \
    do {                                                                                                               \
        struct eco_type *made_ = (type);                                                                               \
        REQUIRE(made_, NULL, MPI_ERR_ARG);                                                                             \
        *result = made_;                                                                                               \
    } while (0)

int MPI_Type_contiguous(int count, MPI_Datatype old, MPI_Datatype *result)
{
    CHECK_OLD(old);
    REQUIRE(count >= 0, NULL, MPI_ERR_COUNT);
    struct part part = {0, count, old};
    MAKE(type_parts(1, &part));
    type_record(*result, MPI_COMBINER_CONTIGUOUS, 1, &count, 0, NULL, 1, &old);
    return MPI_SUCCESS;
}

int MPI_Type_vector(int count, int blocks, int stride, MPI_Datatype old, MPI_Datatype *result)
{
    CHECK_OLD(old);
    REQUIRE(count >= 0 && blocks >= 0, NULL, MPI_ERR_COUNT);
    MAKE(type_vector(count, blocks, stride * type_extent(old), old));
    type_record(*result, MPI_COMBINER_VECTOR, 3, (int[]){count, blocks, stride}, 0, NULL, 1, &old);
    return MPI_SUCCESS;
}

int MPI_Type_create_hvector(int count, int blocks, MPI_Aint stride, MPI_Datatype old, MPI_Datatype *result)
{
    CHECK_OLD(old);
    REQUIRE(count >= 0 && blocks >= 0, NULL, MPI_ERR_COUNT);
    MAKE(type_vector(count, blocks, stride, old));
    type_record(*result, MPI_COMBINER_HVECTOR, 2, (int[]){count, blocks}, 1, &stride, 1, &old);
    return MPI_SUCCESS;
}

int MPI_Type_hvector(int count, int blocks, MPI_Aint stride, MPI_Datatype old, MPI_Datatype *result)
{
    return MPI_Type_create_hvector(count, blocks, stride, old, result);
}

/* ---- Lists of blocks ---- */

/* Count, lengths and displacements in one array, as they are reported back; `length` < 0: each block has its own. */
struct block_list {
    int count;
    const int *lengths;
    int length;
    const int *places;          /* in elements, */
    const MPI_Aint *addresses;  /* or in bytes */
};

static int block_length(const struct block_list *list, int i) { return list->lengths ? list->lengths[i] : list->length; }

static int check_blocks(const struct block_list *list)
{
    if (list->count < 0) return MPI_ERR_COUNT;
    if (list->count && !list->places && !list->addresses) return MPI_ERR_ARG;
    for (int i = 0; i < list->count; i++)
        if (block_length(list, i) < 0) return MPI_ERR_ARG;
    return MPI_SUCCESS;
}

static struct eco_type *type_blocks(const struct block_list *list, struct eco_type *old)
{
    struct part *parts = eco_allocate((size_t) list->count * sizeof *parts);
    for (int i = 0; i < list->count; i++) {
        int length = block_length(list, i);
        long long offset = length == 0 ? 0 : list->places ? list->places[i] * type_extent(old) : list->addresses[i];
        parts[i] = (struct part){offset, length, old};
    }
    struct eco_type *type = type_parts(list->count, parts);
    free(parts);
    return type;
}

static void record_blocks(struct eco_type *type, int combiner, const struct block_list *list, struct eco_type *old)
{
    int count = list->count, used = 0;
    int *integers = eco_allocate((size_t) (2 + 2 * count) * sizeof *integers);
    integers[used++] = count;
    if (!list->lengths) integers[used++] = list->length;
    for (int i = 0; list->lengths && i < count; i++) integers[used++] = list->lengths[i];
    for (int i = 0; list->places && i < count; i++) integers[used++] = list->places[i];
    type_record(type, combiner, used, integers, list->addresses ? count : 0, list->addresses, 1, &old);
    free(integers);
}

static int make_blocks(int combiner, const struct block_list *list, MPI_Datatype old, MPI_Datatype *result)
{
    if (!old) return MPI_ERR_TYPE;
    int code = check_blocks(list);
    if (code) return code;
    struct eco_type *type = type_blocks(list, old);
    if (!type) return MPI_ERR_ARG;
    *result = type;
    record_blocks(*result, combiner, list, old);
    return MPI_SUCCESS;
}

int MPI_Type_indexed(int count, const int *lengths, const int *places, MPI_Datatype old, MPI_Datatype *result)
{
    struct block_list list = {.count = count, .lengths = lengths, .places = places};
    PASS(NULL, make_blocks(MPI_COMBINER_INDEXED, &list, old, result));
    return MPI_SUCCESS;
}

int MPI_Type_create_hindexed(int count, const int *lengths, const MPI_Aint *places, MPI_Datatype old,
                             MPI_Datatype *result)
{
    struct block_list list = {.count = count, .lengths = lengths, .addresses = places};
    PASS(NULL, make_blocks(MPI_COMBINER_HINDEXED, &list, old, result));
    return MPI_SUCCESS;
}

int MPI_Type_hindexed(int count, int *lengths, MPI_Aint *places, MPI_Datatype old, MPI_Datatype *result)
{
    return MPI_Type_create_hindexed(count, lengths, places, old, result);
}

int MPI_Type_create_indexed_block(int count, int length, const int *places, MPI_Datatype old, MPI_Datatype *result)
{
    struct block_list list = {.count = count, .length = length, .places = places};
    PASS(NULL, make_blocks(MPI_COMBINER_INDEXED_BLOCK, &list, old, result));
    return MPI_SUCCESS;
}

int MPI_Type_create_hindexed_block(int count, int length, const MPI_Aint *places, MPI_Datatype old,
                                   MPI_Datatype *result)
{
    struct block_list list = {.count = count, .length = length, .addresses = places};
    PASS(NULL, make_blocks(MPI_COMBINER_HINDEXED_BLOCK, &list, old, result));
    return MPI_SUCCESS;
}

/* A compiler would pad a structure at its end, so that arrays of it are aligned: so do we, as others do. */
static void pad_structure(struct eco_type *type)
{
    if (type->upper_set || type->part_count == 0) return;
    long long excess = type_extent(type) % type->align;
    if (excess) type->ub += type->align - excess;
    type->whole = type->dense && type_extent(type) == type->size;
}

static int check_structure(int count, const int *lengths, const MPI_Aint *places, const MPI_Datatype *types)
{
    if (count < 0) return MPI_ERR_COUNT;
    if (count && (!lengths || !places || !types)) return MPI_ERR_ARG;
    for (int i = 0; i < count; i++) {
        if (lengths[i] < 0) return MPI_ERR_ARG;
        if (!types[i]) return MPI_ERR_TYPE;
    }
    return MPI_SUCCESS;
}

int MPI_Type_create_struct(int count, const int *lengths, const MPI_Aint *places, const MPI_Datatype *types,
                           MPI_Datatype *result)
{
    REQUIRE(result, NULL, MPI_ERR_ARG);
    PASS(NULL, check_structure(count, lengths, places, types));
    struct part *parts = eco_allocate((size_t) count * sizeof *parts);
    for (int i = 0; i < count; i++) parts[i] = (struct part){places[i], lengths[i], types[i]};
    struct eco_type *type = type_parts(count, parts);
    free(parts);
    MAKE(type);
    pad_structure(*result);
    int *integers = eco_allocate((size_t) (count + 1) * sizeof *integers);
    integers[0] = count;
    if (count) memcpy(integers + 1, lengths, (size_t) count * sizeof *lengths);
    type_record(*result, MPI_COMBINER_STRUCT, count + 1, integers, count, places, count, types);
    free(integers);
    return MPI_SUCCESS;
}

int MPI_Type_struct(int count, int *lengths, MPI_Aint *places, MPI_Datatype *types, MPI_Datatype *result)
{
    return MPI_Type_create_struct(count, lengths, places, types, result);
}

int MPI_Type_create_resized(MPI_Datatype old, MPI_Aint lb, MPI_Aint extent, MPI_Datatype *result)
{
    CHECK_OLD(old);
    MAKE(type_resized(old, lb, extent));
    type_record(*result, MPI_COMBINER_RESIZED, 0, NULL, 2, (MPI_Aint[]){lb, extent}, 1, &old);
    return MPI_SUCCESS;
}

int MPI_Type_dup(MPI_Datatype old, MPI_Datatype *result)
{
    CHECK_OLD(old);
    struct eco_type *type = type_resized(old, old->lb, type_extent(old));
    REQUIRE(type, NULL, MPI_ERR_ARG);
    type->lower_set = old->lower_set;
    type->upper_set = old->upper_set;
    type->committed = old->committed;
    type->reduction = old->reduction;
    type_record(type, MPI_COMBINER_DUP, 0, NULL, 0, NULL, 1, &old);
    int code = attributes_copy(old, old->attributes, &type->attributes);
    if (code) {
        type_release(type);
        FAIL(NULL, code);
    }
    *result = type;
    return MPI_SUCCESS;
}

/* ---- Parts of arrays ---- */

/* One dimension more: `inner` becomes a row of `full` elements of which only the parts are data. NULL if it would have
 * more bytes than can be counted. */
static struct eco_type *add_dimension(struct eco_type *inner, int full, int count, struct part *parts)
{
    long long extent = type_extent(inner), all;
    if (__builtin_mul_overflow(extent, full, &all)) {
        type_release(inner);
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        parts[i].offset *= extent;
        parts[i].type = inner;
    }
    struct eco_type *data = type_parts(count, parts), *row = data ? type_resized(data, 0, all) : NULL;
    if (data) type_release(data);
    type_release(inner);
    return row;
}

/* The dimension that is the i-th when counted from the one whose elements are neighbours in memory. */
static int dimension_at(int i, int dimensions, int order) { return order == MPI_ORDER_C ? dimensions - 1 - i : i; }

static int check_subarray(int dimensions, const int *sizes, const int *subsizes, const int *starts, int order)
{
    if (dimensions < 1 || !sizes || !subsizes || !starts) return MPI_ERR_ARG;
    if (order != MPI_ORDER_C && order != MPI_ORDER_FORTRAN) return MPI_ERR_ARG;
    for (int i = 0; i < dimensions; i++)
        if (sizes[i] < 1 || subsizes[i] < 1 || starts[i] < 0 || starts[i] + subsizes[i] > sizes[i]) return MPI_ERR_ARG;
    return MPI_SUCCESS;
}

/* Appends `dimensions` values to a record of integers. */
static int append(int *record, int used, const int *values, int count)
{
    memcpy(record + used, values, (size_t) count * sizeof *values);
    return used + count;
}

int MPI_Type_create_subarray(int dimensions, const int *sizes, const int *subsizes, const int *starts, int order,
                             MPI_Datatype old, MPI_Datatype *result)
{
    CHECK_OLD(old);
    PASS(NULL, check_subarray(dimensions, sizes, subsizes, starts, order));
    struct eco_type *type = type_resized(old, 0, type_extent(old));
    REQUIRE(type, NULL, MPI_ERR_ARG);
    for (int i = 0; i < dimensions; i++) {
        int d = dimension_at(i, dimensions, order);
        struct part part = {.offset = starts[d], .blocks = subsizes[d]};
        type = add_dimension(type, sizes[d], 1, &part);
        REQUIRE(type, NULL, MPI_ERR_ARG);
    }
    int *record = eco_allocate((size_t) (3 * dimensions + 2) * sizeof *record), used = 0;
    record[used++] = dimensions;
    used = append(record, used, sizes, dimensions);
    used = append(record, used, subsizes, dimensions);
    used = append(record, used, starts, dimensions);
    record[used++] = order;
    type_record(type, MPI_COMBINER_SUBARRAY, used, record, 0, NULL, 1, &old);
    free(record);
    *result = type;
    return MPI_SUCCESS;
}

/* How one dimension of a distributed array is dealt out. */
struct deal {
    int full, kind, argument, processes, coordinate;
};

static int deal_block(const struct deal *deal)
{
    if (deal->kind == MPI_DISTRIBUTE_NONE) return deal->full;
    if (deal->argument != MPI_DISTRIBUTE_DFLT_DARG) return deal->argument;
    bool block = deal->kind == MPI_DISTRIBUTE_BLOCK;
    return block ? (deal->full + deal->processes - 1) / deal->processes : 1;
}

static int check_deal(const struct deal *deal)
{
    if (deal->full < 1 || deal->processes < 1) return MPI_ERR_ARG;
    if (deal->kind == MPI_DISTRIBUTE_NONE) return deal->processes == 1 ? MPI_SUCCESS : MPI_ERR_ARG;
    if (deal->kind != MPI_DISTRIBUTE_BLOCK && deal->kind != MPI_DISTRIBUTE_CYCLIC) return MPI_ERR_ARG;
    int block = deal_block(deal);
    if (block < 1) return MPI_ERR_ARG;
    bool covered = deal->kind == MPI_DISTRIBUTE_CYCLIC || (long long) block * deal->processes >= deal->full;
    return covered ? MPI_SUCCESS : MPI_ERR_ARG;
}

static struct eco_type *deal_dimension(struct eco_type *inner, const struct deal *deal)
{
    int block = deal_block(deal), round = block * deal->processes;
    int count = 0, most = deal->full / round + 1;
    struct part *parts = eco_allocate((size_t) most * sizeof *parts);
    for (int start = block * deal->coordinate; start < deal->full; start += round) {
        int length = start + block > deal->full ? deal->full - start : block;
        parts[count++] = (struct part){.offset = start, .blocks = length};
    }
    struct eco_type *type = add_dimension(inner, deal->full, count, parts);
    free(parts);
    return type;
}

static int check_darray(int size, int rank, int dimensions, const int *processes, int order)
{
    if (dimensions < 1 || !processes || size < 1 || rank < 0 || rank >= size) return MPI_ERR_ARG;
    if (order != MPI_ORDER_C && order != MPI_ORDER_FORTRAN) return MPI_ERR_ARG;
    long long all = 1;
    for (int i = 0; i < dimensions; i++) all *= processes[i];
    return all == size ? MPI_SUCCESS : MPI_ERR_ARG;
}

/* The grid of processes is always row-major, whatever the order of the array. */
static int grid_coordinate(int rank, int dimension, int dimensions, const int *processes)
{
    for (int i = dimensions - 1; i > dimension; i--) rank /= processes[i];
    return rank % processes[dimension];
}

int MPI_Type_create_darray(int size, int rank, int dimensions, const int *sizes, const int *kinds,
                           const int *arguments, const int *processes, int order, MPI_Datatype old,
                           MPI_Datatype *result)
{
    CHECK_OLD(old);
    PASS(NULL, check_darray(size, rank, dimensions, processes, order));
    struct eco_type *type = type_resized(old, 0, type_extent(old));
    REQUIRE(type, NULL, MPI_ERR_ARG);
    for (int i = 0; i < dimensions; i++) {
        int d = dimension_at(i, dimensions, order);
        struct deal deal = {sizes[d], kinds[d], arguments[d], processes[d],
                            grid_coordinate(rank, d, dimensions, processes)};
        int code = check_deal(&deal);
        if (code) type_release(type);
        PASS(NULL, code);
        type = deal_dimension(type, &deal);
        REQUIRE(type, NULL, MPI_ERR_ARG);
    }
    int *record = eco_allocate((size_t) (4 * dimensions + 4) * sizeof *record), used = 3;
    memcpy(record, (int[]){size, rank, dimensions}, 3 * sizeof *record);
    used = append(record, used, sizes, dimensions);
    used = append(record, used, kinds, dimensions);
    used = append(record, used, arguments, dimensions);
    used = append(record, used, processes, dimensions);
    record[used++] = order;
    type_record(type, MPI_COMBINER_DARRAY, used, record, 0, NULL, 1, &old);
    free(record);
    *result = type;
    return MPI_SUCCESS;
}

/* ---- Life ---- */

int MPI_Type_commit(MPI_Datatype *type)
{
    REQUIRE(type && *type, NULL, MPI_ERR_TYPE);
    (*type)->committed = true;
    return MPI_SUCCESS;
}

int MPI_Type_free(MPI_Datatype *type)
{
    REQUIRE(type && *type && (*type)->references, NULL, MPI_ERR_TYPE);
    PASS(NULL, attributes_delete(*type, &(*type)->attributes));
    type_release(*type);
    *type = MPI_DATATYPE_NULL;
    return MPI_SUCCESS;
}
