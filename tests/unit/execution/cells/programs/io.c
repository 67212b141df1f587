/* Files of MPI: positions of all three kinds, views, collective and split calls, modes and errors. Writes to out/. */
#include "check.h"

#define NAME "out/data"

static MPI_File file;
static MPI_Status status;

static int next(void) { return (rank + 1) % size; }

static void open_file(int mode) { CHECK(MPI_File_open(MPI_COMM_WORLD, NAME, mode, MPI_INFO_NULL, &file) == MPI_SUCCESS); }
static void fresh(void) { open_file(MPI_MODE_CREATE | MPI_MODE_RDWR | MPI_MODE_DELETE_ON_CLOSE); }

static void open_alone(const char *name)
{
    int mode = MPI_MODE_CREATE | MPI_MODE_RDWR | MPI_MODE_DELETE_ON_CLOSE;
    CHECK(MPI_File_open(MPI_COMM_SELF, name, mode, MPI_INFO_NULL, &file) == MPI_SUCCESS);
}

static void at_offsets(void)
{
    int values[10], back[10], count;
    MPI_Offset bytes;
    fresh();
    for (int i = 0; i < 10; i++) values[i] = rank * 100 + i;
    MPI_File_write_at(file, rank * sizeof values, values, 10, MPI_INT, &status);
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 10);
    MPI_File_sync(file);
    MPI_File_read_at_all(file, next() * sizeof values, back, 10, MPI_INT, &status);
    for (int i = 0; i < 10; i++) CHECK(back[i] == next() * 100 + i);
    MPI_File_get_size(file, &bytes);
    CHECK(bytes == (MPI_Offset) (size * sizeof values));
    MPI_File_read_at(file, bytes - 4, back, 10, MPI_INT, &status); /* the end comes before ten are read */
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 1);
    MPI_File_set_size(file, 12);
    MPI_File_get_size(file, &bytes);
    CHECK(bytes == 12);
    MPI_File_preallocate(file, 100);
    MPI_File_get_size(file, &bytes);
    CHECK(bytes == 100);
    MPI_File_close(&file);
    CHECK(file == MPI_FILE_NULL);
}

/* Each rank owns a column block of a matrix that lies in the file row by row. */
static void subarrays(void)
{
    int rows = 6, wide = 4, sizes[2] = {rows, wide * size}, parts[2] = {rows, wide}, starts[2] = {0, wide * rank};
    int block[24], back[24], *whole = malloc(rows * wide * size * sizeof(int));
    MPI_Datatype type, element, seen;
    MPI_Offset displacement, byte;
    char name[MPI_MAX_DATAREP_STRING];
    fresh();
    MPI_Type_create_subarray(2, sizes, parts, starts, MPI_ORDER_C, MPI_INT, &type);
    MPI_Type_commit(&type);
    MPI_File_set_view(file, 8, MPI_INT, type, "native", MPI_INFO_NULL);
    for (int i = 0; i < 24; i++) block[i] = (i / wide) * wide * size + wide * rank + i % wide;
    MPI_File_write_all(file, block, 24, MPI_INT, &status);
    MPI_File_get_view(file, &displacement, &element, &seen, name);
    CHECK(displacement == 8 && element == MPI_INT && !strcmp(name, "native"));
    MPI_Type_free(&seen);
    MPI_File_get_byte_offset(file, wide, &byte);
    CHECK(byte == 8 + (MPI_Offset) sizeof(int) * (wide * size + wide * rank));
    MPI_File_seek(file, 0, MPI_SEEK_SET);
    MPI_File_read_all(file, back, 24, MPI_INT, &status);
    CHECK(!memcmp(block, back, sizeof block));
    MPI_File_set_view(file, 8, MPI_INT, MPI_INT, "native", MPI_INFO_NULL);
    MPI_File_read_at(file, 0, whole, rows * wide * size, MPI_INT, &status);
    for (int i = 0; i < rows * wide * size; i++) CHECK(whole[i] == i);
    MPI_Type_free(&type);
    MPI_File_close(&file);
    free(whole);
}

static void own_position(void)
{
    double values[4] = {1.5, 2.5, 3.5, 4.5}, back[4];
    MPI_Offset position;
    MPI_Request request;
    fresh();
    MPI_File_set_view(file, rank * sizeof values, MPI_DOUBLE, MPI_DOUBLE, "native", MPI_INFO_NULL);
    MPI_File_write(file, values, 2, MPI_DOUBLE, &status);
    MPI_File_iwrite(file, values + 2, 2, MPI_DOUBLE, &request);
    MPI_Wait(&request, &status);
    MPI_File_get_position(file, &position);
    CHECK(position == 4);
    MPI_File_seek(file, -3, MPI_SEEK_CUR);
    MPI_File_iread(file, back, 3, MPI_DOUBLE, &request);
    MPI_Wait(&request, &status);
    CHECK(back[0] == 2.5 && back[2] == 4.5);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_File_seek(file, 0, MPI_SEEK_END);
    MPI_File_get_position(file, &position);
    CHECK(position == 4 * (size - rank));
    MPI_File_close(&file);
}

/* Everyone appends; each record must be there once. */
static void shared_position(void)
{
    int record[2] = {rank, 0}, *all = malloc(2 * 20 * size * sizeof(int)), *next_of = calloc(size, sizeof(int));
    MPI_Offset position;
    fresh();
    for (int i = 0; i < 20; i++) {
        record[1] = i;
        MPI_File_write_shared(file, record, 2, MPI_INT, &status);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_File_get_position_shared(file, &position);
    CHECK(position == (MPI_Offset) sizeof record * 20 * size);
    MPI_File_read_at(file, 0, all, 2 * 20 * size, MPI_INT, &status);
    for (int i = 0; i < 20 * size; i++) CHECK(all[2 * i + 1] == next_of[all[2 * i]]++);
    MPI_File_seek_shared(file, 0, MPI_SEEK_SET);
    int mine[3] = {rank, rank, rank}, back[3];
    MPI_File_write_ordered(file, mine, 1 + rank % 3, MPI_INT, &status);
    MPI_File_seek_shared(file, 0, MPI_SEEK_SET);
    MPI_File_read_ordered_begin(file, back, 1 + rank % 3, MPI_INT);
    MPI_File_read_ordered_end(file, back, &status);
    CHECK(back[0] == rank && back[rank % 3] == rank);
    MPI_File_close(&file);
    free(all);
    free(next_of);
}

static void split_calls(void)
{
    int values[3] = {rank, rank + 1, rank + 2}, back[3], count;
    fresh();
    MPI_File_write_at_all_begin(file, rank * sizeof values, values, 3, MPI_INT);
    CHECK(MPI_File_write_at_all_begin(file, 0, values, 3, MPI_INT) == MPI_ERR_OTHER);
    MPI_File_write_at_all_end(file, values, &status);
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 3);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_File_read_at_all_begin(file, next() * sizeof values, back, 3, MPI_INT);
    MPI_File_read_at_all_end(file, back, &status);
    CHECK(back[2] == next() + 2);
    MPI_File_close(&file);
}

/* What is portable has the most significant byte first, and longs of eight. */
static void portable(void)
{
    int value = 0x01020304;
    long number = -2, read = 0;
    unsigned char bytes[8];
    fresh();
    MPI_File_set_view(file, rank * 16, MPI_INT, MPI_INT, "external32", MPI_INFO_NULL);
    MPI_File_write_at(file, 0, &value, 1, MPI_INT, &status);
    value = 0;
    MPI_File_read_at(file, 0, &value, 1, MPI_INT, &status);
    CHECK(value == 0x01020304);
    MPI_File_set_view(file, rank * 16 + 8, MPI_LONG, MPI_LONG, "external32", MPI_INFO_NULL);
    MPI_File_write_at(file, 0, &number, 1, MPI_LONG, &status);
    MPI_File_read_at(file, 0, &read, 1, MPI_LONG, &status);
    CHECK(read == -2);
    MPI_File_set_view(file, rank * 16, MPI_BYTE, MPI_BYTE, "native", MPI_INFO_NULL);
    MPI_File_read_at(file, 0, bytes, 4, MPI_BYTE, &status);
    CHECK(bytes[0] == 1 && bytes[3] == 4);
    MPI_File_read_at(file, 8, bytes, 8, MPI_BYTE, &status);
    CHECK(bytes[0] == 0xff && bytes[7] == 0xfe);
    MPI_File_close(&file);
}

/* A file type without data has no place for any. */
static void empty_view(void)
{
    MPI_Datatype nothing;
    MPI_Offset byte = -1;
    int value = 3, count;
    fresh();
    MPI_Type_contiguous(0, MPI_INT, &nothing);
    MPI_Type_commit(&nothing);
    CHECK(MPI_File_set_view(file, 12, MPI_INT, nothing, "native", MPI_INFO_NULL) == MPI_SUCCESS);
    CHECK(MPI_File_get_byte_offset(file, 5, &byte) == MPI_SUCCESS && byte == 12);
    CHECK(MPI_File_write_at(file, 0, &value, 1, MPI_INT, &status) == MPI_ERR_IO);
    CHECK(MPI_File_write_at(file, 0, &value, 0, MPI_INT, &status) == MPI_SUCCESS);
    MPI_Get_count(&status, MPI_INT, &count);
    CHECK(count == 0);
    MPI_Type_free(&nothing);
    MPI_File_close(&file);
}

/* Many runs of different lengths: each byte is found, from wherever one begins. */
static void many_runs(void)
{
    enum { RUNS = 50 };
    int lengths[RUNS], places[RUNS], total = 0, at = rank;
    unsigned char data[3000], back[3000];
    char own[32];
    MPI_Datatype type;
    snprintf(own, sizeof own, "out/runs%d", rank);
    for (int i = 0; i < RUNS; i++) {
        lengths[i] = i % 7;
        places[i] = at;
        at += lengths[i] + 1 + i % 3;
        total += lengths[i];
    }
    MPI_Type_indexed(RUNS, lengths, places, MPI_BYTE, &type);
    MPI_Type_commit(&type);
    open_alone(own);
    MPI_File_set_view(file, 3, MPI_BYTE, type, "native", MPI_INFO_NULL);
    for (int i = 0; i < 2 * total; i++) data[i] = (unsigned char) (i * 5 + 1);
    MPI_File_write_at(file, 0, data, 2 * total, MPI_BYTE, &status);
    for (int start = 0; start < 2 * total; start++) {
        MPI_File_read_at(file, start, back, 1, MPI_BYTE, &status);
        CHECK(back[0] == data[start]);
    }
    MPI_File_set_view(file, 3, MPI_BYTE, MPI_BYTE, "native", MPI_INFO_NULL);
    for (int i = 0, done = 0; i < RUNS; i++) {
        MPI_File_read_at(file, places[i], back, lengths[i], MPI_BYTE, &status);
        CHECK(!memcmp(back, data + done, (size_t) lengths[i]));
        done += lengths[i];
    }
    MPI_Type_free(&type);
    MPI_File_close(&file);
}

/* 2 GiB asked for in one call, of a file that has 24 bytes: those come. */
static void large_count(void)
{
    double values[3] = {1.5, 2.5, 3.5};
    int count = -1;
    if (rank) return;
    double *much = malloc(1u << 31);
    CHECK(much);
    open_alone(NAME);
    MPI_File_write_at(file, 0, values, 3, MPI_DOUBLE, &status);
    CHECK(MPI_File_read_at(file, 0, much, 1 << 28, MPI_DOUBLE, &status) == MPI_SUCCESS);
    MPI_Get_count(&status, MPI_DOUBLE, &count);
    CHECK(count == 3 && much[0] == 1.5 && much[2] == 3.5);
    MPI_File_close(&file);
    free(much);
}

static void modes_and_mistakes(void)
{
    int value = 5, mode;
    CHECK(MPI_File_open(MPI_COMM_WORLD, "out/none", MPI_MODE_RDONLY, MPI_INFO_NULL, &file) == MPI_ERR_NO_SUCH_FILE);
    CHECK(MPI_File_open(MPI_COMM_WORLD, NAME, MPI_MODE_RDONLY | MPI_MODE_CREATE, MPI_INFO_NULL, &file) == MPI_ERR_AMODE);
    open_file(MPI_MODE_CREATE | MPI_MODE_WRONLY);
    CHECK(MPI_File_read_at(file, 0, &value, 1, MPI_INT, &status) == MPI_ERR_ACCESS);
    MPI_File_write_at(file, rank * 4, &value, 1, MPI_INT, &status);
    MPI_File_get_amode(file, &mode);
    CHECK(mode == (MPI_MODE_CREATE | MPI_MODE_WRONLY));
    MPI_File_close(&file);
    int code = MPI_File_open(MPI_COMM_WORLD, NAME, MPI_MODE_CREATE | MPI_MODE_EXCL | MPI_MODE_RDWR, MPI_INFO_NULL, &file);
    CHECK(code == MPI_ERR_FILE_EXISTS);
    open_file(MPI_MODE_RDONLY | MPI_MODE_APPEND);
    MPI_Offset position;
    MPI_File_get_position(file, &position);
    CHECK(position == 4 * size);
    CHECK(MPI_File_write_at(file, 0, &value, 1, MPI_INT, &status) == MPI_ERR_READ_ONLY);
    CHECK(MPI_File_seek(file, -1, MPI_SEEK_SET) == MPI_ERR_ARG);
    CHECK(MPI_File_set_view(file, 0, MPI_INT, MPI_INT, "unheard of", MPI_INFO_NULL) == MPI_ERR_UNSUPPORTED_DATAREP);
    MPI_File_close(&file);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) CHECK(MPI_File_delete(NAME, MPI_INFO_NULL) == MPI_SUCCESS);
    MPI_Barrier(MPI_COMM_WORLD);
    CHECK(MPI_File_delete(NAME, MPI_INFO_NULL) == MPI_ERR_NO_SUCH_FILE);
}

int main(int argc, char **argv)
{
    begin(&argc, &argv);
    at_offsets();
    subarrays();
    own_position();
    shared_position();
    split_calls();
    portable();
    empty_view();
    many_runs();
    large_count();
    modes_and_mistakes();
    return end();
}
