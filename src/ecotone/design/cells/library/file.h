/* Files: a handle of MPI-IO over a descriptor of WASI. */
#ifndef ECO_FILE_H
#define ECO_FILE_H

#include "internal.h"

/* A run of bytes of a file type, from its origin on; in the order of the type map, `before` bytes come before it. */
struct file_run {
    long long offset, bytes, before;
};

struct file_view {
    MPI_Offset displacement;
    struct eco_type *element, *type;
    bool external32;
    long long element_bytes; /* in the file */
    long long tile_bytes, tile_extent;
    int run_count;
    struct file_run *runs;
};

struct eco_file {
    int references; /* 1 while it is open */
    struct eco_comm *comm;
    int descriptor, mode;
    char *path;
    struct file_view view;
    MPI_Offset position; /* in elements of the view */
    struct eco_win *shared; /* the shared position is at rank 0 */
    MPI_Offset *shared_position;
    bool atomic;
    struct eco_errhandler *errhandler;
    struct eco_info *info;
    bool splitting; /* between the two halves of a split collective call, whose result is: */
    int split_code;
    MPI_Status split_status;
};

int check_file(struct eco_file *file);
int file_error(struct eco_file *file, int code, const char *function);
#define FILE_PASS(file, expression)                                                                                    \
    do {                                                                                                               \
        int code_ = (expression);                                                                                      \
        if (code_) return file_error(check_file(file) ? NULL : file, code_, __func__);                                 \
    } while (0)
#define FILE_REQUIRE(condition, file, code) FILE_PASS(file, (condition) ? MPI_SUCCESS : (code))

/* The class of an error of the C library. */
int file_error_class(int number);
int view_set(struct file_view *view, MPI_Offset displacement, struct eco_type *element, struct eco_type *type,
             bool external32, bool writable);
void view_free(struct file_view *view);
/* The byte of the file at which the data byte `at` of the view lies; `*length`: how many follow it in one run (0 if
 * the view has no data at all). */
MPI_Offset view_byte(const struct file_view *view, long long at, long long *length);
/* How many data bytes of the view lie before `byte` of the file. */
long long view_data_before(const struct file_view *view, MPI_Offset byte);

#endif
