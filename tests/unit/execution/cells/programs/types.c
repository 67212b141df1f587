/* Derived datatypes, at random, against a list of their bytes that is kept by hand. */
#include "check.h"

#include <stdint.h>

#define MOST 20000

/* The type map of a datatype: offsets of its bytes in the order in which they are sent. */
struct map {
    MPI_Datatype type;
    MPI_Aint lb, extent;
    int bytes;
    MPI_Aint *offsets;
};

static unsigned state = 12345;
static int below(int limit)
{
    state = state * 1103515245u + 12345u;
    return (int) ((state >> 8) % (unsigned) limit);
}

static struct map basic(void)
{
    static MPI_Datatype const types[] = {MPI_CHAR, MPI_SHORT, MPI_INT, MPI_DOUBLE};
    struct map map = {.type = types[below(4)]};
    MPI_Type_size(map.type, &map.bytes);
    map.extent = map.bytes;
    map.offsets = malloc((size_t) map.bytes * sizeof *map.offsets);
    for (int i = 0; i < map.bytes; i++) map.offsets[i] = i;
    return map;
}

static void append(struct map *map, const struct map *part, MPI_Aint at, int blocks)
{
    map->offsets = realloc(map->offsets, (size_t) (map->bytes + blocks * part->bytes) * sizeof *map->offsets);
    for (int i = 0; i < blocks; i++)
        for (int j = 0; j < part->bytes; j++)
            map->offsets[map->bytes++] = at + i * part->extent + part->offsets[j];
}

static struct map make_vector(const struct map *old)
{
    int count = 1 + below(4), blocks = 1 + below(3), stride = blocks + below(3);
    struct map map = {0};
    MPI_Type_vector(count, blocks, stride, old->type, &map.type);
    for (int i = 0; i < count; i++) append(&map, old, i * stride * old->extent, blocks);
    return map;
}

static struct map make_indexed(const struct map *old)
{
    int count = 1 + below(4), lengths[4], places[4], at = 0;
    struct map map = {0};
    for (int i = 0; i < count; i++) {
        lengths[i] = below(3);
        places[i] = at + below(3);
        at = places[i] + lengths[i];
        append(&map, old, places[i] * old->extent, lengths[i]);
    }
    MPI_Type_indexed(count, lengths, places, old->type, &map.type);
    return map;
}

static struct map make_struct(const struct map *old)
{
    struct map other = basic(), map = {0};
    MPI_Aint places[2] = {8 * below(3), 0};
    int lengths[2] = {1 + below(2), 1 + below(3)};
    places[1] = places[0] + old->lb + lengths[0] * old->extent + 8 * below(3);
    MPI_Type_create_struct(2, lengths, places, (MPI_Datatype[]){old->type, other.type}, &map.type);
    append(&map, old, places[0], lengths[0]);
    append(&map, &other, places[1], lengths[1]);
    free(other.offsets);
    return map;
}

static struct map make_subarray(const struct map *old)
{
    int full[2] = {2 + below(3), 2 + below(3)}, part[2], start[2];
    struct map map = {0};
    for (int i = 0; i < 2; i++) {
        part[i] = 1 + below(full[i]);
        start[i] = below(full[i] - part[i] + 1);
    }
    MPI_Type_create_subarray(2, full, part, start, MPI_ORDER_C, old->type, &map.type);
    for (int i = 0; i < part[0]; i++)
        append(&map, old, ((start[0] + i) * full[1] + start[1]) * old->extent, part[1]);
    return map;
}

static struct map make_resized(const struct map *old)
{
    struct map map = {0};
    MPI_Type_create_resized(old->type, 0, old->lb + old->extent + 8, &map.type);
    append(&map, old, 0, 1);
    return map;
}

static struct map derive(const struct map *old)
{
    struct map (*const makers[])(const struct map *) = {make_vector, make_indexed, make_struct, make_subarray,
                                                       make_resized};
    struct map map = makers[below(5)](old);
    MPI_Type_get_extent(map.type, &map.lb, &map.extent);
    return map;
}

/* Explicit bounds may make elements overlap: such types can be sent, but not received. */
static int overlaps(const struct map *map, int count)
{
    static unsigned char seen[MOST];
    memset(seen, 0, MOST);
    for (int i = 0; i < map->bytes * count; i++)
        if (seen[i / map->bytes * map->extent + map->offsets[i % map->bytes]]++) return 1;
    return 0;
}

static void round_trip(const struct map *map, int count)
{
    static unsigned char memory[MOST], packed[MOST], back[MOST];
    int bytes = map->bytes * count, position = 0, size_told;
    MPI_Type_size(map->type, &size_told);
    CHECK(size_told == map->bytes);
    for (int i = 0; i < MOST; i++) memory[i] = (unsigned char) (i * 31 + i / 251);
    MPI_Pack(memory, count, map->type, packed, MOST, &position, MPI_COMM_WORLD);
    CHECK(position == bytes);
    for (int i = 0; i < bytes; i++)
        CHECK(packed[i] == memory[i / map->bytes * map->extent + map->offsets[i % map->bytes]]);
    if (overlaps(map, count)) return;

    MPI_Request request;
    MPI_Status status;
    int elements;
    memset(back, 0, MOST);
    MPI_Isend(memory, count, map->type, rank, 1, MPI_COMM_WORLD, &request);
    MPI_Recv(back, count, map->type, rank, 1, MPI_COMM_WORLD, &status);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Get_count(&status, map->type, &elements);
    CHECK(elements == count || bytes == 0);
    for (int i = 0; i < bytes; i++) {
        MPI_Aint at = i / map->bytes * map->extent + map->offsets[i % map->bytes];
        CHECK(back[at] == memory[at]);
        back[at] = 0;
    }
    for (int i = 0; i < MOST; i++)
        if (back[i]) {
            CHECK(!"a byte outside of the type was written");
            break;
        }
}

static void commit_and_test(struct map *map)
{
    MPI_Aint lb, extent;
    int count = 1 + below(3);
    MPI_Type_commit(&map->type);
    MPI_Type_get_extent(map->type, &lb, &extent);
    if (map->bytes && extent * count < MOST && map->bytes * count < MOST && lb >= 0) round_trip(map, count);
}

static void random_types(void)
{
    for (int i = 0; i < 400; i++) {
        struct map map = basic();
        for (int depth = 1 + below(3); depth && map.bytes < 500; depth--) {
            struct map next = derive(&map);
            if (map.type != MPI_CHAR && map.type != MPI_SHORT && map.type != MPI_INT && map.type != MPI_DOUBLE)
                MPI_Type_free(&map.type); /* those derived from it stay */
            free(map.offsets);
            map = next;
        }
        commit_and_test(&map);
        free(map.offsets);
    }
}

/* The parts of a distributed array cover it, each element once. */
static void distributed_array(void)
{
    int full[2] = {7, 10}, kinds[2] = {MPI_DISTRIBUTE_CYCLIC, MPI_DISTRIBUTE_BLOCK}, covered[70] = {0};
    int arguments[2] = {2, MPI_DISTRIBUTE_DFLT_DARG}, grid[2] = {2, 3};
    for (int process = 0; process < 6; process++) {
        MPI_Datatype type;
        int position = 0, bytes, all[70], mine[70];
        for (int i = 0; i < 70; i++) all[i] = i;
        MPI_Type_create_darray(6, process, 2, full, kinds, arguments, grid, MPI_ORDER_C, MPI_INT, &type);
        MPI_Type_commit(&type);
        MPI_Type_size(type, &bytes);
        MPI_Pack(all, 1, type, mine, sizeof mine, &position, MPI_COMM_WORLD);
        for (int i = 0; i < bytes / 4; i++) {
            covered[mine[i]]++;
            CHECK(mine[i] / 10 / 2 % 2 == process / 3 && mine[i] % 10 / 4 == process % 3);
        }
        MPI_Type_free(&type);
    }
    for (int i = 0; i < 70; i++) CHECK(covered[i] == 1);
}

static void contents(void)
{
    MPI_Datatype type, old;
    int integers, addresses, types, combiner, values[3];
    MPI_Type_vector(3, 2, 5, MPI_DOUBLE, &type);
    MPI_Type_get_envelope(type, &integers, &addresses, &types, &combiner);
    CHECK(integers == 3 && addresses == 0 && types == 1 && combiner == MPI_COMBINER_VECTOR);
    MPI_Type_get_contents(type, 3, 0, 1, values, NULL, &old);
    CHECK(values[0] == 3 && values[1] == 2 && values[2] == 5 && old == MPI_DOUBLE);
    MPI_Type_free(&type);
}

/* A message shorter than the type: what has come is there, the rest is untouched. */
static void short_message(void)
{
    MPI_Datatype type;
    MPI_Status status;
    MPI_Request request;
    double in[9];
    int count, elements;
    for (int i = 0; i < 9; i++) in[i] = -1;
    MPI_Type_vector(3, 1, 3, MPI_DOUBLE, &type);
    MPI_Type_commit(&type);
    MPI_Isend((double[]){1, 2}, 2, MPI_DOUBLE, rank, 2, MPI_COMM_WORLD, &request);
    MPI_Recv(in, 1, type, rank, 2, MPI_COMM_WORLD, &status);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    MPI_Get_count(&status, type, &count);
    MPI_Get_elements(&status, type, &elements);
    CHECK(count == MPI_UNDEFINED && elements == 2 && in[0] == 1 && in[3] == 2 && in[6] == -1 && in[1] == -1);
    MPI_Type_free(&type);
}

/* By precision: the smallest that is enough, one handle for one question, and good for sums. */
static void by_precision(void)
{
    MPI_Datatype type, again, wide;
    int integers, addresses, types, combiner, asked[2], length;
    double in = 2.5, sum = 0;
    MPI_Type_create_f90_real(10, MPI_UNDEFINED, &type);
    MPI_Type_create_f90_real(10, MPI_UNDEFINED, &again);
    MPI_Type_create_f90_integer(12, &wide);
    CHECK(type == again);
    MPI_Type_get_envelope(type, &integers, &addresses, &types, &combiner);
    CHECK(combiner == MPI_COMBINER_F90_REAL && integers == 2 && types == 0);
    MPI_Type_get_contents(type, 2, 0, 0, asked, NULL, NULL);
    CHECK(asked[0] == 10 && asked[1] == MPI_UNDEFINED);
    MPI_Allreduce(&in, &sum, 1, type, MPI_SUM, MPI_COMM_WORLD);
    CHECK(sum == 2.5 * size);
    MPI_Type_size(wide, &length);
    CHECK(length == 8);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    CHECK(MPI_Type_create_f90_real(99, 1, &type) == MPI_ERR_ARG);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
}

/* What needs more than the 32 bits of an MPI_Aint can lie in a file, and nothing of it in memory. */
static void for_files_only(int made, MPI_Datatype type)
{
    int kind = 0;
    CHECK(made == MPI_SUCCESS);
    MPI_Type_commit(&type);
    MPI_Error_class(MPI_Send(&kind, 1, type, MPI_PROC_NULL, 0, MPI_COMM_WORLD), &kind);
    CHECK(kind == MPI_ERR_TYPE);
    MPI_Type_free(&type);
}

static void too_large(void)
{
    int sizes[3] = {1024, 1024, 1024}, parts[3] = {1, 1024, 1024}, starts[3] = {1000, 0, 0}, one = 1, far = 1 << 29;
    int deals[3] = {MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_NONE, MPI_DISTRIBUTE_NONE}, grid[3] = {4, 1, 1};
    int plain[3] = {MPI_DISTRIBUTE_DFLT_DARG, MPI_DISTRIBUTE_DFLT_DARG, MPI_DISTRIBUTE_DFLT_DARG};
    int most[3] = {INT32_MAX, INT32_MAX, INT32_MAX};
    MPI_Datatype type, row;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int made;
#define FOR_FILES(call) made = call, for_files_only(made, type)
    FOR_FILES(MPI_Type_create_subarray(3, sizes, parts, starts, MPI_ORDER_C, MPI_DOUBLE, &type));
    FOR_FILES(MPI_Type_create_darray(4, 1, 3, sizes, deals, plain, grid, MPI_ORDER_C, MPI_DOUBLE, &type));
    FOR_FILES(MPI_Type_contiguous(1 << 28, MPI_DOUBLE, &type));
    FOR_FILES(MPI_Type_vector(2, 1, far, MPI_DOUBLE, &type));
    FOR_FILES(MPI_Type_vector(3, 1, far / 4, MPI_DOUBLE, &type));
    FOR_FILES(MPI_Type_create_hvector(5, 1, far, MPI_DOUBLE, &type));
    FOR_FILES(MPI_Type_indexed(1, &one, &far, MPI_DOUBLE, &type));
    CHECK(MPI_Type_contiguous(1 << 20, MPI_DOUBLE, &row) == MPI_SUCCESS);
    FOR_FILES(MPI_Type_create_struct(1, &sizes[0], (MPI_Aint[]){0}, &row, &type));
    CHECK(MPI_Type_create_subarray(3, most, parts, starts, MPI_ORDER_C, MPI_DOUBLE, &type) == MPI_ERR_ARG);
    CHECK(MPI_Type_indexed(2, (int[]){0, 1}, (int[]){far, 3}, MPI_DOUBLE, &type) == MPI_SUCCESS); /* nothing lies there */
    MPI_Type_free(&type);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    MPI_Type_free(&row);
    sizes[0] = 255;
    starts[0] = 254;
    MPI_Aint lower, extent;
    MPI_Type_create_subarray(3, sizes, parts, starts, MPI_ORDER_C, MPI_DOUBLE, &type); /* nearly 2 GiB */
    MPI_Type_get_true_extent(type, &lower, &extent);
    CHECK(lower == 254 << 23 && extent == 1 << 23);
    MPI_Type_free(&type);
}

static void statuses_of_fortran(void)
{
    MPI_Status status, back;
    MPI_Fint integers[MPI_F_STATUS_SIZE];
    int out = 1, in, count;
    MPI_Sendrecv(&out, 1, MPI_INT, rank, 4, &in, 1, MPI_INT, rank, 4, MPI_COMM_WORLD, &status);
    MPI_Status_c2f(&status, integers);
    MPI_Status_f2c(integers, &back);
    MPI_Get_count(&back, MPI_INT, &count);
    CHECK(back.MPI_TAG == 4 && back.MPI_SOURCE == rank && count == 1);
}

int main(int argc, char **argv)
{
    begin(&argc, &argv);
    random_types();
    distributed_array();
    contents();
    short_message();
    by_precision();
    too_large();
    statuses_of_fortran();
    return end();
}
