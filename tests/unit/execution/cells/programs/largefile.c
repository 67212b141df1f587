/* Views of files of more than 4 GiB by datatypes whose extents have more than 32 bits; the file is mostly holes. */
#include "check.h"

#include <limits.h>

#define ROWS 5120
#define COLUMNS 131072 /* doubles: 1 MiB */
#define SOME 1000

static const char *const path = "/out/large";
static double data[4 * SOME];

static MPI_File open_file(void)
{
    MPI_File file;
    MPI_File_open(MPI_COMM_WORLD, path, MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL, &file);
    return file;
}

/* Is what lies there, by plain offsets, `value` and so on? */
static void expect(MPI_Offset row, MPI_Offset column, double value, int count)
{
    MPI_File file;
    MPI_Status status;
    static double found[4 * SOME];
    int got;
    MPI_File_open(MPI_COMM_SELF, path, MPI_MODE_RDONLY, MPI_INFO_NULL, &file);
    MPI_File_read_at(file, (row * COLUMNS + column) * 8, found, count, MPI_DOUBLE, &status);
    MPI_Get_count(&status, MPI_DOUBLE, &got);
    CHECK(got == count && found[0] == value && found[count - 1] == value + count - 1);
    MPI_File_close(&file);
}

/* Writes through a view, reads it back through the same, and frees the type. */
static void through_view(MPI_Offset displacement, MPI_Datatype type, int count, double value)
{
    static double back[4 * SOME];
    MPI_Status status;
    int moved;
    MPI_File file = open_file();
    MPI_Type_commit(&type);
    MPI_File_set_view(file, displacement, MPI_DOUBLE, type, "native", MPI_INFO_NULL);
    for (int i = 0; i < count; i++) data[i] = value + i;
    MPI_File_write_all(file, data, count, MPI_DOUBLE, &status);
    MPI_Get_count(&status, MPI_DOUBLE, &moved);
    CHECK(moved == count);
    MPI_File_read_at_all(file, 0, back, count, MPI_DOUBLE, &status);
    CHECK(!memcmp(back, data, (size_t) count * sizeof *data));
    MPI_Type_free(&type);
    MPI_File_close(&file);
    MPI_Barrier(MPI_COMM_WORLD);
}

/* Rank's columns of the last four rows: bytes behind 5 GiB - 4 MiB. */
static void subarray(void)
{
    MPI_Datatype type;
    int sizes[2] = {ROWS, COLUMNS}, part[2] = {4, SOME}, start[2] = {ROWS - 4, rank * SOME};
    MPI_Type_create_subarray(2, sizes, part, start, MPI_ORDER_C, MPI_DOUBLE, &type);
    MPI_Count lb, extent, bytes;
    MPI_Aint short_lb, short_extent;
    int short_bytes;
    MPI_Type_get_extent_x(type, &lb, &extent);
    MPI_Type_get_extent(type, &short_lb, &short_extent);
    MPI_Type_size(type, &short_bytes);
    CHECK(lb == 0 && extent == 8ll * ROWS * COLUMNS && short_extent == MPI_UNDEFINED);
    CHECK(short_lb == 0 && short_bytes == 4 * SOME * 8);
    MPI_Type_get_true_extent_x(type, &lb, &extent);
    CHECK(lb == 8ll * ((ROWS - 4) * (long long) COLUMNS + rank * SOME) && extent == 8ll * (3 * COLUMNS + SOME));
    through_view(0, type, 4 * SOME, 1000 * rank + 1);
    for (int row = 0; row < 4; row++) expect(ROWS - 4 + row, rank * SOME, 1000 * rank + 1 + row * SOME, SOME);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Type_contiguous(ROWS, MPI_DOUBLE, &type);
    MPI_Datatype all;
    MPI_Type_contiguous(COLUMNS, type, &all);
    MPI_Type_size(all, &short_bytes);
    MPI_Type_size_x(all, &bytes);
    CHECK(short_bytes == MPI_UNDEFINED && bytes == 8ll * ROWS * COLUMNS);
    MPI_Type_free(&all);
    MPI_Type_free(&type);
}

/* Blocks of rows; each rank writes the beginning of its own. Then a second file of it, behind the first. */
static void darray(void)
{
    MPI_Datatype type;
    int sizes[2] = {ROWS, COLUMNS}, kinds[2] = {MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_NONE};
    int arguments[2] = {MPI_DISTRIBUTE_DFLT_DARG, MPI_DISTRIBUTE_DFLT_DARG}, grid[2] = {size, 1};
    int rows = (ROWS + size - 1) / size;
    MPI_Type_create_darray(size, rank, 2, sizes, kinds, arguments, grid, MPI_ORDER_C, MPI_DOUBLE, &type);
    through_view(8ll * ROWS * COLUMNS, type, SOME, 77 * rank);
    expect(ROWS + rank * rows, 0, 77 * rank, SOME);
    MPI_Barrier(MPI_COMM_WORLD);
}

/* Places and strides of many bytes. */
static void strides(void)
{
    MPI_Datatype type;
    MPI_Type_vector(4, 10, 1 << 27, MPI_DOUBLE, &type); /* 1 GiB apart */
    through_view(rank * 80, type, 40, 5000 * rank);
    for (int i = 0; i < 4; i++) expect(i * 1024, rank * 10, 5000 * rank + 10 * i, 10);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Type_create_indexed_block(2, 10, (int[]){200, 500 << 20}, MPI_DOUBLE, &type);
    through_view(rank * 80, type, 20, 7000 * rank);
    expect(4000, rank * 10, 7000 * rank + 10, 10);
    MPI_Barrier(MPI_COMM_WORLD);
}

/* In memory there is nothing so large: said as an error of the type. */
static void memory(void)
{
    MPI_Datatype type;
    int kind, position = 0;
    MPI_Type_vector(4, 10, 1 << 27, MPI_DOUBLE, &type);
    MPI_Type_commit(&type);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    MPI_Error_class(MPI_Send(data, 1, type, MPI_PROC_NULL, 0, MPI_COMM_SELF), &kind);
    CHECK(kind == MPI_ERR_TYPE);
    MPI_Error_class(MPI_Pack(data, 1, type, data, sizeof data, &position, MPI_COMM_SELF), &kind);
    CHECK(kind == MPI_ERR_TYPE);
    MPI_Type_free(&type);
}

int main(int argc, char **argv)
{
    begin(&argc, &argv);
    subarray();
    darray();
    strides();
    memory();
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) MPI_File_delete(path, MPI_INFO_NULL);
    return end();
}
