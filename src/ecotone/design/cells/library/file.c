/* Files: opening, closing, size, view, and questions about them. Reading and writing is in file_access.c. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int check_file(struct eco_file *file)
{
    if (!initialized() || !file || file->references <= 0) return MPI_ERR_FILE;
    safe_point();
    return MPI_SUCCESS;
}

int file_error_class(int number)
{
    switch (number) {
    case ENOENT: return MPI_ERR_NO_SUCH_FILE;
    case EEXIST: return MPI_ERR_FILE_EXISTS;
    case EACCES:
    case EPERM:
    case EBADF: /* not open for this */
    case ENOTCAPABLE: return MPI_ERR_ACCESS;
    case EROFS: return MPI_ERR_READ_ONLY;
    case ENOSPC: return MPI_ERR_NO_SPACE;
    case EDQUOT: return MPI_ERR_QUOTA;
    case EISDIR:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG: return MPI_ERR_BAD_FILE;
    default: return MPI_ERR_IO;
    }
}

/* ---- Opening ---- */

static int check_mode(int mode)
{
    int ways = (mode & MPI_MODE_RDONLY ? 1 : 0) + (mode & MPI_MODE_WRONLY ? 1 : 0) + (mode & MPI_MODE_RDWR ? 1 : 0);
    if (ways != 1) return MPI_ERR_AMODE;
    if ((mode & MPI_MODE_RDONLY) && (mode & (MPI_MODE_CREATE | MPI_MODE_EXCL))) return MPI_ERR_AMODE;
    return (mode & MPI_MODE_RDWR) && (mode & MPI_MODE_SEQUENTIAL) ? MPI_ERR_AMODE : MPI_SUCCESS;
}

static int open_flags(int mode, bool first)
{
    int flags = mode & MPI_MODE_RDONLY ? O_RDONLY : mode & MPI_MODE_WRONLY ? O_WRONLY : O_RDWR;
    if (first && (mode & MPI_MODE_CREATE)) flags |= O_CREAT;
    if (first && (mode & MPI_MODE_EXCL)) flags |= O_EXCL;
    return flags;
}

/* The first rank creates the file, if that is wanted, before the others open it; all learn the worst that happened. */
static int open_together(MPI_Comm comm, const char *path, int mode, int *descriptor)
{
    int code = MPI_SUCCESS, worst;
    *descriptor = -1;
    for (int turn = 0; turn < 2; turn++) {
        if ((comm->rank == 0) == (turn == 0)) {
            *descriptor = open(path, open_flags(mode, turn == 0), 0666);
            code = *descriptor < 0 ? file_error_class(errno) : MPI_SUCCESS;
        }
        MPI_Allreduce(&code, &worst, 1, MPI_INT, MPI_MAX, comm);
        if (worst) break;
    }
    if (worst && *descriptor >= 0) close(*descriptor);
    return worst;
}

static int check_same(MPI_Comm comm, int value)
{
    int both[2] = {value, -value}, most[2];
    MPI_Allreduce(both, most, 2, MPI_INT, MPI_MAX, comm);
    return most[0] == -most[1] ? MPI_SUCCESS : MPI_ERR_NOT_SAME;
}

static struct eco_file *file_new(MPI_Comm comm, const char *path, int mode, int descriptor, MPI_Info info)
{
    struct eco_file *file = eco_allocate(sizeof *file);
    *file = (struct eco_file){.references = 1, .comm = comm, .descriptor = descriptor, .mode = mode};
    file->path = strdup(path);
    file->info = info_copy(info);
    MPI_File_get_errhandler(MPI_FILE_NULL, &file->errhandler);
    view_set(&file->view, 0, MPI_BYTE, MPI_BYTE, false, true);
    bool first = comm->rank == 0;
    MPI_Win_allocate(first ? sizeof(MPI_Offset) : 0, 1, MPI_INFO_NULL, comm, &file->shared_position, &file->shared);
    if (mode & MPI_MODE_APPEND) file->position = lseek(descriptor, 0, SEEK_END);
    if (first) *file->shared_position = file->position;
    MPI_Win_lock_all(MPI_MODE_NOCHECK, file->shared);
    MPI_Barrier(comm);
    return file;
}

int MPI_File_open(MPI_Comm comm, const char *path, int mode, MPI_Info info, MPI_File *file)
{
    int descriptor;
    MPI_Comm own;
    PASS(comm, check_comm(comm));
    REQUIRE(!comm_is_inter(comm), comm, MPI_ERR_COMM);
    FILE_REQUIRE(path && file, NULL, MPI_ERR_ARG);
    FILE_PASS(NULL, check_mode(mode));
    FILE_PASS(NULL, check_same(comm, mode));
    FILE_PASS(NULL, open_together(comm, path, mode, &descriptor));
    MPI_Comm_dup(comm, &own);
    *file = file_new(own, path, mode, descriptor, info);
    return MPI_SUCCESS;
}

int MPI_File_close(MPI_File *handle)
{
    FILE_REQUIRE(handle, NULL, MPI_ERR_ARG);
    struct eco_file *file = *handle;
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(!file->splitting, file, MPI_ERR_OTHER);
    MPI_Win_unlock_all(file->shared);
    MPI_Win_free(&file->shared); /* waits for all ranks */
    int code = close(file->descriptor) ? file_error_class(errno) : MPI_SUCCESS;
    MPI_Barrier(file->comm);
    if ((file->mode & MPI_MODE_DELETE_ON_CLOSE) && file->comm->rank == 0) unlink(file->path);
    MPI_Comm_free(&file->comm);
    view_free(&file->view);
    info_release(file->info);
    errhandler_release(file->errhandler);
    free(file->path);
    free(file);
    *handle = MPI_FILE_NULL;
    return code ? file_error(NULL, code, __func__) : MPI_SUCCESS;
}

int MPI_File_delete(const char *path, MPI_Info info)
{
    (void) info;
    FILE_REQUIRE(path, NULL, MPI_ERR_ARG);
    FILE_PASS(NULL, unlink(path) ? file_error_class(errno) : MPI_SUCCESS);
    return MPI_SUCCESS;
}

/* ---- Size ---- */

/* One rank changes the file, and all go on when it has. */
static int change_size(struct eco_file *file, MPI_Offset size, bool may_shrink)
{
    int code = MPI_SUCCESS;
    struct stat state;
    MPI_Barrier(file->comm);
    if (file->comm->rank == 0) {
        bool needed = may_shrink || fstat(file->descriptor, &state) || state.st_size < size;
        if (needed && ftruncate(file->descriptor, size)) code = file_error_class(errno);
    }
    MPI_Bcast(&code, 1, MPI_INT, 0, file->comm);
    return code;
}

int MPI_File_set_size(MPI_File file, MPI_Offset size)
{
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(size >= 0, file, MPI_ERR_ARG);
    FILE_PASS(file, change_size(file, size, true));
    return MPI_SUCCESS;
}

int MPI_File_preallocate(MPI_File file, MPI_Offset size)
{
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(size >= 0, file, MPI_ERR_ARG);
    FILE_PASS(file, change_size(file, size, false));
    return MPI_SUCCESS;
}

int MPI_File_get_size(MPI_File file, MPI_Offset *size)
{
    struct stat state;
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(size, file, MPI_ERR_ARG);
    FILE_PASS(file, fstat(file->descriptor, &state) ? file_error_class(errno) : MPI_SUCCESS);
    *size = state.st_size;
    return MPI_SUCCESS;
}

int MPI_File_sync(MPI_File file)
{
    FILE_PASS(file, check_file(file));
    bool written = !(file->mode & MPI_MODE_RDONLY);
    FILE_PASS(file, written && fsync(file->descriptor) ? file_error_class(errno) : MPI_SUCCESS);
    MPI_Barrier(file->comm);
    return MPI_SUCCESS;
}

/* ---- View ---- */

static int set_view(struct eco_file *file, MPI_Offset displacement, MPI_Datatype element, MPI_Datatype type,
                    const char *representation)
{
    if (displacement == MPI_DISPLACEMENT_CURRENT) {
        long long length;
        if (!(file->mode & MPI_MODE_SEQUENTIAL)) return MPI_ERR_DISP;
        MPI_Offset position;
        MPI_File_get_position_shared(file, &position); /* the only one that a sequential file has */
        displacement = view_byte(&file->view, position * file->view.element_bytes, &length);
    }
    if (displacement < 0) return MPI_ERR_DISP;
    if (!element || !type || !element->committed || !type->committed) return MPI_ERR_TYPE;
    if (!representation) return MPI_ERR_ARG;
    bool external32 = !strcmp(representation, "external32");
    if (!external32 && strcmp(representation, "native") && strcmp(representation, "internal"))
        return MPI_ERR_UNSUPPORTED_DATAREP;
    bool writable = !(file->mode & MPI_MODE_RDONLY);
    return view_set(&file->view, displacement, element, type, external32, writable);
}

int MPI_File_set_view(MPI_File file, MPI_Offset displacement, MPI_Datatype element, MPI_Datatype type,
                      const char *representation, MPI_Info info)
{
    FILE_PASS(file, check_file(file));
    FILE_PASS(file, set_view(file, displacement, element, type, representation));
    info_merge(&file->info, info);
    file->position = 0;
    MPI_Barrier(file->comm);
    if (file->comm->rank == 0) *file->shared_position = 0;
    MPI_Barrier(file->comm);
    return MPI_SUCCESS;
}

/* The standard gives out new handles of types that are not predefined. */
int MPI_File_get_view(MPI_File file, MPI_Offset *displacement, MPI_Datatype *element, MPI_Datatype *type,
                      char *representation)
{
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(displacement && element && type && representation, file, MPI_ERR_ARG);
    *displacement = file->view.displacement;
    *element = type_hold(file->view.element);
    *type = type_hold(file->view.type);
    strcpy(representation, file->view.external32 ? "external32" : "native");
    return MPI_SUCCESS;
}

/* ---- Questions ---- */

int MPI_File_get_group(MPI_File file, MPI_Group *group)
{
    FILE_PASS(file, check_file(file));
    return MPI_Comm_group(file->comm, group);
}

int MPI_File_get_amode(MPI_File file, int *mode)
{
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(mode, file, MPI_ERR_ARG);
    *mode = file->mode;
    return MPI_SUCCESS;
}

int MPI_File_set_info(MPI_File file, MPI_Info info)
{
    FILE_PASS(file, check_file(file));
    info_merge(&file->info, info);
    return MPI_SUCCESS;
}

int MPI_File_get_info(MPI_File file, MPI_Info *info)
{
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(info, file, MPI_ERR_ARG);
    MPI_Info_create(info);
    info_merge(info, file->info);
    return MPI_SUCCESS;
}

/* Every access reaches the system at once and whole: both modes are the same here. */
int MPI_File_set_atomicity(MPI_File file, int flag)
{
    FILE_PASS(file, check_file(file));
    FILE_PASS(file, check_same(file->comm, flag != 0));
    file->atomic = flag != 0;
    return MPI_SUCCESS;
}

int MPI_File_get_atomicity(MPI_File file, int *flag)
{
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(flag, file, MPI_ERR_ARG);
    *flag = file->atomic;
    return MPI_SUCCESS;
}

int MPI_File_get_type_extent(MPI_File file, MPI_Datatype type, MPI_Aint *extent)
{
    FILE_PASS(file, check_file(file));
    FILE_REQUIRE(type, file, MPI_ERR_TYPE);
    FILE_REQUIRE(extent, file, MPI_ERR_ARG);
    MPI_Type_extent(type, extent);
    if (file->view.external32 && type_whole(type) && !type->wide) MPI_Pack_external_size("external32", 1, type, extent);
    return MPI_SUCCESS;
}

int MPI_Register_datarep(const char *name, MPI_Datarep_conversion_function *read, MPI_Datarep_conversion_function *write,
                         MPI_Datarep_extent_function *extent, void *extra)
{
    (void) read, (void) write, (void) extent, (void) extra;
    FILE_REQUIRE(name && strlen(name) < MPI_MAX_DATAREP_STRING, NULL, MPI_ERR_ARG);
    bool ours = !strcmp(name, "native") || !strcmp(name, "internal") || !strcmp(name, "external32");
    return file_error(NULL, ours ? MPI_ERR_DUP_DATAREP : MPI_ERR_UNSUPPORTED_OPERATION, __func__);
}
