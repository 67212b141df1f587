/* Reading and writing files. All forms are one transfer: from an offset, the rank's own position, or the shared one.
 * What has begun has also ended: a cell's files are the system's page cache, which takes data at the speed of memory. */
#include "file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum where { AT_OFFSET, AT_OWN, AT_SHARED, AT_ORDERED };

/* ---- Bytes ---- */

#define PART_MOST (1u << 30) /* what has been moved comes back in 32 bits with a sign */

/* Reads or writes one run; less than all was moved only at the end of the file, or after an error. */
static long long move_run(int descriptor, char *data, long long bytes, MPI_Offset at, bool writing)
{
    long long done = 0;
    while (done < bytes) {
        size_t part = bytes - done < PART_MOST ? (size_t) (bytes - done) : PART_MOST;
        ssize_t moved = writing ? pwrite(descriptor, data + done, part, at + done)
                                : pread(descriptor, data + done, part, at + done);
        if (moved < 0 && errno == EINTR) continue;
        if (moved < 0) return -1;
        if (moved == 0) break;
        done += moved;
    }
    return done;
}

/* Moves `bytes` of data from the view's data byte `at` on; returns how many, -1 for an error. */
static long long move_bytes(const struct eco_file *file, long long at, char *data, long long bytes, bool writing)
{
    long long done = 0;
    while (done < bytes) {
        long long length;
        MPI_Offset byte = view_byte(&file->view, at + done, &length);
        if (length > bytes - done) length = bytes - done;
        long long moved = move_run(file->descriptor, data + done, length, byte, writing);
        if (moved < 0) return -1;
        done += moved;
        if (moved < length) break;
    }
    return done;
}

/* ---- Data of the program ---- */

static long long bytes_in_file(const struct eco_file *file, int count, MPI_Datatype type)
{
    MPI_Aint each = (MPI_Aint) type->size;
    if (file->view.external32) MPI_Pack_external_size("external32", 1, type, &each);
    return (long long) count * each;
}

static void pack(const struct eco_file *file, const void *buffer, int count, MPI_Datatype type, char *packed,
                 long long bytes)
{
    MPI_Aint position = 0;
    if (file->view.external32)
        MPI_Pack_external("external32", buffer, count, type, packed, (MPI_Aint) bytes, &position);
    else
        layout_pack(buffer, count, type, packed, (size_t) bytes);
}

static void unpack(const struct eco_file *file, void *buffer, int count, MPI_Datatype type, const char *packed,
                   long long bytes)
{
    MPI_Aint position = 0, each = 1;
    if (file->view.external32) {
        MPI_Pack_external_size("external32", 1, type, &each);
        int whole = each ? (int) (bytes / each) : 0;
        MPI_Unpack_external("external32", packed, (MPI_Aint) bytes, &position, buffer, whole < count ? whole : count,
                            type);
    } else {
        layout_unpack(buffer, count, type, packed, (size_t) bytes);
    }
}

static int move_data(const struct eco_file *file, long long at, void *buffer, int count, MPI_Datatype type,
                     bool writing, long long *moved)
{
    long long bytes = bytes_in_file(file, count, type);
    bool run = !file->view.external32 && (type_whole(type) || (count == 1 && type->dense));
    *moved = 0;
    if (bytes == 0) return MPI_SUCCESS;
    char *data = run ? (char *) buffer + type->true_lb : eco_allocate((size_t) bytes);
    if (!run && writing) pack(file, buffer, count, type, data, bytes);
    *moved = move_bytes(file, at, data, bytes, writing);
    int code = *moved < 0 ? file_error_class(errno) : MPI_SUCCESS;
    if (!run && !writing && *moved > 0) unpack(file, buffer, count, type, data, *moved);
    if (!run) free(data);
    if (*moved < 0) *moved = 0;
    return code;
}

/* ---- Positions ---- */

/* The shared position, in elements; it goes on by `more`. */
static MPI_Offset advance_shared(struct eco_file *file, MPI_Offset more)
{
    MPI_Offset before;
    MPI_Fetch_and_op(&more, &before, MPI_OFFSET, 0, 0, MPI_SUM, file->shared);
    MPI_Win_flush(0, file->shared);
    return before;
}

/* One behind the other, in the order of ranks. */
static MPI_Offset advance_ordered(struct eco_file *file, MPI_Offset more)
{
    MPI_Offset before = 0, all, start;
    MPI_Exscan(&more, &before, 1, MPI_OFFSET, MPI_SUM, file->comm);
    if (file->comm->rank == 0) before = 0;
    MPI_Allreduce(&more, &all, 1, MPI_OFFSET, MPI_SUM, file->comm);
    if (file->comm->rank == 0) start = advance_shared(file, all);
    MPI_Bcast(&start, 1, MPI_OFFSET, 0, file->comm);
    return start + before;
}

static MPI_Offset find_position(struct eco_file *file, enum where where, MPI_Offset offset, long long bytes)
{
    MPI_Offset elements = bytes / file->view.element_bytes;
    switch (where) {
    case AT_OFFSET: return offset;
    case AT_OWN: return file->position;
    case AT_SHARED: return advance_shared(file, elements);
    default: return advance_ordered(file, elements);
    }
}

static int check_transfer(struct eco_file *file, enum where where, MPI_Offset offset, const void *buffer, int count,
                          MPI_Datatype type, bool writing)
{
    int code = check_data(buffer, count, type);
    if (code) return code;
    if (where == AT_OFFSET && offset < 0) return MPI_ERR_ARG;
    if (writing && (file->mode & MPI_MODE_RDONLY)) return MPI_ERR_READ_ONLY;
    if (!writing && (file->mode & MPI_MODE_WRONLY)) return MPI_ERR_ACCESS;
    bool positioned = where == AT_OFFSET || where == AT_OWN;
    if (positioned && (file->mode & MPI_MODE_SEQUENTIAL)) return MPI_ERR_UNSUPPORTED_OPERATION;
    long long bytes = bytes_in_file(file, count, type);
    if (file->view.external32 && bytes > INT32_MAX) return MPI_ERR_COUNT; /* MPI_Pack_external counts in 32 bits */
    if (bytes > 0 && file->view.tile_bytes == 0) return MPI_ERR_IO;       /* the view has no place for data */
    return bytes % file->view.element_bytes ? MPI_ERR_IO : MPI_SUCCESS;
}

static int transfer(struct eco_file *file, enum where where, MPI_Offset offset, void *buffer, int count,
                    MPI_Datatype type, bool writing, MPI_Status *status)
{
    int code = check_file(file);
    if (!code) code = check_transfer(file, where, offset, buffer, count, type, writing);
    if (code) return code;
    long long moved, element = file->view.element_bytes;
    MPI_Offset start = find_position(file, where, offset, bytes_in_file(file, count, type));
    code = move_data(file, start * element, buffer, count, type, writing, &moved);
    if (where == AT_OWN) file->position += moved / element;
    if (status) {
        status_give_empty(status);
        status->eco_bytes = moved / (file->view.element_bytes / file->view.element->size);
    }
    return code;
}

static int transfer_request(struct eco_file *file, enum where where, MPI_Offset offset, void *buffer, int count,
                            MPI_Datatype type, bool writing, MPI_Request *result)
{
    MPI_Status status;
    if (!result) return MPI_ERR_REQUEST;
    status_set_empty(&status);
    int code = transfer(file, where, offset, buffer, count, type, writing, &status);
    if (code) return code;
    *result = request_new(REQUEST_NOTHING);
    (*result)->status = status;
    request_complete(*result);
    return MPI_SUCCESS;
}

static int split_begin(struct eco_file *file, enum where where, MPI_Offset offset, void *buffer, int count,
                       MPI_Datatype type, bool writing)
{
    if (check_file(file)) return MPI_ERR_FILE;
    if (file->splitting) return MPI_ERR_OTHER;
    status_set_empty(&file->split_status);
    int code = transfer(file, where, offset, buffer, count, type, writing, &file->split_status);
    file->splitting = code == MPI_SUCCESS;
    return code;
}

static int split_end(struct eco_file *file, MPI_Status *status)
{
    if (check_file(file)) return MPI_ERR_FILE;
    if (!file->splitting) return MPI_ERR_OTHER;
    file->splitting = false;
    if (status) *status = file->split_status;
    return MPI_SUCCESS;
}

/* ---- The calls ---- */

#define DATA(buffer_type) buffer_type buffer, int count, MPI_Datatype type
#define PARAMETERS(...) __VA_ARGS__

#define BLOCKING(name, parameters, where, offset, writing)                                                             \
    int MPI_File_##name(parameters, MPI_Status *status)                                                                \
    {                                                                                                                  \
        FILE_PASS(file, transfer(file, where, offset, (void *) buffer, count, type, writing, status));                 \
        return MPI_SUCCESS;                                                                                            \
    }
#define WITH_REQUEST(name, parameters, where, offset, writing)                                                         \
    int MPI_File_i##name(parameters, MPI_Request *request)                                                             \
    {                                                                                                                  \
        FILE_PASS(file, transfer_request(file, where, offset, (void *) buffer, count, type, writing, request));        \
        return MPI_SUCCESS;                                                                                            \
    }
#define SPLIT(name, parameters, where, offset, writing, buffer_type)                                                   \
    int MPI_File_##name##_begin(parameters)                                                                            \
    {                                                                                                                  \
        FILE_PASS(file, split_begin(file, where, offset, (void *) buffer, count, type, writing));                      \
        return MPI_SUCCESS;                                                                                            \
    }                                                                                                                  \
    int MPI_File_##name##_end(MPI_File file, buffer_type buffer, MPI_Status *status)                                   \
    {                                                                                                                  \
        (void) buffer;                                                                                                 \
        FILE_PASS(file, split_end(file, status));                                                                      \
        return MPI_SUCCESS;                                                                                            \
    }

#define FROM_OFFSET(name, buffer_type, writing)                                                                        \
    BLOCKING(name, PARAMETERS(MPI_File file, MPI_Offset offset, DATA(buffer_type)), AT_OFFSET, offset, writing)        \
    WITH_REQUEST(name, PARAMETERS(MPI_File file, MPI_Offset offset, DATA(buffer_type)), AT_OFFSET, offset, writing)
#define FROM_OWN(name, buffer_type, writing)                                                                           \
    BLOCKING(name, PARAMETERS(MPI_File file, DATA(buffer_type)), AT_OWN, 0, writing)                                   \
    WITH_REQUEST(name, PARAMETERS(MPI_File file, DATA(buffer_type)), AT_OWN, 0, writing)
#define FROM_SHARED(name, buffer_type, writing)                                                                        \
    BLOCKING(name, PARAMETERS(MPI_File file, DATA(buffer_type)), AT_SHARED, 0, writing)                                \
    WITH_REQUEST(name, PARAMETERS(MPI_File file, DATA(buffer_type)), AT_SHARED, 0, writing)
#define FROM_ORDERED(name, buffer_type, writing)                                                                       \
    BLOCKING(name, PARAMETERS(MPI_File file, DATA(buffer_type)), AT_ORDERED, 0, writing)                               \
    SPLIT(name, PARAMETERS(MPI_File file, DATA(buffer_type)), AT_ORDERED, 0, writing, buffer_type)

FROM_OFFSET(read_at, void *, false)
FROM_OFFSET(write_at, const void *, true)
FROM_OFFSET(read_at_all, void *, false)
FROM_OFFSET(write_at_all, const void *, true)
SPLIT(read_at_all, PARAMETERS(MPI_File file, MPI_Offset offset, DATA(void *)), AT_OFFSET, offset, false, void *)
SPLIT(write_at_all, PARAMETERS(MPI_File file, MPI_Offset offset, DATA(const void *)), AT_OFFSET, offset, true,
      const void *)
FROM_OWN(read, void *, false)
FROM_OWN(write, const void *, true)
FROM_OWN(read_all, void *, false)
FROM_OWN(write_all, const void *, true)
SPLIT(read_all, PARAMETERS(MPI_File file, DATA(void *)), AT_OWN, 0, false, void *)
SPLIT(write_all, PARAMETERS(MPI_File file, DATA(const void *)), AT_OWN, 0, true, const void *)
FROM_SHARED(read_shared, void *, false)
FROM_SHARED(write_shared, const void *, true)
FROM_ORDERED(read_ordered, void *, false)
FROM_ORDERED(write_ordered, const void *, true)

/* ---- Seeking ---- */

static int target_of_seek(struct eco_file *file, MPI_Offset offset, int whence, MPI_Offset current, MPI_Offset *target)
{
    struct stat state;
    switch (whence) {
    case MPI_SEEK_SET: *target = offset; break;
    case MPI_SEEK_CUR: *target = current + offset; break;
    case MPI_SEEK_END:
        if (fstat(file->descriptor, &state)) return file_error_class(errno);
        *target = offset + view_data_before(&file->view, state.st_size) / file->view.element_bytes;
        break;
    default: return MPI_ERR_ARG;
    }
    return *target < 0 ? MPI_ERR_ARG : MPI_SUCCESS;
}

int MPI_File_seek(MPI_File file, MPI_Offset offset, int whence)
{
    MPI_Offset target;
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(!(file->mode & MPI_MODE_SEQUENTIAL), file, MPI_ERR_UNSUPPORTED_OPERATION);
    FILE_PASS(file, target_of_seek(file, offset, whence, file->position, &target));
    file->position = target;
    return MPI_SUCCESS;
}

int MPI_File_get_position(MPI_File file, MPI_Offset *position)
{
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(position, file, MPI_ERR_ARG);
    *position = file->position;
    return MPI_SUCCESS;
}

int MPI_File_get_byte_offset(MPI_File file, MPI_Offset offset, MPI_Offset *byte)
{
    long long length;
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(byte && offset >= 0, file, MPI_ERR_ARG);
    *byte = view_byte(&file->view, offset * file->view.element_bytes, &length);
    return MPI_SUCCESS;
}

/* Collective: the first rank moves the position that lies with it, and nobody goes on before. */
int MPI_File_seek_shared(MPI_File file, MPI_Offset offset, int whence)
{
    MPI_Offset target;
    FILE_PASS(file, check_file(file));
    MPI_Barrier(file->comm);
    MPI_Offset current = advance_shared(file, 0);
    MPI_Barrier(file->comm);
    FILE_PASS(file, target_of_seek(file, offset, whence, current, &target));
    if (file->comm->rank == 0) *file->shared_position = target;
    MPI_Barrier(file->comm);
    return MPI_SUCCESS;
}

int MPI_File_get_position_shared(MPI_File file, MPI_Offset *position)
{
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(position, file, MPI_ERR_ARG);
    *position = advance_shared(file, 0);
    return MPI_SUCCESS;
}
